/* SPDX-License-Identifier: MIT */
/*
 * The engine: runs the steps of a plan. check (already so?), apply (may be killed at any
 * instant), verify (check again). The world decides what is done; the journal explains
 * it.
 */
#ifndef PROMENADE_RUN_H
#define PROMENADE_RUN_H

#include "base/compiler.h"
#include "base/err.h"
#include "host/journal.h"
#include "host/report.h"
#include "steps/step.h"

struct run {
	struct step_context *context;
	struct journal *journal;
	struct report *report; /* NULL: nobody is told */
	unsigned int applied;  /* steps that changed something */
	unsigned int already;  /* steps found done */
};

/* Runs the steps of context->plan whose index is at least from, in order. Gates (steps
 * without apply) all run and are all reported before the first refusal stops the run. The
 * target becomes writable before the first step that writes to it. Blocks as the steps
 * do. Errors: those of the steps, with "STEP: " in front; E_VERIFY when a step was
 * applied and its check still says no. */
int run_plan(struct run *run, size_t from, struct err *err) MUST_USE;

/* Checks every step without applying and appends a line per step and change to ret, for
 * `promenade plan`. *ret_todo counts the steps that apply would change or that refuse.
 * Errors: -ENOMEM; a step's own failure is a line of the text. */
int run_preview(struct step_context *context, struct buf *ret, size_t *ret_todo,
	struct err *err) MUST_USE;

#endif
