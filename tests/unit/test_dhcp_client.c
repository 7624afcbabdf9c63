/* SPDX-License-Identifier: MIT */
/* net/dhcp_client: the state machine with a clock of its own; frames go back and forth
 * here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>

#include "net/dhcp_client.h"
#include "unit/dhcp_reply.h"

#define START_MS 1000000U

struct fixture {
	struct dhcp_client client;
	uint64_t now_ms;
	uint8_t frame[PACKET_FRAME_MAX];
	size_t len;
};

static void begin(struct fixture *f)
{
	f->now_ms = START_MS;
	dhcp_client_init(&f->client, reply_mac, 7);
	dhcp_client_start(&f->client, f->now_ms);
}

static enum dhcp_event tick(struct fixture *f)
{
	return dhcp_client_tick(&f->client, f->now_ms, f->frame, &f->len);
}

/* The DHCP payload of the frame that the last tick made. */
static const uint8_t *sent(
	const struct fixture *f, size_t *ret_len, struct packet_udp *udp)
{
	static struct packet_frame frame;
	const uint8_t *payload;

	assert_true(f->len > 0);
	memcpy(frame.bytes, f->frame, f->len);
	frame.len = f->len;
	frame.checksum_ready = true;
	assert_true(packet_parse(&frame, udp, &payload, ret_len));
	assert_int_equal(udp->source_port, 68);
	assert_int_equal(udp->dest_port, 67);
	return payload;
}

static uint8_t sent_type(const struct fixture *f)
{
	struct dhcp_value value;
	struct packet_udp udp;
	size_t len;
	const uint8_t *payload = sent(f, &len, &udp);

	assert_true(dhcp_option_find(payload, len, DHCP_OPTION_TYPE, &value));
	return value.bytes[0];
}

static enum dhcp_event deliver(struct fixture *f, const struct reply *reply)
{
	struct packet_udp udp = {.source_port = 67, .dest_port = 68};
	struct packet_frame frame = {.checksum_ready = true};

	frame.len = packet_build(&udp, reply->bytes, reply->len, frame.bytes);
	assert_true(frame.len > 0);
	return dhcp_client_receive(&f->client, f->now_ms, &frame);
}

static void add_u32(struct reply *reply, enum dhcp_option code, uint32_t number)
{
	uint32_t wire = htonl(number);

	reply_add(reply, (uint8_t)code, &wire, sizeof(wire));
}

/* An answer of server 10.0.0.SERVER to the client's present question, with a lease of 100
 * s, T1 50 and T2 87. */
static enum dhcp_event answer(struct fixture *f, enum dhcp_type type, uint8_t server)
{
	struct reply reply;

	reply_begin(&reply, f->client.xid, type, server);
	if (type != DHCP_NAK)
		add_u32(&reply, DHCP_OPTION_LEASE_TIME, 100);
	reply_end(&reply);
	return deliver(f, &reply);
}

static void get_lease(struct fixture *f)
{
	begin(f);
	assert_int_equal(tick(f), DHCP_EVENT_NONE);
	assert_int_equal(answer(f, DHCP_OFFER, 1), DHCP_EVENT_OFFERED);
	assert_int_equal(tick(f), DHCP_EVENT_NONE);
	assert_int_equal(sent_type(f), DHCP_REQUEST);
	assert_int_equal(answer(f, DHCP_ACK, 1), DHCP_EVENT_BOUND);
	assert_int_equal(f->client.state, DHCP_STATE_BOUND);
}

static void straight_way(void **state UNUSED)
{
	struct fixture f;

	get_lease(&f);
	assert_int_equal(f.client.next_ms, START_MS + 50000);
	f.now_ms = START_MS + 49999;
	assert_int_equal(tick(&f), DHCP_EVENT_NONE);
	assert_int_equal(f.len, 0);
}

