/* SPDX-License-Identifier: MIT */
/* model/cmdline: words as the kernel splits them, the boot NIC, and every form of ip=. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/cmdline.h"

static struct cmdline split(const char *text)
{
	struct cmdline cmdline;
	struct err err = ERR_INIT;

	if (cmdline_parse(text, &cmdline, &err) < 0)
		fail_msg("'%s': %s", text, err.text);
	return cmdline;
}

static void splits_as_the_kernel(void **state)
{
	struct cmdline cmdline CLEANUP(cmdline_done) =
		split("vmlinuz initrd=initrd.magic  a=1\tb=\"x y\" \"c=p q\" d=e\"f g\"h "
		      "\"bare w\" i=j=k "
		      "=z l= quiet m=\"open to the end\n");

	(void)state;
	assert_int_equal(cmdline.count, 12);
	assert_string_equal(cmdline.words[0].name, "vmlinuz");
	assert_null(cmdline.words[0].value);
	assert_string_equal(cmdline_last(&cmdline, "a"), "1");
	assert_string_equal(cmdline_last(&cmdline, "b"), "x y");
	assert_string_equal(cmdline_last(&cmdline, "c"), "p q");
	/* Quotes within a value join, and stay: the kernel cuts only those at its ends.
	 */
	assert_string_equal(cmdline_last(&cmdline, "d"), "e\"f g\"h");
	assert_string_equal(cmdline.words[6].name, "bare w");
	assert_string_equal(cmdline_last(&cmdline, "i"), "j=k");
	assert_string_equal(cmdline_last(&cmdline, "=z"), "");
	assert_string_equal(cmdline_last(&cmdline, "l"), "");
	assert_string_equal(cmdline_last(&cmdline, "quiet"), "");
	assert_string_equal(cmdline_last(&cmdline, "m"), "open to the end\n");
	assert_null(cmdline_last(&cmdline, "x"));
	assert_null(cmdline_last(&cmdline, "qui"));
}

static void last_wins_and_all_are_there(void **state)
{
	struct cmdline cmdline CLEANUP(cmdline_done) = split(
		"promenade.role=https://a/ promenade.role=https://b/ promenade.role "
		"promenade.role-wait=1 promenade.role_wait=2");
	struct strlist roles CLEANUP(strlist_done) = STRLIST_INIT;

	(void)state;
	assert_string_equal(cmdline_last(&cmdline, "promenade.role"), "");
	assert_string_equal(cmdline_last(&cmdline, "promenade.role-wait"), "2");
	assert_int_equal(cmdline_all(&cmdline, "promenade.role", &roles), 0);
	assert_int_equal(roles.count, 2);
	assert_string_equal(roles.items[0], "https://a/");
	assert_string_equal(roles.items[1], "https://b/");
}

static void takes_nothing_and_bounds(void **state)
{
	struct cmdline none CLEANUP(cmdline_done) = split("");
	struct cmdline blank CLEANUP(cmdline_done) = split(" \n\t ");
	struct cmdline cmdline = {NULL, NULL, 0};
	struct err err = ERR_INIT;
	char *text = calloc(1, CMDLINE_BYTES_MAX + 2);

	(void)state;
	assert_int_equal(none.count, 0);
	assert_int_equal(blank.count, 0);
	memset(text, 'a', CMDLINE_BYTES_MAX + 1);
	assert_int_equal(cmdline_parse(text, &cmdline, &err), -E_TOO_BIG);
	assert_null(cmdline.text);
	text[CMDLINE_BYTES_MAX] = '\0';
	assert_int_equal(cmdline_parse(text, &cmdline, &err), 0);
	assert_int_equal(cmdline.count, 1);
	cmdline_done(&cmdline);
	for (size_t i = 1; i < CMDLINE_BYTES_MAX; i += 2)
		text[i] = ' ';
	assert_int_equal(cmdline_parse(text, &cmdline, &err), 0);
	assert_int_equal(cmdline.count, CMDLINE_BYTES_MAX / 2);
	cmdline_done(&cmdline);
	free(text);
}

