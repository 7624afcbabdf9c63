/* SPDX-License-Identifier: MIT */
#include "host/unpack_layer.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/fs.h"

#define READ_BYTES 65536U

/* The layer as the inner archive reads it. */
struct source {
	struct archive *outer;
	char bytes[READ_BYTES];
};

static void archive_close(struct archive **archive)
{
	(void)archive_read_free(*archive);
}

static la_ssize_t read_outer(struct archive *inner, void *context, const void **ret)
{
	struct source *source = context;
	la_ssize_t got =
		archive_read_data(source->outer, source->bytes, sizeof(source->bytes));

	if (got < 0)
		archive_set_error(inner, archive_errno(source->outer), "%s",
			archive_error_string(source->outer));
	*ret = source->bytes;
	return got < 0 ? -1 : got;
}

static const char *without_dot(const char *name)
{
	return name && strncmp(name, "./", 2) == 0 ? name + 2 : name;
}

static int fail(
	const struct unpack_layer *layer, struct archive *archive, struct err *err)
{
	const char *why = archive ? archive_error_string(archive) : NULL;

	return err_set(err, E_ARCHIVE, "read '%s' of '%s': %s", layer->layer,
		layer->archive, why ? why : "out of memory");
}

static int add_formats(struct archive *tar)
{
	return tar && archive_read_support_filter_gzip(tar) == ARCHIVE_OK &&
			       archive_read_support_filter_xz(tar) == ARCHIVE_OK &&
			       archive_read_support_filter_zstd(tar) == ARCHIVE_OK &&
			       archive_read_support_format_tar(tar) == ARCHIVE_OK
		       ? 0
		       : -1;
}

/* Goes to the member that is the layer. */
static int find_layer(
	struct archive *tar, const struct unpack_layer *layer, struct err *err)
{
	struct archive_entry *entry;
	int rc;

	if (lseek(layer->fd, 0, SEEK_SET) < 0 || add_formats(tar) < 0 ||
		archive_read_open_fd(tar, layer->fd, READ_BYTES) != ARCHIVE_OK)
		return fail(layer, tar, err);
	while ((rc = archive_read_next_header(tar, &entry)) == ARCHIVE_OK ||
		rc == ARCHIVE_WARN) {
		const char *name = without_dot(archive_entry_pathname(entry));

		if (name && strcmp(name, layer->layer) == 0)
			return 0;
	}
	if (rc != ARCHIVE_EOF)
		return fail(layer, tar, err);
	return err_set(err, E_ARCHIVE,
		"'%s' has no layer '%s' although its manifest names it", layer->archive,
		layer->layer);
}

/* Folders of the PATH that an image has by default. */
static bool is_program(struct archive_entry *entry, const char *program)
{
	static const char *const folders[] = {"usr/local/bin/", "usr/bin/", "bin/",
		"usr/local/sbin/", "usr/sbin/", "sbin/"};
	const char *path = without_dot(archive_entry_pathname(entry));

	if (!path || archive_entry_filetype(entry) != S_IFREG)
		return false;
	path += *path == '/';
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		size_t len = strlen(folders[i]);

		if (strncmp(path, folders[i], len) == 0 &&
			strcmp(path + len, program) == 0)
			return true;
	}
	return false;
}

static int copy_out(const struct sys_ops *sys, struct archive *tar,
	const struct unpack_layer *layer, int out_fd, uint64_t max, struct err *err)
{
	char chunk[16384];
	uint64_t total = 0;
	la_ssize_t got;

	while ((got = archive_read_data(tar, chunk, sizeof(chunk))) > 0) {
		int rc;

		total += (uint64_t)got;
		if (total > max)
			return err_set(err, E_TOO_BIG, "'%s' in '%s': more than %llu MiB",
				layer->program, layer->archive,
				(unsigned long long)(max >> 20));
		rc = fs_write_all(sys, out_fd, chunk, (size_t)got);
		if (rc < 0)
			return err_errno(err, -rc, "write '%s'", layer->program);
	}
	return got < 0 ? fail(layer, tar, err) : 0;
}

int unpack_layer_program(const struct sys_ops *sys, const struct unpack_layer *layer,
	int out_fd, uint64_t max, bool *ret_found, struct err *err)
{
	struct archive *outer CLEANUP(archive_close) = archive_read_new();
	struct archive *inner CLEANUP(archive_close) = archive_read_new();
	struct source source = {.outer = outer};
	struct archive_entry *entry;
	int rc = outer ? find_layer(outer, layer, err) : fail(layer, NULL, err);

	if (rc < 0)
		return rc;
	if (add_formats(inner) < 0 ||
		archive_read_open(inner, &source, NULL, read_outer, NULL) != ARCHIVE_OK)
		return fail(layer, inner, err);
	while ((rc = archive_read_next_header(inner, &entry)) == ARCHIVE_OK ||
		rc == ARCHIVE_WARN) {
		if (!is_program(entry, layer->program))
			continue;
		rc = copy_out(sys, inner, layer, out_fd, max, err);
		if (rc == 0)
			*ret_found = true;
		return rc;
	}
	if (rc != ARCHIVE_EOF)
		return fail(layer, inner, err);
	*ret_found = false;
	return 0;
}
