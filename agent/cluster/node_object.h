/* SPDX-License-Identifier: MIT */
/* The Node object before kubelet runs: is the name free, and the object itself, held
 * NotReady until the OS is up (cluster.md 4.5, 4.6). With the node's own credential. */
#ifndef PROMENADE_CLUSTER_NODE_OBJECT_H
#define PROMENADE_CLUSTER_NODE_OBJECT_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "cluster/api.h"
#include "model/role.h"

/* This machine as a node. Borrowed. */
struct node_object {
	const char *name;
	const char *machine_uuid; /* DMI; "" unknown */
	const char *address;      /* node IP; "" unknown */
	const char *arch;         /* uname -m */
	const struct role_map *labels;
	const struct strlist *taints; /* KEY[=VALUE]:EFFECT */
	int64_t now;                  /* seconds since the epoch */
};

/* GOARCH of uname -m: kubernetes.io/arch and image platforms have it. Static storage, or
 * machine itself where it has no other name. */
const char *node_object_goarch(const char *machine) MUST_USE;

/* 0 when no other machine has the name: there is no such Node, it is not Ready, or it is
 * this machine, by its system UUID or, where that is unknown, its address. Errors:
 * E_EXISTS naming the other machine, those of api_get(). */
int node_object_check(
	struct api *api, const struct node_object *node, struct err *err) MUST_USE;

/* Creates the Node, or takes over the one that is there, and sets Ready=False with reason
 * Provisioning, so that nothing is scheduled until kubelet reports. Errors: E_FORBIDDEN
 * (a label or taint that nodes may not set), those of api_post(). */
int node_object_register(
	struct api *api, const struct node_object *node, struct err *err) MUST_USE;

#endif
