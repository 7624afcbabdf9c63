/* SPDX-License-Identifier: MIT */
/*
 * Where a role comes from, in DESIGN.md's order: a file that iPXE injected, a systemd
 * credential in SMBIOS or fw_cfg (docs/CREDENTIALS.md of systemd), promenade.role= URLs.
 * One round over all of them; who calls decides what "not yet" means and when to ask
 * again. Trust is decided here: what this returns, the policy allows.
 */
#ifndef PROMENADE_HOST_ROLE_SOURCE_H
#define PROMENADE_HOST_ROLE_SOURCE_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "host/fetch.h"
#include "host/policy.h"
#include "model/facts.h"

/* All borrowed. */
struct role_request {
	const struct strlist
		*urls; /* templates of promenade.role=, in order; may be empty */
	const struct facts *facts;
	const struct policy *policy;
	struct fetch *fetch; /* NULL: no network, local sources only */
};

struct role_text {
	struct buf bytes;
	char from[512]; /* for people; secrets in a URL left out */
	enum policy_origin origin;
	bool is_signed;             /* by a key of the policy */
	unsigned int retry_after_s; /* of the last refusal; also set on failure */
};

/* One round. On success ret->bytes is the role (caller buf_done()s). Blocks on the
 * network. Errors: E_NOT_YET when every server says so or none is named; E_TRUST, E_HTTP,
 * E_TLS, E_NET, E_TIMEOUT, E_TOO_BIG of the URL that got furthest, with its name. */
int role_source_get(struct env *env, const struct role_request *request,
	struct role_text *ret, struct err *err) MUST_USE;

#endif
