/* SPDX-License-Identifier: MIT */
/* net/dhcp and net/dhcp_options: what we send, and what we make of what anybody sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "net/dhcp.h"
#include "unit/dhcp_reply.h"

/* String literals as option values, without their NUL. */
#define ADD(reply, code, text) reply_add(reply, code, text, sizeof(text) - 1)

static struct dhcp_reply parse(const struct reply *reply)
{
	struct dhcp_reply parsed;
	struct err err = ERR_INIT;

	if (dhcp_parse(reply->bytes, reply->len, &parsed, &err) < 0)
		fail_msg("refused: %s", err.text);
	return parsed;
}

static void assert_refused(const struct reply *reply, const char *why)
{
	struct dhcp_reply parsed;
	struct err err = ERR_INIT;

	memset(&parsed, 0x5a, sizeof(parsed));
	assert_int_equal(dhcp_parse(reply->bytes, reply->len, &parsed, &err), -E_FORMAT);
	if (!strstr(err.text, why))
		fail_msg("'%s' is not in '%s'", why, err.text);
	assert_int_equal(parsed.xid, 0x5a5a5a5a);
}

static void assert_address(const struct address *address, const char *text)
{
	char shown[ADDRESS_TEXT_MAX];

	address_format(address, shown);
	assert_string_equal(shown, text);
}

static void discover_is_what_a_server_expects(void **state UNUSED)
{
	struct dhcp_request request = {
		.type = DHCP_DISCOVER, .xid = 0x01020304, .secs = 5, .broadcast = true};
	static const uint8_t head[] = {1, 1, 6, 0, 1, 2, 3, 4, 0, 5, 0x80, 0};
	static const uint8_t client_id[] = {1, 0x52, 0x54, 0, 0x12, 0x34, 0x56};
	uint8_t bytes[DHCP_REQUEST_MAX];
	struct dhcp_value value;
	size_t len;

	memcpy(request.mac, reply_mac, 6);
	len = dhcp_build(&request, bytes);
	assert_true(len >= 300);
	assert_memory_equal(bytes, head, sizeof(head));
	assert_memory_equal(bytes + 28, reply_mac, 6);
	assert_true(dhcp_options_sound(bytes, len));
	assert_true(dhcp_option_find(bytes, len, DHCP_OPTION_CLIENT_ID, &value));
	assert_int_equal(value.len, sizeof(client_id));
	assert_memory_equal(value.bytes, client_id, sizeof(client_id));
	assert_false(dhcp_option_find(bytes, len, DHCP_OPTION_REQUESTED_ADDRESS, &value));
	assert_false(dhcp_option_find(bytes, len, DHCP_OPTION_SERVER_ID, &value));
	assert_true(dhcp_option_find(bytes, len, DHCP_OPTION_PARAMETERS, &value));
	assert_int_equal(value.bytes[0], DHCP_OPTION_ROUTES); /* RFC 3442: before 3 */
}

static void request_names_server_and_address(void **state UNUSED)
{
	struct dhcp_request request = {.type = DHCP_REQUEST,
		.requested = {10, 0, 0, 7},
		.server_id = {10, 0, 0, 1}};
	uint8_t bytes[DHCP_REQUEST_MAX];
	struct dhcp_value value;
	size_t len = dhcp_build(&request, bytes);

	assert_int_equal(bytes[10], 0); /* no broadcast flag */
	assert_true(dhcp_option_find(bytes, len, DHCP_OPTION_REQUESTED_ADDRESS, &value));
	assert_memory_equal(value.bytes, request.requested, 4);
	assert_true(dhcp_option_find(bytes, len, DHCP_OPTION_SERVER_ID, &value));
	assert_memory_equal(value.bytes, request.server_id, 4);
}

