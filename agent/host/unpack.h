/* SPDX-License-Identifier: MIT */
/*
 * An archive stream -> a directory, in a confined child. The parent hands compressed
 * bytes to the child through a socket; the child alone parses them, in a chroot of the
 * staging directory, without capabilities, with a seccomp allow-list and resource limits,
 * and can do nothing but make regular files and directories there. The digest is the
 * parent's business: a child that hostile bytes have taken over cannot vouch for them.
 *
 * Accepted: tar (ustar, pax, GNU names), plain or in gzip, bzip2, xz or zstd, told by
 * their magic; regular files and directories. Refused, with the entry's name: everything
 * else (unpack_rules.h). Files become root's with mode 0755 or 0644.
 */
#ifndef PROMENADE_HOST_UNPACK_H
#define PROMENADE_HOST_UNPACK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/sys.h"
#include "host/unpack_rules.h"

struct unpack;

/* What was unpacked. */
struct unpack_result {
	uint64_t files;
	uint64_t directories;
	uint64_t bytes;
};

/* Starts a child that unpacks into staging_fd (an empty directory of ours, borrowed).
 * limits are copied. Caller unpack_free()s. Errors: errno of fork and socketpair. A child
 * that cannot confine itself says so in unpack_finish(). */
int unpack_new(const struct sys_ops *sys, int staging_fd,
	const struct unpack_limits *limits, struct unpack **ret,
	struct err *err) MUST_USE;

/* Hands over all len bytes or none (-EAGAIN: poll unpack_poll_fd()). Does not block.
 * Errors: the child's refusal (as unpack_finish()). */
int unpack_write(
	struct unpack *unpack, const void *bytes, size_t len, struct err *err) MUST_USE;

/* After the last byte: -EAGAIN until the child has reported, then 0 and *ret, or the
 * refusal. Everything is on disk then (syncfs). Does not block.
 * Errors: E_ARCHIVE "entry '../x': ...", E_TOO_BIG, E_UNSUPPORTED (confinement is not
 * available), E_CHILD (killed, with the signal), errno of writing. */
int unpack_finish(
	struct unpack *unpack, struct unpack_result *ret, struct err *err) MUST_USE;

/* The fd to wait for after -EAGAIN, and the poll(2) events. */
int unpack_poll_fd(const struct unpack *unpack, short *ret_events) MUST_USE;

/* Kills the child if it still runs, reaps it, frees; takes NULL. Staging is the caller's.
 */
void unpack_free(struct unpack **unpack);

#endif
