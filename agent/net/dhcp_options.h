/* SPDX-License-Identifier: MIT */
/*
 * The options of a DHCPv4 message (RFC 2132): finding them over the three areas that
 * option 52 may open, joining split ones (RFC 3396), and decoding the types that we use.
 * Pure, for bytes from anybody on the link: every length is checked, nothing recurses.
 */
#ifndef PROMENADE_NET_DHCP_OPTIONS_H
#define PROMENADE_NET_DHCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "net/address.h"
#include "net/config.h"

/* RFC 2131 2 and figure 1: op, htype, hlen, hops, xid, secs, flags, four addresses,
 * chaddr, sname 64, file 128, then the magic cookie and options. */
#define DHCP_SNAME_AT 44U
#define DHCP_SNAME_LEN 64U
#define DHCP_FILE_AT 108U
#define DHCP_FILE_LEN 128U
#define DHCP_COOKIE_AT 236U
#define DHCP_OPTIONS_AT 240U
/* UDP payload of one Ethernet frame; longer messages are not read. */
#define DHCP_MESSAGE_MAX 1472U

enum dhcp_option {
	DHCP_OPTION_PAD = 0,
	DHCP_OPTION_MASK = 1,
	DHCP_OPTION_ROUTER = 3,
	DHCP_OPTION_DNS = 6,
	DHCP_OPTION_HOSTNAME = 12,
	DHCP_OPTION_DOMAIN = 15,
	DHCP_OPTION_MTU = 26,
	DHCP_OPTION_NTP = 42,
	DHCP_OPTION_REQUESTED_ADDRESS = 50,
	DHCP_OPTION_LEASE_TIME = 51,
	DHCP_OPTION_OVERLOAD = 52,
	DHCP_OPTION_TYPE = 53,
	DHCP_OPTION_SERVER_ID = 54,
	DHCP_OPTION_PARAMETERS = 55,
	DHCP_OPTION_MESSAGE = 56,
	DHCP_OPTION_MAX_SIZE = 57,
	DHCP_OPTION_RENEW_TIME = 58,
	DHCP_OPTION_REBIND_TIME = 59,
	DHCP_OPTION_VENDOR_CLASS = 60,
	DHCP_OPTION_CLIENT_ID = 61,
	DHCP_OPTION_SEARCH = 119,
	DHCP_OPTION_ROUTES = 121,
	DHCP_OPTION_END = 255
};

/* The bytes of one option, joined. */
struct dhcp_value {
	uint8_t bytes[DHCP_MESSAGE_MAX];
	size_t len;
};

/* True when no option of the message runs past the end of its area; ask this first. len
 * is at least DHCP_OPTIONS_AT. */
bool dhcp_options_sound(const uint8_t *message, size_t len) MUST_USE;

/* Joins all instances of code. False when there is none. */
bool dhcp_option_find(const uint8_t *message, size_t len, enum dhcp_option code,
	struct dhcp_value *ret) MUST_USE;

/* A 32-bit number. False when it is missing or of another length; *ret stays then, so
 * that a caller may set its default first. */
bool dhcp_option_u32(
	const uint8_t *message, size_t len, enum dhcp_option code, uint32_t *ret);

/* Unicast IPv4 addresses, at most max; others in the list are left out. Returns how many.
 */
size_t dhcp_option_addresses(const uint8_t *message, size_t len, enum dhcp_option code,
	struct address *ret, size_t max) MUST_USE;

/* A host or domain name as value_dns_name() has it, folded to lower case and a final dot
 * removed. False when it is missing, longer than fits, or anything
 * else: it goes into host names, files and URLs. name stays then. */
bool dhcp_option_name(
	const uint8_t *message, size_t len, enum dhcp_option code, char name[256]);

/* Routes of option 121, at most max, host bits cleared. Returns how many; 0 also when any
 * entry is malformed, for then none can be trusted. */
size_t dhcp_option_routes(
	const uint8_t *message, size_t len, struct net_route *ret, size_t max) MUST_USE;

/* The search list of option 119 (RFC 3397, compressed names) as names with spaces between
 * them. False when it is missing, malformed or does not fit; search stays
 * then. */
bool dhcp_option_search(const uint8_t *message, size_t len, char search[256]);

#endif
