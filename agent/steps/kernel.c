/* SPDX-License-Identifier: MIT */
/*
 * Gate kernel: the running kernel, which switch_root keeps, against the least one
 * allowed. Default rule (node.md 1.3): where a Broadcom NIC is present, newer than 4.8.
 * Compared are major and minor alone: distributions count the third number as they like,
 * and 4.8.0-58 is the kernel of which people said "upgrade to > 4.8". A rule of three
 * numbers compares three.
 */
#include <stdio.h>
#include <string.h>

#include "model/version.h"
#include "steps/ops.h"

#define BROADCOM_NEWER_THAN "4.8"

static const struct fact_nic *first_broadcom(const struct facts *facts)
{
	for (size_t i = 0; i < facts->nic_count; i++)
		if (fact_nic_is_broadcom(&facts->nics[i]))
			return &facts->nics[i];
	return NULL;
}

static bool is_newer(
	const struct version *running, const struct version *than, const char *rule)
{
	const char *dot = strchr(rule, '.');

	if (dot && strchr(dot + 1, '.'))
		return version_compare(running, than) > 0;
	return running->major != than->major ? running->major > than->major
					     : running->minor > than->minor;
}

/* Who asks for the rule: "checks.kernel.newerThan of the role" or the NIC that is there.
 */
static void asker_text(
	const struct role *role, const struct fact_nic *nic, char *text, size_t size)
{
	if (role->checks.kernel_newer_than)
		(void)snprintf(text, size, "the role's checks.kernel.newerThan");
	else
		(void)snprintf(text, size, "Broadcom NIC %s%s%s %04x:%04x", nic->name,
			nic->name[0] ? " " : "", nic->bdf, nic->vendor, nic->device);
}

static int kernel_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	const struct facts *facts = context->facts;
	const char *rule = context->role->checks.kernel_newer_than;
	const struct fact_nic *nic = first_broadcom(facts);
	struct version running, than;
	char asker[120];

	(void)step;
	if (!rule && !nic) {
		step_report_set(ret, STEP_DONE, 0, "%s, no rule applies: no Broadcom NIC",
			facts->kernel);
		return 0;
	}
	rule = rule ? rule : BROADCOM_NEWER_THAN;
	asker_text(context->role, nic, asker, sizeof(asker));
	if (version_parse(rule, &than) < 0)
		return err_set(
			err, E_ROLE, "checks.kernel.newerThan '%s' is no version", rule);
	if (version_parse(facts->kernel, &running) < 0)
		step_report_set(ret, STEP_REFUSED, E_KERNEL,
			"kernel release '%s' is no version; required: newer than %s "
			"(%s); "
			"boot a kernel.org or distribution kernel",
			facts->kernel, rule, asker);
	else if (!is_newer(&running, &than, rule))
		step_report_set(ret, STEP_REFUSED, E_KERNEL,
			"kernel %s runs, newer than %s is required (%s): its drivers "
			"lack "
			"PCI ids and hang or panic; put a newer kernel and its initramfs "
			"on "
			"the boot server, or set checks.kernel.newerThan in the role",
			facts->kernel, rule, asker);
	else
		step_report_set(ret, STEP_DONE, 0, "%s is newer than %s (%s)",
			facts->kernel, rule, asker);
	return 0;
}

const struct step_ops step_kernel_ops = {
	.name = "kernel",
	.check = kernel_check,
};
