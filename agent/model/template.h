/* SPDX-License-Identifier: MIT */
/*
 * The URL template of `promenade.role=`: {uuid} {serial} {mac} {mac-hexhyp} {hostname}
 * {asset} {arch}, also as ${name} (what iPXE left), names without case. Pure.
 */
#ifndef PROMENADE_MODEL_TEMPLATE_H
#define PROMENADE_MODEL_TEMPLATE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Of the expanded URL. */
#define TEMPLATE_URL_MAX 2048U

/* What the machine is called; NULL or "" where that is not known. Borrowed. */
struct template_values {
	const char *uuid; /* becomes lower-case */
	const char *serial;
	const char *mac; /* of the boot NIC, with colons; becomes lower-case */
	const char *hostname;
	const char *asset;
	const char *arch; /* uname -m */
};

/* Puts the values into the template, percent-encoded but for the unreserved characters of
 * RFC 3986 2.3. A parameter of the query whose value is not known is left out, because a
 * server takes an empty `uuid=` for a machine (servers.md 1.11). {mac-hexhyp} is the MAC
 * address with hyphens. ret: caller buf_done()s; untouched on failure.
 * Errors: ENODATA when the path needs a value that is not known (this URL cannot be used,
 * another may); E_USAGE for an unknown variable, a lone brace, a variable in scheme or
 * host, a fragment, or values that make "." or ".." a part of the path; E_TOO_BIG;
 * -ENOMEM. */
int template_expand(const char *template, const struct template_values *values,
	struct buf *ret, struct err *err) MUST_USE;

#endif
