/* SPDX-License-Identifier: MIT */
/* steps/swap: what the golden cases cannot show, swapoff(2) and its failures. The files
 * are tests/golden/steps/swap-*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "steps/ops.h"

static struct strlist swapped_off;
static int swapoff_errno;

struct world {
	char dir[64];
	struct env env;
	struct facts facts;
	struct role role;
	struct step step;
	struct step_context context;
	struct sys_ops sys;
};

static void put(struct world *w, const char *path, const char *text)
{
	struct fs_content content = {text, strlen(text), 0644};
	struct err err = ERR_INIT;

	if (fs_replace(sys_real(), w->env.run_fd, path, &content, &err) < 0)
		fail_msg("%s", err.text);
}

/* The kernel takes the line out of proc/swaps. */
static int fake_swapoff(const char *path)
{
	if (swapoff_errno) {
		errno = swapoff_errno;
		return -1;
	}
	return strlist_add(&swapped_off, path);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_swap.XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	w->sys = *sys_real();
	w->sys.swapoff = fake_swapoff;
	w->env = (struct env){.sys = &w->sys, .initramfs = true};
	w->env.run_fd = open(w->dir, O_RDONLY | O_DIRECTORY);
	put(w, "target/etc/fstab", "");
	put(w, "proc/swaps",
		"Filename Type Size Used Priority\n/dev/zram0 partition 8 0 100\n"
		"/a\\040b file 9 0 -2\n");
	w->env.target_fd = fs_open(w->env.run_fd, "target", O_RDONLY | O_DIRECTORY);
	w->context = (struct step_context){
		.env = &w->env, .facts = &w->facts, .role = &w->role};
	swapoff_errno = 0;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	int tmp CLEANUP(fd_close) = open("/tmp", O_RDONLY | O_DIRECTORY);

	IGNORE_RESULT(fs_remove_tree(sys_real(), tmp, w->dir + 5, NULL));
	env_done(&w->env);
	strlist_done(&swapped_off);
	free(w);
	return 0;
}

static enum step_state check(struct world *w, const char *change)
{
	struct step_report report = {.state = STEP_DONE};
	struct err err = ERR_INIT;
	enum step_state state;

	if (step_swap_ops.check(&w->context, &w->step, &report, &err) < 0)
		fail_msg("%s", err.text);
	if (change && !strlist_has(&report.changes, change))
		fail_msg("no change '%s'", change);
	state = report.state;
	step_report_done(&report);
	return state;
}

static void test_swapoff(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	assert_int_equal(check(w, "swapoff '/dev/zram0' (8 KiB)"), STEP_TODO);
	assert_int_equal(swapped_off.count, 0); /* a check has no effect */
	assert_int_equal(step_swap_ops.apply(&w->context, &w->step, &err), 0);
	assert_int_equal(swapped_off.count, 2);
	assert_string_equal(swapped_off.items[1], "/a b");
	put(w, "proc/swaps", "Filename Type Size Used Priority\n");
	assert_int_equal(check(w, NULL), STEP_DONE);
}

static void test_no_memory(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	swapoff_errno = ENOMEM;
	assert_int_equal(step_swap_ops.apply(&w->context, &w->step, &err), -ENOMEM);
	assert_non_null(strstr(err.text, "swapoff '/dev/zram0' (its pages do not fit"));
}

/* With --root DIR the kernel's swap belongs to the operator's machine. */
static void test_not_our_kernel(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	w->env.initramfs = false;
	assert_int_equal(check(w, NULL), STEP_DONE);
	assert_int_equal(step_swap_ops.apply(&w->context, &w->step, &err), 0);
	assert_int_equal(swapped_off.count, 0);
	/* On "/" it is ours: run root and target are the same directory. */
	fd_close(&w->env.target_fd);
	w->env.target_fd = open(w->dir, O_RDONLY | O_DIRECTORY);
	assert_int_equal(check(w, "swapoff '/a b' (9 KiB)"), STEP_TODO);
}

static void test_keep(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	w->role.node.swap = ROLE_SWAP_KEEP;
	assert_int_equal(check(w, NULL), STEP_DONE);
	assert_int_equal(step_swap_ops.apply(&w->context, &w->step, &err), 0);
	assert_int_equal(swapped_off.count, 0);
}

/* The boot server's command line is what systemd sees after switch_root. */
static void test_cmdline_warning(void **state)
{
	struct world *w = *state;

	put(w, "proc/swaps", "");
	(void)str_copy(w->facts.cmdline, sizeof(w->facts.cmdline),
		"quiet systemd.swap-extra=/dev/sdb1");
	assert_int_equal(check(w, NULL), STEP_WARN);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_swapoff),
		TEST(test_no_memory),
		TEST(test_not_our_kernel),
		TEST(test_keep),
		TEST(test_cmdline_warning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
