/* SPDX-License-Identifier: MIT */
/*
 * Answers of etcd's gateway, and a snapshot's stream: the bytes that come out do not
 * depend on the pieces that go in. The first byte is the size of the pieces.
 *
 * Links: cluster/etcd_json cluster/etcd_stream cluster/base64 cluster/secret
 * Links: cluster/api_status base/err base/str
 * Flags: -isystem build/host/sysroot/include -Lbuild/host/sysroot/lib -ljansson
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/api_status.h"
#include "cluster/etcd_json.h"
#include "cluster/etcd_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(int holds)
{
	if (!holds)
		abort();
}

static int keep(void *context, const void *bytes, size_t len, struct err *err)
{
	(void)err;
	demand(len > 0 && buf_add(context, bytes, len) == 0);
	return 0;
}

/* What a stream of pieces of this size comes to. */
static int stream(const uint8_t *bytes, size_t len, size_t piece, struct buf *ret)
{
	struct etcd_stream stream CLEANUP(etcd_stream_done) = {
		.sink = keep, .context = ret};
	struct err err = ERR_INIT;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < len; i += piece)
		rc = etcd_stream_take(
			&stream, bytes + i, len - i < piece ? len - i : piece, &err);
	if (rc == 0)
		rc = etcd_stream_end(&stream, &err);
	demand(rc == err.code && (rc == 0 || err.text[0]));
	demand(stream.bytes == ret->len);
	demand(rc < 0 || ret->len % 512 == 32);
	return rc;
}

static void check_stream(const uint8_t *bytes, size_t len, size_t piece)
{
	struct buf whole CLEANUP(buf_done) = BUF_INIT;
	struct buf pieces CLEANUP(buf_done) = BUF_INIT;

	demand(stream(bytes, len, len ? len : 1, &whole) ==
		stream(bytes, len, piece, &pieces));
	demand(whole.len == pieces.len &&
		(whole.len == 0 || memcmp(whole.bytes, pieces.bytes, whole.len) == 0));
}

static void check_answer(const struct buf *body)
{
	json_t *json CLEANUP(api_json_free) = NULL;
	struct etcd_members members CLEANUP(etcd_members_done) = {NULL, 0};
	struct etcd_status status;
	struct err err = ERR_INIT;

	if (etcd_json_parse("/v3/x", body, &json, &err) < 0)
		return;
	if (etcd_json_members(json, &members, &err) == 0)
		demand(members.count > 0 && members.count <= ETCD_MEMBERS_MAX);
	for (size_t i = 0; i < members.count; i++)
		demand(members.items[i].id != 0);
	if (etcd_json_status(json, &status, &err) == 0)
		demand(status.member_id && status.version[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf body CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	if (len == 0)
		return 0;
	check_stream(bytes + 1, len - 1, bytes[0] ? bytes[0] : 1);
	demand(buf_add(&body, bytes + 1, len - 1) == 0);
	check_answer(&body);
	demand(etcd_json_error("POST '/v3/x'", 412, &body, &err) == err.code &&
		err.code < 0);
	for (const char *p = err.text; *p; p++)
		demand(*p >= 0x20 && *p <= 0x7e);
	return 0;
}
