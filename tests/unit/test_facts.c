/* SPDX-License-Identifier: MIT */
/* model/facts: text and back, what the text may not be, and the ids of Broadcom's NICs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/facts.h"
#include "model/facts_fields.h"
#include "model/nic_ids.h"

static struct facts parse(const char *text)
{
	struct facts facts = {0};
	struct err err = ERR_INIT;

	if (facts_parse(text, strlen(text), &facts, &err) < 0)
		fail_msg("%s", err.text);
	return facts;
}

static void reads_what_it_renders(void **state)
{
	static const char text[] = "kernel=6.12.57+deb13-amd64\n"
				   "arch=x86_64\n"
				   "cmdline=BOOTIF=01-52-54-00-12-34-56 a=\"b c\\\\\n"
				   "uuid=4c4c4544-0042-3510-8052-b4c04f4a4d31\n"
				   "serial=\\x7fA\\n\\t\\xc3\\xa4\n"
				   "firmware=efi\n"
				   "memory_kib=18446744073709551615\n"
				   "cpus=2\n"
				   "cgroup2=true\n"
				   "overlay=-1\n"
				   "clock_unix=-1\n"
				   "clock_synced=false\n"
				   "has_rtc=true\n"
				   "nic.0.name=eno1\n"
				   "nic.0.mac=52:54:00:12:34:56\n"
				   "nic.0.driver=tg3\n"
				   "nic.0.vendor=0x14e4\n"
				   "nic.0.device=0x165f\n"
				   "nic.0.carrier=1\n"
				   "nic.0.speed_mbps=-1\n"
				   "nic.0.config_readable=true\n"
				   "nic.0.tx_timeouts=3\n"
				   "nic.0.boot=true\n"
				   "nic.1.vendor=0x0000\n"
				   "nic.1.device=0x0000\n"
				   "nic.1.carrier=0\n"
				   "nic.1.speed_mbps=0\n"
				   "nic.1.config_readable=false\n"
				   "nic.1.tx_timeouts=0\n"
				   "nic.1.boot=false\n"
				   "swap.0.device=/dev/vda3\n"
				   "swap.0.size_kib=1024\n"
				   "disk.0.path=/dev/vda\n"
				   "disk.0.size_bytes=8589934592\n"
				   "disk.0.read_only=false\n"
				   "disk.0.partition.0.path=/dev/vda1\n"
				   "disk.0.partition.0.number=1\n"
				   "disk.0.partition.0.size_bytes=1\n"
				   "disk.0.partition.0.label=root\n"
				   "disk.0.partition.1.number=2\n"
				   "disk.0.partition.1.size_bytes=2\n"
				   "disk.1.size_bytes=0\n"
				   "disk.1.read_only=true\n"
				   "target.known=true\n"
				   "target.os_id=debian\n"
				   "target.has_modules=true\n"
				   "target.has_containerd=false\n"
				   "target.has_docker=false\n"
				   "target.has_kubelet=false\n"
				   "target.prepared=false\n"
				   "target.prepared_serial=6\n"
				   "target.last_serial=7\n"
				   "target.network_manager=ifupdown\n"
				   "lease.known=true\n"
				   "lease.address=192.0.2.7\n"
				   "lease.prefix_len=24\n"
				   "lease.dns.0=192.0.2.2\n"
				   "lease.dns.1=192.0.2.3\n"
				   "lease.mtu=1500\n";
	struct facts facts CLEANUP(facts_done) = parse(text);
	struct buf again CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	assert_string_equal(facts.serial, "\x7f"
					  "A\n\t\xc3\xa4");
	assert_string_equal(facts.cmdline, "BOOTIF=01-52-54-00-12-34-56 a=\"b c\\");
	assert_int_equal(facts.nic_count, 2);
	assert_int_equal(facts.nics[0].device, 0x165f);
	assert_int_equal(facts.disk_count, 2);
	assert_int_equal(facts.disks[0].partition_count, 2);
	assert_string_equal(facts.disks[0].partitions[0].label, "root");
	assert_int_equal(facts.disks[1].partition_count, 0);
	assert_int_equal(facts.target.network_manager, FACT_NETWORK_IFUPDOWN);
	assert_int_equal(facts.lease.dns.count, 2);
	assert_int_equal(facts.overlay, -1);
	assert_int_equal(facts_render(&facts, &again), 0);
	assert_string_equal(buf_text(&again), text);
}

/* Fills every field by its type, so that a field that the table forgets or that two rows
 * share shows. seed makes values that differ from field to field. */
