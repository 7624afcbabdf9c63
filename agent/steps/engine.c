/* SPDX-License-Identifier: MIT */
/*
 * Step engine: the configuration of containerd or docker, and the proof that overlay
 * works where their layers will be. The proof by mount is made when something is changed
 * and not on every boot: it writes.
 */
#include <errno.h>
#include <string.h>

#include "steps/engine_parts.h"
#include "steps/ops.h"

static void wish_done(struct engine_wish *wish)
{
	edits_done(&wish->edits);
}

static int make_wish(
	struct step_context *context, struct engine_wish *ret, struct err *err)
{
	switch (context->role->node.engine) {
	case ROLE_ENGINE_NONE:
		return 0;
	case ROLE_ENGINE_CONTAINERD:
		return engine_containerd(context, ret, err);
	case ROLE_ENGINE_DOCKER:
		return engine_docker(context, ret, err);
	}
	return err_set(err, E_BUG, "engine %d", (int)context->role->node.engine);
}

static int engine_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	struct engine_wish wish CLEANUP(wish_done) = {.edits = EDITS_INIT};
	int rc = make_wish(context, &wish, err);

	(void)step;
	if (rc == 0) {
		*ret = wish.edits;
		wish.edits = (struct edits)EDITS_INIT;
	}
	return rc;
}

static int engine_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct engine_wish wish CLEANUP(wish_done) = {.edits = EDITS_INIT};
	int rc = make_wish(context, &wish, err);

	(void)step;
	if (rc == 0)
		rc = edits_check(context->env, &wish.edits, &ret->changes, err);
	if (rc == 0 && wish.overlay)
		rc = engine_check_dtype(context->env, wish.data_root, err);
	if (rc < 0)
		return rc;
	if (ret->changes.count)
		step_report_set(ret, STEP_TODO, 0, "%zu change(s): %s",
			ret->changes.count, ret->changes.items[0]);
	else
		step_report_set(ret, STEP_DONE, 0, "already configured, data in '%s'",
			wish.data_root);
	return 0;
}

/* The proof comes first: a configuration that cannot work is not left behind. */
static int engine_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct engine_wish wish CLEANUP(wish_done) = {.edits = EDITS_INIT};
	int rc = make_wish(context, &wish, err);

	(void)step;
	if (rc == 0 && wish.overlay)
		rc = engine_try_overlay(context->env, wish.data_root, err);
	return rc < 0 ? rc : edits_apply(context->env, &wish.edits, err);
}

const struct step_ops step_engine_ops = {
	.name = "engine",
	.writes_target = true,
	.compute = engine_compute,
	.check = engine_check,
	.apply = engine_apply,
};
