/* SPDX-License-Identifier: MIT */
/* The parts of step swap, for swap*.c alone. */
#ifndef PROMENADE_STEPS_SWAP_PARTS_H
#define PROMENADE_STEPS_SWAP_PARTS_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "model/facts.h"
#include "steps/edit.h"

/* Adds the edits that keep fstab and GPT auto-activation from bringing swap back: swap
 * lines become noauto and are not deleted, because a fstab without any swap line is what
 * makes systemd-gpt-auto-generator activate swap partitions; where there is such a
 * partition and no line, one is added. Errors: errno, E_TOO_BIG. */
int swap_edit_fstab(struct env *env, const struct facts *facts, struct edits *edits,
	struct err *err) MUST_USE;

/* Adds the edits against all other sources of swap that are in the target: .swap units,
 * swap.target, zram-generator, services of distributions, cloud-init, resume. Reads only.
 * Errors: errno, ENOMEM. */
int swap_edit_sources(struct env *env, struct edits *edits, struct err *err) MUST_USE;

/* Lists what brings swap back and is not ours to edit: systemd.swap-extra= on a kernel
 * command line. One line each for people. Errors: ENOMEM. */
int swap_list_warnings(struct env *env, const struct facts *facts, struct strlist *ret,
	struct err *err) MUST_USE;

#endif
