/* SPDX-License-Identifier: MIT */
/* Single small files out of an archive that is there already. Not for hostile input: it
 * runs in the caller, on files whose SHA-256 is the role's. */
#ifndef PROMENADE_HOST_UNPACK_MEMBER_H
#define PROMENADE_HOST_UNPACK_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* A file that is looked for; found says whether it was there. Caller buf_done()s bytes.
 */
struct unpack_member {
	const char *name; /* as in the archive, a leading "./" aside */
	bool found;
	struct buf bytes;
};

/* Reads the members of the tar archive fd (borrowed, from its beginning; plain or with
 * gzip, xz or zstd); archive is its name for messages. What is not looked for is skipped,
 * by seeking where it is not compressed. Blocks on the disk. Errors: E_ARCHIVE with
 * libarchive's text, E_TOO_BIG (a member above max bytes), -ENOMEM. */
int unpack_members(int fd, const char *archive, struct unpack_member *members,
	size_t count, size_t max, struct err *err) MUST_USE;

#endif
