/* SPDX-License-Identifier: MIT */
/*
 * What etcd's JSON gateway says, from bytes to values and errors. It comes in two makes:
 * grpc-gateway v1 (etcd up to 3.5) and v2 (3.6 and later), with the same field names; a
 * 64-bit number is a string, false, 0 and empty are left out, bytes are base64. Pure, so
 * that it is fuzzed alone.
 */
#ifndef PROMENADE_CLUSTER_ETCD_JSON_H
#define PROMENADE_CLUSTER_ETCD_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/etcd.h"

/* The error of an answer of status >= 400 with what to do: E_NOT_YET (not in sync yet, no
 * quorum, a voter away, another learner), E_EXISTS, E_NOT_FOUND, E_CONFLICT, E_FORBIDDEN,
 * E_TOO_BIG (its database is full), E_INVALID, E_UNSUPPORTED, E_HTTP. */
int etcd_json_error(
	const char *where, long status, const struct buf *body, struct err *err);

/* An answer of status 200 as a JSON object. Caller json_decref()s. Errors: E_FORMAT. */
int etcd_json_parse(const char *where, const struct buf *body, json_t **ret,
	struct err *err) MUST_USE;

/* An unsigned number, as string or as number; 0 when it is left out. False: it is
 * something else. */
bool etcd_json_u64(const json_t *object, const char *key, uint64_t *ret) MUST_USE;

/* The bytes of a base64 field, appended; none when it is left out. False: it is something
 * else, or out of memory. */
bool etcd_json_bytes(const json_t *object, const char *key, struct buf *ret) MUST_USE;

/* The members of an answer. Caller etcd_members_done()s. Errors: E_FORMAT, E_TOO_BIG
 * (more than ETCD_MEMBERS_MAX), -ENOMEM. */
int etcd_json_members(
	const json_t *answer, struct etcd_members *ret, struct err *err) MUST_USE;

/* The answer of maintenance/status. Errors: E_FORMAT. */
int etcd_json_status(
	const json_t *answer, struct etcd_status *ret, struct err *err) MUST_USE;

/* One line of a snapshot: its bytes appended to blob, and how many are still to come.
 * Errors: E_FORMAT; what an error in the stream says (etcd_json_error()). */
int etcd_json_blob(const void *line, size_t len, struct buf *blob,
	uint64_t *ret_remaining, struct err *err) MUST_USE;

#endif
