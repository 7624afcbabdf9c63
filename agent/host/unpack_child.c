/* SPDX-License-Identifier: MIT */
/*
 * Two readers of libarchive in a row: the first only decompresses ("raw"), by the one
 * filter that the magic names; the second only reads tar. So bytes are counted and
 * bounded between them, an archive that is compressed twice is refused, and nothing can
 * hide behind the end of either layer. archive_write_disk is not used: it makes links,
 * devices and setuid files whatever its flags say (node.md 8.1).
 */
#include "host/unpack_child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>

#include "base/fs.h"

#define STREAM_CHUNK 65536U
#define MAGIC_MAX 6U
/* Output that no ratio bounds: a small archive may be packed very well. */
#define RATIO_GRACE (10ULL << 20)

struct reader {
	const struct sys_ops *sys;
	const struct unpack_limits *limits;
	int stream_fd;
	int staging_fd;
	struct archive *raw; /* decompresses */
	struct archive *tar;
	const char *packing;   /* "gzip", .. */
	uint64_t packed;       /* bytes read from the stream */
	uint64_t unpacked;     /* bytes out of raw */
	uint64_t last_nonzero; /* offset after the last byte out of raw that is not 0 */
	int stream_errno;      /* reading the stream failed */
	struct err *err;       /* set by a callback: why it failed */
	struct unpack_totals totals;
	struct unpack_result result;
	size_t peeked; /* bytes of chunk that were read to see the magic */
	unsigned char chunk[STREAM_CHUNK];
};

