/* SPDX-License-Identifier: MIT */
/*
 * A worker joins its cluster before the pivot: identity, kubelet's configuration, and the
 * Node object, as kubeadm leaves them, so that kubelet only has to start. Which files
 * result is said here; who calls writes them (steps/cluster.c).
 *
 *   join_begin    identity (that of the root, a credential, or token and CSR); is the
 *                 name free; the cluster's kubelet configuration
 *   (files are written)
 *   join_register the Node, NotReady until kubelet reports
 */
#ifndef PROMENADE_CLUSTER_JOIN_H
#define PROMENADE_CLUSTER_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/identity.h"
#include "cluster/kubelet_config.h"
#include "host/env.h"
#include "host/fetch.h"
#include "model/facts.h"
#include "model/role.h"

#define JOIN_KUBELET_CONF "/etc/kubernetes/kubelet.conf"
#define JOIN_BOOTSTRAP_CONF "/etc/kubernetes/bootstrap-kubelet.conf"
#define JOIN_KUBELET_CONFIG "/var/lib/kubelet/config.yaml"

/* All borrowed. */
struct join_config {
	struct env *env;
	struct fetch *fetch; /* for credential and token; NULL: no network */
	const struct facts *facts;
	const struct role *role;
	const char *address;               /* node IP; "" unknown */
	struct kubelet_config_local local; /* this machine's own */
	int64_t now;                       /* seconds since the epoch */
};

/* What an earlier boot left on the target, judged without network. */
enum join_found {
	JOIN_FOUND_NONE,
	JOIN_FOUND_STALE, /* of another node, another CA, or expired: to be wiped */
	JOIN_FOUND_GOOD
};

/* Looks; *ret_conf says whether kubelet.conf fits the role and that identity. why[size]
 * is one line for people. Reads only. Errors: errno of reading, -ENOMEM. */
int join_look(const struct join_config *config, enum join_found *ret, bool *ret_conf,
	char *why, size_t size, struct err *err) MUST_USE;

/* What is to be written; texts owned by the join. */
struct join_files {
	const struct identity *identity;
	bool identity_is_new;
	const struct buf *kubelet_conf;
	const struct buf *kubelet_config; /* KubeletConfiguration as YAML */
};

struct join;

/* Everything up to the writing; nothing on the target is touched. Caller join_free()s.
 * Blocks up to the role's timeouts. Errors: E_TRUST, E_UNAUTHORIZED, E_FORBIDDEN,
 * E_EXISTS (the name is another machine's), E_TIMEOUT, those of delivery_get(). */
int join_begin(
	const struct join_config *config, struct join **ret, struct err *err) MUST_USE;

/* Borrowed from join. */
struct join_files join_files(const struct join *join) MUST_USE;

/* Creates the Node, or takes over the one that is there. Errors: those of
 * node_object_register(). */
int join_register(struct join *join, struct err *err) MUST_USE;

/* Closes, wipes and frees; takes NULL. */
void join_free(struct join **join);

#endif
