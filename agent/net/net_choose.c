/* SPDX-License-Identifier: MIT */
/* Which link the machine goes with, and with what; the order of preference is in net.h.
 */
#include <string.h>

#include "net/net_state.h"
#include "net/slaac.h"

/* Whether a lease or carrier on this link may be used now (net.h, order of preference).
 */
static bool may_choose(struct net *net, const struct net_link *link, uint64_t now_ms)
{
	const struct net_link *boot = net_links_boot(net);

	if (!link->present || link->carrier_since_ms == 0)
		return false;
	if (link->boot || !net->boot_named)
		return true;
	if (!net_links_others_due(net, now_ms))
		return false;
	return !boot || boot->carrier_since_ms == 0 ||
	       now_ms - boot->carrier_since_ms >= net->request.patience_ms;
}

void net_prefer_given(const struct net_config *given, struct net_config *config)
{
	if (given->dns_count) {
		memcpy(config->dns, given->dns, sizeof(config->dns));
		config->dns_count = given->dns_count;
	}
	if (given->ntp_count) {
		memcpy(config->ntp, given->ntp, sizeof(config->ntp));
		config->ntp_count = given->ntp_count;
	}
	if (given->hostname[0])
		memcpy(config->hostname, given->hostname, sizeof(config->hostname));
	if (given->mtu)
		config->mtu = given->mtu;
}

/* Fills *config from this link if it has something usable by now. */
static bool link_config(struct net *net, struct net_link *link, uint64_t now_ms,
	struct net_config *config)
{
	if (!may_choose(net, link, now_ms))
		return false;
	if (net->static_config) {
		*config = net->given;
		return true;
	}
	if (link->client.state >= DHCP_STATE_BOUND) {
		*config = link->client.lease.config;
		net_prefer_given(&net->given, config);
		return true;
	}
	if (link->client.state == DHCP_STATE_REQUESTING ||
		(!net->ra_only && now_ms - net->started_ms < net->request.ra_ms))
		return false;
	if (!slaac_look(&net->netlink, link->link.index, &net->rdnss, config))
		return false;
	net_prefer_given(&net->given, config);
	return true;
}

struct net_link *net_choose(struct net *net, uint64_t now_ms, struct net_config *config)
{
	struct net_link *boot = net_links_boot(net);

	if (boot && link_config(net, boot, now_ms, config))
		return boot;
	for (size_t i = 0; i < net->count; i++)
		if (&net->links[i] != boot &&
			link_config(net, &net->links[i], now_ms, config))
			return &net->links[i];
	return NULL;
}
