/* SPDX-License-Identifier: MIT */
/* host/policy: its folder, its words, and what it lets pass. */
#include <errno.h>

#include "host/policy.h"
#include "temp_root.h"

static struct temp_root root;

static int setup(void **state UNUSED)
{
	temp_root_open(&root);
	return 0;
}

static int teardown(void **state UNUSED)
{
	temp_root_close(&root);
	return 0;
}

static void load(struct policy *policy)
{
	struct err err = ERR_INIT;

	if (policy_load(&root.env, policy, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_missing_is_strictest(void **state UNUSED)
{
	struct policy policy CLEANUP(policy_done) = {.unsigned_http = true};

	load(&policy);
	assert_int_equal(policy.ca_pem.len, 0);
	assert_int_equal(policy.keys.count, 0);
	assert_int_equal(policy.client_pem.len, 0);
	assert_false(policy.unsigned_http);
	assert_false(policy.unsigned_injected);
}

static void test_layout(void **state UNUSED)
{
	struct policy policy CLEANUP(policy_done) = {.require_signature = false};

	temp_root_text(&root, POLICY_DIR "/ca/b.pem", "B");
	temp_root_text(&root, POLICY_DIR "/ca/a.pem", "A\n");
	temp_root_text(&root, POLICY_DIR "/ca/a.pem.orig", "no");
	temp_root_text(&root, POLICY_DIR "/keys/2.pem", "K2");
	temp_root_text(&root, POLICY_DIR "/keys/1.pem", "K1");
	temp_root_text(&root, POLICY_DIR "/keys/README", "no");
	temp_root_text(&root, POLICY_DIR "/client.pem", "C");
	temp_root_text(&root, POLICY_DIR "/policy.conf",
		"# comment\n\n  require-signature\tyes  \r\nunsigned-http yes\n"
		"unsigned-injected yes\nunsigned-http no");
	load(&policy);
	assert_string_equal(buf_text(&policy.ca_pem), "A\n\nB\n");
	assert_int_equal(policy.keys.count, 2);
	assert_string_equal(policy.keys.items[0], "K1");
	assert_string_equal(policy.keys.items[1], "K2");
	assert_string_equal(buf_text(&policy.client_pem), "C");
	assert_true(policy.require_signature);
	assert_true(policy.unsigned_injected);
	assert_false(policy.unsigned_http); /* the last line of a word counts */
}

static void test_mistakes_name_their_line(void **state UNUSED)
{
	static const struct {
		const char *conf, *why;
	} cases[] = {
		{"unsigned-htpp yes\n", "line 1: unknown word 'unsigned-htpp'"},
		{"# a\n\nunsigned-http true\n", "line 3: 'unsigned-http' is 'true'"},
		{"unsigned-http\n", "line 1: 'unsigned-http' is ''"},
		{"unsigned-http yes # why\n", "line 1: 'unsigned-http' is 'yes # why'"},
		{"require-signature yes\nREQUIRE-SIGNATURE no", "line 2: unknown word"},
		{"unsigned-http=yes", "line 1: unknown word 'unsigned-http=yes'"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct policy policy CLEANUP(policy_done) = {.require_signature = false};
		struct err err = ERR_INIT;

		temp_root_text(&root, POLICY_DIR "/policy.conf", cases[i].conf);
		assert_int_equal(policy_load(&root.env, &policy, &err), -E_FORMAT);
		assert_non_null(strstr(err.text, "/promenade/policy/policy.conf"));
		if (!strstr(err.text, cases[i].why))
			fail_msg("'%s' does not say '%s'", err.text, cases[i].why);
	}
}

/* A part that cannot be read is never taken for one that is not there. */
static void test_unreadable_is_an_error(void **state UNUSED)
{
	static const char *const folders[] = {
		POLICY_DIR "/policy.conf/x", POLICY_DIR "/ca/a.pem/x"};

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct policy policy CLEANUP(policy_done) = {.require_signature = false};
		struct err err = ERR_INIT;

		temp_root_text(&root, folders[i], "a folder where a file must be");
		assert_int_equal(policy_load(&root.env, &policy, &err), -EISDIR);
		temp_root_shell(&root, "rm -r promenade");
	}
}

/* Every origin under every policy, unsigned; a signed one always passes. */
static void test_allows(void **state UNUSED)
{
	for (unsigned int bits = 0; bits < 8; bits++) {
		const struct policy policy = {.require_signature = bits & 1,
			.unsigned_http = bits & 2,
			.unsigned_injected = bits & 4};
		const int required = bits & 1 ? -E_TRUST : 0;
		const int expected[] = {
			[POLICY_ORIGIN_HTTPS] = required,
			[POLICY_ORIGIN_HTTP] = bits & 2 ? required : -E_TRUST,
			[POLICY_ORIGIN_INJECTED] = bits & 4 ? required : -E_TRUST,
			[POLICY_ORIGIN_LOCAL] = 0,
		};

		for (unsigned int i = 0; i < ARRAY_LEN(expected); i++) {
			struct err err = ERR_INIT;

			assert_int_equal(policy_allows(&policy, (enum policy_origin)i,
						 false, &err),
				expected[i]);
			assert_int_equal(err.code, expected[i]);
			assert_int_equal(
				policy_allows(&policy, (enum policy_origin)i, true, NULL),
				0);
		}
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_missing_is_strictest),
		TEST(test_layout),
		TEST(test_mistakes_name_their_line),
		TEST(test_unreadable_is_an_error),
		TEST(test_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
