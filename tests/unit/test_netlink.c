/* SPDX-License-Identifier: MIT */
/* net/netlink and net/config against this machine's kernel: reads, and changes that the
 * effects table refuses or loses. What changes links is in tests/net, in namespaces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/config.h"
#include "net/net.h"
#include "net/netlink.h"

static void loopback_is_listed(void **state UNUSED)
{
	struct netlink netlink CLEANUP(netlink_close) = NETLINK_INIT;
	struct netlink_links links;

	assert_int_equal(netlink_open(&netlink, sys_refusing(), NULL), 0);
	assert_int_equal(netlink_list_links(&netlink, &links, NULL), 0);
	assert_true(links.count >= 1);
	assert_string_equal(links.items[0].name, "lo");
	assert_int_equal(links.items[0].index, 1);
	assert_false(links.items[0].ethernet);
}

/* `promenade plan` must not change anything, whatever code it runs. */
static void changes_go_through_the_effects_table(void **state UNUSED)
{
	struct netlink netlink CLEANUP(netlink_close) = NETLINK_INIT;
	struct nlmsg_link lo = {.index = 1, .name = "lo", .mtu = 65536};
	struct nlmsg_address address = {.index = 1};
	struct nlmsg_route route = {.index = 1};
	struct err err = ERR_INIT;

	assert_true(address_parse("192.0.2.1", &address.address));
	assert_true(address_parse("192.0.2.2", &route.destination));
	assert_int_equal(netlink_open(&netlink, sys_refusing(), NULL), 0);
	assert_int_equal(netlink_set_up(&netlink, &lo, false, &err), -EROFS);
	assert_non_null(strstr(err.text, "set link lo down"));
	assert_int_equal(netlink_set_mtu(&netlink, &lo, 1400, &err), -EROFS);
	assert_non_null(strstr(err.text, "set MTU 1400 on lo"));
	assert_int_equal(netlink_add_address(&netlink, &address, &err), -EROFS);
	assert_non_null(strstr(err.text, "add address 192.0.2.1/32"));
	assert_int_equal(netlink_remove_address(&netlink, &address, &err), -EROFS);
	assert_int_equal(netlink_add_route(&netlink, &route, &err), -EROFS);
	assert_non_null(strstr(err.text, "add route 192.0.2.2/32"));
}

static ssize_t lose_message(int fd UNUSED, const void *message UNUSED, size_t len)
{
	return (ssize_t)len;
}

static ssize_t firmware_is_missing(
	int fd UNUSED, const void *message UNUSED, size_t len UNUSED)
{
	errno = ENOENT;
	return -1;
}

static void missing_firmware_is_named(void **state UNUSED)
{
	struct netlink netlink CLEANUP(netlink_close) = NETLINK_INIT;
	struct nlmsg_link link = {.index = 9, .name = "eth0"};
	struct sys_ops sys = *sys_refusing();
	struct err err = ERR_INIT;

	sys.netlink_send = firmware_is_missing;
	assert_int_equal(netlink_open(&netlink, &sys, NULL), 0);
	assert_int_equal(netlink_set_up(&netlink, &link, true, &err), -ENOENT);
	assert_non_null(strstr(err.text, "firmware"));
}

/* The kernel's errors come back: a link that is not there. */
static void kernel_says_no(void **state UNUSED)
{
	struct netlink netlink CLEANUP(netlink_close) = NETLINK_INIT;
	struct nlmsg_link link = {.index = 0x7ffffff0, .name = "none"};
	int code;

	assert_int_equal(netlink_open(&netlink, sys_real(), NULL), 0);
	code = netlink_set_up(&netlink, &link, true, NULL);
	assert_true(code == -ENODEV || code == -EPERM); /* the latter without root */
}

/* An acknowledgement that never comes ends in an error, not in a hang. */
static void lost_request_times_out(void **state UNUSED)
{
	struct netlink netlink CLEANUP(netlink_close) = NETLINK_INIT;
	struct nlmsg_link lo = {.index = 1, .name = "lo"};
	struct timeval short_time = {.tv_usec = 50000};
	struct sys_ops sys = *sys_refusing();

	sys.netlink_send = lose_message;
	assert_int_equal(netlink_open(&netlink, &sys, NULL), 0);
	assert_int_equal(setsockopt(netlink.fd, SOL_SOCKET, SO_RCVTIMEO, &short_time,
				 sizeof(short_time)),
		0);
	assert_int_equal(netlink_set_up(&netlink, &lo, true, NULL), -EAGAIN);
}

static void configurations_are_compared_whole(void **state UNUSED)
{
	struct net_config a = {.mtu = 1500, .hostname = "n"}, b;

	assert_true(address_parse("10.0.0.7", &a.address));
	assert_true(address_parse("10.0.0.1", &a.dns[0]));
	assert_true(address_parse("10.9.0.0", &a.routes[0].destination));
	assert_true(address_parse("10.0.0.1", &a.routes[0].gateway));
	a.dns_count = a.route_count = 1;
	b = a;
	assert_true(config_equal(&a, &b));
	b.address.prefix_len = 24;
	assert_false(config_equal(&a, &b));
	b = a;
	b.dns[0].bytes[3]++;
	assert_false(config_equal(&a, &b));
	b = a;
	b.routes[0].destination.prefix_len = 16;
	assert_false(config_equal(&a, &b));
	b = a;
	b.routes[0].gateway.bytes[3]++;
	assert_false(config_equal(&a, &b));
	b = a;
	b.hostname[0] = 'm';
	assert_false(config_equal(&a, &b));
	b = a;
	b.dns_count = 0;
	assert_false(config_equal(&a, &b));
}

static void what_ip_cannot_ask_for(void **state UNUSED)
{
	struct cmdline_ip ip = {.method = CMDLINE_IP_DHCP6};
	struct net_request request = NET_REQUEST_INIT;
	struct net *net = NULL;
	struct err err = ERR_INIT;
	struct env env;

	assert_int_equal(env_init(&env, NULL), 0);
	request.ip = &ip;
	assert_int_equal(net_new(&env, &request, &net, &err), -E_UNSUPPORTED);
	assert_non_null(strstr(err.text, "ip=auto6"));
	assert_null(net);
	net_free(net);
	env_done(&env);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loopback_is_listed),
		cmocka_unit_test(changes_go_through_the_effects_table),
		cmocka_unit_test(missing_firmware_is_named),
		cmocka_unit_test(kernel_says_no),
		cmocka_unit_test(lost_request_times_out),
		cmocka_unit_test(configurations_are_compared_whole),
		cmocka_unit_test(what_ip_cannot_ask_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
