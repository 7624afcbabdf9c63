/* SPDX-License-Identifier: MIT */
/* Base64 (RFC 4648 4) as kubeconfigs and Secrets carry it, and base64url without padding
 * (RFC 4648 5) of JSON web signatures. */
#ifndef PROMENADE_CLUSTER_BASE64_H
#define PROMENADE_CLUSTER_BASE64_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"

/* Appends len bytes as base64 on one line, padded. The buffer may hold secrets: it grows
 * by secret_add(). Errors: -ENOMEM. */
int base64_add(struct buf *text, const void *bytes, size_t len) MUST_USE;

/* As base64_add(), with '-' and '_' and without padding. */
int base64url_add(struct buf *text, const void *bytes, size_t len) MUST_USE;

/* Appends what len characters of padded base64 stand for; line breaks and blanks are
 * passed over, as Go does. Strict otherwise: alphabet, padding, unused bits zero. ret is
 * unchanged on failure and grows by secret_add(). Errors: -EINVAL, -ENOMEM. */
int base64_decode(const char *text, size_t len, struct buf *ret) MUST_USE;

#endif
