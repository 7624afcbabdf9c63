/* SPDX-License-Identifier: MIT */
/*
 * What one link is to be given, wherever it comes from (DHCP, ip=, a router
 * advertisement), and putting it into effect.
 */
#ifndef PROMENADE_NET_CONFIG_H
#define PROMENADE_NET_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"
#include "model/facts.h"
#include "net/address.h"
#include "net/netlink.h"

#define NET_ROUTES_MAX 32
#define NET_SERVERS_MAX 4

/* A gateway of family 0 is on-link; a destination of prefix length 0 is the default. */
struct net_route {
	struct address destination;
	struct address gateway;
};

struct net_config {
	struct address address; /* with its prefix length; family 0: none */
	struct net_route routes[NET_ROUTES_MAX];
	size_t route_count;
	struct address dns[NET_SERVERS_MAX];
	size_t dns_count;
	struct address ntp[NET_SERVERS_MAX];
	size_t ntp_count;
	char hostname[256];
	char domain[256];
	char search[256]; /* names with spaces between them */
	unsigned int mtu; /* bytes; 0: not given */
};

/* After success the link has this address as its only one of the family, and these
 * routes; others of the family are removed first. The MTU is set where the driver can; it
 * stays after net_down(), the installed OS is told the same one. protocol is RTPROT_DHCP
 * or RTPROT_STATIC. Errors: those of netlink; a route that the kernel refuses names
 * itself. */
int config_apply(struct netlink *netlink, const struct nlmsg_link *link,
	const struct net_config *config, unsigned char protocol,
	struct err *err) MUST_USE;

/* Writes etc/resolv.conf beneath env->run_fd for the C library's resolver, with short
 * timeouts. Without a server the file stays as it is. Errors: those of fs_replace(). */
int config_write_resolver(
	const struct env *env, const struct net_config *config, struct err *err) MUST_USE;

/* Describes the configured link for the planner. *ret owns its lists (strlist_done()
 * each). Errors: ENOMEM; *ret is untouched then. */
int config_to_lease(const struct nlmsg_link *link, const struct net_config *config,
	struct fact_lease *ret, struct err *err) MUST_USE;

/* True when both would have the same effect. */
bool config_equal(const struct net_config *a, const struct net_config *b) MUST_USE;

/* The gateway of the default route, or NULL. Points into config. */
const struct address *config_gateway(const struct net_config *config) MUST_USE;

#endif
