/* SPDX-License-Identifier: MIT */
#include "cluster/etcd_stream.h"

#include <errno.h>
#include <string.h>

#include "cluster/etcd_json.h"
#include "cluster/secret.h"

/* gRPC takes no message above 4 MiB where it was not told to; base64 and words around. */
#define LINE_MAX_BYTES (6U * 1024U * 1024U)

/* bbolt's smallest page; the digest stands behind the last one (etcdutl
 * snapshot/v3_snapshot.go hasChecksum). */
#define PAGE 512U
#define DIGEST_LEN 32U

static int take_line(struct etcd_stream *stream, struct err *err)
{
	struct buf *blob = &stream->blob;
	int rc;

	if (stream->line.len == 0)
		return 0;
	blob->len = 0;
	rc = etcd_json_blob(
		buf_text(&stream->line), stream->line.len, blob, &stream->remaining, err);
	stream->line.len = 0;
	if (rc < 0 || blob->len == 0)
		return rc;
	stream->bytes += blob->len;
	return stream->sink(stream->context, blob->bytes, blob->len, err);
}

int etcd_stream_take(
	struct etcd_stream *stream, const void *bytes, size_t len, struct err *err)
{
	const char *next = bytes;
	int rc = 0;

	while (rc == 0 && len) {
		const char *end = memchr(next, '\n', len);
		size_t used = end ? (size_t)(end - next) : len;

		if (used > LINE_MAX_BYTES - stream->line.len)
			return err_set(err, E_TOO_BIG,
				"a line of the snapshot is longer than %u bytes",
				LINE_MAX_BYTES);
		if (secret_add(&stream->line, next, used) < 0)
			return err_errno(err, ENOMEM, "read the snapshot");
		if (end)
			rc = take_line(stream, err);
		used += end != NULL;
		next += used;
		len -= used;
	}
	return rc;
}

int etcd_stream_end(struct etcd_stream *stream, struct err *err)
{
	int rc = take_line(stream, err);

	if (rc < 0)
		return rc;
	if (stream->remaining == 0 && stream->bytes > DIGEST_LEN &&
		stream->bytes % PAGE == DIGEST_LEN)
		return 0;
	return err_set(err, E_NET,
		"the snapshot was cut after %llu bytes, %llu were to come",
		(unsigned long long)stream->bytes, (unsigned long long)stream->remaining);
}

void etcd_stream_done(struct etcd_stream *stream)
{
	secret_done(&stream->line);
	secret_done(&stream->blob);
}
