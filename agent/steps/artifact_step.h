/* SPDX-License-Identifier: MIT */
/* What the steps artifacts, cni and modules share: host/artifact.h as check and apply. */
#ifndef PROMENADE_STEPS_ARTIFACT_STEP_H
#define PROMENADE_STEPS_ARTIFACT_STEP_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/artifact.h"
#include "steps/step.h"

/* Appends one line for each artifact that is not published yet. Reads only.
 * Errors: those of artifact_check(). */
int artifact_step_check(struct step_context *context, const struct artifact *artifacts,
	size_t count, struct strlist *ret_changes, struct err *err) MUST_USE;

/* Publishes all; what names the work for the progress bar. Blocks.
 * Errors: those of artifacts_apply(). */
int artifact_step_apply(struct step_context *context, const char *what,
	const struct artifact *artifacts, size_t count, struct err *err) MUST_USE;

/* Sets the verdict of a report whose changes are complete: done when there are none. */
void artifact_step_verdict(struct step_report *report, const char *reason);

#endif