static void whole_lease(void **state UNUSED)
{
	struct reply reply;
	struct dhcp_reply parsed;
	const struct net_config *config = &parsed.lease.config;

	reply_begin(&reply, 0xcafe, DHCP_ACK, 1);
	ADD(&reply, DHCP_OPTION_ROUTER, "\x0a\x00\x00\x01\x0a\x00\x00\x02");
	ADD(&reply, DHCP_OPTION_DNS, "\x0a\x00\x00\x03\x00\x00\x00\x00\x0a\x00\x00\x04");
	ADD(&reply, DHCP_OPTION_HOSTNAME, "Worker-07\0");
	ADD(&reply, DHCP_OPTION_DOMAIN, "Example.ORG.");
	ADD(&reply, DHCP_OPTION_MTU, "\x23\x28");
	ADD(&reply, DHCP_OPTION_NTP, "\x0a\x00\x00\x05");
	ADD(&reply, DHCP_OPTION_LEASE_TIME, "\x00\x00\x0e\x10");
	reply_end(&reply);
	parsed = parse(&reply);
	assert_int_equal(parsed.type, DHCP_ACK);
	assert_int_equal(parsed.xid, 0xcafe);
	assert_memory_equal(parsed.mac, reply_mac, 6);
	assert_address(&config->address, "10.0.0.7");
	assert_int_equal(config->address.prefix_len, 24);
	assert_int_equal(config->route_count, 1);
	assert_address(config_gateway(config), "10.0.0.1");
	assert_int_equal(config->dns_count, 2); /* 0.0.0.0 is none */
	assert_address(&config->dns[1], "10.0.0.4");
	assert_address(&config->ntp[0], "10.0.0.5");
	assert_string_equal(config->hostname, "worker-07");
	assert_string_equal(config->domain, "example.org");
	assert_int_equal(config->mtu, 9000);
	assert_int_equal(parsed.lease.lease_s, 3600);
	assert_int_equal(parsed.lease.renew_s, 1800);
	assert_int_equal(parsed.lease.rebind_s, 3150);
}

static void classless_routes_replace_the_router(void **state UNUSED)
{
	struct reply reply;
	struct dhcp_reply parsed;
	const struct net_route *routes = parsed.lease.config.routes;

	reply_begin(&reply, 1, DHCP_OFFER, 1);
	ADD(&reply, DHCP_OPTION_ROUTER, "\x0a\x00\x00\xc8");
	/* 0/0 by .1; 10.9.128/17 with host bits set by .2; 192.0.2.5/32 on-link */
	ADD(&reply, DHCP_OPTION_ROUTES,
		"\x00\x0a\x00\x00\x01"
		"\x11\x0a\x09\xff\x0a\x00\x00\x02"
		"\x20\xc0\x00\x02\x05\x00\x00\x00\x00");
	reply_end(&reply);
	parsed = parse(&reply);
	assert_int_equal(parsed.lease.config.route_count, 3);
	assert_int_equal(routes[0].destination.prefix_len, 0);
	assert_address(config_gateway(&parsed.lease.config), "10.0.0.1");
	assert_address(&routes[1].destination, "10.9.128.0");
	assert_int_equal(routes[1].destination.prefix_len, 17);
	assert_address(&routes[2].destination, "192.0.2.5");
	assert_int_equal(routes[2].gateway.family, 0);
}

static void malformed_routes_fall_back_to_the_router(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"\x21\x0a\x00\x00\x01\x01\x0a\x00\x00\x01", 10}, /* width 33 */
		{"\x18\x0a\x00\x00\x0a\x00\x00", 7},              /* cut */
		{"\x00\x0a\x00\x00\x01\x18", 6},                  /* good, then cut */
		{"\x00\xe0\x00\x00\x01", 5},                      /* multicast gateway */
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct reply reply;
		struct dhcp_reply parsed;

		reply_begin(&reply, 1, DHCP_ACK, 1);
		ADD(&reply, DHCP_OPTION_ROUTER, "\x0a\x00\x00\xc8");
		reply_add(&reply, DHCP_OPTION_ROUTES, bad[i].bytes, bad[i].len);
		reply_end(&reply);
		parsed = parse(&reply);
		assert_int_equal(parsed.lease.config.route_count, 1);
		assert_address(config_gateway(&parsed.lease.config), "10.0.0.200");
	}
}

/* RFC 3396: an option of more than 255 bytes comes in parts; the joint is inside a route.
 */
static void split_option_is_joined(void **state UNUSED)
{
	struct reply reply;
	struct dhcp_reply parsed;

	reply_begin(&reply, 1, DHCP_ACK, 1);
	ADD(&reply, DHCP_OPTION_ROUTES, "\x10\x0a\x09\x0a");
	ADD(&reply, DHCP_OPTION_DOMAIN, "example.");
	ADD(&reply, DHCP_OPTION_ROUTES, "\x00\x00\x02");
	ADD(&reply, DHCP_OPTION_DOMAIN, "org");
	reply_end(&reply);
	parsed = parse(&reply);
	assert_int_equal(parsed.lease.config.route_count, 1);
	assert_address(&parsed.lease.config.routes[0].gateway, "10.0.0.2");
	assert_string_equal(parsed.lease.config.domain, "example.org");
}

