/* SPDX-License-Identifier: MIT */
/* The one table of steps, and the report that a check fills. */
#include <stdarg.h>
#include <stdio.h>

#include "steps/ops.h"
#include "steps/step.h"

static const struct step_ops *const table[STEP_KIND_COUNT] = {
	[STEP_KIND_KERNEL] = &step_kernel_ops,
	[STEP_KIND_NIC] = &step_nic_ops,
	[STEP_KIND_MACHINE] = &step_machine_ops,
	[STEP_KIND_ROOT] = &step_root_ops,
	[STEP_KIND_MODULES] = &step_modules_ops,
	[STEP_KIND_SWAP] = &step_swap_ops,
	[STEP_KIND_ENGINE] = &step_engine_ops,
	[STEP_KIND_ARTIFACTS] = &step_artifacts_ops,
	[STEP_KIND_CNI] = &step_cni_ops,
	[STEP_KIND_IMAGES] = &step_images_ops,
	[STEP_KIND_KUBELET] = &step_kubelet_ops,
	[STEP_KIND_AGENT] = &step_agent_ops,
	[STEP_KIND_NETWORK] = &step_network_ops,
	[STEP_KIND_FILES] = &step_files_ops,
	[STEP_KIND_UNITS] = &step_units_ops,
	[STEP_KIND_HOSTNAME] = &step_hostname_ops,
	[STEP_KIND_SYSCTL] = &step_sysctl_ops,
	[STEP_KIND_STATE] = &step_state_ops,
	[STEP_KIND_CLUSTER] = &step_cluster_ops,
	[STEP_KIND_REPORT] = &step_report_ops,
	[STEP_KIND_PIVOT] = &step_pivot_ops,
};

const struct step_ops *step_ops_of(enum step_kind kind)
{
	return table[kind];
}

void step_report_set(
	struct step_report *report, enum step_state state, int code, const char *fmt, ...)
{
	va_list args;

	report->state = state;
	report->code = code;
	va_start(args, fmt);
	(void)vsnprintf(
		report->reason, sizeof(report->reason), fmt, args); /* cut is fine */
	va_end(args);
}

void step_report_done(struct step_report *report)
{
	strlist_done(&report->changes);
}
