/* SPDX-License-Identifier: MIT */
/* Files of the role, written as given. */
#include <errno.h>
#include <string.h>

#include "steps/ops.h"

/* The role's parser refuses what is never on disk; /tmp is a matter of the OS: a tmpfs on
 * Debian 13, and cleaned at boot elsewhere. */
static int check_path(const struct role_file *file, struct err *err)
{
	if (!str_has_prefix(file->path, "/tmp/"))
		return 0;
	return err_set(err, E_ROLE,
		"file '%s': /tmp does not outlive the boot; choose another path",
		file->path);
}

/* Two steps that want the same file would write it anew at every boot, each for itself.
 */
static int check_other(struct step_context *context, const struct step *step,
	const struct step_ops *ops, struct err *err)
{
	const struct role_node *node = &context->role->node;
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	/* The agent's own bytes need not be read for its path. */
	int rc = ops->path ? 0 : ops->compute(context, step, &edits, err);

	for (size_t i = 0; i < node->file_count && rc == 0; i++)
		if (ops->path ? strcmp(ops->path, node->files[i].path) == 0
			      : edits_find(&edits, node->files[i].path) != NULL)
			rc = err_set(err, E_ROLE,
				"file '%s': step %s writes it too; leave it out, or "
				"leave out what makes that step write it",
				node->files[i].path, ops->name);
	return rc;
}

static int check_others(struct step_context *context, struct err *err)
{
	for (size_t i = 0; i < context->plan->count; i++) {
		const struct step *step = &context->plan->steps[i];
		const struct step_ops *ops = step_ops_of(step->kind);
		int rc;

		if (step->kind == STEP_KIND_FILES || !ops->compute)
			continue;
		rc = check_other(context, step, ops, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int files_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	const struct role_node *node = &context->role->node;

	(void)step;
	for (size_t i = 0; i < node->file_count; i++) {
		const struct role_file *file = &node->files[i];
		struct buf content = {
			.bytes = file->content, .len = strlen(file->content)};
		int rc = check_path(file, err);

		if (rc < 0)
			return rc;
		if (edits_add_file(ret, file->path, &content, file->mode,
			    "file of the role") < 0)
			return err_errno(err, ENOMEM, "file '%s'", file->path);
		edits_find(ret, file->path)->secret = (file->mode & 077) == 0;
	}
	return check_others(context, err);
}

const struct step_ops step_files_ops = {
	.name = "files", .writes_target = true, .compute = files_compute};
