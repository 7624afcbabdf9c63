/* SPDX-License-Identifier: MIT */
/*
 * Blueprints: the files of cluster/blueprints/, YAML with holes, compiled into the agent.
 *
 *   ${dnsIP}          in a text: that text of the params
 *   $if: seccomp      in a map: the map is there if the params have this feature; the key
 *   $unless: ...      itself goes. A list's item or a map's value goes as a whole.
 *   $value: text      with $if: the item is this and not a map
 *   $one: [...]       the first item of the list that is there
 *
 * Holes are filled after the YAML was parsed: no value can become structure. A name that
 * the params do not know is a bug, which the tests find by expanding every blueprint.
 */
#ifndef PROMENADE_CLUSTER_BLUEPRINT_H
#define PROMENADE_CLUSTER_BLUEPRINT_H

#include <jansson.h>

#include "base/compiler.h"
#include "base/err.h"
#include "cluster/params.h"

enum blueprint {
	BLUEPRINT_STATIC_PODS,
	BLUEPRINT_KUBELET_CONFIG,
	BLUEPRINT_CLUSTER_CONFIG, /* kubeadm's ClusterConfiguration */
	BLUEPRINT_RBAC,
	BLUEPRINT_KUBE_PROXY_CONFIG,
	BLUEPRINT_KUBE_PROXY,
	BLUEPRINT_CORE_DNS,
	BLUEPRINT_FLANNEL,
	BLUEPRINT_COUNT
};

/* The documents of a blueprint as a JSON array, those that the params do not have left
 * out. ret: caller json_decref()s. Does not block. Errors: E_BUG naming the hole;
 * -ENOMEM. */
int blueprint_expand(enum blueprint blueprint, const struct cluster_params *params,
	json_t **ret, struct err *err) MUST_USE;

#endif
