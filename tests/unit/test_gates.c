/* SPDX-License-Identifier: MIT */
/* steps/kernel, nic, machine: verdicts by facts and role, and that a message names
 * evidence and remedy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "steps/ops.h"

struct world {
	struct env env;
	struct facts facts;
	struct role role;
	struct fact_nic nics[3];
	struct fact_disk disk;
	struct step step;
	struct step_context context;
	struct step_report report;
};

static void healthy_nic(struct fact_nic *nic, const char *name)
{
	*nic = (struct fact_nic){.vendor = 0x14e4,
		.device = 0x165f,
		.carrier = 1,
		.config_readable = true,
		.bdf = "0000:01:00.0",
		.driver = "tg3"};
	(void)str_copy(nic->name, sizeof(nic->name), name);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	if (!w)
		return -1;
	w->env.initramfs = true;
	(void)str_copy(w->facts.kernel, sizeof(w->facts.kernel), "6.12.57+deb13-amd64");
	healthy_nic(&w->nics[0], "eno1");
	w->nics[1] = (struct fact_nic){
		.name = "eth1", .vendor = 0x8086, .device = 0x10d3, .carrier = 0};
	w->facts.nics = w->nics;
	w->facts.nic_count = 2;
	w->facts.disks = &w->disk;
	w->facts.disk_count = 1;
	w->facts.memory_kib = 2048 * 1024;
	w->facts.cpus = 2;
	w->facts.cgroup2 = true;
	w->facts.overlay = 1;
	w->facts.clock_synced = true;
	w->facts.clock_unix = 1800000000;
	w->role.node.engine = ROLE_ENGINE_CONTAINERD;
	w->context = (struct step_context){
		.env = &w->env, .facts = &w->facts, .role = &w->role};
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static void expect(struct world *w, const struct step_ops *ops, enum step_state want,
	const char *part)
{
	struct err err = ERR_INIT;

	w->report = (struct step_report){.state = STEP_DONE};
	if (ops->check(&w->context, &w->step, &w->report, &err) < 0)
		fail_msg("%s", err.text);
	if (w->report.state != want || !strstr(w->report.reason, part))
		fail_msg("want %d '%s', got %d '%s'", (int)want, part,
			(int)w->report.state, w->report.reason);
	assert_null(ops->apply);
	assert_null(ops->compute);
}

static void kernel_is(struct world *w, const char *release, const char *rule,
	enum step_state want, const char *part)
{
	static char text[32];

	(void)str_copy(text, sizeof(text), rule ? rule : "");
	w->role.checks.kernel_newer_than = rule ? text : NULL;
	(void)str_copy(w->facts.kernel, sizeof(w->facts.kernel), release);
	expect(w, &step_kernel_ops, want, part);
	assert_int_equal(w->report.code, want == STEP_REFUSED ? E_KERNEL : 0);
}

static void test_kernel(void **state)
{
	struct world *w = *state;

	kernel_is(w, "6.12.57+deb13-amd64", NULL, STEP_DONE, "newer than 4.8");
	kernel_is(w, "4.10.0-19-generic", NULL, STEP_DONE, "newer than 4.8");
	kernel_is(w, "4.8.0-58-generic", NULL, STEP_REFUSED,
		"kernel 4.8.0-58-generic runs");
	kernel_is(w, "4.4.0-210-generic", NULL, STEP_REFUSED,
		"eno1 0000:01:00.0 14e4:165f");
	kernel_is(w, "4.4.0-210-generic", "4.3", STEP_DONE, "(the role's");
	kernel_is(w, "6.1.0-56-amd64", "6.1", STEP_REFUSED, "boot server");
	kernel_is(w, "6.12.57", "6.12.56", STEP_DONE, "6.12.56");
	kernel_is(w, "6.12.57", "6.12.57", STEP_REFUSED, "newer than 6.12.57");
	kernel_is(w, "garbage", NULL, STEP_REFUSED, "is no version");
	w->nics[0].vendor = 0x8086;
	w->nics[0].driver[0] = '\0';
	kernel_is(w, "4.4.0-210-generic", NULL, STEP_DONE, "no rule applies");
	kernel_is(w, "4.4.0-210-generic", "4.8", STEP_REFUSED, "newerThan");
}

static void nic_is(struct world *w, enum step_state want, const char *part)
{
	expect(w, &step_nic_ops, want, part);
	assert_int_equal(w->report.code, want == STEP_REFUSED ? E_NIC : 0);
	healthy_nic(&w->nics[0], "eno1");
}

static void test_nic(void **state)
{
	struct world *w = *state;

	nic_is(w, STEP_DONE, "2 NIC(s), 1 Broadcom, healthy");
	w->nics[0].tx_timeouts = 1;
	nic_is(w, STEP_REFUSED, "eno1 0000:01:00.0 14e4:165f: its transmit queue");
	w->nics[0].driver[0] = w->nics[0].name[0] = '\0';
	nic_is(w, STEP_REFUSED, "0000:01:00.0 14e4:165f: no driver claims it");
	w->nics[0].name[0] = '\0';
	nic_is(w, STEP_REFUSED, "made no network device");
	w->nics[0].config_readable = false;
	nic_is(w, STEP_REFUSED, "fell off the PCI bus");
	w->nics[0].carrier = 0;
	nic_is(w, STEP_DONE, "healthy"); /* a spare port may be unplugged */
	w->nics[0].carrier = 0;
	w->nics[0].boot = true;
	nic_is(w, STEP_REFUSED, "no carrier");
	w->nics[0].carrier = -1;
	w->nics[0].boot = true;
	nic_is(w, STEP_DONE, "healthy");
}

