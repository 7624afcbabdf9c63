/* SPDX-License-Identifier: MIT */
/* net/packet: frames as they are on the wire, and every byte of them wrong in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "net/packet.h"

static const struct packet_udp headers = {
	.source_mac = {2, 0, 0, 0, 0, 1},
	.dest_mac = {255, 255, 255, 255, 255, 255},
	.source_ip = {10, 0, 0, 1},
	.dest_ip = {255, 255, 255, 255},
	.source_port = 67,
	.dest_port = 68,
};

static struct packet_frame make(const char *payload, size_t len)
{
	struct packet_frame frame = {.checksum_ready = true};

	frame.len = packet_build(&headers, payload, len, frame.bytes);
	return frame;
}

static bool parses(const struct packet_frame *frame)
{
	struct packet_udp udp;
	const uint8_t *payload;
	size_t len;

	return packet_parse(frame, &udp, &payload, &len);
}

/* All but the two checksums, which the next test has. */
static void frame_on_the_wire(void **state UNUSED)
{
	static const uint8_t wanted[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0,
		0, 1, 8, 0, 0x45, 0, 0, 31, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 255,
		255, 255, 255, 0, 67, 0, 68, 0, 11, 0, 0, 'a', 'b', 'c'};
	struct packet_frame frame = make("abc", 3);

	assert_int_equal(frame.len, sizeof(wanted));
	memset(frame.bytes + 24, 0, 2);
	memset(frame.bytes + 40, 0, 2);
	assert_memory_equal(frame.bytes, wanted, sizeof(wanted));
}

/* RFC 1071: the sum over a header with its checksum is all ones; here by plain addition.
 */
static uint32_t plain_sum(const uint8_t *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void checksums(void **state UNUSED)
{
	struct packet_frame frame = make("abc", 3);
	uint8_t pseudo[12 + 8 + 4] = {10, 0, 0, 1, 255, 255, 255, 255, 0, 17, 0, 11};

	assert_int_equal(plain_sum(frame.bytes + 14, 20), 0xffff);
	memcpy(pseudo + 12, frame.bytes + 34, 11);
	assert_int_equal(plain_sum(pseudo, sizeof(pseudo)), 0xffff);
}

static void there_and_back(void **state UNUSED)
{
	struct packet_frame frame = make("hello", 5);
	struct packet_udp udp;
	const uint8_t *payload;
	size_t len;

	frame.len += 13; /* Ethernet pads short frames to 60 bytes */
	assert_true(packet_parse(&frame, &udp, &payload, &len));
	assert_memory_equal(&udp, &headers, sizeof(udp));
	assert_int_equal(len, 5);
	assert_memory_equal(payload, "hello", 5);
}

static void any_flipped_byte_is_noticed(void **state UNUSED)
{
	const struct packet_frame good = make("hello", 5);

	for (size_t i = 14; i < good.len; i++) {
		struct packet_frame bad = good;

		bad.bytes[i] ^= 0x11;
		if (parses(&bad))
			fail_msg("a flipped byte %zu passes", i);
	}
}

static void any_cut_is_noticed(void **state UNUSED)
{
	struct packet_frame frame = make("hello", 5);

	while (frame.len-- > 0)
		assert_false(parses(&frame));
}

/* Sets a field and mends the IP header checksum, so that only the field's check can
 * refuse. */
static struct packet_frame with_ip_field(size_t at, uint8_t value)
{
	struct packet_frame frame = make("hello", 5);
	uint32_t sum;

	frame.bytes[14 + at] = value;
	memset(frame.bytes + 24, 0, 2);
	sum = ~plain_sum(frame.bytes + 14, 20);
	frame.bytes[24] = (uint8_t)(sum >> 8);
	frame.bytes[25] = (uint8_t)sum;
	return frame;
}

static void lying_fields(void **state UNUSED)
{
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{0, 0x65}, /* version 6 */
		{0, 0x44}, /* header of 16 bytes */
		{0, 0x4f}, /* header of 60 bytes, more than there is */
		{2, 0xff}, /* total length beyond the frame */
		{3, 27},   /* total length without room for UDP */
		{6, 0x20}, /* more fragments */
		{7, 0x01}, /* fragment offset */
		{9, 6},    /* TCP */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct packet_frame frame = with_ip_field(cases[i].at, cases[i].value);

		if (parses(&frame))
			fail_msg(
				"IP byte %zu = 0x%x passes", cases[i].at, cases[i].value);
	}
}

/* Lengths of UDP alone, without a UDP checksum to catch them. */
static void lying_udp_length(void **state UNUSED)
{
	struct packet_frame frame = make("hello", 5);

	memset(frame.bytes + 40, 0, 2);
	assert_true(parses(&frame)); /* no checksum is allowed (RFC 768) */
	frame.bytes[39] = 7;
	assert_false(parses(&frame));
	frame.bytes[39] = 14;
	assert_false(parses(&frame));
}

/* A virtual NIC of this host hands frames on whose UDP checksum is not filled in. */
static void checksum_that_is_not_ready(void **state UNUSED)
{
	struct packet_frame frame = make("hello", 5);

	frame.bytes[41] ^= 1;
	assert_false(parses(&frame));
	frame.checksum_ready = false;
	assert_true(parses(&frame));
}

static void too_long_a_payload(void **state UNUSED)
{
	static const uint8_t payload[PACKET_FRAME_MAX];
	uint8_t frame[PACKET_FRAME_MAX];
	size_t most = PACKET_FRAME_MAX - PACKET_HEADERS_LEN;

	assert_int_equal(packet_build(&headers, payload, most, frame), PACKET_FRAME_MAX);
	assert_int_equal(packet_build(&headers, payload, most + 1, frame), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_on_the_wire),
		cmocka_unit_test(checksums),
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(any_flipped_byte_is_noticed),
		cmocka_unit_test(any_cut_is_noticed),
		cmocka_unit_test(lying_fields),
		cmocka_unit_test(lying_udp_length),
		cmocka_unit_test(checksum_that_is_not_ready),
		cmocka_unit_test(too_long_a_payload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
