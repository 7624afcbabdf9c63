/* SPDX-License-Identifier: MIT */
/* Inside of etcd*.c only. */
#ifndef PROMENADE_CLUSTER_ETCD_PARTS_H
#define PROMENADE_CLUSTER_ETCD_PARTS_H

#include <jansson.h>

#include "base/compiler.h"
#include "base/err.h"
#include "cluster/call.h"
#include "cluster/etcd.h"
#include "host/env.h"

struct etcd {
	struct env *env;
	struct caller *caller;
	const struct strlist *endpoints; /* borrowed */
};

/* POSTs body, which it takes over (NULL: out of memory), to "/v3/..."; endpoint as in
 * struct call, one attempt when it is named. ret may be NULL; caller json_decref()s. */
int etcd_post(struct etcd *etcd, const char *endpoint, const char *path, json_t *body,
	json_t **ret, struct err *err) MUST_USE;

#endif
