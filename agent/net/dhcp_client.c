/* SPDX-License-Identifier: MIT */
#include "net/dhcp_client.h"

#include <string.h>

/* RFC 2131 4.1: doubled, with jitter of up to a second either way. It has 4 s at first
 * and 64 s at most, for networks of its time; here 2 s, because the first frames over a
 * fresh carrier are often lost, and 16 s, because a port that spanning tree opens after
 * 30-50 s would otherwise sit unused for another half minute (agents.md, pain 2). iPXE
 * has 1 and 10 s. */
#define RETRY_FIRST_MS 2000U
#define RETRY_LAST_MS 16000U
#define RETRY_JITTER_MAX_MS 1000U
/* REQUESTs to one server before it counts as gone. */
#define REQUEST_TRIES 4
/* The floor of the waits before T2 and the end. RFC 2131 4.4.5 has 60 s, which leaves a
 * lease of two minutes a single try. */
#define RENEW_WAIT_MIN_MS 5000U
/* From this DISCOVER on every second one asks for a broadcast answer: some relays and
 * switches lose unicast to an address that does not answer ARP yet. */
#define BROADCAST_AFTER 2

static uint32_t next_random(struct dhcp_client *client)
{
	uint32_t x = client->random;

	/* Marsaglia's xorshift32; never 0 when it starts otherwise. */
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	client->random = x;
	return x;
}

void dhcp_client_init(struct dhcp_client *client, const uint8_t mac[6], uint32_t seed)
{
	*client = (struct dhcp_client){.next_ms = UINT64_MAX};
	memcpy(client->mac, mac, sizeof(client->mac));
	for (size_t i = 0; i < sizeof(client->mac); i++)
		seed = seed * 31U + mac[i];
	client->random = seed ? seed : 1;
}

static void select_again(struct dhcp_client *client, uint64_t at_ms)
{
	client->state = DHCP_STATE_SELECTING;
	client->xid = next_random(client);
	client->tries = 0;
	client->next_ms = at_ms;
	client->lease = (struct dhcp_lease){0};
}

void dhcp_client_start(struct dhcp_client *client, uint64_t now_ms)
{
	client->started_ms = now_ms;
	client->discovers = 0;
	client->refusals = 0;
	client->refusal[0] = '\0';
	select_again(client, now_ms);
}

void dhcp_client_stop(struct dhcp_client *client)
{
	client->state = DHCP_STATE_STOPPED;
	client->next_ms = UINT64_MAX;
	client->lease = (struct dhcp_lease){0};
}

static bool is_bound(const struct dhcp_client *client)
{
	return client->state >= DHCP_STATE_BOUND;
}

static void ask_again(struct dhcp_client *client, enum dhcp_state state, uint64_t now_ms)
{
	client->state = state;
	client->xid = next_random(client);
	client->tries = 0;
	client->started_ms = now_ms;
	client->next_ms = now_ms;
}

void dhcp_client_confirm(struct dhcp_client *client, uint64_t now_ms)
{
	/* REBINDING: on another network it is another server that says no. */
	if (is_bound(client))
		ask_again(client, DHCP_STATE_REBINDING, now_ms);
}

/* Moment at which seconds of the lease have passed; never for UINT32_MAX. */
static uint64_t lease_time(const struct dhcp_client *client, uint32_t seconds)
{
	if (seconds == UINT32_MAX)
		return UINT64_MAX;
	return client->bound_ms + (uint64_t)seconds * 1000U;
}

static uint64_t backoff_ms(struct dhcp_client *client)
{
	unsigned int doublings = client->tries < 8 ? client->tries : 8;
	uint64_t wait = (uint64_t)RETRY_FIRST_MS << doublings;
	uint64_t jitter;

	if (wait > RETRY_LAST_MS)
		wait = RETRY_LAST_MS;
	jitter = wait / 4 < RETRY_JITTER_MAX_MS ? wait / 4 : RETRY_JITTER_MAX_MS;
	return wait - jitter + next_random(client) % (2 * jitter + 1);
}

