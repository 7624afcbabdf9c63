/* SPDX-License-Identifier: MIT */
/* model/toml: edits as before/after pairs, refusals with their line, and bytes. What
 * containerd makes of the results is tests/golden/engines.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/toml.h"

#define S TOML_SEP

struct set_case {
	const char *before;
	const char *path;
	const char *value;
	const char *after; /* NULL: so already */
};

static const struct set_case set_cases[] = {
	{"", "a", "1", "a = 1\n"},
	{"# only a comment", "a", "1", "a = 1\n# only a comment"},
	{"b = 1", "a", "1", "b = 1\na = 1\n"},
	{"a=2 # why\n", "a", "1", "a=1 # why\n"},
	{"a=1\n", "a", "1", NULL},
	{"\"a\" = 1\n", "a", "1", NULL},
	{"'a.b' = 1\n", "a.b", "2", "'a.b' = 2\n"},
	{"[t]\nb = 1\n", "a", "1", "a = 1\n[t]\nb = 1\n"},
	{"[t]\r\nb = 1\r\n", "t" S "b", "2", "[t]\r\nb = 2\r\n"},
	{"[t]\n", "t" S "a", "1", "[t]\n  a = 1\n"},
	{"  [t]", "t" S "a", "1", "  [t]\n    a = 1\n"},
	{"[t]\n\tb = 1\n\n[u]\n", "t" S "a", "1", "[t]\n\tb = 1\n\ta = 1\n\n[u]\n"},
	{"[t]\nb.c = 1\n", "t" S "b" S "a", "1", "[t]\nb.c = 1\nb.a = 1\n"},
	{"b.c = 1\n", "b" S "x.y", "1", "b.c = 1\nb.\"x.y\" = 1\n"},
	{"b.c = 1\n", "b" S "c", "2", "b.c = 2\n"},
	{"[t.u]\nb=1\n", "t" S "a", "1", "[t.u]\nb=1\n\n[t]\n  a = 1\n"},
	{"[ t . \"u.v\" ]\nb=1\n", "t" S "u.v" S "b", "2", "[ t . \"u.v\" ]\nb=2\n"},
	{"[t]\nlist = [ # x ]\n  \"]\", # y\n]\n", "t" S "a", "1",
		"[t]\nlist = [ # x ]\n  \"]\", # y\n]\na = 1\n"},
	{"s = \"\"\"\n[t]\na = 9\n\"\"\"\"\n[t]\na = 1\n", "t" S "a", "2",
		"s = \"\"\"\n[t]\na = 9\n\"\"\"\"\n[t]\na = 2\n"},
	{"s = '''\n'a = 1\n'''\na = 2\n", "a", "3", "s = '''\n'a = 1\n'''\na = 3\n"},
	{"s = \"\\\"a = 1\"\na = 2\n", "a", "3", "s = \"\\\"a = 1\"\na = 3\n"},
	{"d = 2026-11-22 10:00:00 # c\na = 1\n", "d", "1", "d = 1 # c\na = 1\n"},
	{"i = {x = {y = 1}, z = \"}\"}\na = 1\n", "a", "2",
		"i = {x = {y = 1}, z = \"}\"}\na = 2\n"},
	{"[[e]]\na = 1\n[e.f]\nb = 1\n[[e]]\na = 2\n[e.f]\nb = 2\n", "t" S "a", "1",
		"[[e]]\na = 1\n[e.f]\nb = 1\n[[e]]\na = 2\n[e.f]\nb = 2\n\n[t]\n  a = "
		"1\n"},
};

static void fill(struct buf *buf, const char *text)
{
	assert_int_equal(buf_add_str(buf, text), 0);
}

static void test_set(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(set_cases); i++) {
		const struct set_case *c = &set_cases[i];
		struct buf text = BUF_INIT, value = BUF_INIT;
		struct err err = ERR_INIT;

		print_message("  %zu: %s\n", i, c->before);
		fill(&text, c->before);
		assert_int_equal(
			toml_set(&text, c->path, c->value, &err), c->after ? 1 : 0);
		assert_string_equal(buf_text(&text), c->after ? c->after : c->before);
		assert_int_equal(toml_set(&text, c->path, c->value, &err), 0);
		assert_true(toml_get(&text, c->path, &value));
		assert_string_equal(buf_text(&value), c->value);
		buf_done(&text);
		buf_done(&value);
	}
}

static void refuses(const char *before, const char *path, const char *part)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	fill(&text, before);
	assert_int_equal(toml_set(&text, path, "1", &err), -E_FORMAT);
	if (!strstr(err.text, part))
		fail_msg("no '%s' in: %s", part, err.text);
	assert_string_equal(buf_text(&text), before);
	buf_done(&text);
}