static void finds_the_boot_nic(void **state)
{
	static const char *const same[] = {
		"BOOTIF=01-52-54-00-AB-cd-ef",
		"BOOTIF=01:52:54:00:ab:cd:ef",
		"BOOTIF=52:54:00:ab:cd:ef",
		"BOOTIF=52-54-00-ab-cd-ef",
		"BOOTIF=525400ABCDEF",
		"BOOTIF=01525400abcdef",
		"hw_addr=52:54:00:ab:cd:ef",
		"BOOTIF=01-52-54-00-ab-cd-ef hw_addr=00:11:22:33:44:55",
		"BOOTIF=00:11:22:33:44:55 BOOTIF=52:54:00:ab:cd:ef",
	};
	static const char *const wrong[] = {"BOOTIF=", "BOOTIF", "BOOTIF=eth0",
		"BOOTIF=01-52-54-00-ab-cd", "BOOTIF=20-52-54-00-ab-cd-ef",
		"BOOTIF=01-52-54:00-ab-cd-ef", "BOOTIF=01:52-54-00-ab-cd-ef",
		"BOOTIF=52-54-00-ab-cd-eg", "BOOTIF=00:00:00:00:00:00", "hw_addr=x",
		"BOOTIF=01-52-54-00-ab-cd-ef-00", "BOOTIF=5:54:00:ab:cd:eff"};
	struct err err = ERR_INIT;
	char mac[18] = "untouched";

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct cmdline cmdline CLEANUP(cmdline_done) = split(same[i]);

		print_message("%s\n", same[i]);
		assert_int_equal(cmdline_boot_mac(&cmdline, mac, &err), 0);
		assert_string_equal(mac, "52:54:00:ab:cd:ef");
	}
	(void)strcpy(mac, "untouched");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct cmdline cmdline CLEANUP(cmdline_done) = split(wrong[i]);

		print_message("%s\n", wrong[i]);
		assert_int_equal(cmdline_boot_mac(&cmdline, mac, &err), -E_USAGE);
		assert_string_equal(mac, "untouched");
	}
	struct cmdline none CLEANUP(cmdline_done) = split("quiet");

	assert_int_equal(cmdline_boot_mac(&none, mac, &err), -ENOENT);
}

static struct cmdline_ip read_ip(const char *value)
{
	struct cmdline_ip ip;
	struct err err = ERR_INIT;

	print_message("ip=%s\n", value);
	if (cmdline_ip_parse(value, &ip, &err) < 0)
		fail_msg("%s", err.text);
	return ip;
}

static void reads_short_forms(void **state)
{
	static const struct {
		const char *value;
		enum cmdline_ip_method method;
	} words[] = {{"dhcp", CMDLINE_IP_DHCP}, {"on", CMDLINE_IP_DHCP},
		{"any", CMDLINE_IP_DHCP}, {"off", CMDLINE_IP_OFF},
		{"none", CMDLINE_IP_OFF}, {"dhcp6", CMDLINE_IP_DHCP6},
		{"auto6", CMDLINE_IP_AUTO6}, {"single-dhcp", CMDLINE_IP_DHCP}};
	struct cmdline_ip ip;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		ip = read_ip(words[i].value);
		assert_int_equal(ip.method, words[i].method);
		assert_string_equal(ip.device, "");
	}
	ip = read_ip("eno1:dhcp");
	assert_int_equal(ip.method, CMDLINE_IP_DHCP);
	assert_string_equal(ip.device, "eno1");
	assert_int_equal(ip.mtu, 0);
	ip = read_ip("eno1.100:auto6:9000");
	assert_int_equal(ip.method, CMDLINE_IP_AUTO6);
	assert_string_equal(ip.device, "eno1.100");
	assert_int_equal(ip.mtu, 9000);
	ip = read_ip("BOOTIF:dhcp");
	assert_true(ip.boot_device);
	assert_string_equal(ip.device, "");
}

