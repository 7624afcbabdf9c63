/* SPDX-License-Identifier: MIT */
/* host/journal on a temporary folder that is both the running system and the target. */
#include "host/journal.h"
#include "temp_root.h"

static struct temp_root root;

static int setup(void **state UNUSED)
{
	temp_root_open(&root);
	temp_root_text(&root, "proc/sys/kernel/random/boot_id", "b-1\n");
	temp_root_text(&root, "run/promenade/journal", "");
	root.env.target_fd = dup(root.env.run_fd);
	return 0;
}

static int teardown(void **state UNUSED)
{
	temp_root_close(&root);
	return 0;
}

static void read_into(const char *path, struct buf *ret)
{
	struct err err = ERR_INIT;

	assert_int_equal(fs_read(root.env.run_fd, path, 1U << 20, ret, &err), 0);
}

static void test_target_has_all_lines_of_this_boot(void **state UNUSED)
{
	struct buf run CLEANUP(buf_done) = BUF_INIT, target CLEANUP(buf_done) = BUF_INIT;
	struct journal journal;
	struct err err = ERR_INIT;

	journal_init(&journal, &root.env);
	journal_add(&journal, "root", "begin", "a \"b\"\nboot=x\t\xc3\xbc");
	assert_int_equal(journal_open_target(&journal, &err), 0);
	journal_add(&journal, "root", "done", "");
	journal_close_target(&journal);
	read_into(JOURNAL_RUN_PATH, &run);
	read_into(JOURNAL_TARGET_PATH, &target);
	assert_string_equal(run.bytes, target.bytes);
	assert_memory_equal(run.bytes, "boot=b-1 t=", 11);
	assert_non_null(strstr(run.bytes,
		" step=root state=begin msg=\"a 'b' boot=x \xc3\xbc\"\nboot=b-1 "));
	assert_non_null(strstr(run.bytes, " step=root state=done msg=\"\"\n"));
}

static void test_rotation(void **state UNUSED)
{
	static char old[JOURNAL_TARGET_MAX + 1];
	struct buf now CLEANUP(buf_done) = BUF_INIT, kept CLEANUP(buf_done) = BUF_INIT;
	struct journal journal;
	struct err err = ERR_INIT;

	memset(old, 'x', sizeof(old));
	temp_root_put(&root, &JOURNAL_TARGET_PATH[1], old, sizeof(old));
	journal_init(&journal, &root.env);
	journal_add(&journal, "swap", "begin", "m");
	assert_int_equal(journal_open_target(&journal, &err), 0);
	journal_close_target(&journal);
	read_into(JOURNAL_TARGET_PATH, &now);
	read_into(JOURNAL_TARGET_PATH ".1", &kept);
	assert_int_equal(kept.len, sizeof(old));
	assert_memory_equal(now.bytes, "boot=b-1 ", 9);
}

static void test_a_torn_line_is_not_glued_to(void **state UNUSED)
{
	struct buf now CLEANUP(buf_done) = BUF_INIT;
	struct journal journal;
	struct err err = ERR_INIT;

	temp_root_text(&root, &JOURNAL_TARGET_PATH[1], "boot=b-0 t=1.000 step=sw");
	journal_init(&journal, &root.env);
	journal_add(&journal, "swap", "begin", "m");
	assert_int_equal(journal_open_target(&journal, &err), 0);
	journal_close_target(&journal);
	read_into(JOURNAL_TARGET_PATH, &now);
	assert_non_null(strstr(now.bytes, "step=sw\nboot=b-1 "));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_target_has_all_lines_of_this_boot),
		TEST(test_rotation),
		TEST(test_a_torn_line_is_not_glued_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
