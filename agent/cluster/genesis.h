/* SPDX-License-Identifier: MIT */
/*
 * A new cluster, made before the installed OS has booted (DESIGN.md, cluster.md 5.4):
 * files onto the target, etcd and kube-apiserver from the target as plain processes on
 * the final data, the cluster's objects into them, and a clean stop. kubelet's static
 * pods go on with the same data. The CA is the one of the credential; none is invented.
 *
 * A kill at any point is made good by the next run: before the record is written it
 * starts clean, after that it finishes.
 */
#ifndef PROMENADE_CLUSTER_GENESIS_H
#define PROMENADE_CLUSTER_GENESIS_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "cluster/genesis_record.h"
#include "cluster/kubelet_config.h"
#include "host/env.h"
#include "host/fetch.h"
#include "model/facts.h"
#include "model/role.h"

/* What a bootstrap needs to know. All borrowed. */
struct genesis_config {
	struct env *env;
	struct fetch *fetch; /* NULL: no network; the credential must be injected */
	const struct facts *facts;
	const struct role *role;
	const char *address; /* that the node advertises; "" unknown */
	struct kubelet_config_local local;
	int64_t now; /* seconds since the epoch */
	/* Tells a person what goes on; may be NULL. */
	void (*say)(void *context, const char *what);
	void *say_context;
};

/* How far it is; reads only. Errors: those of genesis_record_look(). */
int genesis_look(const struct genesis_config *config, enum genesis_state *ret,
	struct err *err) MUST_USE;

/* Makes the cluster, or finishes it. Blocks for minutes. Effects: the target; processes,
 * all ended at return; the loopback link. Errors: E_ROLE (no address),
 * E_NOT_YET (the clock is not set), E_TRUST, E_CHILD, E_TIMEOUT and E_VERIFY naming what
 * went wrong, those of delivery_get(), api_apply() and writing. */
int genesis_run(const struct genesis_config *config, struct err *err) MUST_USE;

#endif
