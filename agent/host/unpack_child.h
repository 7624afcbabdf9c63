/* SPDX-License-Identifier: MIT */
/* What the confined child does, and what it tells its parent. Inside of unpack*.c only.
 */
#ifndef PROMENADE_HOST_UNPACK_CHILD_H
#define PROMENADE_HOST_UNPACK_CHILD_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/sys.h"
#include "host/unpack.h"
#include "host/unpack_rules.h"

#define UNPACK_REPORT_MAGIC 0x70756e31U

/* The one message of the child, in one write to the stream's other direction. */
struct unpack_report {
	uint32_t magic;
	int32_t code; /* 0 or negative, with text */
	struct unpack_result result;
	char text[ERR_TEXT_MAX];
};

/* Reads an archive from stream_fd to its end, unpacks it beneath staging_fd and makes it
 * durable. Blocks. Errors: E_ARCHIVE, E_TOO_BIG, errno of reading and writing. */
int unpack_stream(const struct sys_ops *sys, int stream_fd, int staging_fd,
	const struct unpack_limits *limits, struct unpack_result *ret,
	struct err *err) MUST_USE;

#endif
