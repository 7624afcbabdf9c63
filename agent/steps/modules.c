/* SPDX-License-Identifier: MIT */
/*
 * The running kernel's whole module tree in the installed OS. switch_root keeps the
 * netboot kernel, and pods need modules that no initramfs carries (node.md 5.2). Whether
 * the tree is there is said by modules.dep alone: it appears with the directory, in one
 * rename.
 */
#include <stdio.h>

#include "model/facts.h"
#include "steps/artifact_step.h"
#include "steps/ops.h"

#define MODULES_DIR "/lib/modules/"

/* /lib is a symlink to usr/lib in most systems now; paths are followed inside the root.
 */
static struct artifact modules_of(
	const struct step_context *context, char *path, size_t size)
{
	const struct role_source *source = &context->role->os.modules;

	(void)snprintf(path, size, MODULES_DIR "%s", context->facts->kernel);
	return (struct artifact){
		.kind = ARTIFACT_MODULES,
		.url = source->url,
		.sha256 = source->sha256,
		.path = path,
		.release = context->facts->kernel,
	};
}

static int modules_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	char path[256];
	struct artifact modules = modules_of(context, path, sizeof(path));
	int rc;

	if (!modules.url) {
		step_report_set(ret, STEP_DONE, 0, "the role brings none");
		return 0;
	}
	rc = artifact_step_check(context, &modules, 1, &ret->changes, err);
	if (rc == 0)
		artifact_step_verdict(ret, step->reason);
	return rc;
}

static int modules_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	char path[256];
	struct artifact modules = modules_of(context, path, sizeof(path));

	(void)step;
	return artifact_step_apply(context, "kernel modules", &modules, 1, err);
}

const struct step_ops step_modules_ops = {.name = "modules",
	.writes_target = true,
	.check = modules_check,
	.apply = modules_apply};
