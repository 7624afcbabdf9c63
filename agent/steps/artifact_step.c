/* SPDX-License-Identifier: MIT */
#include "steps/artifact_step.h"

#include <errno.h>

int artifact_step_check(struct step_context *context, const struct artifact *artifacts,
	size_t count, struct strlist *ret_changes, struct err *err)
{
	for (size_t i = 0; i < count; i++) {
		char change[400];
		bool done = false;
		int rc = artifact_check(
			context->env, &artifacts[i], &done, change, sizeof(change), err);

		if (rc < 0)
			return rc;
		if (!done && strlist_add(ret_changes, change) < 0)
			return err_errno(err, ENOMEM, "check '%s'", artifacts[i].path);
	}
	return 0;
}

struct shown {
	struct step_context *context;
	const char *what;
};

static void show(void *context, uint64_t done, uint64_t total)
{
	const struct shown *shown = context;

	shown->context->progress(
		shown->context->progress_context, shown->what, done, total);
}

int artifact_step_apply(struct step_context *context, const char *what,
	const struct artifact *artifacts, size_t count, struct err *err)
{
	struct shown shown = {.context = context, .what = what};
	struct fetch_progress progress = {.update = show, .context = &shown};

	if (!context->fetch)
		return err_set(err, E_NET, "there is no network to fetch from");
	return artifacts_apply(context->env, context->fetch, artifacts, count,
		context->progress ? &progress : NULL, err);
}

void artifact_step_verdict(struct step_report *report, const char *reason)
{
	if (report->changes.count == 0)
		step_report_set(report, STEP_DONE, 0, "already so: %s", reason);
	else
		step_report_set(report, STEP_TODO, 0, "%zu change(s): %s",
			report->changes.count, report->changes.items[0]);
}
