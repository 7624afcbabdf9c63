/* SPDX-License-Identifier: MIT */
/* net/nlmsg: messages as the kernel sends them, and with every length lying. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>

#include "net/nlmsg.h"

/* The one message in a request that was built here. */
static struct nlmsg_view view_of(const struct nlmsg *message)
{
	struct nlmsg_view view;
	size_t offset = 0;

	assert_false(message->overflow);
	assert_true(nlmsg_next(message->bytes, message->len, &offset, &view));
	assert_int_equal(offset, message->len);
	return view;
}

static void add_u32(struct nlmsg *message, uint16_t type, uint32_t number)
{
	nlmsg_add(message, type, &number, sizeof(number));
}

static struct nlmsg link_message(void)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
	struct ifinfomsg info = {.ifi_type = ARPHRD_ETHER,
		.ifi_index = 3,
		.ifi_flags = IFF_UP | IFF_LOWER_UP};
	struct nlmsg message;
	uint8_t one = 1;
	uint8_t state = IF_OPER_UP;

	nlmsg_begin(&message, RTM_NEWLINK, 0, &info, sizeof(info));
	nlmsg_add(&message, IFLA_IFNAME, "eth0", 5);
	nlmsg_add(&message, IFLA_ADDRESS, mac, sizeof(mac));
	nlmsg_add(&message, IFLA_CARRIER, &one, 1);
	nlmsg_add(&message, IFLA_OPERSTATE, &state, 1);
	add_u32(&message, IFLA_MTU, 1500);
	add_u32(&message, IFLA_CARRIER_CHANGES, 4);
	return message;
}

static void link_as_listed(void **state UNUSED)
{
	struct nlmsg message = link_message();
	struct nlmsg_view view = view_of(&message);
	struct nlmsg_link link;

	assert_true(nlmsg_parse_link(&view, &link));
	assert_int_equal(link.index, 3);
	assert_string_equal(link.name, "eth0");
	assert_string_equal(link.kind, "");
	assert_memory_equal(link.mac, "\x52\x54\x00\x01\x02\x03", 6);
	assert_true(link.ethernet && link.up && link.carrier);
	assert_int_equal(link.operstate, IF_OPER_UP);
	assert_int_equal(link.mtu, 1500);
	assert_int_equal(link.carrier_changes, 4);
	assert_int_equal(link.master, 0);
}

static void kind_and_master(void **state UNUSED)
{
	/* IFLA_LINKINFO { IFLA_INFO_KIND "bond" } */
	static const uint8_t info[] = {
		9, 0, IFLA_INFO_KIND, 0, 'b', 'o', 'n', 'd', 0, 0, 0, 0};
	struct nlmsg message = link_message();
	struct nlmsg_view view;
	struct nlmsg_link link;

	nlmsg_add(&message, IFLA_LINKINFO | NLA_F_NESTED, info, sizeof(info));
	add_u32(&message, IFLA_MASTER, 7);
	view = view_of(&message);
	assert_true(nlmsg_parse_link(&view, &link));
	assert_string_equal(link.kind, "bond");
	assert_int_equal(link.master, 7);
}

static void carrier_needs_more_than_its_flag(void **state UNUSED)
{
	static const unsigned int flags[] = {
		IFF_UP, IFF_UP | IFF_LOWER_UP | IFF_DORMANT, 0};
	struct nlmsg message = link_message();
	struct nlmsg_link link;

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		struct nlmsg_view view;

		memcpy(message.bytes + sizeof(struct nlmsghdr) +
				offsetof(struct ifinfomsg, ifi_flags),
			&flags[i], sizeof(flags[i]));
		view = view_of(&message);
		assert_true(nlmsg_parse_link(&view, &link));
		assert_false(link.carrier);
	}
}

static void loopback_is_not_ethernet(void **state UNUSED)
{
	struct ifinfomsg info = {.ifi_type = ARPHRD_LOOPBACK,
		.ifi_index = 1,
		.ifi_flags = IFF_UP | IFF_LOOPBACK};
	struct nlmsg message;
	struct nlmsg_view view;
	struct nlmsg_link link;

	nlmsg_begin(&message, RTM_NEWLINK, 0, &info, sizeof(info));
	nlmsg_add(&message, IFLA_IFNAME, "lo", 3);
	nlmsg_add(&message, IFLA_ADDRESS, "\0\0\0\0\0\0", 6);
	view = view_of(&message);
	assert_true(nlmsg_parse_link(&view, &link));
	assert_false(link.ethernet);
}

static void name_that_does_not_fit(void **state UNUSED)
{
	struct ifinfomsg info = {.ifi_index = 1};
	struct nlmsg message;
	struct nlmsg_view view;
	struct nlmsg_link link;

	nlmsg_begin(&message, RTM_NEWLINK, 0, &info, sizeof(info));
	nlmsg_add(&message, IFLA_IFNAME, "0123456789abcdef", 16); /* no NUL */
	view = view_of(&message);
	assert_false(nlmsg_parse_link(&view, &link));
}