static void test_nic_policy(void **state)
{
	struct world *w = *state;

	w->facts.nic_count = 3;
	healthy_nic(&w->nics[2], "eno2");
	w->nics[2].tx_timeouts = 4;
	w->nics[0].config_readable = false;
	w->role.checks.broadcom = ROLE_NIC_WARN;
	nic_is(w, STEP_WARN, "; eno2 "); /* all findings, not the first alone */
	w->role.checks.broadcom = ROLE_NIC_IGNORE;
	nic_is(w, STEP_DONE, "2 Broadcom NIC(s), not looked at");
}

static void test_machine(void **state)
{
	struct world *w = *state;
	const struct step_ops *ops = &step_machine_ops;

	expect(w, ops, STEP_DONE, "2048 MiB memory, 2 CPU(s), 1 disk(s)");
	w->role.checks.memory_min_mib = 4096;
	w->role.checks.cpu_min = 4;
	expect(w, ops, STEP_REFUSED,
		"2048 MiB memory (MemTotal), the role requires 4096");
	expect(w, ops, STEP_REFUSED, "2 CPU(s) online, the role requires 4");
	assert_int_equal(w->report.code, E_CHECK);
	w->facts.clock_synced = false;
	expect(w, ops, STEP_REFUSED, "; also: the clock (2027-01-15T08:00:00Z)");
	w->role.checks.memory_min_mib = w->role.checks.cpu_min = 0;
	expect(w, ops, STEP_WARN, "was not set by NTP and there is no RTC");
	w->env.initramfs = false;
	expect(w, ops, STEP_DONE, "2048");
	w->facts.disk_count = 0;
	expect(w, ops, STEP_DONE, "0 disk(s)"); /* on "/" the root is there */
	w->env.initramfs = w->facts.clock_synced = true;
	expect(w, ops, STEP_REFUSED, "no disk is present");
}

static void test_cgroup_and_overlay(void **state)
{
	struct world *w = *state;
	const struct step_ops *ops = &step_machine_ops;

	w->facts.cgroup2 = false;
	expect(w, ops, STEP_WARN, "no cgroup2");
	w->role.checks.cgroup = 2;
	expect(w, ops, STEP_REFUSED, "which the role requires");
	w->facts.cgroup2 = true;
	w->facts.overlay = 0;
	expect(w, ops, STEP_WARN, "expected from the installed OS");
	w->facts.target.known = true;
	expect(w, ops, STEP_REFUSED, "has no overlay");
	w->role.os.modules.url = (char[]){"http://x/"};
	expect(w, ops, STEP_WARN, "expected");
	w->role.os.modules.url = NULL;
	w->role.node.engine = ROLE_ENGINE_NONE;
	expect(w, ops, STEP_DONE, "2048");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_kernel),
		TEST(test_nic),
		TEST(test_nic_policy),
		TEST(test_machine),
		TEST(test_cgroup_and_overlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
