/* SPDX-License-Identifier: MIT */
/*
 * maintenance/snapshot: lines of {"result":{"remaining_bytes":"N","blob":BASE64}}. The
 * blobs together are the file that etcdctl saves: bbolt's pages, then SHA-256 of them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "cluster/etcd.h"
#include "cluster/etcd_parts.h"
#include "cluster/etcd_stream.h"
#include "host/verify.h"

struct snapshot {
	const struct sys_ops *sys;
	int fd;
	struct verify_sha256 *sha;
	uint8_t tail[VERIFY_SHA256_LEN]; /* the last bytes so far: the digest, perhaps */
	size_t tail_len;
	struct etcd_stream stream;
};

static void snapshot_done(struct snapshot *snapshot)
{
	verify_sha256_free(&snapshot->sha);
	etcd_stream_done(&snapshot->stream);
}

/* Digests all but the last 32 bytes of what there is. */
static void digest(struct snapshot *snapshot, const uint8_t *bytes, size_t len)
{
	uint8_t *tail = snapshot->tail;
	size_t have = snapshot->tail_len, size = sizeof(snapshot->tail);
	size_t ready = have + len > size ? have + len - size : 0;
	size_t old = ready < have ? ready : have;

	verify_sha256_update(snapshot->sha, tail, old);
	memmove(tail, tail + old, have - old);
	have -= old;
	verify_sha256_update(snapshot->sha, bytes, ready - old);
	memcpy(tail + have, bytes + (ready - old), len - (ready - old));
	snapshot->tail_len = have + len - (ready - old);
}

static int on_snapshot(void *context, const void *bytes, size_t len, struct err *err)
{
	struct snapshot *snapshot = context;
	int rc = fs_write_all(snapshot->sys, snapshot->fd, bytes, len);

	if (rc < 0)
		return err_errno(err, -rc, "write the snapshot");
	digest(snapshot, bytes, len);
	return 0;
}

static int on_body(void *context, const void *bytes, size_t len, struct err *err)
{
	return etcd_stream_take(context, bytes, len, err);
}

static int check_digest(struct snapshot *snapshot, struct err *err)
{
	char computed[65], sent[65];
	int rc = verify_sha256_finish(snapshot->sha, computed, err);

	if (rc < 0)
		return rc;
	str_hex32(snapshot->tail, sent);
	if (strcmp(sent, computed) != 0)
		return err_set(err, E_DIGEST,
			"the snapshot's SHA-256 is not the one at its end; is that "
			"member's disk sound? Take it from another one");
	return 0;
}

/* From one member, once: a snapshot cannot be resumed. */
static int save(struct etcd *etcd, const char *endpoint, int fd, uint64_t *ret_bytes,
	struct err *err)
{
	struct snapshot snapshot CLEANUP(snapshot_done) = {
		.sys = etcd->env->sys, .fd = fd};
	struct call call = {.method = "POST",
		.path = "/v3/maintenance/snapshot",
		.type = "application/json",
		.body = "{}",
		.len = 2,
		.endpoint = endpoint,
		.once = true,
		.write = on_body,
		.context = &snapshot.stream};
	int rc = verify_sha256_new(&snapshot.sha, err);

	if (rc < 0)
		return rc;
	snapshot.stream.sink = on_snapshot;
	snapshot.stream.context = &snapshot;
	if (lseek(fd, 0, SEEK_SET) != 0 || snapshot.sys->ftruncate(fd, 0) < 0)
		return err_errno(err, errno, "write the snapshot");
	rc = caller_run(etcd->caller, &call, NULL, err);
	if (rc == 0)
		rc = etcd_stream_end(&snapshot.stream, err);
	if (rc == 0)
		rc = check_digest(&snapshot, err);
	if (rc == 0)
		*ret_bytes = snapshot.stream.bytes;
	return rc;
}

/* Whether another member may do better: not when our own side fails. */
static bool is_theirs(int code)
{
	return -code >= E_FIRST && code != -E_BUG && code != -E_REFUSED;
}

int etcd_snapshot(struct etcd *etcd, int fd, uint64_t *ret_bytes, struct err *err)
{
	int rc = -E_NET;

	for (size_t i = 0; i < etcd->endpoints->count; i++) {
		rc = save(etcd, etcd->endpoints->items[i], fd, ret_bytes, err);
		if (rc == 0 || !is_theirs(rc))
			break;
	}
	return rc < 0 ? err_wrap(err, "save a snapshot of etcd") : 0;
}