/* Each cut must be refused or parse to what is left, without a read beyond (ASan). */
static void every_cut_of_a_link(void **state UNUSED)
{
	const struct nlmsg whole = link_message();

	for (size_t len = 0; len < whole.len; len++) {
		uint8_t *bytes = test_malloc(len + 1);
		struct nlmsg_view view;
		struct nlmsg_link link;
		size_t offset = 0;

		memcpy(bytes, whole.bytes, len);
		/* The header says the whole length: nothing is there. */
		assert_false(nlmsg_next(bytes, len, &offset, &view));
		if (len >= sizeof(struct nlmsghdr)) {
			uint32_t cut = (uint32_t)len;

			memcpy(bytes, &cut, sizeof(cut));
			assert_true(nlmsg_next(bytes, len, &offset, &view));
			if (nlmsg_parse_link(&view, &link))
				assert_string_equal(link.name, "eth0");
		}
		test_free(bytes);
	}
}

static void headers_that_lie(void **state UNUSED)
{
	static const uint32_t lengths[] = {0, 15, 41, UINT32_MAX};
	uint8_t bytes[40] = {0};
	struct nlmsg_view view;

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		size_t offset = 0;

		memcpy(bytes, &lengths[i], sizeof(lengths[i]));
		assert_false(nlmsg_next(bytes, sizeof(bytes), &offset, &view));
	}
	/* An odd length at the very end: the padding is not there, and is not read. */
	memcpy(bytes, (uint32_t[]){17}, 4);
	size_t offset = 0;
	assert_true(nlmsg_next(bytes, 17, &offset, &view));
	assert_false(nlmsg_next(bytes, 17, &offset, &view));
}

static void attributes_that_lie(void **state UNUSED)
{
	static const uint16_t lengths[] = {0, 3, 100, UINT16_MAX};

	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct nlmsg message = link_message();
		size_t first = sizeof(struct nlmsghdr) + sizeof(struct ifinfomsg);
		struct nlmsg_view view;
		struct nlmsg_link link;

		memcpy(message.bytes + first, &lengths[i], sizeof(lengths[i]));
		view = view_of(&message);
		if (lengths[i] !=
			100) /* that one covers more attributes, no name in it */
			assert_false(nlmsg_parse_link(&view, &link));
	}
}

static void address_there_and_back(void **state UNUSED)
{
	struct nlmsg_address address = {.index = 5};
	struct nlmsg message;
	struct nlmsg_view view;
	struct nlmsg_address parsed;

	assert_true(address_parse("10.1.2.3", &address.address));
	address.address.prefix_len = 20;
	nlmsg_put_address(&message, RTM_NEWADDR, NLM_F_CREATE, &address);
	view = view_of(&message);
	assert_true(view.flags & NLM_F_ACK && view.flags & NLM_F_CREATE);
	assert_true(nlmsg_parse_address(&view, &parsed));
	assert_int_equal(parsed.index, 5);
	assert_int_equal(parsed.address.prefix_len, 20);
	assert_true(address_equal(&parsed.address, &address.address));
	/* The broadcast address is the last attribute. */
	assert_memory_equal(message.bytes + message.len - 4, "\x0a\x01\x0f\xff", 4);
	view.body = NULL;
	view.len = 0;
	assert_false(nlmsg_parse_address(&view, &parsed));
}

static void prefix_longer_than_the_address(void **state UNUSED)
{
	struct nlmsg_address address = {.index = 5}, parsed;
	struct nlmsg message;
	struct nlmsg_view view;

	assert_true(address_parse("10.1.2.3", &address.address));
	address.address.prefix_len = 33;
	nlmsg_put_address(&message, RTM_NEWADDR, 0, &address);
	view = view_of(&message);
	assert_false(nlmsg_parse_address(&view, &parsed));
}

static void route_there_and_back(void **state UNUSED)
{
	static const char *const texts[][3] = {{"10.9.0.0", "10.0.0.1", "10.0.0.7"},
		{"2001:db8::", "fe80::1", "2001:db8::7"}};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct nlmsg_route route = {
			.index = 5, .protocol = RTPROT_DHCP, .onlink = true, .metric = 9};
		struct nlmsg_route parsed;
		struct nlmsg message;
		struct nlmsg_view view;

		assert_true(address_parse(texts[i][0], &route.destination));
		assert_true(address_parse(texts[i][1], &route.gateway));
		assert_true(address_parse(texts[i][2], &route.source));
		route.destination.prefix_len = 16;
		nlmsg_put_route(&message, RTM_NEWROUTE, NLM_F_CREATE, &route);
		view = view_of(&message);
		assert_true(nlmsg_parse_route(&view, &parsed));
		assert_true(address_equal(&parsed.destination, &route.destination));
		assert_true(address_equal(&parsed.gateway, &route.gateway));
		assert_true(address_equal(&parsed.source, &route.source));
		assert_int_equal(parsed.destination.prefix_len, 16);
		assert_int_equal(parsed.index, 5);
		assert_int_equal(parsed.metric, 9);
		assert_int_equal(parsed.protocol, RTPROT_DHCP);
		assert_true(parsed.onlink);
	}
}

