/* SPDX-License-Identifier: MIT */
#include "net/slaac.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* Prefers a stable address to a temporary one (RFC 8981): servers write it down. */
static bool find_address(const struct netlink_addresses *list, struct address *ret)
{
	bool found = false;

	for (size_t i = 0; i < list->count; i++) {
		const struct nlmsg_address *item = &list->items[i];

		if (item->address.family != AF_INET6 ||
			item->scope != RT_SCOPE_UNIVERSE ||
			(item->flags &
				(IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)))
			continue;
		if (!found || !(item->flags & IFA_F_TEMPORARY))
			*ret = item->address;
		found = true;
	}
	return found;
}

static bool find_router(const struct netlink_routes *list, struct net_route *ret)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct nlmsg_route *item = &list->items[i];

		if (item->destination.family == AF_INET6 &&
			item->destination.prefix_len == 0 && item->gateway.family) {
			*ret = (struct net_route){item->destination, item->gateway};
			return true;
		}
	}
	return false;
}

bool slaac_look(struct netlink *netlink, int index, const struct nlmsg_rdnss *rdnss,
	struct net_config *ret)
{
	struct netlink_addresses addresses;
	struct netlink_routes routes;
	struct net_config config = {0};

	/* A listing that fails is a look that finds nothing; the next one is a second
	 * away. */
	if (netlink_list_addresses(netlink, index, &addresses, NULL) < 0 ||
		!find_address(&addresses, &config.address) ||
		netlink_list_routes(netlink, index, &routes, NULL) < 0 ||
		!find_router(&routes, &config.routes[0]))
		return false;
	config.route_count = 1;
	if (rdnss->index == index) {
		config.dns_count = rdnss->count;
		memcpy(config.dns, rdnss->servers, sizeof(rdnss->servers));
	}
	*ret = config;
	return true;
}
