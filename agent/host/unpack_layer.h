/* SPDX-License-Identifier: MIT */
/* One file out of a container image: an archive inside an archive, streamed. Not for
 * hostile input: it runs in the caller, on files whose SHA-256 is the role's. */
#ifndef PROMENADE_HOST_UNPACK_LAYER_H
#define PROMENADE_HOST_UNPACK_LAYER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/sys.h"

/* Where the layer is, and what is looked for in it. Borrowed. */
struct unpack_layer {
	int fd;              /* of the tar archive, read from its beginning */
	const char *archive; /* its name, for messages */
	const char *layer;   /* the member that is the layer: tar, plain or compressed */
	const char
		*program; /* "etcd": a regular file of this name in a folder of $PATH */
};

/* Writes that file to out_fd, at most max bytes. ret_found: it is in this layer; nothing
 * was written if not. Blocks on the disk. Errors: E_ARCHIVE with libarchive's text (also
 * when the archive has no such layer), E_TOO_BIG, errno of writing. */
int unpack_layer_program(const struct sys_ops *sys, const struct unpack_layer *layer,
	int out_fd, uint64_t max, bool *ret_found, struct err *err) MUST_USE;

#endif