static void fill(const struct fact_field *field, char *base, unsigned int *seed)
{
	for (; field->key; field++) {
		void *value = base + field->offset;

		++*seed;
		if (field->type == FACT_TEXT)
			(void)snprintf(value, field->size, "%u", *seed);
		else if (field->type == FACT_BOOL)
			*(bool *)value = true;
		else if (field->type == FACT_INT || field->type == FACT_UINT)
			*(unsigned int *)value = *seed;
		else if (field->type == FACT_HEX16)
			*(uint16_t *)value = (uint16_t)*seed;
		else if (field->type == FACT_U64 || field->type == FACT_I64)
			*(uint64_t *)value = (uint64_t)*seed << 32;
		else if (field->type == FACT_NETWORK)
			*(enum fact_network_manager *)value = FACT_NETWORK_NETPLAN;
		else if (field->type == FACT_LIST)
			assert_int_equal(strlist_printf(value, "%u", *seed), 0);
		if (field->type == FACT_ITEMS) {
			char *item = calloc(1, field->size);
			size_t one = 1;

			memcpy(value, &item, sizeof(item));
			memcpy((char *)value + sizeof(item), &one, sizeof(one));
			fill(field->items, item, seed);
		}
	}
}

static void every_field_makes_the_round(void **state)
{
	struct facts facts CLEANUP(facts_done) = {0};
	struct facts again CLEANUP(facts_done) = {0};
	struct buf first CLEANUP(buf_done) = BUF_INIT,
			 second CLEANUP(buf_done) = BUF_INIT;
	unsigned int seed = 0;
	struct err err = ERR_INIT;

	(void)state;
	fill(facts_fields(), (char *)&facts, &seed);
	assert_int_equal(facts_render(&facts, &first), 0);
	if (facts_parse(first.bytes, first.len, &again, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(facts_render(&again, &second), 0);
	assert_string_equal(first.bytes, second.bytes);
	assert_memory_equal(again.nics, facts.nics, sizeof(*facts.nics));
	assert_memory_equal(again.swaps, facts.swaps, sizeof(*facts.swaps));
	assert_memory_equal(&again.target, &facts.target, sizeof(facts.target));
	/* The members of the structs of facts.h, counted there. */
	assert_int_equal(seed - 4, 69);
}

static void refuse(const char *text, size_t len, const char *word)
{
	struct facts facts = {.cpus = 7};
	struct err err = ERR_INIT;

	print_message("%s\n", text);
	assert_int_equal(facts_parse(text, len, &facts, &err), -E_FORMAT);
	assert_int_equal(facts.cpus, 7);
	if (!strstr(err.text, word))
		fail_msg("'%s' does not say '%s'", err.text, word);
}

static void refuses_other_text(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
		{"a=1\n", "line 1: 'a': unknown"},
		{"# comment\n\ncpus=x\n", "line 3: 'cpus': must be a number"},
		{"cpus", "key=value"},
		{"=1", "unknown"},
		{"cpus=", "number"},
		{"cpus=4294967296", "number"},
		{"cpus=-1", "number"},
		{"overlay=2147483648", "number"},
		{"clock_unix=--1", "number"},
		{"memory_kib=18446744073709551616", "number"},
		{"cgroup2=yes", "true or false"},
		{"kernel=a\\qb", "escapes"},
		{"kernel=a\\", "escapes"},
		{"kernel=\\x4", "escapes"},
		{"kernel=\\x00", "escapes"},
		{"firmware=12345678", "longer"},
		{"nic.1.name=a", "numbered"},
		{"nic.0.name=a\nnic.2.name=a", "line 2"},
		{"nic.name=a", "unknown"},
		{"nic.0=a", "unknown"},
		{"nic.0.=a", "unknown"},
		{"nic.00.name=a", "unknown"},
		{"nic.99999999999999999999.name=a", "unknown"},
		{"nic.0.vendor=5348", "0x14e4"},
		{"nic.0.vendor=0x14eg", "0x14e4"},
		{"disk.0.partition.1.path=a", "numbered"},
		{"lease.dns.1=a", "numbered"},
		{"lease.dns=a", "unknown"},
		{"lease.dns.0.x=a", "unknown"},
		{"target.network_manager=wicked", "network manager"},
		{"kernelx=a", "unknown"},
		{"cpus=1\nkernel=a\ncpus=1", "line 3: 'cpus': was given before"},
		{"nic.0.name=a\nnic.0.name=b", "line 2: 'nic.0.name': was given before"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		refuse(rows[i].text, strlen(rows[i].text), rows[i].word);
	refuse("cpus=1\0\n", 8, "NUL");
}

static void bounds_the_items(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	for (unsigned int i = 0; i <= 1024; i++)
		assert_int_equal(buf_printf(&text, "swap.%u.size_kib=1\n", i), 0);
	struct facts facts = {.cpus = 7};
	struct err err = ERR_INIT;

	assert_int_equal(facts_parse(text.bytes, text.len, &facts, &err), -E_FORMAT);
	assert_non_null(strstr(err.text, "line 1025"));
}

static void nothing_is_nothing(void **state)
{
	struct facts facts CLEANUP(facts_done) = parse("");
	struct facts zero = {0};

	(void)state;
	assert_memory_equal(&facts, &zero, sizeof(zero));
	facts_done(&zero);
}

static void knows_broadcom(void **state)
{
	static const struct {
		uint16_t vendor, device;
		const char *driver;
	} rows[] = {
		{0x14e4, 0x1600, "tg3"},     /* first of 14e4 in the list */
		{0x14e4, 0x165f, "tg3"},     /* 5720 */
		{0x14e4, 0x1639, "bnx2"},    /* 5709 */
		{0x14e4, 0x16a1, "bnx2x"},   /* 57840 */
		{0x1077, 0x16a1, "bnx2x"},   /* the same, as QLogic's */
		{0x14e4, 0x16d7, "bnxt_en"}, /* 57414 */
		{0x14e4, 0xd804, "bnxt_en"}, /* last of the list but Altima's */
		{0x14e4, 0x1780, "bnge"},
		{0x14e4, 0x170c, "b44"},
		{0x106b, 0x1645, "tg3"}, /* Apple; first of all */
		{0x10cf, 0x11a2, "tg3"}, /* Fujitsu */
		{0x1148, 0x4400, "tg3"}, /* SysKonnect */
		{0x173b, 0x03eb, "tg3"}, /* Altima; last of all */
		{0x14e4, 0x43a0, NULL},  /* a WLAN chip */
		{0x1077, 0x8070, NULL},  /* QLogic's own */
		{0x8086, 0x10d3, NULL},
		{0, 0, NULL},
		{0xffff, 0xffff, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *driver = nic_ids_driver(rows[i].vendor, rows[i].device);
		struct fact_nic nic = {
			.vendor = rows[i].vendor, .device = rows[i].device};

		print_message("%04x:%04x\n", (unsigned int)rows[i].vendor,
			(unsigned int)rows[i].device);
		assert_string_equal(
			driver ? driver : "-", rows[i].driver ? rows[i].driver : "-");
		assert_int_equal(fact_nic_is_broadcom(&nic), rows[i].driver != NULL);
	}
}

static void knows_a_new_chip_by_its_driver(void **state)
{
	struct fact_nic nic = {.vendor = 0x14e4, .device = 0x17ff, .driver = "bnxt_en"};

	(void)state;
	assert_true(fact_nic_is_broadcom(&nic));
	(void)str_copy(nic.driver, sizeof(nic.driver), "brcmfmac");
	assert_false(fact_nic_is_broadcom(&nic));
}

/* The counts of node.md 1.1, by asking for every id there is: the table is sorted. */
static void counts_of_ids(void **state)
{
	static const char *const drivers[] = {
		"tg3", "bnx2", "bnx2x", "bnxt_en", "b44", "bnge"};
	static const unsigned int want[] = {93, 8, 24, 73, 3, 1};
	static const uint16_t vendors[] = {
		0x106b, 0x1077, 0x10cf, 0x1148, 0x14e4, 0x173b};
	unsigned int count[6] = {0};

	(void)state;
	for (size_t v = 0; v < 6; v++)
		for (unsigned int device = 0; device <= 0xffff; device++) {
			const char *driver = nic_ids_driver(vendors[v], (uint16_t)device);

			for (size_t d = 0; driver && d < 6; d++)
				count[d] += strcmp(driver, drivers[d]) == 0;
		}
	for (size_t d = 0; d < 6; d++)
		assert_int_equal(count[d], want[d]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_renders),
		cmocka_unit_test(every_field_makes_the_round),
		cmocka_unit_test(refuses_other_text),
		cmocka_unit_test(bounds_the_items),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(knows_broadcom),
		cmocka_unit_test(knows_a_new_chip_by_its_driver),
		cmocka_unit_test(counts_of_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
