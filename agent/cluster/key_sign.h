/* SPDX-License-Identifier: MIT */
/* Detached signatures of roles, as host/verify.h checks them. */
#ifndef PROMENADE_CLUSTER_KEY_SIGN_H
#define PROMENADE_CLUSTER_KEY_SIGN_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/key.h"

/* Appends the signature over exactly these len bytes, in DER: what `openssl dgst -sha256
 * -sign KEY` writes. Errors: E_UNSUPPORTED when the key is none on P-256, E_BUG,
 * -ENOMEM. */
int key_sign(const struct key *key, const void *bytes, size_t len, struct buf *ret,
	struct err *err) MUST_USE;

#endif
