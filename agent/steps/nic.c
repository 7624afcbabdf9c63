/* SPDX-License-Identifier: MIT */
/*
 * Gate nic: Broadcom NICs by what sysfs tells without bringing links up or down: a
 * function without driver or netdev, one off the bus, transmit timeouts, and the boot
 * NIC's carrier (node.md 1.4 rows 1-3, 7, 16). All findings are reported, not the first
 * alone. The role's checks.nic.broadcom says whether they refuse, warn or are not looked
 * for.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "steps/ops.h"

/* "eno1 0000:01:00.0 14e4:165f" */
static void nic_text(const struct fact_nic *nic, char *text, size_t size)
{
	(void)snprintf(text, size, "%s%s%s %04x:%04x", nic->name, nic->name[0] ? " " : "",
		nic->bdf, nic->vendor, nic->device);
}

/* What is wrong with it and what to do, or NULL. The first that applies hides the others:
 * a NIC off the bus has no carrier either. */
static const char *finding(const struct fact_nic *nic)
{
	if (nic->bdf[0] && !nic->config_readable)
		return "fell off the PCI bus (its configuration reads all ones): "
		       "power-cycle "
		       "the machine; if that does not help, reseat or replace the card";
	if (!nic->driver[0])
		return "no driver claims it: the kernel is too old for this chip or its "
		       "module "
		       "is not in the initramfs; put a newer kernel on the boot server";
	if (!nic->name[0])
		return "its driver made no network device: the driver's probe failed; "
		       "look in "
		       "the kernel log for the PCI address";
	if (nic->tx_timeouts)
		return "its transmit queue has hung since the boot (tx_timeout > 0): "
		       "update the "
		       "NIC's firmware and the kernel, or replace the card";
	if (nic->boot && nic->carrier == 0)
		return "the boot NIC has no carrier: check cable, switch port and "
		       "transceiver";
	return NULL;
}

static int collect(const struct facts *facts, size_t *ret_count, struct buf *ret_text)
{
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < facts->nic_count && rc == 0; i++) {
		const struct fact_nic *nic = &facts->nics[i];
		const char *wrong = fact_nic_is_broadcom(nic) ? finding(nic) : NULL;
		char name[80];

		if (!wrong)
			continue;
		nic_text(nic, name, sizeof(name));
		rc = buf_printf(
			ret_text, "%s%s: %s", ret_text->len ? "; " : "", name, wrong);
		count++;
	}
	*ret_count = count;
	return rc;
}

static size_t broadcom_count(const struct facts *facts)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->nic_count; i++)
		count += fact_nic_is_broadcom(&facts->nics[i]) ? 1 : 0;
	return count;
}

static int nic_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	enum role_nic_policy policy = context->role->checks.broadcom;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	size_t bad = 0, count = broadcom_count(context->facts);

	(void)step;
	if (policy == ROLE_NIC_IGNORE) {
		step_report_set(ret, STEP_DONE, 0,
			"%zu Broadcom NIC(s), not looked at (checks.nic.broadcom: "
			"ignore)",
			count);
		return 0;
	}
	if (collect(context->facts, &bad, &text) < 0)
		return err_errno(err, ENOMEM, "look at the NICs");
	if (!bad)
		step_report_set(ret, STEP_DONE, 0, "%zu NIC(s), %zu Broadcom, healthy",
			context->facts->nic_count, count);
	else if (policy == ROLE_NIC_WARN)
		step_report_set(ret, STEP_WARN, 0, "%s", buf_text(&text));
	else
		step_report_set(ret, STEP_REFUSED, E_NIC, "%s", buf_text(&text));
	return 0;
}

const struct step_ops step_nic_ops = {
	.name = "nic",
	.check = nic_check,
};
