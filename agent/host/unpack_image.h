/* SPDX-License-Identifier: MIT */
/* One compressed file -> its bytes in memory: kernel modules, for kernels that do not
 * decompress them. Not for hostile input: it runs in the caller, on the image's own
 * files. */
#ifndef PROMENADE_HOST_UNPACK_IMAGE_H
#define PROMENADE_HOST_UNPACK_IMAGE_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Reads all of fd (borrowed; name is for the message), gzip, xz or zstd by its magic, and
 * puts at most max bytes into ret (caller buf_done()s; untouched on failure).
 * Errors: E_ARCHIVE with libarchive's text, E_TOO_BIG, -ENOMEM. */
int unpack_image(
	int fd, const char *name, size_t max, struct buf *ret, struct err *err) MUST_USE;

#endif
