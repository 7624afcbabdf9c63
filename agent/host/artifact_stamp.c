/* SPDX-License-Identifier: MIT */
#include "host/artifact_stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"

#define STAMP_DIR "/var/lib/promenade/artifacts/"
#define STAMP_HEAD "promenade artifact 1"
/* 65536 files with names of usual length. */
#define STAMP_BYTES_MAX (16U << 20)
/* As deep as unpack lets a tree be. */
#define TREE_DEPTH_MAX 32U

/* "/opt/cni/bin" -> "opt_cni_bin", with "_" and "%" of the path escaped: one path, one
 * name. */
static int stamp_path(const char *path, char *ret, size_t size)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_add_str(&text, STAMP_DIR);

	for (path += strspn(path, "/"); rc == 0 && *path; path++) {
		if (*path == '/')
			rc = buf_add_str(&text, "_");
		else if (*path == '_' || *path == '%')
			rc = buf_printf(&text, "%%%02X", (unsigned int)*path);
		else
			rc = buf_add(&text, path, 1);
	}
	if (rc < 0)
		return rc;
	return str_copy(ret, size, buf_text(&text)) ? 0 : -ENAMETOOLONG;
}

static int add_file(struct artifact_stamp *stamp, const struct artifact_stamp_file *file)
{
	struct artifact_stamp_file *files = stamp->files;

	if (stamp->count == stamp->cap) {
		size_t cap = stamp->cap ? 2 * stamp->cap : 16;

		files = realloc(files, cap * sizeof(*files));
		if (!files)
			return -ENOMEM;
		stamp->files = files;
		stamp->cap = cap;
	}
	files[stamp->count] = *file;
	files[stamp->count].name = strdup(file->name);
	if (!files[stamp->count].name)
		return -ENOMEM;
	stamp->count++;
	return 0;
}

static uint64_t nanoseconds(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000U + (uint64_t)time->tv_nsec;
}

int artifact_stamp_add(
	struct artifact_stamp *stamp, const char *name, const struct stat *st)
{
	struct artifact_stamp_file file = {
		.name = (char *)(uintptr_t)name,
		.size = (uint64_t)st->st_size,
		.mtime_ns = nanoseconds(&st->st_mtim),
		.ctime_ns = nanoseconds(&st->st_ctim),
		.inode = st->st_ino,
	};

	return add_file(stamp, &file);
}

static int add_tree(
	struct artifact_stamp *stamp, int fd, const char *prefix, unsigned int depth)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = depth ? fs_list(fd, ".", &names) : -ELOOP;

	for (size_t i = 0; rc == 0 && i < names.count; i++) {
		struct buf name CLEANUP(buf_done) = BUF_INIT;
		struct stat st;

		rc = buf_printf(&name, "%s%s", prefix, names.items[i]);
		if (rc == 0)
			rc = fs_stat(fd, names.items[i], false, &st);
		if (rc == 0 && S_ISREG(st.st_mode)) {
			rc = artifact_stamp_add(stamp, buf_text(&name), &st);
		} else if (rc == 0 && S_ISDIR(st.st_mode)) {
			int child CLEANUP(fd_close) = fs_open(
				fd, names.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			rc = child < 0 ? child : buf_add_str(&name, "/");
			if (rc == 0)
				rc = add_tree(stamp, child, buf_text(&name), depth - 1);
		}
	}
	return rc;
}

int artifact_stamp_add_tree(struct artifact_stamp *stamp, int fd)
{
	return add_tree(stamp, fd, "", TREE_DEPTH_MAX);
}

bool artifact_stamp_fits(const struct artifact_stamp_file *file, const struct stat *st)
{
	return S_ISREG(st->st_mode) && file->size == (uint64_t)st->st_size &&
	       file->mtime_ns == nanoseconds(&st->st_mtim) &&
	       file->ctime_ns == nanoseconds(&st->st_ctim) && file->inode == st->st_ino;
}

