/* SPDX-License-Identifier: MIT */
/*
 * A client of the Kubernetes API: JSON objects by path, over any of several API servers.
 * Answers of 429 and 5xx, cuts and silence are tried again until the call's deadline;
 * whatever else a server refuses is an error with its own words (Status.message).
 */
#ifndef PROMENADE_CLUSTER_API_H
#define PROMENADE_CLUSTER_API_H

#include <jansson.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/api_status.h"
#include "cluster/call.h"
#include "host/env.h"

/* One thread uses it. */
struct api;

/* A client; env and what config points to are borrowed. Connects to nothing yet. Caller
 * api_free()s. Errors: those of caller_new(). */
int api_new(struct env *env, const struct call_config *config, struct api **ret,
	struct err *err) MUST_USE;

/* Closes, wipes and frees; takes NULL. */
void api_free(struct api **api);

/*
 * The calls. path begins with "/api/" or "/apis/" and may have a query; names in it are
 * the caller's to encode (api_kind_segment). ret is the object of the answer, with
 * apiVersion and kind, which may be another kind than expected; it may be NULL for the
 * changing calls. Caller json_decref()s. All block up to the deadline of limits.
 *
 * A server that has just started says 403 to everybody until it has read its roles (seen
 * with 1.37): api_wait_ready() comes first where that may be.
 *
 * Errors of all: E_UNAUTHORIZED, E_FORBIDDEN, E_NOT_FOUND, E_EXISTS, E_CONFLICT,
 * E_INVALID, E_UNSUPPORTED, E_TOO_BIG, E_HTTP, E_FORMAT (no JSON object); when the
 * deadline has passed E_NOT_YET (429, 5xx), E_NET, E_TIMEOUT; E_TLS; -ENOMEM.
 */

/* Reads an object or a list. */
int api_get(struct api *api, const char *path, json_t **ret, struct err *err) MUST_USE;

/* Creates in a collection. After a cut the object may be there: E_EXISTS. */
int api_post(struct api *api, const char *path, const json_t *body, json_t **ret,
	struct err *err) MUST_USE;

/* Replaces; body has the resourceVersion that was read, or E_CONFLICT may be missed. */
int api_put(struct api *api, const char *path, const json_t *body, json_t **ret,
	struct err *err) MUST_USE;

enum api_patch {
	API_PATCH_APPLY, /* the path needs ?fieldManager= */
	API_PATCH_JSON,  /* RFC 6902 */
	API_PATCH_MERGE, /* RFC 7386 */
	API_PATCH_STRATEGIC
};

/* Changes a part of an object. */
int api_patch(struct api *api, enum api_patch type, const char *path, const json_t *body,
	json_t **ret, struct err *err) MUST_USE;

/* Deletes; E_NOT_FOUND when it was gone. Finalizers may keep it for a while. */
int api_delete(struct api *api, const char *path, struct err *err) MUST_USE;

/* As api_get() for what is no JSON: /readyz, /version. Caller buf_done()s. */
int api_get_text(
	struct api *api, const char *path, struct buf *ret, struct err *err) MUST_USE;

/* E_FORMAT unless object is of this kind ("Node"). what is for the message. */
int api_expect_kind(const json_t *object, const char *kind, const char *what,
	struct err *err) MUST_USE;

/* Makes object, or each item of a v1 List, so in the cluster: server-side apply as field
 * manager "promenade", taking over what others own. Twice is the same as once. The path
 * comes from apiVersion, kind and metadata; kinds that no built-in table has are asked
 * for by discovery. For 30 s "not found" and "forbidden" are tried again: a namespace, a
 * role or a custom kind may be on its way. Errors: as above; E_INVALID (no name or kind).
 */
int api_apply(struct api *api, const json_t *object, struct err *err) MUST_USE;

/* Appends the path of an object, from its apiVersion, kind and metadata. Asks the server
 * for kinds that no built-in table has. Errors: as api_apply(). */
int api_object_path(
	struct api *api, const json_t *object, struct buf *ret, struct err *err) MUST_USE;

/* Waits until GET /readyz says ok, at most timeout_ms. Errors: E_UNAUTHORIZED at once; at
 * the deadline what the server said last, with the checks that fail. */
int api_wait_ready(struct api *api, unsigned int timeout_ms, struct err *err) MUST_USE;

#endif
