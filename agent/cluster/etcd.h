/* SPDX-License-Identifier: MIT */
/*
 * A client of etcd by its JSON gateway (etcd's api_grpc_gateway.md), over any of several
 * members: who is a member, adding one as a learner, promoting it, health, alarms,
 * snapshots, and the few keys that somebody must be first to make. Any certificate of
 * etcd's CA with clientAuth will do; the server's own must have it too, because the
 * gateway calls its own member with it.
 *
 * "not yet" answers (no quorum, not in sync, another learner) are tried again, at the
 * other members too, until the deadline of call_limits. Common errors: E_NOT_YET, E_NET,
 * E_TIMEOUT, E_TLS, E_FORBIDDEN, E_INVALID, E_UNSUPPORTED, E_FORMAT (no answer of an
 * etcd), E_TOO_BIG, -ENOMEM.
 */
#ifndef PROMENADE_CLUSTER_ETCD_H
#define PROMENADE_CLUSTER_ETCD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/call.h"
#include "host/env.h"

/* Far above the 7 that etcd recommends at most. */
#define ETCD_MEMBERS_MAX 64U

struct etcd_member {
	uint64_t id;
	char name[256]; /* "": added, and never started */
	struct strlist peer_urls;
	struct strlist client_urls;
	bool learner;
};

struct etcd_members {
	struct etcd_member *items;
	size_t count;
};

/* Frees all; takes an empty one. */
void etcd_members_done(struct etcd_members *members);

/* The member with this peer URL, or NULL; borrowed from members. */
const struct etcd_member *etcd_members_by_peer(
	const struct etcd_members *members, const char *peer_url) MUST_USE;

struct etcd_status {
	char version[32];
	uint64_t cluster_id;
	uint64_t member_id;
	uint64_t leader; /* 0: none */
	uint64_t raft_index;
	uint64_t db_bytes;
	bool learner;
	char trouble[160]; /* what it says is wrong with it, "" nothing */
};

enum etcd_alarm { ETCD_ALARM_NOSPACE, ETCD_ALARM_CORRUPT };

/* One thread uses it. */
struct etcd;

/* A client; env and what config points to are borrowed. Connects to nothing yet. Caller
 * etcd_free()s. Errors: those of caller_new(). */
int etcd_new(struct env *env, const struct call_config *config, struct etcd **ret,
	struct err *err) MUST_USE;

/* Closes and frees; takes NULL. */
void etcd_free(struct etcd **etcd);

/* All members. A member that has lost quorum lists what it knows. Caller
 * etcd_members_done()s. */
int etcd_member_list(
	struct etcd *etcd, struct etcd_members *ret, struct err *err) MUST_USE;

/* Adds a member that has no vote, so that the cluster's quorum cannot suffer by it; or
 * takes up the one that was added with this peer URL and never started. ret_id is the new
 * one among ret; caller etcd_members_done()s ret. Errors: the common ones; E_EXISTS when
 * a started member has that peer URL; E_CONFLICT. */
int etcd_member_add_learner(struct etcd *etcd, const char *peer_url, uint64_t *ret_id,
	struct etcd_members *ret, struct err *err) MUST_USE;

/* Gives a learner its vote, as soon as it has at least 90 % of the leader's log; done
 * when it had it. Do not where the member will be stopped next: with two voters that
 * stops all writes. Errors: the common ones, E_NOT_FOUND. */
int etcd_member_promote(struct etcd *etcd, uint64_t id, struct err *err) MUST_USE;

/* Removes a member; done when there is none. The caller has made sure that quorum stays.
 * Errors: the common ones; E_CONFLICT when etcd says that it would not. */
int etcd_member_remove(struct etcd *etcd, uint64_t id, struct err *err) MUST_USE;

/* Changes where the others find a member. Errors: the common ones, E_NOT_FOUND, E_EXISTS
 * (another has that URL). */
int etcd_member_update(
	struct etcd *etcd, uint64_t id, const char *peer_url, struct err *err) MUST_USE;

/* What the member at this client URL says of itself; NULL: any of the endpoints. One
 * attempt when it is named. */
int etcd_status(struct etcd *etcd, const char *client_url, struct etcd_status *ret,
	struct err *err) MUST_USE;

/* One look: 0 when every voter has started, answers, is of one mind about the leader, and
 * has no alarm. E_NOT_YET names the first that does not; else the common errors. */
int etcd_check_health(struct etcd *etcd, struct err *err) MUST_USE;

/* Waits until health holds for stable_ms without a break, at most timeout_ms. etcd itself
 * refuses new members while a voter is connected for less than 5 s. Errors: the last of
 * etcd_check_health(). */
int etcd_wait_healthy(struct etcd *etcd, unsigned int stable_ms, unsigned int timeout_ms,
	struct err *err) MUST_USE;

/* Takes an alarm off a member. Done when there is none. */
int etcd_disarm(struct etcd *etcd, uint64_t member_id, enum etcd_alarm alarm,
	struct err *err) MUST_USE;

/* Writes a snapshot, as etcdctl saves it, from the start of fd, which is truncated first;
 * nothing is synced. ret_bytes includes the digest at its end, which has been checked.
 * One attempt per member, each up to half an hour. Errors: the common ones, E_DIGEST,
 * errno of writing. */
int etcd_snapshot(
	struct etcd *etcd, int fd, uint64_t *ret_bytes, struct err *err) MUST_USE;

/* Reads a key, with a quorum. Its value is appended to ret, which may hold secrets:
 * caller secret_done()s. Errors: the common ones, E_NOT_FOUND. */
int etcd_get(
	struct etcd *etcd, const char *key, struct buf *ret, struct err *err) MUST_USE;

/* Number of keys that begin with prefix (""; all), with a quorum. */
int etcd_count(
	struct etcd *etcd, const char *prefix, uint64_t *ret, struct err *err) MUST_USE;

/* Writes a key. */
int etcd_put(struct etcd *etcd, const char *key, const void *value, size_t len,
	struct err *err) MUST_USE;

/* Creates a key if it is not there, in one transaction: of many who try, one is first.
 * ret_value is what the key now has, ours or theirs; after a cut it may be ours although
 * somebody "else" made it, so a value must name its writer. Caller secret_done()s. */
int etcd_create(struct etcd *etcd, const char *key, const char *value,
	struct buf *ret_value, struct err *err) MUST_USE;

#endif