static void test_refusals(void **state)
{
	(void)state;
	refuses("a = 1\n[t\n", "a", "line 2 is not understood");
	refuses("a\n", "a", "line 1 is not");
	refuses("a =\n", "a", "line 1 is not");
	refuses("\n\na = 1 b = 2\n", "a", "line 3 is not");
	refuses("a = \"x\n", "a", "line 1 is not");
	refuses("a = [1,\n2\n", "a", "line 1 is not");
	refuses("a = '''x\n", "a", "line 1 is not");
	refuses("[[t]\na = 1\n", "a", "line 1 is not");
	refuses("\"a\\u0062\" = 1\n", "a", "line 1 is not");
	refuses("a = 1\n[t]\n[t]\n", "a", "line 3: 't' is there twice, first in line 2");
	refuses("t = {x = {a = 1}}\n", "t" S "x" S "a",
		"line 1: 't.x.a' is inside an inline");
	refuses("[[t]]\na = 1\n", "t" S "a",
		"line 1: 't.a' is inside an array of tables");
	refuses("[t.\"x.y\".z]\n", "t" S "x.y", "'t.\"x.y\"' is a table there");
}

static void removes(const char *before, const char *after)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	fill(&text, before);
	assert_int_equal(toml_array_remove(&text, "l", "cri", &err),
		strcmp(before, after) == 0 ? 0 : 1);
	assert_string_equal(buf_text(&text), after);
	assert_int_equal(toml_check(&text, &err), 0);
	buf_done(&text);
}

static void test_array_remove(void **state)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	removes("l = []\n", "l = []\n");
	removes("x = 1\n", "x = 1\n");
	removes("l = [\"cri\"]\n", "l = []\n");
	removes("l = [\"cri\", \"b\"]\n", "l = [\"b\"]\n");
	removes("l = [\"a\", 'cri'] # c\n", "l = [\"a\"] # c\n");
	removes("l = [\"a\", \"cri\", \"b\"]\n", "l = [\"a\", \"b\"]\n");
	removes("l = [\"cri\", \"cri\"]\n", "l = []\n");
	removes("l = [\"crix\", \"xcri\"]\n", "l = [\"crix\", \"xcri\"]\n");
	removes("l = [ # \"cri\"\n  \"a\",\n  \"cri\",\n]\n",
		"l = [ # \"cri\"\n  \"a\",\n]\n");
	fill(&text, "l = \"cri\"\n");
	assert_int_equal(toml_array_remove(&text, "l", "cri", &err), -E_FORMAT);
	buf_done(&text);
}

static void test_strings(void **state)
{
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	struct strlist list = STRLIST_INIT;
	char value[32];

	(void)state;
	fill(&text, "a = 'x'\nb = \"q\\\"\\\\\\t\"\nc = \"\\u0041\"\nl = [\"1\", '2' # "
		    "'3'\n]\n");
	assert_true(toml_get_string(&text, "a", value, sizeof(value)));
	assert_string_equal(value, "x");
	assert_true(toml_get_string(&text, "b", value, sizeof(value)));
	assert_string_equal(value, "q\"\\\t");
	assert_false(toml_get_string(&text, "c", value, sizeof(value)));
	assert_false(toml_get_string(&text, "l", value, sizeof(value)));
	assert_int_equal(
		toml_set_string(&text, "a", "x", &err), 0); /* quotes differ alone */
	assert_int_equal(toml_set_string(&text, "a", "a\"b", &err), -E_FORMAT);
	assert_int_equal(toml_get_strings(&text, "l", &list), 0);
	assert_int_equal(list.count, 2);
	assert_string_equal(list.items[1], "2");
	assert_true(toml_has_table(&text, "a"));
	assert_false(toml_has_table(&text, "x"));
	strlist_done(&list);
	buf_done(&text);
}

/* Cut anywhere, with any byte changed: an answer, never a crash (ASan watches), and what
 * is accepted still is after an edit. */
static void test_bytes(void **state)
{
	static const char whole[] =
		"a=1\n[t.'u.v']\nl=[\"x\",'y', # c\n]\ns=\"\"\"\n\"\"\"\n[[e]]\n"
		"k={a=\"}\"}\nd.e=1\n";
	static const char bytes[] = "\"'[]{}=.#\\\n\r\t\x1f\xff a1";

	(void)state;
	for (size_t i = 0; i < sizeof(whole) - 1; i++)
		for (size_t b = 0; b < sizeof(bytes); b++) {
			struct buf text = BUF_INIT;
			struct err err = ERR_INIT;

			fill(&text, whole);
			text.bytes[i] = bytes[b];
			if (b == sizeof(bytes) - 1)
				text.len = i;
			if (toml_set(&text, "t" S "new", "1", &err) >= 0)
				assert_int_equal(toml_check(&text, &err), 0);
			else
				assert_int_equal(err.code, -E_FORMAT);
			buf_done(&text);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_array_remove),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