static void reads_long_forms(void **state)
{
	struct cmdline_ip ip = read_ip("192.0.2.7:192.0.2.1:192.0.2.254:255.255.240.0:"
				       "worker-07:eno1:none:192.0.2.2:"
				       "192.0.2.3:192.0.2.4");

	(void)state;
	assert_int_equal(ip.method, CMDLINE_IP_STATIC);
	assert_string_equal(ip.address, "192.0.2.7");
	assert_string_equal(ip.server, "192.0.2.1");
	assert_string_equal(ip.gateway, "192.0.2.254");
	assert_int_equal(ip.prefix_len, 20);
	assert_string_equal(ip.hostname, "worker-07");
	assert_string_equal(ip.device, "eno1");
	assert_string_equal(ip.dns[0], "192.0.2.2");
	assert_string_equal(ip.dns[1], "192.0.2.3");
	assert_string_equal(ip.ntp, "192.0.2.4");
	/* host-default.ipxe's, with what iPXE does not know left empty */
	ip = read_ip("10.0.2.15::10.0.2.2:255.255.255.0:::none:10.0.2.3");
	assert_int_equal(ip.method, CMDLINE_IP_STATIC);
	assert_int_equal(ip.prefix_len, 24);
	assert_string_equal(ip.dns[0], "10.0.2.3");
	assert_string_equal(ip.device, "");
	/* MAAS */
	ip = read_ip("::::maas-enlist:BOOTIF:dhcp");
	assert_int_equal(ip.method, CMDLINE_IP_DHCP);
	assert_string_equal(ip.hostname, "maas-enlist");
	assert_true(ip.boot_device);
	ip = read_ip("[2001:db8::7]::[2001:db8::1]:64:w:eno1:static:[2001:db8::53]");
	assert_string_equal(ip.address, "2001:db8::7");
	assert_string_equal(ip.gateway, "2001:db8::1");
	assert_int_equal(ip.prefix_len, 64);
	assert_string_equal(ip.dns[0], "2001:db8::53");
	ip = read_ip("192.0.2.7:::32");
	assert_int_equal(ip.method, CMDLINE_IP_STATIC);
	assert_int_equal(ip.prefix_len, 32);
	ip = read_ip("192.0.2.7::192.0.2.1:24::eno1:off:1400");
	assert_int_equal(ip.method, CMDLINE_IP_STATIC);
	assert_int_equal(ip.mtu, 1400);
	assert_string_equal(ip.dns[0], "");
	ip = read_ip("::::::off");
	assert_int_equal(ip.method, CMDLINE_IP_OFF);
	ip = read_ip("::::h");
	assert_int_equal(ip.method, CMDLINE_IP_DHCP);
}

static void refuses_wrong_ip(void **state)
{
	static const struct {
		const char *value, *word;
	} rows[] = {
		{"", "method"},
		{"eth0", "method"},
		{"static", "method"},
		{"192.0.2.7", "method"},
		{"eth0:dhcp:67", "MTU"},
		{"eth0:dhcp:x", "MTU"},
		{"eth0:dhcp:1500:52", "behind the MTU"},
		{"a/b:dhcp", "device"},
		{"abcdefghijklmnop:dhcp", "device"},
		{"192.0.2.256:::24", "client"},
		{"192.0.2.7:x::24", "server"},
		{"192.0.2.7::gw:24", "gateway"},
		{"192.0.2.7::::::none", "netmask"},
		{"192.0.2.7:::33", "netmask"},
		{"192.0.2.7:::0", "netmask"},
		{"192.0.2.7:::255.0.255.0", "netmask"},
		{"[2001:db8::7]:::255.255.0.0", "netmask"},
		{"192.0.2.7:::24:a b", "host name"},
		{"192.0.2.7:::24:h:eno1:ibft", "method"},
		{":::::eno1:static", "address"},
		{"192.0.2.7:::24:h:eno1:none:x", "name server"},
		{"192.0.2.7:::24:h:eno1:none::x", "name server"},
		{"192.0.2.7:::24:h:eno1:none:::x", "time server"},
		{"192.0.2.7:::24:h:eno1:none:1500:192.0.2.1", "behind the MTU"},
		{"::::::none::::", "ten fields"},
		{"[2001:db8::7", "brackets"},
		{"[2001:db8::7]x:::64", "brackets"},
		{"2001:db8::7:::64", "client"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct cmdline_ip ip = {.mtu = 77};
		struct err err = ERR_INIT;

		print_message("ip=%s\n", rows[i].value);
		assert_int_equal(cmdline_ip_parse(rows[i].value, &ip, &err), -E_USAGE);
		assert_int_equal(ip.mtu, 77);
		if (!strstr(err.text, rows[i].word))
			fail_msg("'%s' does not say '%s'", err.text, rows[i].word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splits_as_the_kernel),
		cmocka_unit_test(last_wins_and_all_are_there),
		cmocka_unit_test(takes_nothing_and_bounds),
		cmocka_unit_test(finds_the_boot_nic),
		cmocka_unit_test(reads_short_forms),
		cmocka_unit_test(reads_long_forms),
		cmocka_unit_test(refuses_wrong_ip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