static void overload_opens_file_and_sname(void **state UNUSED)
{
	struct reply reply;
	struct dhcp_reply parsed;
	uint8_t *file, *sname;

	reply_begin(&reply, 1, DHCP_ACK, 1);
	ADD(&reply, DHCP_OPTION_OVERLOAD, "\x03");
	reply_end(&reply);
	file = reply.bytes + DHCP_FILE_AT;
	sname = reply.bytes + DHCP_SNAME_AT;
	memcpy(file,
		"\x0c\x03"
		"abc"
		"\x34\x01\x03\xff",
		9); /* 52 again: no loop */
	memcpy(sname, "\x2a\x04\x0a\x00\x00\x09\xff", 7);
	parsed = parse(&reply);
	assert_string_equal(parsed.lease.config.hostname, "abc");
	assert_address(&parsed.lease.config.ntp[0], "10.0.0.9");

	/* Without option 52 the same bytes are a file name. */
	memset(reply.bytes + reply.len - 4, DHCP_OPTION_PAD, 3);
	parsed = parse(&reply);
	assert_string_equal(parsed.lease.config.hostname, "");
}

static void options_that_run_past_their_area(void **state UNUSED)
{
	struct reply reply;

	reply_begin(&reply, 1, DHCP_ACK, 1);
	reply.bytes[reply.len++] = DHCP_OPTION_DNS;
	assert_refused(&reply, "past the end"); /* no length byte */
	reply.bytes[reply.len++] = 4;
	reply.bytes[reply.len++] = 10;
	assert_refused(&reply, "past the end");

	reply_begin(&reply, 1, DHCP_ACK, 1);
	ADD(&reply, DHCP_OPTION_OVERLOAD, "\x01");
	reply_end(&reply);
	reply.bytes[DHCP_FILE_AT + 126] = DHCP_OPTION_DNS;
	reply.bytes[DHCP_FILE_AT + 127] = 4; /* would read into the cookie */
	assert_refused(&reply, "past the end");
}

static void missing_end_is_tolerated(void **state UNUSED)
{
	struct reply reply;

	reply_begin(&reply, 1, DHCP_ACK, 1);
	assert_int_equal(parse(&reply).type, DHCP_ACK);
}

static void what_is_no_usable_reply(void **state UNUSED)
{
	struct reply reply;

	reply_begin(&reply, 1, DHCP_ACK, 1);
	for (size_t len = 0; len < DHCP_OPTIONS_AT; len++) {
		reply.len = len;
		assert_refused(&reply, "bytes are none");
	}
	reply.len = DHCP_MESSAGE_MAX + 1;
	assert_refused(&reply, "bytes are none");

	reply_fixed(&reply, 1);
	reply_end(&reply);
	assert_refused(&reply, "BOOTP");
	reply_fixed(&reply, 1);
	ADD(&reply, DHCP_OPTION_TYPE, "\x05");
	reply_end(&reply);
	assert_refused(&reply, "server identifier");

	reply_begin(&reply, 1, DHCP_DISCOVER, 1);
	assert_refused(&reply, "message type 1");
	reply_begin(&reply, 1, DHCP_ACK, 1);
	reply.bytes[0] = 1;
	assert_refused(&reply, "not a reply");
	reply.bytes[0] = 2;
	reply.bytes[DHCP_COOKIE_AT] = 0;
	assert_refused(&reply, "not a reply");
}

static void addresses_that_no_host_can_have(void **state UNUSED)
{
	static const uint8_t bad[][4] = {{0, 0, 0, 0}, {127, 0, 0, 1}, {224, 0, 0, 1},
		{255, 255, 255, 255}, {240, 0, 0, 1}};
	struct reply reply;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		reply_begin(&reply, 1, DHCP_OFFER, 1);
		memcpy(reply.bytes + 16, bad[i], 4);
		assert_refused(&reply, "no usable address");
	}
}

static void masks(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		size_t len;
		int prefix_len; /* -1: refused */
	} cases[] = {
		{"\xff\xff\xff\xff", 4, 32},
		{"\xff\xff\xfe\x00", 4, 23},
		{"\x80\x00\x00\x00", 4, 1},
		{"\x00\x00\x00\x00", 4, -1},
		{"\xff\x00\xff\x00", 4, -1},
		{"\xff\xff\xff", 3, -1},
		{"", 0, -1},
	};
	struct reply reply;

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		reply_fixed(&reply, 1);
		ADD(&reply, DHCP_OPTION_TYPE, "\x05");
		ADD(&reply, DHCP_OPTION_SERVER_ID, "\x0a\x00\x00\x01");
		reply_add(&reply, DHCP_OPTION_MASK, cases[i].bytes, cases[i].len);
		reply_end(&reply);
		if (cases[i].prefix_len < 0)
			assert_refused(&reply, "mask");
		else
			assert_int_equal(parse(&reply).lease.config.address.prefix_len,
				cases[i].prefix_len);
	}
	reply_fixed(&reply, 1); /* none at all: the class of 10.0.0.7 */
	ADD(&reply, DHCP_OPTION_TYPE, "\x05");
	ADD(&reply, DHCP_OPTION_SERVER_ID, "\x0a\x00\x00\x01");
	assert_int_equal(parse(&reply).lease.config.address.prefix_len, 8);
}

