/* SPDX-License-Identifier: MIT */
#include "host/unpack_rules.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/str.h"

#define NAME_TEXT_MAX 160

static const struct {
	mode_t type;
	const char *text;
} type_names[] = {
	{S_IFLNK, "a symbolic link"},
	{S_IFCHR, "a character device"},
	{S_IFBLK, "a block device"},
	{S_IFIFO, "a FIFO"},
	{S_IFSOCK, "a socket"},
};

/* The name as it may be shown. */
static const char *shown(const char *name, char text[NAME_TEXT_MAX])
{
	(void)str_copy(text, NAME_TEXT_MAX, name ? name : "?"); /* may be cut */
	str_make_printable(text);
	return text;
}

static bool is_printable(const char *name)
{
	for (; *name; name++)
		if (*name < 0x20 || *name > 0x7e)
			return false;
	return true;
}

/* Appends one component; -1 when it does not fit. */
static int append(char *path, size_t size, size_t *used, const char *part, size_t len)
{
	if (len > 255 || *used + 1 + len >= size)
		return -1;
	if (*used)
		path[(*used)++] = '/';
	memcpy(path + *used, part, len);
	*used += len;
	path[*used] = '\0';
	return 0;
}

int unpack_name(
	const char *name, unsigned int depth, char *path, size_t size, struct err *err)
{
	char text[NAME_TEXT_MAX];
	const char *part;
	unsigned int components = 0;
	size_t used = 0, len;

	path[0] = '\0';
	(void)shown(name, text);
	if (!name || !is_printable(name))
		return err_set(err, E_ARCHIVE,
			"entry '%s': its name is not printable ASCII; rename and repack",
			text);
	if (name[0] == '\0' || name[0] == '/')
		return err_set(err, E_ARCHIVE,
			"entry '%s': %s; repack with 'tar -C DIR .'", text,
			name[0] ? "an absolute name" : "an empty name");
	for (part = name; *part; part += len) {
		part += strspn(part, "/");
		len = strcspn(part, "/");
		if (len == 0 || (len == 1 && part[0] == '.'))
			continue;
		if (len == 2 && part[0] == '.' && part[1] == '.')
			return err_set(err, E_ARCHIVE,
				"entry '%s': escapes the target; repack without it",
				text);
		if (append(path, size, &used, part, len) < 0)
			return err_set(
				err, E_ARCHIVE, "entry '%s': its name is too long", text);
		components++;
	}
	if (components <= depth)
		return 0;
	if (depth == 1)
		return err_set(err, E_ARCHIVE,
			"entry '%s': in a folder, but files must be at the top; repack "
			"with "
			"'tar -C FOLDER .'",
			text);
	return err_set(err, E_ARCHIVE, "entry '%s': deeper than %u folders", text, depth);
}

/* Refuses what is no plain file or directory; text is the name as shown. */
static int check_type(const struct unpack_entry *entry, const char *text, struct err *err)
{
	mode_t type = entry->mode & S_IFMT;

	if (entry->hardlink)
		return err_set(err, E_ARCHIVE,
			"entry '%s': a hard link; repack with tar --hard-dereference",
			text);
	for (size_t i = 0; i < ARRAY_LEN(type_names); i++)
		if (type_names[i].type == type)
			return err_set(err, E_ARCHIVE,
				"entry '%s': %s, only regular files and directories are "
				"taken; repack without it",
				text, type_names[i].text);
	if (type != S_IFREG && type != S_IFDIR)
		return err_set(err, E_ARCHIVE,
			"entry '%s': neither a regular file nor a directory", text);
	if (type == S_IFREG && entry->mode & (S_ISUID | S_ISGID))
		return err_set(err, E_ARCHIVE,
			"entry '%s': setuid or setgid (mode %04o); repack without that "
			"bit",
			text, (unsigned int)(entry->mode & 07777));
	if (entry->sparse)
		return err_set(err, E_ARCHIVE,
			"entry '%s': a sparse file; repack without tar --sparse", text);
	if (entry->attributes)
		return err_set(err, E_ARCHIVE,
			"entry '%s': extended attributes, ACLs or file flags; repack "
			"with "
			"tar --no-xattrs --no-acls",
			text);
	return 0;
}

int unpack_entry_check(const struct unpack_entry *entry,
	const struct unpack_limits *limits, struct unpack_totals *totals, struct err *err)
{
	char text[NAME_TEXT_MAX];
	uint64_t size = S_ISREG(entry->mode) ? entry->size : 0;
	int rc = check_type(entry, shown(entry->name, text), err);

	if (rc < 0)
		return rc;
	if (size > limits->file_bytes)
		return err_set(err, E_TOO_BIG,
			"entry '%s': %llu MiB, more than the %llu allowed", text,
			(unsigned long long)(size >> 20),
			(unsigned long long)(limits->file_bytes >> 20));
	if (size > limits->total_bytes - totals->bytes)
		return err_set(err, E_TOO_BIG,
			"entry '%s': with it more than %llu MiB are unpacked", text,
			(unsigned long long)(limits->total_bytes >> 20));
	if (totals->entries >= limits->entries)
		return err_set(err, E_TOO_BIG, "entry '%s': more than %llu entries", text,
			(unsigned long long)limits->entries);
	totals->entries++;
	totals->bytes += size;
	return 0;
}

mode_t unpack_file_mode(mode_t mode)
{
	return mode & 0111 ? 0755 : 0644;
}