/* RFC 2131 4.4.5: half of what is left until the next state. */
static uint64_t renew_wait_ms(const struct dhcp_client *client, uint64_t now_ms)
{
	uint32_t until_s = client->state == DHCP_STATE_RENEWING ? client->lease.rebind_s
								: client->lease.lease_s;
	uint64_t until = lease_time(client, until_s);
	uint64_t half = until > now_ms ? (until - now_ms) / 2 : 0;

	if (until == UINT64_MAX)
		return RETRY_LAST_MS; /* confirming a lease that never ends */
	return half < RENEW_WAIT_MIN_MS ? RENEW_WAIT_MIN_MS : half;
}

static size_t build_frame(
	struct dhcp_client *client, uint64_t now_ms, uint8_t frame[PACKET_FRAME_MAX])
{
	struct packet_udp udp = {
		.dest_mac = {255, 255, 255, 255, 255, 255},
		.dest_ip = {255, 255, 255, 255},
		.source_port = DHCP_CLIENT_PORT,
		.dest_port = DHCP_SERVER_PORT,
	};
	uint64_t secs = (now_ms - client->started_ms) / 1000U;
	struct dhcp_request request = {
		.type = DHCP_REQUEST,
		.xid = client->xid,
		.secs = secs > UINT16_MAX ? UINT16_MAX : (uint16_t)secs,
	};
	uint8_t payload[DHCP_REQUEST_MAX];

	memcpy(request.mac, client->mac, sizeof(request.mac));
	memcpy(udp.source_mac, client->mac, sizeof(udp.source_mac));
	if (client->state == DHCP_STATE_SELECTING) {
		request.type = DHCP_DISCOVER;
		request.broadcast =
			client->tries >= BROADCAST_AFTER && client->tries % 2 == 0;
	} else if (client->state == DHCP_STATE_REQUESTING) {
		memcpy(request.requested, client->lease.config.address.bytes, 4);
		memcpy(request.server_id, client->lease.server_id, 4);
		request.broadcast = client->tries % 2 == 1;
	} else {
		memcpy(request.current, client->lease.config.address.bytes, 4);
		memcpy(udp.source_ip, client->lease.config.address.bytes, 4);
	}
	return packet_build(&udp, payload, dhcp_build(&request, payload), frame);
}

static size_t send_one(
	struct dhcp_client *client, uint64_t now_ms, uint8_t frame[PACKET_FRAME_MAX])
{
	size_t len = build_frame(client, now_ms, frame);

	if (client->state == DHCP_STATE_SELECTING)
		client->discovers++;
	client->asked_ms = now_ms;
	client->next_ms = now_ms + (is_bound(client) ? renew_wait_ms(client, now_ms)
						     : backoff_ms(client));
	client->tries++;
	return len;
}

/* Moves a bound client along its lease. False when the lease has ended. */
static bool advance_lease(struct dhcp_client *client, uint64_t now_ms)
{
	if (now_ms >= lease_time(client, client->lease.lease_s))
		return false;
	if (client->state == DHCP_STATE_BOUND)
		ask_again(client, DHCP_STATE_RENEWING, now_ms);
	if (client->state == DHCP_STATE_RENEWING &&
		now_ms >= lease_time(client, client->lease.rebind_s))
		client->state = DHCP_STATE_REBINDING;
	return true;
}

enum dhcp_event dhcp_client_tick(struct dhcp_client *client, uint64_t now_ms,
	uint8_t frame[PACKET_FRAME_MAX], size_t *ret_len)
{
	enum dhcp_event event = DHCP_EVENT_NONE;

	*ret_len = 0;
	if (client->state == DHCP_STATE_STOPPED || now_ms < client->next_ms)
		return event;
	if (client->state == DHCP_STATE_REQUESTING && client->tries >= REQUEST_TRIES)
		select_again(client, now_ms);
	if (is_bound(client) && !advance_lease(client, now_ms)) {
		dhcp_client_start(client, now_ms);
		event = DHCP_EVENT_LOST;
	}
	*ret_len = send_one(client, now_ms, frame);
	return event;
}

