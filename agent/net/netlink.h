/* SPDX-License-Identifier: MIT */
/*
 * Links, addresses and routes of the running kernel through rtnetlink. Listing is a read
 * and uses the socket directly; every change is one request through sys->netlink_send
 * whose acknowledgement is awaited (the kernel answers within the send, so nothing here
 * blocks on another party).
 */
#ifndef PROMENADE_NET_NETLINK_H
#define PROMENADE_NET_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/sys.h"
#include "net/nlmsg.h"

/* Bounds of what is listed; more is cut, which a machine with that many ports survives.
 */
#define NETLINK_LINKS_MAX 64
#define NETLINK_ADDRESSES_MAX 128
#define NETLINK_ROUTES_MAX 256

struct netlink {
	const struct sys_ops *sys;
	int fd;
	uint32_t sequence;
};

#define NETLINK_INIT                                                                     \
	{                                                                                \
		NULL, -1, 0                                                              \
	}

struct netlink_links {
	struct nlmsg_link items[NETLINK_LINKS_MAX];
	size_t count;
};

struct netlink_addresses {
	struct nlmsg_address items[NETLINK_ADDRESSES_MAX];
	size_t count;
};

struct netlink_routes {
	struct nlmsg_route items[NETLINK_ROUTES_MAX];
	size_t count;
};

/* Opens a request socket in this process's network namespace; sys is borrowed. Caller
 * netlink_close()s. Errors: errno of socket and bind. */
int netlink_open(
	struct netlink *netlink, const struct sys_ops *sys, struct err *err) MUST_USE;

/* Closes; takes NETLINK_INIT. */
void netlink_close(struct netlink *netlink);

/* All links, loopback too, by index. Errors: errno; E_NET when the kernel's answer cannot
 * be read. */
int netlink_list_links(
	struct netlink *netlink, struct netlink_links *ret, struct err *err) MUST_USE;

/* All IPv4 and IPv6 addresses of one link. Errors: as above. */
int netlink_list_addresses(struct netlink *netlink, int index,
	struct netlink_addresses *ret, struct err *err) MUST_USE;

/* All unicast routes of the main table over one link, IPv4 and IPv6. Errors: as above. */
int netlink_list_routes(struct netlink *netlink, int index, struct netlink_routes *ret,
	struct err *err) MUST_USE;

/* Sets a link administratively up or down. Errors: errno; ENOENT from a NIC driver is its
 * firmware file missing in the image (node.md 1.2). Blocks while the driver starts the
 * NIC, seconds at worst. */
int netlink_set_up(struct netlink *netlink, const struct nlmsg_link *link, bool up,
	struct err *err) MUST_USE;

/* Sets the MTU in bytes. Errors: EINVAL outside the driver's range. */
int netlink_set_mtu(struct netlink *netlink, const struct nlmsg_link *link, uint32_t mtu,
	struct err *err) MUST_USE;

/* Adds the address, or refreshes it where it is there already. Errors: errno. */
int netlink_add_address(struct netlink *netlink, const struct nlmsg_address *address,
	struct err *err) MUST_USE;

/* Removes the address; a missing one is success. Errors: errno. */
int netlink_remove_address(struct netlink *netlink, const struct nlmsg_address *address,
	struct err *err) MUST_USE;

/* Adds the route, or replaces the one of the same destination and metric. Errors: errno
 * (ENETUNREACH: no address covers the gateway and onlink is not set). */
int netlink_add_route(struct netlink *netlink, const struct nlmsg_route *route,
	struct err *err) MUST_USE;

/* Removes all addresses and all unicast main-table routes of one link and family
 * (AF_INET, AF_INET6, or AF_UNSPEC for both), apart from link-local IPv6, which the
 * kernel owns and drops with the link, and connected routes, which go with their address.
 * keep, where not NULL, is an address that stays. Errors: the first; the rest is still
 * tried. */
int netlink_flush(struct netlink *netlink, int index, int family,
	const struct address *keep, struct err *err) MUST_USE;

/* A socket that gets a message for every link change and every user option of a router
 * advertisement; for poll(2). Returns the fd, non-blocking and O_CLOEXEC, or negative.
 * Errors: errno. */
int netlink_monitor_open(struct err *err) MUST_USE;

/* Reads what is pending. Returns true when anything was (or was lost, ENOBUFS): list
 * again. rdnss receives the newest RDNSS option per link, where one came. */
bool netlink_monitor_drain(int fd, struct nlmsg_rdnss *rdnss) MUST_USE;

#endif
