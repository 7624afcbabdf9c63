/* SPDX-License-Identifier: MIT */
/* What the steps kubelet and cluster must agree on. */
#ifndef PROMENADE_STEPS_KUBELET_PARTS_H
#define PROMENADE_STEPS_KUBELET_PARTS_H

#include <stddef.h>

#include "base/compiler.h"
#include "steps/step.h"

/* The node address: of the lease or, in a boot without network, the one that was written
 * before. address is "" when there is neither. Reads only. Returns 0 or -errno. */
int kubelet_node_ip(
	const struct step_context *context, char *address, size_t size) MUST_USE;

/* The engine's CRI socket, NULL without engine. Static storage. */
const char *kubelet_runtime_endpoint(enum role_engine engine) MUST_USE;

#endif
