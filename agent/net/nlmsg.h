/* SPDX-License-Identifier: MIT */
/*
 * rtnetlink messages as bytes: building and parsing with every length checked. Pure: no
 * socket. Layouts from linux/netlink.h and linux/rtnetlink.h:
 *
 *   nlmsghdr | body (ifinfomsg, ifaddrmsg, rtmsg) | rtattr len,type | payload | pad to 4
 * ...
 */
#ifndef PROMENADE_NET_NLMSG_H
#define PROMENADE_NET_NLMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "net/address.h"

/* No request here comes near it: a route with every attribute is under 100 bytes. */
#define NLMSG_REQUEST_MAX 256

/* A request under construction; overflow is set instead of writing past the end. */
struct nlmsg {
	_Alignas(8) uint8_t bytes[NLMSG_REQUEST_MAX];
	size_t len;
	bool overflow;
};

/* One received message; body and len are what follows nlmsghdr. */
struct nlmsg_view {
	uint16_t type;
	uint16_t flags;
	uint32_t sequence;
	const uint8_t *body;
	size_t len;
};

/* A link as the kernel lists it. */
struct nlmsg_link {
	int index;
	char name[16];
	char kind[16]; /* IFLA_INFO_KIND: "veth", "bond"; "" for hardware */
	uint8_t mac[6];
	bool ethernet;     /* ARPHRD_ETHER with a 6-byte address, not loopback */
	bool up;           /* administratively */
	bool carrier;      /* meaningful while up */
	uint8_t operstate; /* IF_OPER_* of linux/if.h, RFC 2863 */
	int master;        /* index of the bond or bridge it belongs to, 0 for none */
	uint32_t mtu;
	uint32_t mtu_max;         /* 0: the kernel did not say */
	uint32_t carrier_changes; /* since the driver's probe */
};

/* flags are IFA_F_* (32 bits); scope is RT_SCOPE_*. */
struct nlmsg_address {
	int index;
	struct address address;
	uint32_t flags;
	uint8_t scope;
};

/* A unicast route of the main table. destination.prefix_len 0 is the default route; a
 * gateway of family 0 means on-link. */
struct nlmsg_route {
	int index;
	struct address destination;
	struct address gateway;
	struct address source; /* preferred source; family 0 for none */
	uint8_t protocol;      /* RTPROT_* */
	bool onlink; /* the gateway is on the link though no address covers it */
	uint32_t metric;
};

/* Recursive DNS servers of a router advertisement (RFC 8106 5.1). */
#define NLMSG_RDNSS_MAX 3
struct nlmsg_rdnss {
	int index;
	size_t count;
	struct address servers[NLMSG_RDNSS_MAX];
};

/* Starts a request of type with flags and a body (copied). The sequence number is set by
 * whoever sends it. */
void nlmsg_begin(struct nlmsg *message, uint16_t type, uint16_t flags, const void *body,
	size_t len);

/* Appends one attribute. */
void nlmsg_add(struct nlmsg *message, uint16_t type, const void *bytes, size_t len);

/* Steps through a received datagram: *offset starts at 0. False at the end or at a header
 * whose length is wrong (nothing behind it can be trusted). */
bool nlmsg_next(const uint8_t *bytes, size_t len, size_t *offset,
	struct nlmsg_view *ret) MUST_USE;

/* The error number of an NLMSG_ERROR (0 is the acknowledgement) as a positive errno;
 * EPROTO when it is too short. */
int nlmsg_error(const struct nlmsg_view *view) MUST_USE;

/* Parses RTM_NEWLINK. False when it is another type or its lengths are wrong. */
bool nlmsg_parse_link(const struct nlmsg_view *view, struct nlmsg_link *ret) MUST_USE;

/* Parses RTM_NEWADDR. False as above, or when it carries no address. */
bool nlmsg_parse_address(
	const struct nlmsg_view *view, struct nlmsg_address *ret) MUST_USE;

/* Parses RTM_NEWROUTE. False as above, or when it is not a unicast route of the main
 * table over one link. */
bool nlmsg_parse_route(const struct nlmsg_view *view, struct nlmsg_route *ret) MUST_USE;

/* Parses RTM_NEWNDUSEROPT with an RDNSS option of a non-zero lifetime. False otherwise.
 */
bool nlmsg_parse_rdnss(const struct nlmsg_view *view, struct nlmsg_rdnss *ret) MUST_USE;

/* A request that sets the link up or down. NLM_F_ACK is in this one and all below. */
void nlmsg_put_link_up(struct nlmsg *message, int index, bool up);

/* A request that sets the MTU in bytes. */
void nlmsg_put_link_mtu(struct nlmsg *message, int index, uint32_t mtu);

/* RTM_NEWADDR or RTM_DELADDR with further flags (NLM_F_CREATE, NLM_F_REPLACE); an IPv4
 * address gets the broadcast address of its prefix. */
void nlmsg_put_address(struct nlmsg *message, uint16_t type, uint16_t flags,
	const struct nlmsg_address *address);

/* RTM_NEWROUTE or RTM_DELROUTE in the main table; a deletion matches any scope, and any
 * protocol where the route's is 0. */
void nlmsg_put_route(struct nlmsg *message, uint16_t type, uint16_t flags,
	const struct nlmsg_route *route);

#endif
