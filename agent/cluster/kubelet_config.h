/* SPDX-License-Identifier: MIT */
/*
 * KubeletConfiguration: what a whole cluster shares (ConfigMap kubelet-config) and what
 * one machine has of its own. kubelet decodes strictly: a field that its version does not
 * know stops it, so fields are gated by version (blueprints/kubelet_config.yaml).
 */
#ifndef PROMENADE_CLUSTER_KUBELET_CONFIG_H
#define PROMENADE_CLUSTER_KUBELET_CONFIG_H

#include <jansson.h>

#include "base/compiler.h"
#include "base/err.h"
#include "cluster/params.h"

/* The configuration that kubeadm of this version gives a cluster (its componentconfigs/
 * kubelet.go): the base for ConfigMap kubelet-config and for the first node. params are
 * finished. ret: caller json_decref()s. Errors: E_BUG, -ENOMEM. */
int kubelet_config_base(
	const struct cluster_params *params, json_t **ret, struct err *err) MUST_USE;

/* What differs from machine to machine. Texts are borrowed. */
struct kubelet_config_local {
	const char *runtime_endpoint; /* unix:///run/containerd/containerd.sock */
	bool cgroupfs;                /* the engine's driver is not systemd */
	bool systemd_resolved;        /* the OS resolves by systemd-resolved */
	bool swap;                    /* swap stays on: failSwapOn false */
};

/* Puts the machine's own into config: a base of ours or one that was read from the
 * ConfigMap. minor is the kubelet's. Errors: -ENOMEM. */
int kubelet_config_localize(json_t *config, unsigned int minor,
	const struct kubelet_config_local *local) MUST_USE;

#endif