/* 2, 4, 8, 16, 16, ... s, each within a quarter and a second; it never ends. */
static void discovers_back_off_and_go_on(void **state UNUSED)
{
	static const uint64_t wanted_ms[][2] = {
		{1500, 2500}, {3000, 5000}, {7000, 9000}, {15000, 17000}};
	struct fixture f;

	begin(&f);
	for (size_t i = 0; i < 1000; i++) {
		const uint64_t *wanted = wanted_ms[i < 3 ? i : 3];

		assert_int_equal(tick(&f), DHCP_EVENT_NONE);
		assert_int_equal(sent_type(&f), DHCP_DISCOVER);
		assert_in_range(f.client.next_ms - f.now_ms, wanted[0], wanted[1]);
		f.now_ms = f.client.next_ms - 1;
		(void)tick(&f);
		assert_int_equal(f.len, 0);
		f.now_ms++;
	}
	assert_int_equal(f.client.discovers, 1000);
}

static void jitter_differs_between_machines(void **state UNUSED)
{
	static const uint8_t other_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x57};
	struct fixture a, b;

	begin(&a);
	begin(&b);
	dhcp_client_init(&b.client, other_mac, 7);
	dhcp_client_start(&b.client, b.now_ms);
	(void)tick(&a);
	(void)tick(&b);
	assert_int_not_equal(a.client.xid, b.client.xid);
	assert_int_not_equal(a.client.next_ms, b.client.next_ms);
}

/* Some relays lose unicast answers: every second DISCOVER from the third on asks
 * otherwise. */
static void broadcast_flag_alternates(void **state UNUSED)
{
	static const uint8_t wanted[] = {0, 0, 0x80, 0, 0x80, 0};
	struct fixture f;

	begin(&f);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		struct packet_udp udp;
		size_t len;

		(void)tick(&f);
		assert_int_equal(sent(&f, &len, &udp)[10], wanted[i]);
		f.now_ms = f.client.next_ms;
	}
}

static void secs_counts_from_the_start(void **state UNUSED)
{
	struct fixture f;
	struct packet_udp udp;
	const uint8_t *payload;
	size_t len;

	begin(&f);
	(void)tick(&f);
	f.now_ms += 70000ULL * 1000; /* more than the field holds */
	(void)tick(&f);
	payload = sent(&f, &len, &udp);
	assert_int_equal(payload[8] << 8 | payload[9], 65535);
}

static void what_is_for_somebody_else(void **state UNUSED)
{
	struct fixture f;
	struct reply reply;

	begin(&f);
	reply_begin(&reply, f.client.xid, DHCP_OFFER, 1);
	assert_int_equal(
		deliver(&f, &reply), DHCP_EVENT_NONE); /* nothing was asked yet */
	(void)tick(&f);
	reply_begin(&reply, f.client.xid + 1, DHCP_OFFER, 1);
	assert_int_equal(deliver(&f, &reply), DHCP_EVENT_NONE);
	reply_begin(&reply, f.client.xid, DHCP_OFFER, 1);
	reply.bytes[33]++; /* the MAC */
	assert_int_equal(deliver(&f, &reply), DHCP_EVENT_NONE);
	assert_int_equal(answer(&f, DHCP_ACK, 1), DHCP_EVENT_NONE); /* not requested */
	assert_int_equal(answer(&f, DHCP_NAK, 1), DHCP_EVENT_NONE);
	assert_int_equal(f.client.state, DHCP_STATE_SELECTING);
	assert_int_equal(answer(&f, DHCP_OFFER, 1), DHCP_EVENT_OFFERED);
	assert_int_equal(
		answer(&f, DHCP_OFFER, 2), DHCP_EVENT_NONE); /* the first counts */
	assert_int_equal(f.client.lease.server_id[3], 1);
	dhcp_client_stop(&f.client);
	assert_int_equal(answer(&f, DHCP_ACK, 1), DHCP_EVENT_NONE);
	(void)tick(&f);
	assert_int_equal(f.len, 0);
}

