/* SPDX-License-Identifier: MIT */
/*
 * The static pods of a control plane, and the very same commands as argv for the
 * temporary control plane. What is in them is blueprints/static_pods.yaml.
 */
#ifndef PROMENADE_CLUSTER_MANIFESTS_H
#define PROMENADE_CLUSTER_MANIFESTS_H

#include <jansson.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/params.h"

enum component {
	COMPONENT_ETCD,
	COMPONENT_API_SERVER,
	COMPONENT_CONTROLLER_MANAGER,
	COMPONENT_SCHEDULER,
	COMPONENT_COUNT
};

/* "etcd", "kube-apiserver", ...: of the pod, its binary and its file. Static storage. */
const char *component_name(enum component component) MUST_USE;

/* The pod as an object. params are finished and have node_name and advertise_address.
 * ret: caller json_decref()s. Errors: E_BUG, -ENOMEM. */
int manifest_pod(const struct cluster_params *params, enum component component,
	json_t **ret, struct err *err) MUST_USE;

/* Appends the file that kubelet reads, /etc/kubernetes/manifests/NAME.yaml (mode 0600 in
 * a directory of 0700, as kubeadm has them). Errors: as manifest_pod(). */
int manifest_write(const struct cluster_params *params, enum component component,
	struct buf *ret, struct err *err) MUST_USE;

/* Appends the command of the pod's container, argv[0] first. Errors: as manifest_pod().
 */
int manifest_command(const struct cluster_params *params, enum component component,
	struct strlist *ret, struct err *err) MUST_USE;

/* Replaces "--name=..." in a command, or adds it: for what a plain process needs
 * otherwise than the pod. Errors: -ENOMEM. */
int command_set(struct strlist *command, const char *name, const char *value) MUST_USE;

#endif
