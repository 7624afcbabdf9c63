/* SPDX-License-Identifier: MIT */
/*
 * The state machine of a DHCPv4 client on one link (RFC 2131 4.4): pure, driven by the
 * time and by frames that somebody else sends and receives, so that tests need neither.
 *
 *   SELECTING --offer--> REQUESTING --ack--> BOUND --T1--> RENEWING --T2--> REBINDING
 *       ^-------- nak, no answer ---'          ^---- ack ----'-------------'   |
 *       '---------------- nak, end of the lease -------------------------------'
 *
 * It asks for ever. Left out on purpose: ARP probing and DECLINE (iPXE held the same
 * lease a minute ago), RELEASE (the installed OS goes on with the lease), and the unicast
 * form of RENEWING, which would need the kernel's ARP: a renewal is broadcast as in
 * REBINDING.
 */
#ifndef PROMENADE_NET_DHCP_CLIENT_H
#define PROMENADE_NET_DHCP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "net/dhcp.h"
#include "net/packet.h"

enum dhcp_state {
	DHCP_STATE_STOPPED,
	DHCP_STATE_SELECTING,
	DHCP_STATE_REQUESTING,
	DHCP_STATE_BOUND,
	DHCP_STATE_RENEWING,
	DHCP_STATE_REBINDING
};

/* What a tick or a frame has brought about. */
enum dhcp_event {
	DHCP_EVENT_NONE,
	DHCP_EVENT_OFFERED, /* a server has offered; the request goes out with the next
			       tick */
	DHCP_EVENT_BOUND,   /* client->lease is new */
	DHCP_EVENT_RENEWED, /* client->lease was extended; its options may differ */
	DHCP_EVENT_REFUSED, /* a NAK while requesting: asking again; client->refusal says
			       why */
	DHCP_EVENT_LOST /* a NAK or the end of a bound lease: stop using the address */
};

struct dhcp_client {
	enum dhcp_state state;
	uint8_t mac[6];
	uint32_t random; /* state of a small generator, for xid and jitter */
	uint32_t xid;
	uint64_t started_ms; /* of this series of tries, for secs */
	uint64_t asked_ms; /* when the last message went out: lease times count from it */
	uint64_t next_ms;  /* when the next tick has something to do; UINT64_MAX: never */
	unsigned int tries;      /* messages in this state */
	unsigned int discovers;  /* since the start, for the console */
	unsigned int refusals;   /* NAKs in a row */
	struct dhcp_lease lease; /* offered while REQUESTING, granted from BOUND on */
	uint64_t bound_ms;       /* the moment from which lease times count */
	char refusal[128];
};

/* A stopped client of the link with that MAC. seed makes its jitter differ from that of
 * other machines. */
void dhcp_client_init(struct dhcp_client *client, const uint8_t mac[6], uint32_t seed);

/* Begins at SELECTING; the first DISCOVER is due now. */
void dhcp_client_start(struct dhcp_client *client, uint64_t now_ms);

/* Goes silent and forgets the lease. */
void dhcp_client_stop(struct dhcp_client *client);

/* Asks the server now whether a bound lease still holds (the carrier was away). */
void dhcp_client_confirm(struct dhcp_client *client, uint64_t now_ms);

/* Does what is due: *ret_len > 0 is a frame to be sent now. The event is DHCP_EVENT_LOST
 * or DHCP_EVENT_NONE. */
enum dhcp_event dhcp_client_tick(struct dhcp_client *client, uint64_t now_ms,
	uint8_t frame[PACKET_FRAME_MAX], size_t *ret_len) MUST_USE;

/* Takes a received frame; one that is not for this client is DHCP_EVENT_NONE. */
enum dhcp_event dhcp_client_receive(struct dhcp_client *client, uint64_t now_ms,
	const struct packet_frame *frame) MUST_USE;

#endif
