/* SPDX-License-Identifier: MIT */
/* The kernel of the installed OS, for os.pivot kexec. */
#ifndef PROMENADE_STEPS_KEXEC_H
#define PROMENADE_STEPS_KEXEC_H

#include "base/compiler.h"
#include "base/err.h"
#include "steps/step.h"

/* What will be loaded: paths beneath the target, and the command line. */
struct kexec_plan {
	char kernel[256];
	char initrd[256]; /* "" when there is none */
	char cmdline[2048];
};

/* Finds kernel and initrd of facts->target.newest_kernel; the command line is the role's
 * os.cmdline. Refuses where the running kernel would (kexec_load_disabled; node.md 5.3).
 * Reads only. Errors: E_KERNEL. */
int kexec_find(const struct step_context *context, struct kexec_plan *ret,
	struct err *err) MUST_USE;

/* Loads it; the reboot into it is PID 1's. Errors: errno, with what EPERM means. */
int kexec_load(const struct step_context *context, const struct kexec_plan *plan,
	struct err *err) MUST_USE;

#endif
