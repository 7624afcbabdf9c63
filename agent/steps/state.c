/* SPDX-License-Identifier: MIT */
/*
 * What the next netboot must know of this one: the accepted role, with which it goes on
 * when the provisioning server is off, and the serial that never goes down. In /etc,
 * because that is on the root file system itself, also where /var is separate and not
 * mounted yet.
 */
#include <errno.h>

#include "steps/ops.h"

static int add_role(struct step_context *context, struct edits *edits)
{
	static const char path[] = "/etc/promenade/role.yaml";
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_add(&text, context->role_text, context->role_len);

	if (rc == 0)
		rc = edits_add_file(edits, path, &text, 0600, "the accepted role");
	if (rc == 0)
		edits_find(edits, path)->secret = true;
	return rc;
}

/* A role without serial leaves the recorded one: it must not open the way to an older
 * role that has one. */
static int add_serial(struct step_context *context, struct edits *edits)
{
	uint64_t serial = context->role->serial;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc;

	if (serial < context->facts->target.last_serial)
		serial = context->facts->target.last_serial;
	if (!serial)
		return 0;
	rc = buf_printf(&text, "%llu\n", (unsigned long long)serial);
	if (rc == 0)
		rc = edits_add_file(edits, "/etc/promenade/serial", &text, 0600,
			"highest accepted serial");
	return rc;
}

static int state_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	(void)step;
	if (!context->role_text)
		return err_set(
			err, E_BUG, "keep the accepted role: its text is not known");
	if (add_role(context, ret) < 0 || add_serial(context, ret) < 0)
		return err_errno(err, ENOMEM, "keep the accepted role");
	return 0;
}

const struct step_ops step_state_ops = {
	.name = "state", .writes_target = true, .compute = state_compute};
