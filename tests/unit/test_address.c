/* SPDX-License-Identifier: MIT */
/* net/address */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>

#include "net/address.h"

static void texts(void **state UNUSED)
{
	static const struct {
		const char *text;
		const char *shown; /* NULL: refused */
		unsigned int prefix_len;
	} cases[] = {
		{"192.0.2.7", "192.0.2.7", 32},
		{"2001:DB8::7", "2001:db8::7", 128},
		{"[2001:db8::7]", "2001:db8::7", 128},
		{"::", "::", 128},
		{"", NULL, 0},
		{"[]", NULL, 0},
		{"[192.0.2.7]", NULL, 0},
		{"192.0.2", NULL, 0},
		{"192.0.2.256", NULL, 0},
		{"192.0.2.7/24", NULL, 0},
		{"fe80::1%eth0", NULL, 0},
		{" 192.0.2.7", NULL, 0},
		{"2001:db8::7]", NULL, 0},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", NULL, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address address = {.family = 77};
		char shown[ADDRESS_TEXT_MAX];
		bool good = address_parse(cases[i].text, &address);

		if (good != (cases[i].shown != NULL))
			fail_msg(
				"'%s' was %s", cases[i].text, good ? "taken" : "refused");
		if (!good) {
			assert_int_equal(address.family, 77);
			continue;
		}
		address_format(&address, shown);
		assert_string_equal(shown, cases[i].shown);
		assert_int_equal(address.prefix_len, cases[i].prefix_len);
	}
}

static void no_address_is_shown_as_nothing(void **state UNUSED)
{
	struct address none = {0};
	char shown[ADDRESS_TEXT_MAX] = "x";

	address_format(&none, shown);
	assert_string_equal(shown, "");
}

static void masks(void **state UNUSED)
{
	static const struct {
		uint8_t mask[4];
		int prefix_len; /* -1: refused */
	} cases[] = {
		{{255, 255, 255, 0}, 24},
		{{255, 255, 255, 255}, 32},
		{{0, 0, 0, 0}, 0},
		{{128, 0, 0, 0}, 1},
		{{255, 255, 254, 0}, 23},
		{{255, 0, 255, 0}, -1},
		{{0, 255, 255, 255}, -1},
		{{255, 255, 255, 1}, -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned int prefix_len = 99;
		bool good = address_mask_prefix(cases[i].mask, &prefix_len);

		assert_int_equal(good, cases[i].prefix_len >= 0);
		assert_int_equal(prefix_len, good ? cases[i].prefix_len : 99);
	}
}

static void kinds(void **state UNUSED)
{
	static const struct {
		const char *text;
		bool unicast;
		bool link_local;
	} cases[] = {
		{"10.0.0.1", true, false},
		{"169.254.1.1", true, true},
		{"0.0.0.0", false, false},
		{"0.1.2.3", false, false},
		{"127.0.0.1", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"2001:db8::1", true, false},
		{"fe80::1", true, true},
		{"febf::1", true, true},
		{"fec0::1", true, false},
		{"::", false, false},
		{"::1", false, false},
		{"ff02::1", false, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address address;

		assert_true(address_parse(cases[i].text, &address));
		if (address_is_unicast(&address) != cases[i].unicast ||
			address_is_link_local(&address) != cases[i].link_local)
			fail_msg("%s is judged wrong", cases[i].text);
	}
}

static void prefixes(void **state UNUSED)
{
	static const struct {
		const char *network;
		unsigned int prefix_len;
		const char *other;
		bool inside;
	} cases[] = {
		{"10.0.0.7", 24, "10.0.0.255", true},
		{"10.0.0.7", 24, "10.0.1.0", false},
		{"10.0.0.7", 23, "10.0.1.0", true},
		{"10.0.0.7", 0, "192.0.2.1", true},
		{"10.0.0.7", 32, "10.0.0.7", true},
		{"10.0.0.7", 32, "10.0.0.6", false},
		{"10.0.0.7", 31, "10.0.0.6", true},
		{"10.0.0.7", 24, "::10.0.0.1", false},
		{"2001:db8::7", 64, "2001:db8::ffff:1", true},
		{"2001:db8::7", 64, "2001:db8:0:1::7", false},
		{"10.0.0.7", 33, "10.0.0.7", false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address network, other;

		assert_true(address_parse(cases[i].network, &network));
		assert_true(address_parse(cases[i].other, &other));
		network.prefix_len = cases[i].prefix_len;
		if (address_in_prefix(&network, &other) != cases[i].inside)
			fail_msg("%s/%u and %s", cases[i].network, cases[i].prefix_len,
				cases[i].other);
	}
}

static void equality(void **state UNUSED)
{
	struct address a, b;

	assert_true(address_parse("10.0.0.7", &a));
	b = a;
	b.prefix_len = 24;
	b.bytes[15] = 1; /* beyond an IPv4 address */
	assert_true(address_equal(&a, &b));
	b.bytes[3]++;
	assert_false(address_equal(&a, &b));
	b = a;
	b.family = AF_INET6;
	assert_false(address_equal(&a, &b));
}

static void macs(void **state UNUSED)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0xab, 0xcd, 0xef};
	char text[MAC_TEXT_MAX];

	mac_format(mac, text);
	assert_string_equal(text, "52:54:00:ab:cd:ef");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(no_address_is_shown_as_nothing),
		cmocka_unit_test(masks),
		cmocka_unit_test(kinds),
		cmocka_unit_test(prefixes),
		cmocka_unit_test(equality),
		cmocka_unit_test(macs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
