/* SPDX-License-Identifier: MIT */
/*
 * Step swap: everything that brings swap back on a systemd distribution is turned off
 * from outside, by the union of all known ways (node.md 3.2), and what is on now is
 * turned off. The partition, its signature and swap files stay: a missing device would
 * make the next boot wait.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "host/probe.h"
#include "steps/ops.h"
#include "steps/swap_parts.h"

static int swap_compute(struct step_context *context, const struct step *step,
	struct edits *edits, struct err *err)
{
	int rc;

	(void)step;
	if (context->role->node.swap == ROLE_SWAP_KEEP)
		return 0;
	rc = swap_edit_fstab(context->env, context->facts, edits, err);
	return rc < 0 ? rc : swap_edit_sources(context->env, edits, err);
}

static int list_active(struct env *env, struct strlist *changes, struct err *err)
{
	struct facts now CLEANUP(facts_done) = {.kernel = ""};
	int rc = 0;

	if (!probe_is_own_kernel(env))
		return 0;
	rc = probe_swaps(env, &now, err);
	for (size_t i = 0; i < now.swap_count && rc == 0; i++)
		if (strlist_printf(changes, "swapoff '%s' (%llu KiB)",
			    now.swaps[i].device,
			    (unsigned long long)now.swaps[i].size_kib) < 0)
			rc = err_errno(err, ENOMEM, "list the changes");
	return rc;
}

static int set_verdict(
	struct step_report *ret, const struct strlist *warnings, struct err *err)
{
	if (ret->changes.count) {
		step_report_set(ret, STEP_TODO, 0, "%zu change(s): %s",
			ret->changes.count, ret->changes.items[0]);
		return 0;
	}
	step_report_set(ret, STEP_DONE, 0, "no swap is on and nothing brings it back");
	for (size_t i = 0; i < warnings->count; i++) {
		step_report_set(ret, STEP_WARN, 0, "%s%s", warnings->items[0],
			warnings->count > 1 ? " (and more)" : "");
		if (strlist_add(&ret->changes, warnings->items[i]) < 0)
			return err_errno(err, ENOMEM, "list the warnings");
	}
	return 0;
}

static int swap_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	struct strlist warnings CLEANUP(strlist_done) = STRLIST_INIT;
	int rc;

	if (context->role->node.swap == ROLE_SWAP_KEEP) {
		step_report_set(ret, STEP_DONE, 0, "kept, as the role says");
		return 0;
	}
	rc = swap_compute(context, step, &edits, err);
	if (rc == 0)
		rc = edits_check(context->env, &edits, &ret->changes, err);
	if (rc == 0)
		rc = list_active(context->env, &ret->changes, err);
	if (rc == 0)
		rc = swap_list_warnings(context->env, context->facts, &warnings, err);
	return rc < 0 ? rc : set_verdict(ret, &warnings, err);
}

static int turn_off(struct env *env, struct err *err)
{
	struct facts now CLEANUP(facts_done) = {.kernel = ""};
	int rc = 0;

	if (!probe_is_own_kernel(env))
		return 0;
	rc = probe_swaps(env, &now, err);
	for (size_t i = 0; i < now.swap_count && rc == 0; i++) {
		if (env->sys->swapoff(now.swaps[i].device) == 0)
			continue;
		rc = err_errno(err, errno, "swapoff '%s'%s", now.swaps[i].device,
			errno == ENOMEM ? " (its pages do not fit into memory: stop "
					  "services or reboot, the swap will stay off)"
					: "");
	}
	return rc;
}

/* Files first: when swapoff fails, a reboot finishes the work. */
static int swap_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	struct strlist warnings CLEANUP(strlist_done) = STRLIST_INIT;
	int rc;

	if (context->role->node.swap == ROLE_SWAP_KEEP)
		return 0;
	rc = swap_compute(context, step, &edits, err);
	if (rc == 0)
		rc = edits_apply(context->env, &edits, err);
	if (rc == 0)
		rc = turn_off(context->env, err);
	if (rc == 0)
		rc = swap_list_warnings(context->env, context->facts, &warnings, err);
	for (size_t i = 0; i < warnings.count; i++)
		log_event(LOG_LEVEL_WARN, "swap", "warn", "%s", warnings.items[i]);
	return rc;
}

const struct step_ops step_swap_ops = {
	.name = "swap",
	.writes_target = true,
	.compute = swap_compute,
	.check = swap_check,
	.apply = swap_apply,
};
