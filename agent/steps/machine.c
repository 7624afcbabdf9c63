/* SPDX-License-Identifier: MIT */
/*
 * Gate machine: control groups, overlay, memory, CPUs, a disk, the clock. All are looked
 * at and all findings are in one line, refusals before warnings.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "steps/ops.h"

struct findings {
	struct buf refusals;
	struct buf warnings;
	int rc;
};

#define ADD(findings, kind, ...)                                                         \
	do {                                                                             \
		if ((findings)->kind.len && (findings)->rc == 0)                         \
			(findings)->rc = buf_add_str(&(findings)->kind, "; ");           \
		if ((findings)->rc == 0)                                                 \
			(findings)->rc = buf_printf(&(findings)->kind, __VA_ARGS__);     \
	} while (0)

static void look_at_cgroup(
	const struct facts *facts, const struct role *role, struct findings *ret)
{
	if (facts->cgroup2)
		return;
	if (role->checks.cgroup == 2)
		ADD(ret, refusals,
			"kernel %s has no cgroup2 (not in /proc/filesystems), which the "
			"role "
			"requires: boot a kernel with CONFIG_CGROUPS",
			facts->kernel);
	else
		ADD(ret, warnings, "kernel %s has no cgroup2; newer kubelets require it",
			facts->kernel);
}

/* Before the installed OS is mounted its module tree is not known; the plan is made again
 * after that. */
static void look_at_overlay(
	const struct facts *facts, const struct role *role, struct findings *ret)
{
	bool may_come = !facts->target.known || role->os.modules.url;

	if (facts->overlay == 1 || role->node.engine == ROLE_ENGINE_NONE)
		return;
	if (facts->overlay == 0 && !may_come)
		ADD(ret, refusals,
			"kernel %s has no overlay: neither built in nor a module in the "
			"initramfs or the installed OS; install its modules there or "
			"give "
			"os.modules in the role",
			facts->kernel);
	else
		ADD(ret, warnings,
			"overlay is not in kernel %s yet; its module is expected "
			"from the installed OS",
			facts->kernel);
}

/* MemTotal is what the firmware left over: a machine of N MiB shows up to an eighth less,
 * so the rule is on what the kernel has, and says so. */
static void look_at_sizes(
	const struct facts *facts, const struct role *role, struct findings *ret)
{
	uint64_t mib = facts->memory_kib / 1024;

	if (mib < role->checks.memory_min_mib)
		ADD(ret, refusals,
			"%" PRIu64 " MiB memory (MemTotal), the role requires %u "
			"(checks.memory.minMiB): look for a failed DIMM, or lower it",
			mib, role->checks.memory_min_mib);
	if (facts->cpus < role->checks.cpu_min)
		ADD(ret, refusals,
			"%u CPU(s) online, the role requires %u (checks.cpu.min): look "
			"at the "
			"firmware's settings, or lower it",
			facts->cpus, role->checks.cpu_min);
}

/* plan pivots from a disk; in a cloud VM the root is there already. */
static void look_at_disk(const struct step_context *context, struct findings *ret)
{
	if (!context->env->initramfs || context->facts->disk_count)
		return;
	ADD(ret, refusals,
		"no disk is present: check cabling and controller mode (RAID, AHCI), or "
		"the "
		"controller's module is not in the initramfs");
}

/* Any release of this program is later (2025-01-01): such a clock was never set. */
#define CLOCK_SANE 1735689600

/* kubelet's certificates and etcd's leases need it. In a running OS its own NTP client
 * has the clock, and only a clock that was never set is named. */
static void look_at_clock(const struct step_context *context, struct findings *ret)
{
	const struct facts *facts = context->facts;
	struct tm utc;
	time_t now = (time_t)facts->clock_unix;
	char text[40] = "?";

	if (facts->clock_synced || (!context->env->initramfs && now >= CLOCK_SANE))
		return;
	if (gmtime_r(&now, &utc))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	ADD(ret, warnings,
		"the clock (%s) was not set by NTP%s: give ntp servers by DHCP option "
		"42, "
		"promenade.ntp= or the role",
		text, facts->has_rtc ? "" : " and there is no RTC");
}

static void report(const struct facts *facts, const struct findings *findings,
	struct step_report *ret)
{
	bool both = findings->refusals.len && findings->warnings.len;

	if (findings->refusals.len)
		step_report_set(ret, STEP_REFUSED, E_CHECK, "%s%s%s",
			buf_text(&findings->refusals), both ? "; also: " : "",
			buf_text(&findings->warnings));
	else if (findings->warnings.len)
		step_report_set(ret, STEP_WARN, 0, "%s", buf_text(&findings->warnings));
	else
		step_report_set(ret, STEP_DONE, 0,
			"%" PRIu64 " MiB memory, %u CPU(s), %zu disk(s)",
			facts->memory_kib / 1024, facts->cpus, facts->disk_count);
}

static int machine_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct findings findings = {.refusals = BUF_INIT, .warnings = BUF_INIT};
	int rc;

	(void)step;
	look_at_cgroup(context->facts, context->role, &findings);
	look_at_overlay(context->facts, context->role, &findings);
	look_at_sizes(context->facts, context->role, &findings);
	look_at_disk(context, &findings);
	look_at_clock(context, &findings);
	rc = findings.rc;
	if (rc == 0)
		report(context->facts, &findings, ret);
	buf_done(&findings.refusals);
	buf_done(&findings.warnings);
	return rc < 0 ? err_errno(err, ENOMEM, "look at the machine") : 0;
}

const struct step_ops step_machine_ops = {
	.name = "machine",
	.check = machine_check,
};
