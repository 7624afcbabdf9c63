/* SPDX-License-Identifier: MIT */
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "steps/root.h"

/* A refusal that waits until all gates have spoken. */
struct verdict {
	bool refused;
	struct err err;
};

static bool is_gate(const struct step_ops *ops)
{
	return !ops->apply && !ops->compute;
}

/* check of a step that only edits files: compare the computed edits with the target. */
static int check_edits(struct step_context *context, const struct step *step,
	const struct step_ops *ops, struct step_report *ret, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	int rc = ops->compute(context, step, &edits, err);

	if (rc == 0)
		rc = edits_check(context->env, &edits, &ret->changes, err);
	if (rc < 0)
		return rc;
	if (ret->changes.count == 0)
		step_report_set(ret, STEP_DONE, 0, "already so: %s", step->reason);
	else
		step_report_set(ret, STEP_TODO, 0, "%zu change(s): %s",
			ret->changes.count, ret->changes.items[0]);
	return 0;
}

static int check_step(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	const struct step_ops *ops = step_ops_of(step->kind);

	if (ops->check)
		return ops->check(context, step, ret, err);
	return check_edits(context, step, ops, ret, err);
}

static int apply_step(
	struct step_context *context, const struct step *step, struct err *err)
{
	const struct step_ops *ops = step_ops_of(step->kind);
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	int rc;

	if (ops->apply)
		return ops->apply(context, step, err);
	rc = ops->compute(context, step, &edits, err);
	return rc < 0 ? rc : edits_apply(context->env, &edits, err);
}

static void tell(struct run *run, enum log_level level, const char *step,
	const char *state, const char *text)
{
	log_event(level, step, state, "%s", text);
	journal_add(run->journal, step, state, text);
}

static int make_writable(struct run *run, const struct step_ops *ops, struct err *err)
{
	struct env *env = run->context->env;
	int rc;

	if (!ops->writes_target || env->target_writable)
		return 0;
	rc = root_make_writable(env, err);
	if (rc < 0)
		return rc;
	return journal_open_target(run->journal, err);
}

/* The check that follows an apply; its answer must be "already so". */
static int verify_step(struct run *run, const struct step *step, struct err *err)
{
	struct step_report report = {.state = STEP_DONE};
	int rc = check_step(run->context, step, &report, err);

	if (rc == 0 && (report.state == STEP_TODO || report.state == STEP_REFUSED))
		rc = err_set(err, E_VERIFY,
			"applied, but the check still says: %s; this is a bug of the "
			"agent "
			"or something else writes to the same files",
			report.reason);
	step_report_done(&report);
	return rc;
}

static int do_step(struct run *run, const struct step *step, struct err *err)
{
	const struct step_ops *ops = step_ops_of(step->kind);
	uint64_t started = run->context->env->now_ms();
	char text[80];
	int rc = make_writable(run, ops, err);

	if (rc < 0)
		return rc;
	tell(run, LOG_LEVEL_INFO, ops->name, "begin", step->reason);
	report_start(run->report, ops->name, step->reason);
	if (step->kind == STEP_KIND_PIVOT)
		journal_close_target(run->journal); /* the root becomes read-only */
	rc = apply_step(run->context, step, err);
	/* The pivot ends this process; its check cannot be asked again here. */
	if (rc == 0 && step->kind != STEP_KIND_PIVOT)
		rc = verify_step(run, step, err);
	if (rc < 0)
		return rc;
	(void)snprintf(text, sizeof(text), "done in %llu ms",
		(unsigned long long)(run->context->env->now_ms() - started));
	tell(run, LOG_LEVEL_NOTICE, ops->name, "done", text);
	report_finish(run->report, ops->name, REPORT_SUCCESS, text);
	run->applied++;
	return 0;
}

static void log_changes(const char *name, const struct step_report *report)
{
	for (size_t i = 0; i < report->changes.count; i++)
		log_event(LOG_LEVEL_INFO, name, "change", "%s", report->changes.items[i]);
}