bool artifact_stamp_fits_tree(const struct artifact_stamp *stamp, int fd)
{
	struct stat st;

	for (size_t i = 0; i < stamp->count; i++)
		if (fs_stat(fd, stamp->files[i].name, false, &st) < 0 ||
			!artifact_stamp_fits(&stamp->files[i], &st))
			return false;
	return stamp->count > 0;
}

bool artifact_stamp_has(const struct artifact_stamp *stamp, const char *name)
{
	for (size_t i = 0; i < stamp->count; i++)
		if (strcmp(stamp->files[i].name, name) == 0)
			return true;
	return false;
}

/* "file SIZE MTIME CTIME INODE NAME"; line is changed. */
static int parse_file(struct artifact_stamp *stamp, char *line)
{
	struct artifact_stamp_file file = {.name = NULL};
	uint64_t *numbers[] = {&file.size, &file.mtime_ns, &file.ctime_ns, &file.inode};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		char *end = strchr(line, ' ');

		if (!end)
			return -ENOENT;
		*end = '\0';
		if (!str_to_u64(line, UINT64_MAX, numbers[i]))
			return -ENOENT;
		line = end + 1;
	}
	if (!*line)
		return -ENOENT;
	file.name = line;
	return add_file(stamp, &file);
}

static int parse(struct artifact_stamp *stamp, char *text)
{
	char *line = strsep(&text, "\n");
	int rc = 0;

	if (!line || strcmp(line, STAMP_HEAD) != 0)
		return -ENOENT;
	line = strsep(&text, "\n");
	if (!line || !str_has_prefix(line, "sha256 ") ||
		!str_copy(stamp->sha256, sizeof(stamp->sha256), line + 7))
		return -ENOENT;
	while (rc == 0 && (line = strsep(&text, "\n")) && *line)
		rc = str_has_prefix(line, "file ") ? parse_file(stamp, line + 5)
						   : -ENOENT;
	return rc;
}

int artifact_stamp_read(
	const struct env *env, const char *path, struct artifact_stamp *ret)
{
	struct artifact_stamp stamp CLEANUP(artifact_stamp_done) = {.count = 0};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	char name[4096];
	int rc = stamp_path(path, name, sizeof(name));

	if (rc == 0)
		rc = fs_read(env->target_fd, name, STAMP_BYTES_MAX, &text, NULL);
	if (rc == 0)
		rc = text.bytes ? parse(&stamp, text.bytes) : -ENOENT;
	if (rc < 0)
		return rc;
	*ret = stamp;
	stamp = (struct artifact_stamp){.count = 0};
	return 0;
}

int artifact_stamp_write(const struct env *env, const char *path,
	const struct artifact_stamp *stamp, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct fs_content content = {.mode = 0644};
	char name[4096];
	int rc = stamp_path(path, name, sizeof(name));

	if (rc == 0)
		rc = buf_printf(&text, STAMP_HEAD "\nsha256 %s\n", stamp->sha256);
	for (size_t i = 0; rc == 0 && i < stamp->count; i++) {
		const struct artifact_stamp_file *file = &stamp->files[i];

		rc = buf_printf(&text, "file %llu %llu %llu %llu %s\n",
			(unsigned long long)file->size,
			(unsigned long long)file->mtime_ns,
			(unsigned long long)file->ctime_ns,
			(unsigned long long)file->inode, file->name);
	}
	if (rc < 0)
		return err_errno(err, -rc, "note what was put at '%s'", path);
	content.bytes = text.bytes;
	content.len = text.len;
	return fs_replace(env->sys, env->target_fd, name, &content, err);
}

void artifact_stamp_done(struct artifact_stamp *stamp)
{
	for (size_t i = 0; i < stamp->count; i++)
		free(stamp->files[i].name);
	free(stamp->files);
	*stamp = (struct artifact_stamp){.count = 0};
}