static void another_server_neither_grants_nor_refuses(void **state UNUSED)
{
	struct fixture f;

	begin(&f);
	(void)tick(&f);
	(void)answer(&f, DHCP_OFFER, 1);
	(void)tick(&f);
	assert_int_equal(answer(&f, DHCP_NAK, 2), DHCP_EVENT_NONE);
	assert_int_equal(answer(&f, DHCP_ACK, 2), DHCP_EVENT_NONE);
	assert_int_equal(f.client.state, DHCP_STATE_REQUESTING);
	assert_int_equal(answer(&f, DHCP_ACK, 1), DHCP_EVENT_BOUND);
}

static void a_server_that_falls_silent_after_its_offer(void **state UNUSED)
{
	struct fixture f;
	uint32_t xid;

	begin(&f);
	(void)tick(&f);
	(void)answer(&f, DHCP_OFFER, 1);
	xid = f.client.xid;
	for (int i = 0; i < 4; i++) {
		(void)tick(&f);
		assert_int_equal(sent_type(&f), DHCP_REQUEST);
		f.now_ms = f.client.next_ms;
	}
	(void)tick(&f);
	assert_int_equal(sent_type(&f), DHCP_DISCOVER);
	assert_int_not_equal(f.client.xid, xid);
}

/* A server that always refuses is asked ever more slowly. */
static void refusals_slow_down(void **state UNUSED)
{
	static const uint64_t wanted_ms[] = {1000, 2000, 4000, 8000, 16000, 16000, 16000};
	struct fixture f;

	begin(&f);
	for (size_t i = 0; i < ARRAY_LEN(wanted_ms); i++) {
		(void)tick(&f);
		assert_int_equal(sent_type(&f), DHCP_DISCOVER);
		(void)answer(&f, DHCP_OFFER, 1);
		(void)tick(&f);
		assert_int_equal(answer(&f, DHCP_NAK, 1), DHCP_EVENT_REFUSED);
		assert_int_equal(f.client.next_ms - f.now_ms, wanted_ms[i]);
		f.now_ms = f.client.next_ms;
	}
}

static void renewal_extends_the_lease(void **state UNUSED)
{
	struct fixture f;
	struct packet_udp udp;
	struct dhcp_value value;
	const uint8_t *payload;
	size_t len;

	get_lease(&f);
	f.now_ms = START_MS + 50000;
	assert_int_equal(tick(&f), DHCP_EVENT_NONE);
	assert_int_equal(f.client.state, DHCP_STATE_RENEWING);
	payload = sent(&f, &len, &udp);
	assert_memory_equal(payload + 12, "\x0a\x00\x00\x07", 4); /* ciaddr */
	assert_memory_equal(udp.source_ip, "\x0a\x00\x00\x07", 4);
	assert_false(dhcp_option_find(payload, len, DHCP_OPTION_SERVER_ID, &value));
	assert_false(
		dhcp_option_find(payload, len, DHCP_OPTION_REQUESTED_ADDRESS, &value));
	f.now_ms += 200;
	assert_int_equal(answer(&f, DHCP_NAK, 2), DHCP_EVENT_NONE); /* not our server */
	assert_int_equal(answer(&f, DHCP_ACK, 1), DHCP_EVENT_RENEWED);
	/* Counted from the question, not from the answer. */
	assert_int_equal(f.client.next_ms, START_MS + 50000 + 50000);
}

static void renewal_with_another_address_is_none(void **state UNUSED)
{
	struct fixture f;
	struct reply reply;

	get_lease(&f);
	f.now_ms = START_MS + 50000;
	(void)tick(&f);
	reply_begin(&reply, f.client.xid, DHCP_ACK, 1);
	reply.bytes[19] = 99;
	assert_int_equal(deliver(&f, &reply), DHCP_EVENT_NONE);
	assert_int_equal(f.client.state, DHCP_STATE_RENEWING);
}

