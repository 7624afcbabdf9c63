/* SPDX-License-Identifier: MIT */
/* net/sntp: what is an answer, what is a refusal, and the turn of the era. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/sntp.h"

#define NONCE 0x0123456789abcdefULL
/* 2024-01-01T00:00:00Z, since 1970 and since 1900. */
#define UNIX_2024 1704067200LL
#define NTP_2024 3913056000ULL

struct packet {
	uint8_t bytes[SNTP_PACKET_LEN];
};

static void put64(uint8_t *at, uint64_t number)
{
	for (unsigned int i = 0; i < 8; i++)
		at[i] = (uint8_t)(number >> (56 - 8 * i));
}

static struct packet good_answer(void)
{
	struct packet packet = {
		.bytes = {0x24, 2}}; /* LI 0, version 4, mode 4; stratum 2 */

	put64(packet.bytes + 24, NONCE);
	put64(packet.bytes + 32, NTP_2024 << 32);
	put64(packet.bytes + 40, NTP_2024 << 32 | 0x80000000U);
	return packet;
}

static enum sntp_verdict judge(const struct packet *packet, size_t len, struct err *err)
{
	struct sntp_reply reply;

	return sntp_parse(packet->bytes, len, NONCE, &reply, err);
}

static void question(void **state UNUSED)
{
	uint8_t packet[SNTP_PACKET_LEN];
	uint8_t wanted[SNTP_PACKET_LEN] = {0x23}; /* LI 0, version 4, mode 3 */

	put64(wanted + 40, NONCE);
	sntp_build(NONCE, packet);
	assert_memory_equal(packet, wanted, sizeof(wanted));
}

static void answer(void **state UNUSED)
{
	struct packet packet = good_answer();
	struct sntp_reply reply;

	assert_int_equal(
		sntp_parse(packet.bytes, sizeof(packet.bytes), NONCE, &reply, NULL),
		SNTP_TIME);
	assert_int_equal(reply.stratum, 2);
	assert_true(reply.receive == NTP_2024 << 32);
	assert_true(reply.transmit == (NTP_2024 << 32 | 0x80000000U));
}

static void not_an_answer_to_this_question(void **state UNUSED)
{
	const struct packet good = good_answer();
	struct packet packet;

	for (size_t len = 0; len < SNTP_PACKET_LEN; len++)
		assert_int_equal(judge(&good, len, NULL), SNTP_IGNORE);
	for (size_t bit = 0; bit < 64; bit++) { /* any bit of the origin timestamp */
		packet = good;
		packet.bytes[24 + bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_int_equal(judge(&packet, SNTP_PACKET_LEN, NULL), SNTP_IGNORE);
	}
	for (unsigned int mode = 0; mode < 8; mode++) {
		packet = good;
		packet.bytes[0] = (uint8_t)(0x20 | mode);
		assert_int_equal(judge(&packet, SNTP_PACKET_LEN, NULL),
			mode == 4 ? SNTP_TIME : SNTP_IGNORE);
	}
	for (unsigned int version = 0; version < 8; version++) {
		packet = good;
		packet.bytes[0] = (uint8_t)(version << 3 | 4);
		assert_int_equal(judge(&packet, SNTP_PACKET_LEN, NULL),
			version == 3 || version == 4 ? SNTP_TIME : SNTP_IGNORE);
	}
}

static void assert_refused(const struct packet *packet, const char *why)
{
	struct err err = ERR_INIT;

	assert_int_equal(judge(packet, SNTP_PACKET_LEN, &err), SNTP_REFUSED);
	if (!strstr(err.text, why))
		fail_msg("'%s' is not in '%s'", why, err.text);
}

static void servers_without_a_time(void **state UNUSED)
{
	struct packet packet = good_answer();

	packet.bytes[1] = 0;
	memcpy(packet.bytes + 12, "RA\x1b\x00", 4);
	assert_refused(&packet, "kiss-o'-death RA?)");
	packet = good_answer();
	packet.bytes[0] |= 0xc0;
	assert_refused(&packet, "not synchronised");
	packet = good_answer();
	packet.bytes[1] = 16;
	assert_refused(&packet, "not synchronised");
	packet = good_answer();
	memset(packet.bytes + 40, 0, 8);
	assert_refused(&packet, "not synchronised");
	packet = good_answer();
	memset(packet.bytes + 32, 0, 8);
	assert_refused(&packet, "not synchronised");
}

static void root_distance(void **state UNUSED)
{
	struct packet packet = good_answer();

	packet.bytes[5] = 10; /* delay of 10 s: its half is the most */
	assert_int_equal(judge(&packet, SNTP_PACKET_LEN, NULL), SNTP_TIME);
	packet.bytes[11] = 1; /* and the least dispersion is over it */
	assert_refused(&packet, "unsure");
	packet = good_answer();
	memset(packet.bytes + 4, 0xff, 8);
	assert_refused(&packet, "unsure");
}

/* Era 0 ends on 2036-02-07T06:28:16Z = 2085978496. */
static void eras(void **state UNUSED)
{
	static const struct {
		uint64_t ntp_s;
		int64_t floor_s;
		int64_t unix_s;
	} cases[] = {
		{NTP_2024, UNIX_2024 - 5, UNIX_2024},
		{NTP_2024, UNIX_2024, UNIX_2024},
		{0xffffffffU, UNIX_2024, 2085978495LL},
		{0, UNIX_2024, 2085978496LL},
		{100, 2085978000LL, 2085978596LL},
		{0xffffff00U, 2085978000LL, 2085978240LL},
		/* A second before the floor is 136 years after it, which nobody believes.
		 */
		{NTP_2024, UNIX_2024 + 1, UNIX_2024 + (1LL << 32)},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_true(sntp_to_unix_ms(cases[i].ntp_s << 32, cases[i].floor_s) ==
			    cases[i].unix_s * 1000);
	assert_true(sntp_to_unix_ms(NTP_2024 << 32 | 0xffffffffU, UNIX_2024) ==
		    UNIX_2024 * 1000 + 999);
}

static void half_of_the_way_is_added(void **state UNUSED)
{
	struct sntp_reply reply = {
		.receive = NTP_2024 << 32, .transmit = NTP_2024 << 32 | 0x40000000U};
	int64_t sent_ms = UNIX_2024 * 1000 + 250;

	/* It held the question for 250 ms; of the round trip the rest is the network's.
	 */
	assert_true(sntp_now_ms(&reply, 450, UNIX_2024) == sent_ms + 100);
	assert_true(sntp_now_ms(&reply, 250, UNIX_2024) == sent_ms);
	assert_true(sntp_now_ms(&reply, 0, UNIX_2024) == sent_ms); /* it lies about it */
	reply.receive = 0xffffffffULL << 32; /* over the turn of the era: 2 s held */
	reply.transmit = 1ULL << 32;
	assert_true(sntp_now_ms(&reply, 2200, UNIX_2024) == 2085978497100LL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(question),
		cmocka_unit_test(answer),
		cmocka_unit_test(not_an_answer_to_this_question),
		cmocka_unit_test(servers_without_a_time),
		cmocka_unit_test(root_distance),
		cmocka_unit_test(eras),
		cmocka_unit_test(half_of_the_way_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
