/* SPDX-License-Identifier: MIT */
/* The API server's answers, from bytes to values and errors. Pure, so that it is fuzzed
 * alone. */
#ifndef PROMENADE_CLUSTER_API_STATUS_H
#define PROMENADE_CLUSTER_API_STATUS_H

#include <jansson.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* json_decref() for CLEANUP. */
void api_json_free(json_t **json);

/* An answer of status 2xx: a JSON object with apiVersion and kind, and no Status that
 * says Failure. Duplicate keys and more than 2048 levels are refused. where is for
 * messages. Caller json_decref()s. Errors: E_FORMAT. */
int api_json_parse(const char *where, const struct buf *body, json_t **ret,
	struct err *err) MUST_USE;

/* The error of an answer of status >= 400: E_UNAUTHORIZED, E_FORBIDDEN, E_NOT_FOUND,
 * E_EXISTS, E_CONFLICT, E_INVALID, E_UNSUPPORTED, E_TOO_BIG, E_NOT_YET (429, 5xx),
 * E_HTTP, with the message of the Status in body and its causes, or the first line of
 * what else stands there (proxies), and what to do. where is "GET 'URL'". */
int api_status_error(
	const char *where, long status, const struct buf *body, struct err *err);

#endif
