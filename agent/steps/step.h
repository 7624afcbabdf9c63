/* SPDX-License-Identifier: MIT */
/*
 * The interface of a step. check reads only; apply may be killed at any instant and
 * running it twice equals once; verify is check again and is the engine's business. Gates
 * (kernel, nic, machine) have check only. A step that only edits files has compute
 * instead of check and apply (steps/edit.h).
 */
#ifndef PROMENADE_STEPS_STEP_H
#define PROMENADE_STEPS_STEP_H

#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "model/plan.h"
#include "steps/edit.h"

enum step_state {
	STEP_DONE,   /* already so, nothing to do */
	STEP_TODO,   /* apply would change something */
	STEP_WARN,   /* a gate that passes but has something to say */
	STEP_REFUSED /* a gate refuses, or the step cannot be done; reason says why */
};

/* What a check found. reason is one line for people; changes lists what apply would do.
 */
struct step_report {
	enum step_state state;
	int code; /* E_* when refused, else 0 */
	char reason[ERR_TEXT_MAX];
	struct strlist changes;
};

struct fetch;  /* host/fetch.h */
struct report; /* host/report.h */

/* What the steps share during one run; owned by the engine. */
struct step_context {
	struct env *env;
	struct fetch *fetch;   /* HTTP client with the policy's trust; NULL: no network */
	struct report *report; /* NULL: nobody is told */
	const struct facts *facts;
	const struct role *role;
	const struct plan *plan;
	/* The accepted role's exact bytes, for the state kept on the root. */
	const char *role_text;
	size_t role_len;
	/* Progress of a long step for the console: done and total in bytes, total 0 when
	 * unknown. May be NULL. */
	void (*progress)(void *context, const char *what, uint64_t done, uint64_t total);
	void *progress_context;
};

struct step_ops {
	const char *name;   /* one word: "swap" */
	bool writes_target; /* apply needs the target mounted read-write */
	const char *path;   /* the one file that compute edits, where it is always that */
	int (*compute)(struct step_context *context, const struct step *step,
		struct edits *ret, struct err *err);
	int (*check)(struct step_context *context, const struct step *step,
		struct step_report *ret, struct err *err);
	int (*apply)(
		struct step_context *context, const struct step *step, struct err *err);
};

/* The operations of a kind; never NULL. Static storage. */
const struct step_ops *step_ops_of(enum step_kind kind) MUST_USE;

/* Fills a report with state and a formatted reason (code 0, or E_* for STEP_REFUSED). */
void step_report_set(struct step_report *report, enum step_state state, int code,
	const char *fmt, ...) PRINTF(4, 5);

/* Frees the changes. */
void step_report_done(struct step_report *report);

#endif
