/* SPDX-License-Identifier: MIT */
/*
 * Runs steps on a folder as the engine does, for tests/golden/steps.py:
 *   step_run RUN-ROOT TARGET ROLE FACTS STEP...
 * Prints what each would change (or its warning or refusal), does it, and checks again.
 * Exit status 1 when a step that was applied is not so afterwards; a refusal is an
 * answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "host/env.h"
#include "model/plan.h"
#include "steps/step.h"

static int check(struct step_context *context, const struct step *step,
	struct step_report *report, struct err *err)
{
	const struct step_ops *ops = step_ops_of(step->kind);
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	int rc;

	if (ops->check)
		return ops->check(context, step, report, err);
	rc = ops->compute(context, step, &edits, err);
	if (rc == 0)
		rc = edits_check(context->env, &edits, &report->changes, err);
	if (rc == 0)
		report->state = report->changes.count ? STEP_TODO : STEP_DONE;
	return rc;
}

static int apply(struct step_context *context, const struct step *step, struct err *err)
{
	const struct step_ops *ops = step_ops_of(step->kind);
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	int rc;

	if (ops->apply)
		return ops->apply(context, step, err);
	rc = ops->compute(context, step, &edits, err);
	return rc < 0 ? rc : edits_apply(context->env, &edits, err);
}

static int refused(const char *name, int code, const char *text)
{
	printf("%s: %s: %s\n", name, err_name(code), text);
	return 0;
}

static int run_step(struct step_context *context, const struct step *step)
{
	const char *name = step_ops_of(step->kind)->name;
	struct step_report before = {.state = STEP_DONE}, after = {.state = STEP_DONE};
	struct err err = ERR_INIT;
	int status = 0;

	if (check(context, step, &before, &err) < 0)
		return refused(name, err.code, err.text);
	if (before.state == STEP_REFUSED)
		return refused(name, before.code, before.reason);
	for (size_t i = 0; i < before.changes.count; i++)
		printf("%s: %s%s\n", name, before.state == STEP_WARN ? "warning: " : "",
			before.changes.items[i]);
	if (before.state == STEP_TODO && apply(context, step, &err) < 0)
		status = refused(name, err.code, err.text) + 1;
	else if (check(context, step, &after, &err) < 0)
		status = refused(name, err.code, err.text) + 1;
	for (size_t i = 0; after.state == STEP_TODO && i < after.changes.count; i++)
		status = printf("%s: not so after apply: %s\n", name,
				 after.changes.items[i]) > 0;
	step_report_done(&before);
	step_report_done(&after);
	return status;
}

static int read_text(const char *path, struct buf *ret)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return fs_read_fd(fd, path, FS_TEXT_MAX, ret, NULL);
}

static bool load_role(const char *path, struct buf *text, struct role *role)
{
	struct role_mistakes mistakes = {.count = 0};
	struct err err = ERR_INIT;

	if (read_text(path, text) == 0 &&
		role_parse(buf_text(text), text->len, role, &mistakes, &err) == 0)
		return true;
	fprintf(stderr, "step_run: %s: %s\n", path, err.text);
	return false;
}

static bool load_facts(const char *path, struct facts *facts)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	if (read_text(path, &text) == 0 &&
		facts_parse(buf_text(&text), text.len, facts, &err) == 0)
		return true;
	fprintf(stderr, "step_run: %s: %s\n", path, err.text);
	return false;
}

static bool load_env(struct env *env, const char *run_root, const char *target)
{
	struct err err = ERR_INIT;

	if (env_init(env, &err) < 0 || env_set_target(env, target, &err) < 0) {
		fprintf(stderr, "step_run: %s\n", err.text);
		return false;
	}
	fd_close(&env->run_fd);
	env->run_fd = open(run_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	env->target_writable = true;
	return env->run_fd >= 0;
}

/* A plan of exactly the named steps, in the given order. */
static bool make_plan(char **names, struct plan *plan)
{
	for (; *names; names++) {
		unsigned int kind = 0;

		while (kind < STEP_KIND_COUNT &&
			strcmp(step_kind_name((enum step_kind)kind), *names) != 0)
			kind++;
		if (kind == STEP_KIND_COUNT || plan->count == ARRAY_LEN(plan->steps)) {
			fprintf(stderr, "step_run: no step '%s'\n", *names);
			return false;
		}
		plan->steps[plan->count++].kind = (enum step_kind)kind;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct buf role_text CLEANUP(buf_done) = BUF_INIT;
	struct facts facts = {0};
	struct role role = {0};
	struct plan plan = {.count = 0};
	struct env env;
	struct step_context context = {
		.env = &env, .facts = &facts, .role = &role, .plan = &plan};
	int status = 0;

	if (argc < 6 || !load_env(&env, argv[1], argv[2]) ||
		!load_role(argv[3], &role_text, &role) || !load_facts(argv[4], &facts) ||
		!make_plan(argv + 5, &plan))
		return 2;
	context.role_text = buf_text(&role_text);
	context.role_len = role_text.len;
	for (size_t i = 0; i < plan.count; i++)
		status |= run_step(&context, &plan.steps[i]);
	role_done(&role);
	facts_done(&facts);
	env_done(&env);
	return status;
}
