/* SPDX-License-Identifier: MIT */
#include "host/unpack_member.h"

#include <errno.h>
#include <string.h>

#include <archive.h>
#include <archive_entry.h>

#define READ_BYTES 65536U

static void archive_close(struct archive **archive)
{
	(void)archive_read_free(*archive);
}

static int open_tar(struct archive *tar, int fd)
{
	if (archive_read_support_filter_gzip(tar) != ARCHIVE_OK ||
		archive_read_support_filter_xz(tar) != ARCHIVE_OK ||
		archive_read_support_filter_zstd(tar) != ARCHIVE_OK ||
		archive_read_support_format_tar(tar) != ARCHIVE_OK)
		return -1;
	return archive_read_open_fd(tar, fd, READ_BYTES) == ARCHIVE_OK ? 0 : -1;
}

static struct unpack_member *find(
	struct unpack_member *members, size_t count, const char *name)
{
	if (!name)
		return NULL;
	name += strncmp(name, "./", 2) == 0 ? 2 : 0;
	for (size_t i = 0; i < count; i++)
		if (strcmp(members[i].name, name) == 0)
			return &members[i];
	return NULL;
}

static int read_member(struct archive *tar, const char *archive,
	struct unpack_member *member, size_t max, struct err *err)
{
	struct buf bytes CLEANUP(buf_done) = BUF_INIT;
	char chunk[4096];
	la_ssize_t got;

	while ((got = archive_read_data(tar, chunk, sizeof(chunk))) > 0) {
		if ((size_t)got > max - bytes.len)
			return err_set(err, E_TOO_BIG,
				"read '%s' of '%s': more than %zu bytes", member->name,
				archive, max);
		if (buf_add(&bytes, chunk, (size_t)got) < 0)
			return err_errno(err, ENOMEM, "read '%s'", archive);
	}
	if (got < 0)
		return err_set(err, E_ARCHIVE, "read '%s' of '%s': %s", member->name,
			archive, archive_error_string(tar));
	buf_done(&member->bytes);
	member->bytes = bytes;
	member->found = true;
	bytes = (struct buf)BUF_INIT;
	return 0;
}

int unpack_members(int fd, const char *archive, struct unpack_member *members,
	size_t count, size_t max, struct err *err)
{
	struct archive *tar CLEANUP(archive_close) = archive_read_new();
	struct archive_entry *entry;
	int rc;

	if (!tar)
		return err_errno(err, ENOMEM, "read '%s'", archive);
	if (open_tar(tar, fd) < 0)
		return err_set(err, E_ARCHIVE, "read '%s': %s", archive,
			archive_error_string(tar));
	while ((rc = archive_read_next_header(tar, &entry)) == ARCHIVE_OK ||
		rc == ARCHIVE_WARN) {
		struct unpack_member *member =
			find(members, count, archive_entry_pathname(entry));

		rc = member ? read_member(tar, archive, member, max, err) : 0;
		if (rc < 0)
			return rc;
	}
	if (rc != ARCHIVE_EOF)
		return err_set(err, E_ARCHIVE, "read '%s': %s", archive,
			archive_error_string(tar));
	return 0;
}
