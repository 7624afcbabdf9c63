/* SPDX-License-Identifier: MIT */
/*
 * The last event, and time for all of them to be delivered: after the pivot nobody sends
 * any more. Undelivered events never stop the boot.
 */
#include "host/report.h"

#include "base/log.h"
#include "steps/ops.h"

/* Longest time that telling the world may hold the boot (servers.md 6.4). */
#define DRAIN_MS 10000U

static int check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err UNUSED)
{
	if (report_is_open(context->report))
		step_report_set(ret, STEP_TODO, 0, "deliver events %s", step->reason);
	else
		step_report_set(ret, STEP_DONE, 0, "events delivered %s", step->reason);
	return 0;
}

static int apply(struct step_context *context, const struct step *step UNUSED,
	struct err *err UNUSED)
{
	unsigned int lost;

	report_finish(context->report, "prepare", REPORT_SUCCESS,
		"the node is prepared; the installed OS takes over");
	report_close(context->report, DRAIN_MS, &lost);
	if (lost)
		log_event(LOG_LEVEL_WARN, "report", "warn",
			"%u event(s) were not accepted by the server, ignoring", lost);
	return 0;
}

const struct step_ops step_report_ops = {
	.name = "report",
	.check = check,
	.apply = apply,
};
