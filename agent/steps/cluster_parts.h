/* SPDX-License-Identifier: MIT */
/* Step cluster in two files: a node that joins (cluster.c) and one that bootstraps. */
#ifndef PROMENADE_STEPS_CLUSTER_PARTS_H
#define PROMENADE_STEPS_CLUSTER_PARTS_H

#include "base/compiler.h"
#include "cluster/kubelet_config.h"
#include "steps/step.h"

/* What this machine's kubelet has of its own. Reads the target. */
struct kubelet_config_local cluster_kubelet_local(
	const struct step_context *context) MUST_USE;

/* check of the step (steps/step.h) for a role that bootstraps: reads the target alone. */
int cluster_bootstrap_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err) MUST_USE;

/* apply of it; blocks for minutes. Errors: those of genesis_run(). */
int cluster_bootstrap_apply(
	struct step_context *context, const struct step *step, struct err *err) MUST_USE;

#endif