/* Acts on what the check said. A gate's refusal goes into the verdict, so that the others
 * still speak; any other refusal is final. */
static int act(struct run *run, const struct step *step, const struct step_report *report,
	struct verdict *verdict, struct err *err)
{
	const char *name = step_kind_name(step->kind);

	switch (report->state) {
	case STEP_DONE:
		tell(run, LOG_LEVEL_INFO, name, "already", report->reason);
		run->already++;
		return 0;
	case STEP_WARN:
		tell(run, LOG_LEVEL_WARN, name, "warn", report->reason);
		report_finish(run->report, name, REPORT_WARN, report->reason);
		return 0;
	case STEP_TODO:
		log_changes(name, report);
		return do_step(run, step, err);
	case STEP_REFUSED:
		break;
	}
	IGNORE_RESULT(err_set(
		err, report->code ? report->code : E_CHECK, "%s", report->reason));
	if (!is_gate(step_ops_of(step->kind)))
		return err->code;
	tell(run, LOG_LEVEL_ERROR, name, "refused", report->reason);
	report_finish(run->report, name, REPORT_FAIL, report->reason);
	if (!verdict->refused) {
		verdict->refused = true;
		verdict->err = *err;
		IGNORE_RESULT(err_wrap(&verdict->err, "%s", name));
	}
	return 0;
}

static int run_step(struct run *run, const struct step *step, struct verdict *verdict,
	struct err *err)
{
	struct step_report report = {.state = STEP_DONE};
	int rc = check_step(run->context, step, &report, err);

	if (rc == 0)
		rc = act(run, step, &report, verdict, err);
	step_report_done(&report);
	if (rc < 0) {
		const char *name = step_kind_name(step->kind);

		tell(run, LOG_LEVEL_ERROR, name, "failed", err->text);
		report_finish(run->report, name, REPORT_FAIL, err->text);
		return err_wrap(err, "%s", name);
	}
	return 0;
}

int run_plan(struct run *run, size_t from, struct err *err)
{
	const struct plan *plan = run->context->plan;
	struct verdict verdict = {.refused = false};

	for (size_t i = from; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];
		int rc;

		if (verdict.refused && !is_gate(step_ops_of(step->kind)))
			break;
		rc = run_step(run, step, &verdict, err);
		if (rc < 0)
			return rc;
	}
	if (verdict.refused) {
		*err = verdict.err;
		return err->code;
	}
	return 0;
}

static const char *const state_words[] = {
	[STEP_DONE] = "done",
	[STEP_TODO] = "change",
	[STEP_WARN] = "warn",
	[STEP_REFUSED] = "REFUSED",
};

static int preview_report(
	const char *name, const struct step_report *report, struct buf *ret)
{
	if (buf_printf(ret, "%-10s %-8s %s\n", name, state_words[report->state],
		    report->reason) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < report->changes.count; i++)
		if (buf_printf(ret, "%-10s          - %s\n", "",
			    report->changes.items[i]) < 0)
			return -ENOMEM;
	return 0;
}

int run_preview(
	struct step_context *context, struct buf *ret, size_t *ret_todo, struct err *err)
{
	size_t todo = 0;

	for (size_t i = 0; i < context->plan->count; i++) {
		const struct step *step = &context->plan->steps[i];
		struct step_report report = {.state = STEP_DONE};
		struct err step_err = ERR_INIT;
		int rc = check_step(context, step, &report, &step_err);

		if (rc < 0)
			step_report_set(&report, STEP_REFUSED, -rc, "%s", step_err.text);
		todo += report.state == STEP_TODO || report.state == STEP_REFUSED;
		rc = preview_report(step_kind_name(step->kind), &report, ret);
		step_report_done(&report);
		if (rc < 0)
			return err_errno(err, -rc, "render the plan");
	}
	*ret_todo = todo;
	return 0;
}
