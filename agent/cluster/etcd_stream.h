/* SPDX-License-Identifier: MIT */
/* The body of maintenance/snapshot, from whatever pieces the network makes of it to the
 * bytes of the snapshot. Pure, so that it is fuzzed alone. */
#ifndef PROMENADE_CLUSTER_ETCD_STREAM_H
#define PROMENADE_CLUSTER_ETCD_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* The first block is the caller's; the rest begins as zero. */
struct etcd_stream {
	/* Takes the next bytes; a negative code with err set ends the stream. */
	int (*sink)(void *context, const void *bytes, size_t len, struct err *err);
	void *context;

	struct buf line; /* begun; its end has not come */
	struct buf blob;
	uint64_t bytes;     /* given to the sink */
	uint64_t remaining; /* what the last line says is still to come */
};

/* Takes a piece. Errors: E_FORMAT, E_TOO_BIG (a line), what an error in the stream says,
 * what the sink says, -ENOMEM. */
int etcd_stream_take(struct etcd_stream *stream, const void *bytes, size_t len,
	struct err *err) MUST_USE;

/* After the last piece: 0 when the snapshot is whole by its own count. Errors: as take;
 * E_NET when it was cut. */
int etcd_stream_end(struct etcd_stream *stream, struct err *err) MUST_USE;

/* Wipes and frees. */
void etcd_stream_done(struct etcd_stream *stream);

#endif
