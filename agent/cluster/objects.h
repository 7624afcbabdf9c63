/* SPDX-License-Identifier: MIT */
/*
 * What a new cluster consists of beside its processes: the objects that `kubeadm init`
 * creates in its phases upload-config, bootstrap-token and addon, and flannel. Nothing is
 * sent anywhere here.
 */
#ifndef PROMENADE_CLUSTER_OBJECTS_H
#define PROMENADE_CLUSTER_OBJECTS_H

#include <jansson.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "cluster/jws.h"
#include "cluster/params.h"

/* A bootstrap token that the cluster shall take; secret. */
struct objects_token {
	struct jws_token token;
	int64_t expires; /* seconds since the epoch; 0: never */
};

struct objects_input {
	const struct cluster_params *params; /* finished */
	const char *ca_pem;                  /* of the cluster; NUL-terminated */
	const struct objects_token *tokens;
	size_t token_count;
};

/* All objects as one JSON array in the order of applying: namespaces and roles before
 * what needs them. Secrets are in it: tokens. ret: caller json_decref()s. Does not block.
 * Errors: E_BUG, -ENOMEM, those of signing cluster-info. */
int objects_make(
	const struct objects_input *input, json_t **ret, struct err *err) MUST_USE;

/* The label and taints of a control-plane node as a patch (application/merge-patch+json)
 * of Node, what kubeadm's phase mark-control-plane does. ret: caller json_decref()s.
 * Errors: -ENOMEM. */
int objects_control_plane_mark(
	const struct cluster_params *params, json_t **ret) MUST_USE;

#endif