static void lease_ends_where_nobody_renews(void **state UNUSED)
{
	struct fixture f;
	unsigned int asked = 0;

	get_lease(&f);
	while (f.now_ms < START_MS + 200000) {
		enum dhcp_event event;

		f.now_ms = f.client.next_ms;
		event = tick(&f);
		if (event == DHCP_EVENT_LOST)
			break;
		assert_int_equal(sent_type(&f), DHCP_REQUEST);
		asked++;
		if (f.now_ms >= START_MS + 87000 + 1)
			assert_int_equal(f.client.state, DHCP_STATE_REBINDING);
	}
	assert_in_range(f.now_ms, START_MS + 100000, START_MS + 106000);
	assert_in_range(asked, 3, 12);
	assert_int_equal(f.client.state, DHCP_STATE_SELECTING);
	assert_int_equal(sent_type(&f), DHCP_DISCOVER); /* at once */
}

static void refusal_takes_a_bound_lease_away(void **state UNUSED)
{
	struct fixture f;

	get_lease(&f);
	f.now_ms = START_MS + 50000;
	(void)tick(&f);
	assert_int_equal(answer(&f, DHCP_NAK, 1), DHCP_EVENT_LOST);
	assert_int_equal(f.client.state, DHCP_STATE_SELECTING);
	assert_int_equal(f.client.lease.config.address.family, 0);
}

/* After T2, and after the carrier came back on perhaps another network, any server may.
 */
static void confirming_believes_any_server(void **state UNUSED)
{
	struct fixture f;

	get_lease(&f);
	f.now_ms += 5000;
	dhcp_client_confirm(&f.client, f.now_ms);
	assert_int_equal(tick(&f), DHCP_EVENT_NONE);
	assert_int_equal(sent_type(&f), DHCP_REQUEST);
	assert_int_equal(answer(&f, DHCP_NAK, 9), DHCP_EVENT_LOST);
	get_lease(&f);
	dhcp_client_confirm(&f.client, f.now_ms);
	(void)tick(&f);
	assert_int_equal(answer(&f, DHCP_ACK, 9), DHCP_EVENT_RENEWED);
}

static void confirming_what_is_not_bound_is_nothing(void **state UNUSED)
{
	struct fixture f;

	begin(&f);
	dhcp_client_confirm(&f.client, f.now_ms);
	assert_int_equal(f.client.state, DHCP_STATE_SELECTING);
}

static void lease_without_end(void **state UNUSED)
{
	struct fixture f;
	struct reply reply;

	begin(&f);
	(void)tick(&f);
	(void)answer(&f, DHCP_OFFER, 1);
	(void)tick(&f);
	reply_begin(&reply, f.client.xid, DHCP_ACK, 1);
	add_u32(&reply, DHCP_OPTION_LEASE_TIME, UINT32_MAX);
	assert_int_equal(deliver(&f, &reply), DHCP_EVENT_BOUND);
	assert_true(f.client.next_ms == UINT64_MAX);
	dhcp_client_confirm(&f.client, f.now_ms);
	assert_int_equal(tick(&f), DHCP_EVENT_NONE);
	assert_in_range(f.client.next_ms, f.now_ms + 1000, f.now_ms + 60000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(straight_way),
		cmocka_unit_test(discovers_back_off_and_go_on),
		cmocka_unit_test(jitter_differs_between_machines),
		cmocka_unit_test(broadcast_flag_alternates),
		cmocka_unit_test(secs_counts_from_the_start),
		cmocka_unit_test(what_is_for_somebody_else),
		cmocka_unit_test(another_server_neither_grants_nor_refuses),
		cmocka_unit_test(a_server_that_falls_silent_after_its_offer),
		cmocka_unit_test(refusals_slow_down),
		cmocka_unit_test(renewal_extends_the_lease),
		cmocka_unit_test(renewal_with_another_address_is_none),
		cmocka_unit_test(lease_ends_where_nobody_renews),
		cmocka_unit_test(refusal_takes_a_bound_lease_away),
		cmocka_unit_test(confirming_believes_any_server),
		cmocka_unit_test(confirming_what_is_not_bound_is_nothing),
		cmocka_unit_test(lease_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
