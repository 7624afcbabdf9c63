/* SPDX-License-Identifier: MIT */
/* model/daemon_json: values that dockerd has no key for, and the limits of the format.
 * The merges themselves are tests/golden/steps/engine-docker-*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/daemon_json.h"

static const struct daemon_json_wish overlay2 = {"overlay2", true};

static int merge(const char *before, size_t len, struct buf *after,
	struct strlist *changes, struct err *err)
{
	struct buf text = BUF_INIT;
	int rc;

	assert_int_equal(buf_add(&text, before, len), 0);
	rc = daemon_json_merge(&text, &overlay2, after, changes, err);
	buf_done(&text);
	return rc;
}

static void has(const char *before, const char *part)
{
	struct buf after = BUF_INIT, again = BUF_INIT;
	struct strlist changes = STRLIST_INIT, none = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (merge(before, strlen(before), &after, &changes, &err) < 0)
		fail_msg("%s", err.text);
	if (!strstr(buf_text(&after), part))
		fail_msg("no '%s' in: %s", part, buf_text(&after));
	assert_true(changes.count > 0);
	assert_int_equal(merge(buf_text(&after), after.len, &again, &none, &err), 0);
	assert_string_equal(buf_text(&again), buf_text(&after));
	assert_int_equal(none.count, 0);
	buf_done(&after);
	buf_done(&again);
	strlist_done(&changes);
}

static void test_values_stay(void **state)
{
	(void)state;
	has("{\"n\": 0.1}", "\"n\": 0.1,");
	has("{\"n\": 1.0}", "\"n\": 1.0,");
	has("{\"n\": 0.30000000000000004}", "0.30000000000000004");
	has("{\"n\": 9223372036854775807}", "9223372036854775807");
	has("{\"n\": -0}", "\"n\": ");
	has("{\"u\": \"\\u0001\\ud83d\\ude00\\\"\"}", "\"\\u0001\xf0\x9f\x98\x80\\\"\"");
	has("{\"z\": {}, \"a\": [[], null, true]}", "\"z\": {}");
	has("{\n\t\"x\": 1\n}\n", "\n        \"x\": 1");
	has("{\"exec-opts\": [\"other=1\", \"native.cgroupdriver=cgroupfs\"]}",
		"\"other=1\",\n    \"native.cgroupdriver=systemd\"");
	has("{\"exec-opts\": [\"native.cgroupdriver=systemd\", "
	    "\"native.cgroupdriver=x\"]}",
		"[\n    \"native.cgroupdriver=systemd\"\n  ]");
}

static void refuses(const char *before, size_t len, const char *part)
{
	struct buf after = BUF_INIT;
	struct strlist changes = STRLIST_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(merge(before, len, &after, &changes, &err), -E_FORMAT);
	if (!strstr(err.text, part))
		fail_msg("no '%s' in: %s", part, err.text);
	assert_int_equal(after.len + changes.count, 0);
}

static void test_refusals(void **state)
{
	static const char utf16[] = "\xff\xfe{\0}\0";

	(void)state;
	refuses("{", 1, "line 1 column");
	refuses("{\"a\": 1} x", 10, "line 1 column");
	refuses("{\"a\": NaN}", 10, "line 1 column");
	refuses("{\"a\": 99999999999999999999}", 27, "line 1 column");
	refuses("{\"a\": \"\\u0000\"}", 15, "line 1 column");
	refuses("null", 4, "line 1 column");
	refuses("[]", 2, "not a JSON object");
	refuses("{\"storage-driver\": 1}", 21, "'storage-driver' must be a string");
	refuses("{\"features\": []}", 16, "'features' must be an object");
	refuses(utf16, sizeof(utf16) - 1, "line 1 column");
	for (size_t len = 1; len < 12; len++)
		refuses("{\"a\": [1, 2]}", len, "line 1 column");
}

static void test_read(void **state)
{
	struct daemon_json_facts facts;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		buf_add_str(&text, "{\"graph\": \"/g\", \"storage-driver\": \"vfs\"}"),
		0);
	assert_int_equal(daemon_json_read(&text, &facts, &err), 0);
	assert_string_equal(facts.data_root, "/g");
	assert_string_equal(facts.storage_driver, "vfs");
	assert_true(daemon_json_has(&text, "graph"));
	assert_false(daemon_json_has(&text, "data-root"));
	buf_done(&text);
	assert_int_equal(
		daemon_json_read(&text, &facts, &err), 0); /* an empty file is fine */
	assert_string_equal(facts.data_root, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_stay),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
