/* SPDX-License-Identifier: MIT */
/* Buffers that hold keys and tokens: their bytes are wiped before memory is given back,
 * also when they grow. Nothing here prints. */
#ifndef PROMENADE_CLUSTER_SECRET_H
#define PROMENADE_CLUSTER_SECRET_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"

/* Appends len bytes; where the buffer must move, the old place is wiped. Unchanged on
 * failure. Errors: -ENOMEM. */
int secret_add(struct buf *secret, const void *bytes, size_t len) MUST_USE;

/* Appends a NUL-terminated string. Errors: -ENOMEM. */
int secret_add_str(struct buf *secret, const char *text) MUST_USE;

/* Wipes, frees and empties; takes an empty one. For CLEANUP. */
void secret_done(struct buf *secret);

/* Wipes and frees *text and sets it to NULL; takes NULL. For CLEANUP on a char pointer.
 */
void secret_text_free(char **text);

#endif
