/* SPDX-License-Identifier: MIT */
/* Builds DHCP replies byte by byte for the tests of net/dhcp*. */
#ifndef PROMENADE_TESTS_DHCP_REPLY_H
#define PROMENADE_TESTS_DHCP_REPLY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "net/dhcp.h"

struct reply {
	uint8_t bytes[DHCP_MESSAGE_MAX + 64];
	size_t len;
};

static const uint8_t reply_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

static inline void reply_add(
	struct reply *reply, uint8_t code, const void *value, size_t len)
{
	reply->bytes[reply->len++] = code;
	reply->bytes[reply->len++] = (uint8_t)len;
	memcpy(reply->bytes + reply->len, value, len);
	reply->len += len;
}

static inline void reply_end(struct reply *reply)
{
	reply->bytes[reply->len++] = DHCP_OPTION_END;
}

/* op, addresses, MAC and cookie of a reply that grants 10.0.0.7; no option yet. */
static inline void reply_fixed(struct reply *reply, uint32_t xid)
{
	static const uint8_t address[4] = {10, 0, 0, 7};
	static const uint8_t cookie[4] = {99, 130, 83, 99};

	memset(reply, 0, sizeof(*reply));
	reply->bytes[0] = 2;
	reply->bytes[1] = 1;
	reply->bytes[2] = 6;
	for (unsigned int i = 0; i < 4; i++)
		reply->bytes[4 + i] = (uint8_t)(xid >> (24 - 8 * i));
	memcpy(reply->bytes + 16, address, 4);
	memcpy(reply->bytes + 28, reply_mac, 6);
	memcpy(reply->bytes + DHCP_COOKIE_AT, cookie, 4);
	reply->len = DHCP_OPTIONS_AT;
}

/* A reply with type, server 10.0.0.SERVER and mask; the caller adds options and the end.
 */
static inline void reply_begin(
	struct reply *reply, uint32_t xid, enum dhcp_type type, uint8_t server)
{
	const uint8_t kind = (uint8_t)type;
	const uint8_t id[4] = {10, 0, 0, server};
	static const uint8_t mask[4] = {255, 255, 255, 0};

	reply_fixed(reply, xid);
	reply_add(reply, DHCP_OPTION_TYPE, &kind, 1);
	reply_add(reply, DHCP_OPTION_SERVER_ID, id, 4);
	if (type != DHCP_NAK)
		reply_add(reply, DHCP_OPTION_MASK, mask, 4);
	else
		memset(reply->bytes + 16, 0, 4);
}

#endif