static const struct {
	unsigned char bytes[MAGIC_MAX];
	size_t len;
	const char *name;
	int (*enable)(struct archive *archive);
} packings[] = {
	{{0x1f, 0x8b}, 2, "gzip", archive_read_support_filter_gzip},
	{{'B', 'Z', 'h'}, 3, "bzip2", archive_read_support_filter_bzip2},
	{{0xfd, '7', 'z', 'X', 'Z', 0}, 6, "xz", archive_read_support_filter_xz},
	{{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd", archive_read_support_filter_zstd},
};

static ssize_t read_chunk(struct reader *reader, size_t used)
{
	ssize_t n;

	do {
		n = read(reader->stream_fd, reader->chunk + used, STREAM_CHUNK - used);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		reader->packed += (uint64_t)n;
	if (n < 0)
		reader->stream_errno = errno;
	return n;
}

/* libarchive's callback for the packed bytes. */
static la_ssize_t read_packed(struct archive *archive, void *context, const void **ret)
{
	struct reader *reader = context;
	size_t peeked = reader->peeked;
	ssize_t n;

	*ret = reader->chunk;
	reader->peeked = 0;
	if (peeked)
		return (la_ssize_t)peeked;
	n = read_chunk(reader, 0);
	if (n < 0)
		archive_set_error(archive, errno, "read the stream");
	return n;
}

/* What raw says went wrong, in words that lead on. */
static int raw_error(struct reader *reader)
{
	const char *text = archive_error_string(reader->raw);

	if (reader->stream_errno)
		return err_errno(reader->err, reader->stream_errno, "read the stream");
	/* the raw format takes everything but nothing */
	if (text && strstr(text, "Unrecognized archive format"))
		return err_set(reader->err, E_ARCHIVE, "its %s unpacks to nothing",
			reader->packing);
	if (archive_errno(reader->raw) == ENOMEM || (text && strstr(text, "memory")))
		return err_set(reader->err, E_TOO_BIG,
			"unpacking its %s needs more than %u MiB of memory; repack with "
			"'zstd -19' or 'xz -6' or less, without --long and --ultra",
			reader->packing, reader->limits->memory_mib);
	return err_set(reader->err, E_ARCHIVE, "its %s does not unpack: %s",
		reader->packing, text ? text : "unknown");
}

static void note_nonzero(struct reader *reader, const unsigned char *bytes, size_t len)
{
	while (len && bytes[len - 1] == 0)
		len--;
	if (len)
		reader->last_nonzero = reader->unpacked + len;
}

/* The next unpacked bytes: their number, 0 at the end, negative with err set. */
static la_ssize_t next_unpacked(struct reader *reader, const void **ret)
{
	size_t len = 0;
	la_int64_t offset;
	int rc;

	do {
		rc = archive_read_data_block(reader->raw, ret, &len, &offset);
	} while (rc == ARCHIVE_OK && len == 0);
	if (rc == ARCHIVE_EOF)
		return 0;
	if (rc != ARCHIVE_OK)
		return raw_error(reader);
	note_nonzero(reader, *ret, len);
	reader->unpacked += len;
	if (reader->unpacked > RATIO_GRACE + reader->packed * reader->limits->ratio)
		return err_set(reader->err, E_TOO_BIG,
			"unpacks to more than %u times its size: a bomb?",
			reader->limits->ratio);
	return (la_ssize_t)len;
}

/* libarchive's callback for the unpacked bytes. */
static la_ssize_t read_unpacked(struct archive *archive, void *context, const void **ret)
{
	la_ssize_t n = next_unpacked(context, ret);

	if (n < 0)
		archive_set_error(archive, EIO, "unpack");
	return n < 0 ? -1 : n;
}

/* Reads enough of the stream to see how it is packed, and lets raw know only that. */
static int choose_packing(struct reader *reader)
{
	ssize_t n = 1;

	while (n > 0 && reader->peeked < MAGIC_MAX) {
		n = read_chunk(reader, reader->peeked);
		if (n > 0)
			reader->peeked += (size_t)n;
	}
	if (n < 0)
		return err_errno(reader->err, reader->stream_errno, "read the stream");
	reader->packing = "tar";
	for (size_t i = 0; i < ARRAY_LEN(packings); i++) {
		if (reader->peeked < packings[i].len ||
			memcmp(reader->chunk, packings[i].bytes, packings[i].len) != 0)
			continue;
		reader->packing = packings[i].name;
		if (packings[i].enable(reader->raw) != ARCHIVE_OK)
			return err_set(reader->err, E_UNSUPPORTED,
				"%s cannot be unpacked by this build", reader->packing);
	}
	return 0;
}

static int open_raw(struct reader *reader)
{
	struct archive_entry *entry;
	int rc, layers;

	if (!reader->raw || !reader->tar)
		return err_errno(reader->err, ENOMEM, "unpack");
	rc = choose_packing(reader);
	if (rc < 0)
		return rc;
	if (reader->packed == 0)
		return err_set(reader->err, E_ARCHIVE, "is empty");
	if (archive_read_support_format_raw(reader->raw) != ARCHIVE_OK ||
		archive_read_open(reader->raw, reader, NULL, read_packed, NULL) !=
			ARCHIVE_OK ||
		archive_read_next_header(reader->raw, &entry) != ARCHIVE_OK)
		return raw_error(reader);
	/* the filter and "none" beneath it */
	layers = strcmp(reader->packing, "tar") == 0 ? 1 : 2;
	if (archive_filter_count(reader->raw) > layers)
		return err_set(reader->err, E_ARCHIVE,
			"is packed twice; repack with one of gzip, bzip2, xz, zstd");
	return 0;
}

/* What tar says went wrong; a callback's own reason comes first. */
static int tar_error(struct reader *reader)
{
	const char *text = archive_error_string(reader->tar);

	if (reader->err->code < 0)
		return reader->err->code;
	if (text && strstr(text, "Unrecognized archive format"))
		return err_set(reader->err, E_ARCHIVE,
			"is no tar archive, plain or in gzip, bzip2, xz or zstd");
	return err_set(reader->err, E_ARCHIVE, "is a damaged tar archive: %s",
		text ? text : "unknown");
}

static int open_tar(struct reader *reader)
{
	if (archive_read_support_format_tar(reader->tar) != ARCHIVE_OK ||
		archive_read_open(reader->tar, reader, NULL, read_unpacked, NULL) !=
			ARCHIVE_OK)
		return tar_error(reader);
	return 0;
}

static int write_error(struct reader *reader, const char *path, int code)
{
	if (code == EEXIST)
		return err_set(
			reader->err, E_ARCHIVE, "entry '%s': is in it twice", path);
	if (code == ENOTDIR)
		return err_set(reader->err, E_ARCHIVE,
			"entry '%s': a file and a folder of one name are in it", path);
	return err_errno(reader->err, code, "write '%s'", path);
}

/* A folder may be named again (it has nothing that could differ), a file may not. */
static int make_directory(struct reader *reader, const char *path)
{
	int fd;

	if (path[0] == '\0')
		return 0; /* the top itself */
	if (reader->sys->mkdirat(reader->staging_fd, path, 0755) == 0) {
		reader->result.directories++;
		return 0;
	}
	if (errno != EEXIST)
		return -errno;
	fd = fs_open(reader->staging_fd, path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
	if (fd < 0)
		return fd == -ENOENT ? -ENOTDIR : fd;
	fd_close(&fd);
	return 0;
}

/* Folders that the archive does not name. */
static int make_parents(struct reader *reader, char *path)
{
	int rc = 0;

	for (char *slash = strchr(path, '/'); rc == 0 && slash;
		slash = strchr(slash, '/')) {
		*slash = '\0';
		rc = make_directory(reader, path);
		*slash++ = '/';
	}
	return rc;
}

static int open_file(struct reader *reader, char *path, mode_t mode)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		.mode = unpack_file_mode(mode),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd = reader->sys->open_write(reader->staging_fd, path, &how), rc;

	if (fd >= 0 || errno != ENOENT)
		return fd >= 0 ? fd : -errno;
	rc = make_parents(reader, path);
	if (rc < 0)
		return rc;
	fd = reader->sys->open_write(reader->staging_fd, path, &how);
	return fd >= 0 ? fd : -errno;
}

/* Copies the entry's bytes; a gap is a hole that the checks did not see. */
static int copy_data(struct reader *reader, int fd, const char *path)
{
	const void *bytes;
	la_int64_t offset, expected = 0;
	size_t len;
	int rc;

	while ((rc = archive_read_data_block(reader->tar, &bytes, &len, &offset)) ==
		ARCHIVE_OK) {
		if (offset != expected)
			return err_set(reader->err, E_ARCHIVE,
				"entry '%s': a sparse file", path);
		expected += (la_int64_t)len;
		rc = fs_write_all(reader->sys, fd, bytes, len);
		if (rc < 0)
			return write_error(reader, path, -rc);
	}
	if (rc != ARCHIVE_EOF)
		return tar_error(reader);
	reader->result.bytes += (uint64_t)expected;
	return 0;
}

static int unpack_file(struct reader *reader, char *path, mode_t mode)
{
	int fd CLEANUP(fd_close) = open_file(reader, path, mode);

	if (fd < 0)
		return write_error(reader, path, -fd);
	reader->result.files++;
	return copy_data(reader, fd, path);
}

static struct unpack_entry entry_of(struct archive_entry *entry)
{
	return (struct unpack_entry){
		.name = archive_entry_pathname(entry),
		.mode = archive_entry_mode(entry),
		.size = (uint64_t)archive_entry_size(entry),
		.hardlink = archive_entry_hardlink(entry) != NULL,
		.sparse = archive_entry_sparse_count(entry) > 0,
		.attributes = archive_entry_xattr_count(entry) > 0 ||
			      archive_entry_acl_types(entry) != 0 ||
			      archive_entry_fflags_text(entry) != NULL,
	};
}

static int unpack_one(struct reader *reader, struct archive_entry *archive_entry)
{
	struct unpack_entry entry = entry_of(archive_entry);
	char path[4096];
	int rc = unpack_entry_check(&entry, reader->limits, &reader->totals, reader->err);

	if (rc == 0)
		rc = unpack_name(entry.name, reader->limits->depth, path, sizeof(path),
			reader->err);
	if (rc < 0)
		return rc;
	if (S_ISREG(entry.mode) && path[0])
		return unpack_file(reader, path, entry.mode);
	if (S_ISREG(entry.mode))
		return err_set(reader->err, E_ARCHIVE,
			"entry '%s': a file without a name", entry.name);
	rc = make_directory(reader, path);
	if (rc == -ENOENT) {
		rc = make_parents(reader, path);
		if (rc == 0)
			rc = make_directory(reader, path);
	}
	return rc < 0 ? write_error(reader, path, -rc) : 0;
}

/* Behind the end of the tar only zeros may come, behind the end of the packing nothing.
 */
static int check_rest(struct reader *reader)
{
	uint64_t tar_end = (uint64_t)archive_filter_bytes(reader->tar, 0);
	uint64_t used;
	const void *bytes;
	la_ssize_t n;

	while ((n = next_unpacked(reader, &bytes)) > 0)
		continue;
	if (n < 0)
		return (int)n;
	if (reader->last_nonzero > tar_end)
		return err_set(reader->err, E_ARCHIVE,
			"has other bytes after the end of the tar archive");
	used = (uint64_t)archive_filter_bytes(reader->raw, -1);
	while ((n = read_chunk(reader, 0)) > 0)
		continue;
	if (n < 0)
		return err_errno(reader->err, reader->stream_errno, "read the stream");
	if (reader->packed != used)
		return err_set(reader->err, E_ARCHIVE,
			"has %llu bytes after the end of its %s",
			(unsigned long long)(reader->packed - used), reader->packing);
	return 0;
}

static int unpack_all(struct reader *reader)
{
	struct archive_entry *entry;
	int rc = open_raw(reader), got;

	if (rc == 0)
		rc = open_tar(reader);
	while (rc == 0 &&
		(got = archive_read_next_header(reader->tar, &entry)) != ARCHIVE_EOF) {
		if (got !=
			ARCHIVE_OK) /* a warning too: what is not understood is refused */
			rc = tar_error(reader);
		else
			rc = unpack_one(reader, entry);
	}
	if (rc == 0)
		rc = check_rest(reader);
	if (rc == 0 && reader->result.files == 0)
		rc = err_set(reader->err, E_ARCHIVE, "holds no file");
	if (rc == 0 && reader->sys->syncfs(reader->staging_fd) < 0)
		rc = err_errno(reader->err, errno, "write to the disk");
	return rc;
}

int unpack_stream(const struct sys_ops *sys, int stream_fd, int staging_fd,
	const struct unpack_limits *limits, struct unpack_result *ret, struct err *err)
{
	struct err why = ERR_INIT;
	struct reader reader = {
		.sys = sys,
		.limits = limits,
		.stream_fd = stream_fd,
		.staging_fd = staging_fd,
		.raw = archive_read_new(),
		.tar = archive_read_new(),
		.err = &why,
	};
	int rc = unpack_all(&reader);

	/* reading only: nothing is lost when these fail; the tar reads from the raw one
	 */
	(void)archive_read_free(reader.tar);
	(void)archive_read_free(reader.raw);
	if (rc == 0)
		*ret = reader.result;
	else if (err)
		*err = why;
	return rc;
}
