/* SPDX-License-Identifier: MIT */
/* model/template: what each variable becomes, what is left out, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/template.h"

static const struct template_values known = {
	.uuid = "4C4C4544-0042-3510-8052-B4C04F4A4D31",
	.serial = "7X/3 K2\xc3\xa4",
	.mac = "52:54:00:AB:cd:ef",
	.hostname = "worker-07.example",
	.asset = "",
	.arch = "x86_64",
};

static void expands(void **state)
{
	static const struct {
		const char *template, *want;
	} rows[] = {
		{"https://h/r/{uuid}.yaml",
			"https://h/r/4c4c4544-0042-3510-8052-b4c04f4a4d31.yaml"},
		{"https://h/${uuid}", "https://h/4c4c4544-0042-3510-8052-b4c04f4a4d31"},
		{"https://h/{UUID}/${Mac-HexHyp}",
			"https://h/4c4c4544-0042-3510-8052-b4c04f4a4d31/"
			"52-54-00-ab-cd-ef"},
		{"https://h/{mac}", "https://h/52%3A54%3A00%3Aab%3Acd%3Aef"},
		{"https://h/{serial}?s={serial}",
			"https://h/7X%2F3%20K2%C3%A4?s=7X%2F3%20K2%C3%A4"},
		{"http://h:8080/generic?mac={mac-hexhyp}&host={hostname}&arch={arch}",
			"http://h:8080/"
			"generic?mac=52-54-00-ab-cd-ef&host=worker-07.example"
			"&arch=x86_64"},
		/* An unknown value takes its parameter with it, wherever it stands. */
		{"https://h/?a={asset}&b=1", "https://h/?b=1"},
		{"https://h/?b=1&a={asset}", "https://h/?b=1"},
		{"https://h/?b=1&a={asset}&c={arch}", "https://h/?b=1&c=x86_64"},
		{"https://h/x?a={asset}", "https://h/x"},
		{"https://h/x?a={arch}-{asset}&a={asset}", "https://h/x"},
		{"https://h?b={asset}&c=2", "https://h?c=2"},
		/* What is no variable stays as it is. */
		{"https://h/a$b?c=$&d=%20?&&e", "https://h/a$b?c=$&d=%20?&&e"},
		{"https://h", "https://h"},
		{"https://h/...", "https://h/..."},
		{"https://h/x/.y", "https://h/x/.y"},
		{"https://h/?x=../..", "https://h/?x=../.."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf url CLEANUP(buf_done) = BUF_INIT;
		struct err err = ERR_INIT;

		if (template_expand(rows[i].template, &known, &url, &err) < 0)
			fail_msg("%s: %s", rows[i].template, err.text);
		assert_string_equal(buf_text(&url), rows[i].want);
	}
}

/* The code, a word of the message, and ret is left alone. */
static void refuse(const char *template, const struct template_values *values, int code,
	const char *word)
{
	struct buf url = BUF_INIT;
	struct err err = ERR_INIT;

	print_message("%s\n", template);
	assert_int_equal(template_expand(template, values, &url, &err), -code);
	assert_int_equal(err.code, -code);
	assert_null(url.bytes);
	if (!strstr(err.text, word))
		fail_msg("'%s' does not say '%s'", err.text, word);
}

static void refuses(void **state)
{
	(void)state;
	refuse("https://h/{asset}", &known, ENODATA, "{asset}");
	refuse("https://h/a/${asset}?x=1", &known, ENODATA, "{asset}");
	refuse("https://h/{mac_hyphen}", &known, E_USAGE, "{mac_hyphen}");
	refuse("https://h/?x={}", &known, E_USAGE, "{}");
	refuse("https://h/?x=${mac:hexhyp}", &known, E_USAGE, "{mac:hexhyp}");
	refuse("https://h/{uuid", &known, E_USAGE, "without '}'");
	refuse("https://h/{uu{id}}", &known, E_USAGE, "without '}'");
	refuse("https://h/uuid}", &known, E_USAGE, "without '{'");
	refuse("https://{hostname}/x", &known, E_USAGE, "host");
	refuse("{hostname}://h/x", &known, E_USAGE, "not a URL");
	refuse("x/y#z://h/x", &known, E_USAGE, "not a URL");
	refuse("://h/x", &known, E_USAGE, "not a URL");
	refuse("https:///x", &known, E_USAGE, "not a URL");
	refuse("/roles/{uuid}", &known, E_USAGE, "not a URL");
	refuse("https://h/x#y", &known, E_USAGE, "fragment");
	refuse("https://h/x y", &known, E_USAGE, "space");
	refuse("https://h/\xc3\xa4", &known, E_USAGE, "ASCII");
	refuse("https://h/a/../b", &known, E_USAGE, "'..'");
	refuse("https://h/.", &known, E_USAGE, "'..'");
	refuse("https://h/%2e%2E/b", &known, E_USAGE, "'..'");
}

/* Neither a password nor what a query holds may reach a log. */
static void keeps_secrets(void **state)
{
	struct buf url = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		template_expand("https://me:hunter2@h/", &known, &url, &err), -E_USAGE);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(
		template_expand("https://h/{x}?token=hunter2", &known, &url, &err),
		-E_USAGE);
	assert_null(strstr(err.text, "hunter2"));
	assert_int_equal(template_expand("https://h/}?token=hunter2", &known, &url, &err),
		-E_USAGE);
	assert_null(strstr(err.text, "hunter2"));
}

static void does_not_leave_the_directory(void **state)
{
	const struct template_values dots = {.serial = "..", .asset = "."};

	(void)state;
	refuse("https://h/roles/{serial}/x", &dots, E_USAGE, "'..'");
	refuse("https://h/roles/{asset}{asset}", &dots, E_USAGE, "'..'");
	refuse("https://h/roles/{asset}%2e/x", &dots, E_USAGE, "'..'");
}

static void bounds_the_url(void **state)
{
	struct template_values values = {.serial = NULL};
	char *template = calloc(1, TEMPLATE_URL_MAX + 2), *serial = calloc(1, 301);
	struct buf url CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	memset(template, 'a', TEMPLATE_URL_MAX);
	memcpy(template, "https://h/", 10);
	assert_int_equal(template_expand(template, &values, &url, &err), 0);
	assert_int_equal(url.len, TEMPLATE_URL_MAX);
	template[TEMPLATE_URL_MAX] = 'a';
	refuse(template, &values, E_TOO_BIG, "2048");
	memset(serial, '/', 300);
	values.serial = serial;
	refuse("https://h/{serial}{serial}{serial}", &values, E_TOO_BIG, "2048");
	free(template);
	free(serial);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expands),
		cmocka_unit_test(refuses),
		cmocka_unit_test(keeps_secrets),
		cmocka_unit_test(does_not_leave_the_directory),
		cmocka_unit_test(bounds_the_url),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
