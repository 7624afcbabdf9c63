/* SPDX-License-Identifier: MIT */
/* kubeadm's discovery: the cluster's CA from the public ConfigMap cluster-info, vouched
 * for by the bootstrap token's signature and by the pin. */
#ifndef PROMENADE_CLUSTER_DISCOVERY_H
#define PROMENADE_CLUSTER_DISCOVERY_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/call.h"
#include "cluster/jws.h"
#include "host/env.h"

/* The cluster's CA in PEM, appended to ret. config gives endpoints and limits; CA and
 * token in it are not used. Asked twice: first of any server, then of one that the CA
 * found vouches for, and both answers must be equal (cmd/kubeadm/app/discovery/token).
 * Blocks. Errors: E_UNAUTHORIZED (no signature by this token: unknown or expired),
 * E_TRUST (wrong signature, pin or CA), E_FORMAT, E_NOT_FOUND (no cluster-info), those of
 * api_get(). */
int discovery_ca(struct env *env, const struct call_config *config,
	const struct jws_token *token, const struct strlist *pins, struct buf *ret,
	struct err *err) MUST_USE;

#endif
