/* SPDX-License-Identifier: MIT */
/* Units of the role: files, enabled, masked. What a role no longer names stays as it is.
 */
#include <errno.h>
#include <string.h>

#include "steps/ops.h"
#include "steps/unit_file.h"

static int add_unit(struct unit_set *set, const struct role_unit *unit, struct err *err)
{
	int rc = 0;

	if (unit->mask && (unit->enable || unit->content))
		return err_set(err, E_ROLE,
			"unit '%s': mask excludes enable and content; keep one of them",
			unit->name);
	if (strlen(unit->name) >= UNIT_NAME_MAX)
		return err_errno(err, ENAMETOOLONG, "unit '%s'", unit->name);
	if (unit->mask)
		rc = unit_add_mask(set, unit->name);
	else if (unit->content)
		rc = unit_add_file(set, unit->name, unit->content);
	if (rc < 0)
		return err_errno(err, -rc, "unit '%s'", unit->name);
	return unit->enable ? unit_add_enable(set, unit->name, err) : 0;
}

static int units_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	const struct role_node *node = &context->role->node;
	struct unit_set set = {.env = context->env,
		.edits = ret,
		.units = node->units,
		.unit_count = node->unit_count};

	(void)step;
	for (size_t i = 0; i < node->unit_count; i++) {
		int rc = add_unit(&set, &node->units[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

const struct step_ops step_units_ops = {
	.name = "units", .writes_target = true, .compute = units_compute};