static void odd_lengths_count_as_missing(void **state UNUSED)
{
	struct reply reply;
	struct dhcp_reply parsed;

	reply_begin(&reply, 1, DHCP_ACK, 1);
	ADD(&reply, DHCP_OPTION_ROUTER, "\x0a\x00\x00");
	ADD(&reply, DHCP_OPTION_DNS, "\x0a\x00\x00\x03\x0a");
	ADD(&reply, DHCP_OPTION_NTP, "");
	ADD(&reply, DHCP_OPTION_MTU, "\x05");
	ADD(&reply, DHCP_OPTION_HOSTNAME, "");
	ADD(&reply, DHCP_OPTION_ROUTES, "");
	ADD(&reply, DHCP_OPTION_SEARCH, "");
	ADD(&reply, DHCP_OPTION_LEASE_TIME, "\x01");
	reply_end(&reply);
	parsed = parse(&reply);
	assert_int_equal(parsed.lease.config.route_count, 0);
	assert_int_equal(parsed.lease.config.dns_count, 0);
	assert_int_equal(parsed.lease.config.ntp_count, 0);
	assert_int_equal(parsed.lease.config.mtu, 0);
	assert_int_equal(parsed.lease.lease_s, 3600);
}

static void hostile_names_are_left_out(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		size_t len;
	} bad[] = {
		{"a b", 3},
		{"$(reboot)", 9},
		{"../etc", 6},
		{"a\nb", 3},
		{"a\0b", 3},
		{"-a", 2},
		{"a-", 2},
		{".a", 2},
		{"a..b", 4},
		{".", 1},
		{"\0\0", 2},
		{"h\xc3\xb6st", 5},
		{"a_b", 3},
	};
	char longest[64];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct reply reply;

		reply_begin(&reply, 1, DHCP_ACK, 1);
		reply_add(&reply, DHCP_OPTION_HOSTNAME, bad[i].bytes, bad[i].len);
		reply_end(&reply);
		assert_string_equal(parse(&reply).lease.config.hostname, "");
	}
	memset(longest, 'a', sizeof(longest)); /* one over a label's 63 */
	for (size_t len = 63; len <= 64; len++) {
		struct reply reply;

		reply_begin(&reply, 1, DHCP_ACK, 1);
		reply_add(&reply, DHCP_OPTION_DOMAIN, longest, len);
		reply_end(&reply);
		assert_int_equal(
			strlen(parse(&reply).lease.config.domain), len == 63 ? 63 : 0);
	}
}

static void search_list(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *search;
	} cases[] = {
		{"\x01"
		 "a\x07"
		 "example\x03"
		 "org\x00\x01"
		 "b\xc0\x02",
			19, "a.example.org b.example.org"},
		{"\x03"
		 "org\x00",
			5, "org"},
		{"\xc0\x00", 2, ""}, /* points at itself */
		{"\x01"
		 "a\xc0\x02",
			4, ""}, /* points at its own pointer */
		{"\x01"
		 "a\xc0\x00",
			4, ""}, /* points at its own start: a loop */
		{"\x03"
		 "org",
			4, ""}, /* no root */
		{"\x3f"
		 "org",
			4, ""}, /* cut label */
		{"\x40"
		 "org\x00",
			5, ""}, /* reserved label type */
		{"\x03"
		 "org\x00\xc0",
			6, ""}, /* cut pointer */
		{"\x03"
		 "o g\x00",
			5, ""}, /* a space would begin a new name */
		{"\x03"
		 "org\x00\x01"
		 "a\xc0\xff",
			9, ""}, /* forward */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reply reply;

		reply_begin(&reply, 1, DHCP_ACK, 1);
		reply_add(&reply, DHCP_OPTION_SEARCH, cases[i].bytes, cases[i].len);
		reply_end(&reply);
		assert_string_equal(parse(&reply).lease.config.search, cases[i].search);
	}
}

