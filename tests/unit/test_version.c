/* SPDX-License-Identifier: MIT */
/* model/version: the releases of node.md 5.1, and order as a property. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model/version.h"

static void parses_real_releases(void **state)
{
	static const struct {
		const char *text;
		struct version want;
	} rows[] = {
		{"4.4.0-210-generic", {4, 4, 0, VERSION_RC_NONE}},
		{"4.8.0-58-generic", {4, 8, 0, VERSION_RC_NONE}},
		{"5.14.0-503.el9.x86_64", {5, 14, 0, VERSION_RC_NONE}},
		{"3.10.0-514.el7", {3, 10, 0, VERSION_RC_NONE}},
		{"6.1.0-56-cloud-amd64", {6, 1, 0, VERSION_RC_NONE}},
		{"6.12.117+deb12-amd64", {6, 12, 117, VERSION_RC_NONE}},
		{"6.18.44-fc-v595", {6, 18, 44, VERSION_RC_NONE}},
		{"6.8.0-rc3+", {6, 8, 0, 3}},
		{"6.8-rc3", {6, 8, 0, 3}},
		{"5.15.0-1053-azure-fde", {5, 15, 0, VERSION_RC_NONE}},
		{"6.6.87.2-microsoft-standard-WSL2", {6, 6, 87, VERSION_RC_NONE}},
		{"5.10.226-214.880.amzn2.x86_64", {5, 10, 226, VERSION_RC_NONE}},
		{"4.18.0-553.el8_10", {4, 18, 0, VERSION_RC_NONE}},
		{"4.8", {4, 8, 0, VERSION_RC_NONE}},
		{"6.8.0-rc", {6, 8, 0, VERSION_RC_NONE}},
		{"6.8.", {6, 8, 0, VERSION_RC_NONE}},
		{"4294967294.0", {4294967294U, 0, 0, VERSION_RC_NONE}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct version got = {0, 0, 0, 0};

		print_message("%s\n", rows[i].text);
		assert_int_equal(version_parse(rows[i].text, &got), 0);
		assert_int_equal(version_compare(&got, &rows[i].want), 0);
		assert_int_equal(got.rc, rows[i].want.rc);
	}
}

static void refuses_others(void **state)
{
	static const char *const texts[] = {"", "6", "6.", ".8", "v6.8", "-6.8", "6.-8",
		" 6.8", "6 .8", "6.x", "4294967295.0", "0.99999999999999999999",
		"6.8.4294967295", "6.8-rc4294967295"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct version got = {7, 7, 7, 7};

		print_message("'%s'\n", texts[i]);
		assert_int_equal(version_parse(texts[i], &got), -EINVAL);
		assert_int_equal(got.major, 7);
		assert_int_equal(got.rc, 7);
	}
}

/* From old to new; equal ones share a rank. */
static const struct {
	int rank;
	const char *text;
} ladder[] = {
	{0, "3.10.0-514.el7"},
	{1, "4.4.0-210-generic"},
	{2, "4.8-rc1"},
	{3, "4.8.0-rc8"},
	{4, "4.8"},
	{4, "4.8.0"},
	{4, "4.8.0-58-generic"},
	{5, "4.8.1"},
	{6, "4.9"},
	{7, "4.10"},
	{8, "5.0"},
	{9, "6.8.0-rc3"},
	{9, "6.8-rc3+"},
	{10, "6.8.0-rc10"},
	{11, "6.8.0"},
	{12, "6.12.117+deb12-amd64"},
	{13, "10.0"},
};

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

/* Every pair, both ways: total, antisymmetric, and with it transitive by the ranks. */
static void orders_totally(void **state)
{
	size_t count = sizeof(ladder) / sizeof(ladder[0]);

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++) {
			struct version a, b;

			assert_int_equal(version_parse(ladder[i].text, &a), 0);
			assert_int_equal(version_parse(ladder[k].text, &b), 0);
			if (sign(version_compare(&a, &b)) !=
				sign(ladder[i].rank - ladder[k].rank))
				fail_msg("%s against %s: %d", ladder[i].text,
					ladder[k].text, version_compare(&a, &b));
		}
}

/* parse(print(x)) = x */
static void reads_what_it_prints(void **state)
{
	static const unsigned int numbers[] = {0, 1, 9, 10, 255, 65535, 4294967294U};
	size_t count = sizeof(numbers) / sizeof(numbers[0]);

	(void)state;
	for (size_t i = 0; i < count * count * count * (count + 1); i++) {
		size_t rc_index = i / (count * count * count);
		struct version want = {numbers[i % count], numbers[i / count % count],
			numbers[i / (count * count) % count],
			rc_index < count ? numbers[rc_index] : VERSION_RC_NONE};
		struct version got;
		char text[64];
		int len = snprintf(text, sizeof(text), "%u.%u.%u", want.major, want.minor,
			want.sublevel);

		if (want.rc != VERSION_RC_NONE)
			(void)snprintf(
				text + len, sizeof(text) - (size_t)len, "-rc%u", want.rc);
		assert_int_equal(version_parse(text, &got), 0);
		assert_memory_equal(&got, &want, sizeof(want));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_real_releases),
		cmocka_unit_test(refuses_others),
		cmocka_unit_test(orders_totally),
		cmocka_unit_test(reads_what_it_prints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
