/* SPDX-License-Identifier: MIT */
/* What the kernel has configured by router advertisement (RFC 4862). Reads only. */
#ifndef PROMENADE_NET_SLAAC_H
#define PROMENADE_NET_SLAAC_H

#include <stdbool.h>

#include "base/compiler.h"
#include "net/config.h"
#include "net/netlink.h"

/* True when the link has a global IPv6 address that has passed duplicate detection and a
 * default route: *ret then holds both, and the servers of rdnss where it is of this link.
 */
bool slaac_look(struct netlink *netlink, int index, const struct nlmsg_rdnss *rdnss,
	struct net_config *ret) MUST_USE;

#endif