static void default_route_has_no_destination(void **state UNUSED)
{
	struct nlmsg_route route = {.index = 5}, parsed;
	struct nlmsg message;
	struct nlmsg_view view;

	route.destination.family = AF_INET;
	nlmsg_put_route(&message, RTM_NEWROUTE, 0, &route);
	view = view_of(&message);
	assert_true(nlmsg_parse_route(&view, &parsed));
	assert_int_equal(parsed.destination.family, AF_INET);
	assert_int_equal(parsed.destination.prefix_len, 0);
	assert_int_equal(parsed.gateway.family, 0);
}

static void acknowledgements(void **state UNUSED)
{
	static const struct {
		int code;
		int wanted;
	} cases[] = {{0, 0}, {-EEXIST, EEXIST}, {5, EPROTO}, {INT32_MIN, EPROTO}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct nlmsg_view view = {
			.body = (const uint8_t *)&cases[i].code, .len = sizeof(int)};

		assert_int_equal(nlmsg_error(&view), cases[i].wanted);
		view.len = 3;
		assert_int_equal(nlmsg_error(&view), EPROTO);
	}
}

/* nduseroptmsg, then type 25, length in 8 bytes, reserved, lifetime, servers. */
static struct nlmsg rdnss_message(uint16_t said_len, uint8_t units, uint32_t lifetime)
{
	struct nduseroptmsg info = {.nduseropt_family = AF_INET6,
		.nduseropt_opts_len = said_len,
		.nduseropt_ifindex = 3};
	uint8_t body[sizeof(info) + 24] = {0};
	uint8_t *option = body + sizeof(info);
	struct nlmsg message;

	memcpy(body, &info, sizeof(info));
	option[0] = 25;
	option[1] = units;
	memcpy(option + 4, &lifetime, 4);
	option[8] = 0x20;
	option[23] = 1;
	nlmsg_begin(&message, RTM_NEWNDUSEROPT, 0, body, sizeof(body));
	return message;
}

static void rdnss(void **state UNUSED)
{
	static const struct {
		uint16_t len;
		uint8_t units;
		uint32_t lifetime;
		bool good;
	} cases[] = {
		{24, 3, 600, true},
		{24, 3, 0, false},
		{24, 2, 600, false},
		{24, 0, 600, false},
		{24, 4, 600, false},
		{16, 3, 600, false},
		{25, 3, 600, false},
		{0, 3, 600, false},
		{24, 255, 600, false},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct nlmsg message =
			rdnss_message(cases[i].len, cases[i].units, cases[i].lifetime);
		struct nlmsg_view view = view_of(&message);
		struct nlmsg_rdnss found;

		assert_int_equal(nlmsg_parse_rdnss(&view, &found), cases[i].good);
		if (cases[i].good) {
			assert_int_equal(found.index, 3);
			assert_int_equal(found.count, 1);
			assert_int_equal(found.servers[0].bytes[15], 1);
		}
	}
}

static void requests_do_not_overflow(void **state UNUSED)
{
	static const uint8_t bytes[NLMSG_REQUEST_MAX + 1];
	struct nlmsg message;

	nlmsg_begin(&message, RTM_NEWLINK, 0, bytes, 16);
	nlmsg_add(&message, 1, bytes, sizeof(bytes));
	assert_true(message.overflow);
	nlmsg_begin(&message, RTM_NEWLINK, 0, bytes, 16);
	for (int i = 0; i < 100; i++)
		nlmsg_add(&message, 1, bytes, 4);
	assert_true(message.overflow);
	assert_true(message.len <= sizeof(message.bytes));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(link_as_listed),
		cmocka_unit_test(kind_and_master),
		cmocka_unit_test(carrier_needs_more_than_its_flag),
		cmocka_unit_test(loopback_is_not_ethernet),
		cmocka_unit_test(name_that_does_not_fit),
		cmocka_unit_test(every_cut_of_a_link),
		cmocka_unit_test(headers_that_lie),
		cmocka_unit_test(attributes_that_lie),
		cmocka_unit_test(address_there_and_back),
		cmocka_unit_test(prefix_longer_than_the_address),
		cmocka_unit_test(route_there_and_back),
		cmocka_unit_test(default_route_has_no_destination),
		cmocka_unit_test(acknowledgements),
		cmocka_unit_test(rdnss),
		cmocka_unit_test(requests_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
