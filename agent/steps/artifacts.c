/* SPDX-License-Identifier: MIT */
/* The role's artifacts: files and unpacked trees, fetched in parallel. */
#include <errno.h>
#include <stdlib.h>

#include "steps/artifact_step.h"
#include "steps/ops.h"

/* The role's list as host/artifact.h wants it; caller frees. NULL: out of memory. */
static struct artifact *list_of(const struct role *role)
{
	struct artifact *list =
		calloc(role->artifact_count ? role->artifact_count : 1, sizeof(*list));

	for (size_t i = 0; list && i < role->artifact_count; i++) {
		const struct role_artifact *from = &role->artifacts[i];

		list[i] = (struct artifact){
			.kind = from->unpack ? ARTIFACT_TREE : ARTIFACT_FILE,
			.url = from->source.url,
			.sha256 = from->source.sha256,
			.path = from->path,
			.mode = (mode_t)from->mode,
		};
	}
	return list;
}

static int artifacts_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct artifact *list = list_of(context->role);
	int rc;

	if (!list)
		return err_errno(err, ENOMEM, "check artifacts");
	rc = artifact_step_check(
		context, list, context->role->artifact_count, &ret->changes, err);
	free(list);
	if (rc == 0)
		artifact_step_verdict(ret, step->reason);
	return rc;
}

static int artifacts_apply_all(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct artifact *list = list_of(context->role);
	int rc;

	(void)step;
	if (!list)
		return err_errno(err, ENOMEM, "fetch artifacts");
	rc = artifact_step_apply(
		context, "artifacts", list, context->role->artifact_count, err);
	free(list);
	return rc;
}

const struct step_ops step_artifacts_ops = {.name = "artifacts",
	.writes_target = true,
	.check = artifacts_check,
	.apply = artifacts_apply_all};
