/* SPDX-License-Identifier: MIT */
/*
 * How far the bootstrap of a cluster on this machine is, read from the target alone:
 *
 *   marker  beneath etcd's data      that data was made by an unfinished bootstrap of
 * ours record  /etc/promenade/genesis   the bootstrap is done, and is never repeated
 *
 * The marker is durable before etcd first starts, the record before kubelet can find a
 * static pod; the marker goes last. So data without both belongs to somebody else, and
 * data with the marker alone was never used by anybody.
 */
#ifndef PROMENADE_CLUSTER_GENESIS_RECORD_H
#define PROMENADE_CLUSTER_GENESIS_RECORD_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

#define GENESIS_DATA_DIR "/var/lib/etcd"
#define GENESIS_RECORD_PATH "/etc/promenade/genesis"

enum genesis_state {
	GENESIS_NEW,        /* no data, no record */
	GENESIS_BROKEN_OFF, /* data of an unfinished bootstrap of this machine */
	GENESIS_UNFINISHED, /* done, but for the last files */
	GENESIS_DONE
};

/* Who bootstraps what. Borrowed. */
struct genesis_claim {
	const char *machine;        /* its UUID, serial number or MAC */
	const char *node;           /* Node name */
	const char *address;        /* that it advertises */
	const struct strlist *pins; /* of the cluster's CA; empty: any */
};

/* Reads only. Errors: E_EXISTS: data of somebody else, a record of another cluster or of
 * another machine, or a record whose data is gone; each with what to do. E_FORMAT, errno.
 */
int genesis_record_look(const struct env *env, const struct genesis_claim *claim,
	enum genesis_state *ret, struct err *err) MUST_USE;

/* Leaves the data directory empty but for the marker, mode 0700. Only after a look that
 * said NEW or BROKEN_OFF. Errors: errno. */
int genesis_record_begin(const struct env *env, const struct genesis_claim *claim,
	struct err *err) MUST_USE;

/* Writes the record. pin is the CA's; cluster_id etcd's. Errors: errno. */
int genesis_record_done(const struct env *env, const struct genesis_claim *claim,
	const char *pin, uint64_t cluster_id, struct err *err) MUST_USE;

/* Takes the marker away. Errors: errno. */
int genesis_record_end(const struct env *env, struct err *err) MUST_USE;

#endif