static void times(void **state UNUSED)
{
	static const struct {
		uint32_t given[3]; /* 51, 58, 59; 0: not sent */
		uint32_t wanted[3];
	} cases[] = {
		{{120, 0, 0}, {120, 60, 105}},
		{{120, 30, 100}, {120, 30, 100}},
		{{120, 110, 100}, {120, 60, 100}},
		{{120, 30, 130}, {120, 30, 105}},
		{{120, 90, 40}, {120, 20, 40}},
		{{1, 0, 0}, {20, 10, 18}},
		{{UINT32_MAX, 5, 6}, {UINT32_MAX, UINT32_MAX, UINT32_MAX}},
		{{120, 60, 1}, {120, 60, 105}},
		{{120, 1, 100}, {120, 5, 100}},
	};
	static const enum dhcp_option codes[] = {
		DHCP_OPTION_LEASE_TIME, DHCP_OPTION_RENEW_TIME, DHCP_OPTION_REBIND_TIME};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct reply reply;
		struct dhcp_reply parsed;

		reply_begin(&reply, 1, DHCP_ACK, 1);
		for (size_t c = 0; c < 3; c++) {
			uint32_t wire = htonl(cases[i].given[c]);

			if (wire)
				reply_add(&reply, (uint8_t)codes[c], &wire, 4);
		}
		reply_end(&reply);
		parsed = parse(&reply);
		assert_int_equal(parsed.lease.lease_s, cases[i].wanted[0]);
		assert_int_equal(parsed.lease.renew_s, cases[i].wanted[1]);
		assert_int_equal(parsed.lease.rebind_s, cases[i].wanted[2]);
	}
}

static void mtu_below_the_minimum_is_left_out(void **state UNUSED)
{
	struct reply reply;

	reply_begin(&reply, 1, DHCP_ACK, 1);
	ADD(&reply, DHCP_OPTION_MTU, "\x02\x3f"); /* 575 */
	reply_end(&reply);
	assert_int_equal(parse(&reply).lease.config.mtu, 0);
	reply.bytes[reply.len - 2] = 0x40; /* 576 */
	assert_int_equal(parse(&reply).lease.config.mtu, 576);
}

static void nak_carries_a_printable_reason(void **state UNUSED)
{
	struct reply reply;
	struct dhcp_reply parsed;

	reply_begin(&reply, 1, DHCP_NAK, 1);
	ADD(&reply, DHCP_OPTION_MESSAGE, "in use\x1b[2J");
	reply_end(&reply);
	parsed = parse(&reply);
	assert_int_equal(parsed.type, DHCP_NAK);
	assert_string_equal(parsed.message, "in use?[2J");
}

static void more_than_fits_is_cut(void **state UNUSED)
{
	struct reply reply;
	struct dhcp_reply parsed;
	uint8_t routes[5 * 40];
	uint8_t servers[4 * 20];

	for (size_t i = 0; i < sizeof(routes); i += 5)
		memcpy(routes + i, "\x00\x0a\x00\x00\x01", 5);
	for (size_t i = 0; i < sizeof(servers); i++)
		servers[i] = (uint8_t)(10 + i % 4);
	reply_begin(&reply, 1, DHCP_ACK, 1);
	reply_add(&reply, DHCP_OPTION_ROUTES, routes, sizeof(routes));
	reply_add(&reply, DHCP_OPTION_DNS, servers, sizeof(servers));
	reply_end(&reply);
	parsed = parse(&reply);
	assert_int_equal(parsed.lease.config.route_count, NET_ROUTES_MAX);
	assert_int_equal(parsed.lease.config.dns_count, NET_SERVERS_MAX);
}

static void client_id_text(void **state UNUSED)
{
	char text[128];

	dhcp_client_id_text(reply_mac, text);
	assert_string_equal(text, "01525400123456");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(discover_is_what_a_server_expects),
		cmocka_unit_test(request_names_server_and_address),
		cmocka_unit_test(whole_lease),
		cmocka_unit_test(classless_routes_replace_the_router),
		cmocka_unit_test(malformed_routes_fall_back_to_the_router),
		cmocka_unit_test(split_option_is_joined),
		cmocka_unit_test(overload_opens_file_and_sname),
		cmocka_unit_test(options_that_run_past_their_area),
		cmocka_unit_test(missing_end_is_tolerated),
		cmocka_unit_test(what_is_no_usable_reply),
		cmocka_unit_test(addresses_that_no_host_can_have),
		cmocka_unit_test(masks),
		cmocka_unit_test(odd_lengths_count_as_missing),
		cmocka_unit_test(hostile_names_are_left_out),
		cmocka_unit_test(search_list),
		cmocka_unit_test(times),
		cmocka_unit_test(mtu_below_the_minimum_is_left_out),
		cmocka_unit_test(nak_carries_a_printable_reason),
		cmocka_unit_test(more_than_fits_is_cut),
		cmocka_unit_test(client_id_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