static enum dhcp_event take_offer(
	struct dhcp_client *client, uint64_t now_ms, const struct dhcp_reply *reply)
{
	if (client->state != DHCP_STATE_SELECTING || client->tries == 0)
		return DHCP_EVENT_NONE;
	client->state = DHCP_STATE_REQUESTING;
	client->lease = reply->lease;
	client->tries = 0;
	client->next_ms = now_ms;
	return DHCP_EVENT_OFFERED;
}

static enum dhcp_event take_ack(
	struct dhcp_client *client, const struct dhcp_reply *reply)
{
	bool renewed = is_bound(client);

	if (client->state == DHCP_STATE_REQUESTING) {
		/* Another server's acknowledgement is not the one that we asked for. */
		if (memcmp(client->lease.server_id, reply->lease.server_id, 4))
			return DHCP_EVENT_NONE;
	} else if (client->state != DHCP_STATE_RENEWING &&
		   client->state != DHCP_STATE_REBINDING) {
		return DHCP_EVENT_NONE;
	}
	if (client->tries == 0 ||
		(renewed && !address_equal(&client->lease.config.address,
				    &reply->lease.config.address)))
		return DHCP_EVENT_NONE;
	client->lease = reply->lease;
	client->state = DHCP_STATE_BOUND;
	client->bound_ms = client->asked_ms;
	client->refusals = 0;
	client->next_ms = lease_time(client, client->lease.renew_s);
	return renewed ? DHCP_EVENT_RENEWED : DHCP_EVENT_BOUND;
}

static enum dhcp_event take_nak(
	struct dhcp_client *client, uint64_t now_ms, const struct dhcp_reply *reply)
{
	bool bound = is_bound(client);
	uint64_t wait;

	if (client->tries == 0 || client->state == DHCP_STATE_SELECTING ||
		client->state == DHCP_STATE_BOUND)
		return DHCP_EVENT_NONE;
	/* Only our server may refuse, until at T2 any may (RFC 2131 4.4.5): one stray
	 * server cannot take the address away. */
	if (client->state != DHCP_STATE_REBINDING &&
		memcmp(client->lease.server_id, reply->lease.server_id, 4))
		return DHCP_EVENT_NONE;
	memcpy(client->refusal, reply->message, sizeof(client->refusal));
	client->refusals++;
	/* A server that always refuses must not be asked in a tight loop. */
	wait = (uint64_t)1000U << (client->refusals < 5 ? client->refusals - 1 : 4);
	select_again(client, now_ms + wait);
	return bound ? DHCP_EVENT_LOST : DHCP_EVENT_REFUSED;
}

enum dhcp_event dhcp_client_receive(
	struct dhcp_client *client, uint64_t now_ms, const struct packet_frame *frame)
{
	struct dhcp_reply reply;
	struct packet_udp udp;
	const uint8_t *payload;
	size_t len;

	if (client->state == DHCP_STATE_STOPPED ||
		!packet_parse(frame, &udp, &payload, &len) ||
		udp.dest_port != DHCP_CLIENT_PORT ||
		dhcp_parse(payload, len, &reply, NULL) < 0)
		return DHCP_EVENT_NONE;
	if (reply.xid != client->xid || memcmp(reply.mac, client->mac, sizeof(reply.mac)))
		return DHCP_EVENT_NONE;
	if (reply.type == DHCP_OFFER)
		return take_offer(client, now_ms, &reply);
	if (reply.type == DHCP_ACK)
		return take_ack(client, &reply);
	return take_nak(client, now_ms, &reply);
}
