/* SPDX-License-Identifier: MIT */
/* How a secret comes to the machine (DESIGN.md, Trust): injected by what identifies it,
 * or from an HTTPS server that the policy's CA vouches for. */
#ifndef PROMENADE_CLUSTER_DELIVERY_H
#define PROMENADE_CLUSTER_DELIVERY_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "host/fetch.h"

/* What is wanted. All borrowed. */
struct delivery {
	struct env *env;
	struct fetch *fetch;    /* with the policy's trust; NULL: no network */
	const char *what;       /* "credential": file /promenade/WHAT, systemd credential
				 * promenade.WHAT */
	const char *url;        /* https; NULL: only what was injected */
	size_t max;             /* bytes */
	unsigned int timeout_s; /* how long "not yet" and silence are waited for */
};

/* The secret's bytes; from[size] says where it came from, for messages. Caller
 * secret_done()s ret. Blocks up to the timeout. Errors: E_ROLE (none was injected and the
 * role names no URL), E_HTTP (refused: a one-time URL that was used, say), those of
 * fetch_small() and credential_read(). */
int delivery_get(const struct delivery *delivery, struct buf *ret, char *from,
	size_t size, struct err *err) MUST_USE;

#endif
