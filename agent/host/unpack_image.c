/* SPDX-License-Identifier: MIT */
#include "host/unpack_image.h"

#include <errno.h>

#include <archive.h>
#include <archive_entry.h>

#define READ_BYTES 65536U

static void archive_close(struct archive **archive)
{
	(void)archive_read_free(*archive);
}

/* Everything that is tried in turn must be there; raw takes what is left after them. */
static int open_raw(struct archive *archive, int fd)
{
	struct archive_entry *entry;

	if (archive_read_support_filter_gzip(archive) != ARCHIVE_OK ||
		archive_read_support_filter_xz(archive) != ARCHIVE_OK ||
		archive_read_support_filter_zstd(archive) != ARCHIVE_OK ||
		archive_read_support_format_raw(archive) != ARCHIVE_OK ||
		archive_read_open_fd(archive, fd, READ_BYTES) != ARCHIVE_OK)
		return -1;
	return archive_read_next_header(archive, &entry) == ARCHIVE_OK ? 0 : -1;
}

int unpack_image(int fd, const char *name, size_t max, struct buf *ret, struct err *err)
{
	struct archive *archive CLEANUP(archive_close) = archive_read_new();
	struct buf image CLEANUP(buf_done) = BUF_INIT;
	char chunk[READ_BYTES];
	la_ssize_t got;

	if (!archive)
		return err_errno(err, ENOMEM, "unpack '%s'", name);
	if (open_raw(archive, fd) < 0)
		return err_set(err, E_ARCHIVE, "unpack '%s': %s", name,
			archive_error_string(archive));
	while ((got = archive_read_data(archive, chunk, sizeof(chunk))) > 0) {
		if ((size_t)got > max - image.len)
			return err_set(err, E_TOO_BIG, "unpack '%s': more than %zu bytes",
				name, max);
		if (buf_add(&image, chunk, (size_t)got) < 0)
			return err_errno(err, ENOMEM, "unpack '%s'", name);
	}
	if (got < 0)
		return err_set(err, E_ARCHIVE, "unpack '%s': %s", name,
			archive_error_string(archive));
	*ret = image;
	image = (struct buf)BUF_INIT;
	return 0;
}
