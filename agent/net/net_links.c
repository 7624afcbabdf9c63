/* SPDX-License-Identifier: MIT */
#include "net/net_state.h"

#include <string.h>

#include "base/fs.h"
#include "base/log.h"

/* A driver that refused once may find its firmware or its PHY later. */
#define UP_RETRY_MS 10000U

bool net_link_is_wired(const struct nlmsg_link *link)
{
	return link->ethernet && link->master == 0 &&
	       (link->kind[0] == '\0' || !strcmp(link->kind, "veth"));
}

static bool is_boot_link(const struct net *net, const struct nlmsg_link *link)
{
	const struct cmdline_ip *ip = net->request.ip;
	char mac[MAC_TEXT_MAX];

	if (ip && ip->device[0])
		return !strcmp(ip->device, link->name);
	mac_format(link->mac, mac);
	return !strcmp(net->request.boot_mac, mac);
}

struct net_link *net_links_boot(struct net *net)
{
	for (size_t i = 0; i < net->count; i++)
		if (net->links[i].boot && net->links[i].present)
			return &net->links[i];
	return NULL;
}

/* The slot of this hardware, whatever its name is by now; else a free one; else NULL. */
static struct net_link *find_or_add(struct net *net, const struct nlmsg_link *link)
{
	struct net_link *free_slot = NULL;

	for (size_t i = 0; i < net->count; i++) {
		struct net_link *slot = &net->links[i];

		if (!slot->present && slot != net->chosen)
			free_slot = slot;
		else if (slot->link.index == link->index &&
			 !memcmp(slot->link.mac, link->mac, sizeof(link->mac)))
			return slot;
	}
	if (!free_slot && net->count < NETLINK_LINKS_MAX)
		free_slot = &net->links[net->count++];
	if (!free_slot)
		return NULL;
	*free_slot = (struct net_link){.fd = -1};
	dhcp_client_init(&free_slot->client, link->mac, net->env->random_seed);
	return free_slot;
}

static void forget(struct net_link *link)
{
	link->present = false;
	link->carrier_since_ms = 0;
	dhcp_client_stop(&link->client);
	fd_close(&link->fd);
}

static void set_up(struct net *net, struct net_link *link, uint64_t now_ms)
{
	struct err err = ERR_INIT;
	bool first = link->up_error[0] == '\0';

	if (link->link.up || now_ms < link->up_retry_ms)
		return;
	if (netlink_set_up(&net->netlink, &link->link, true, &err) == 0) {
		link->up_error[0] = '\0';
		net->links_changed = true; /* the carrier may be there already */
		return;
	}
	link->up_retry_ms = now_ms + UP_RETRY_MS;
	(void)str_copy(link->up_error, sizeof(link->up_error), err.text);
	if (first)
		log_event(LOG_LEVEL_WARN, "network", "link",
			"%s; trying again every %u s", err.text, UP_RETRY_MS / 1000U);
}

/* The boot link first: a driver may take seconds, and the others can wait for it. */
static void set_all_up(struct net *net, uint64_t now_ms)
{
	for (int boot = 1; boot >= 0; boot--)
		for (size_t i = 0; i < net->count; i++)
			if (net->links[i].present && net->links[i].boot == (boot != 0))
				set_up(net, &net->links[i], now_ms);
}

/* A carrier that went and came back between two listings shows in the counter only. */
static void note_carrier(
	struct net_link *link, const struct nlmsg_link *before, uint64_t now_ms)
{
	bool flapped = link->link.carrier_changes != before->carrier_changes;

	if (link->link.up && link->link.carrier) {
		if (link->carrier_since_ms != 0 && !flapped)
			return;
		link->carrier_since_ms = now_ms;
	} else {
		if (link->carrier_since_ms == 0)
			return;
		link->carrier_since_ms = 0;
		link->carrier_gone_ms = now_ms;
	}
	log_event(LOG_LEVEL_DEBUG, "network", "link", "%s: carrier %s", link->link.name,
		link->carrier_since_ms ? "on" : "off");
}

int net_links_refresh(struct net *net, struct err *err)
{
	uint64_t now_ms = net->env->now_ms();
	struct netlink_links listed;
	bool seen[NETLINK_LINKS_MAX] = {false};
	int code = netlink_list_links(&net->netlink, &listed, err);

	if (code < 0)
		return code;
	net->links_changed = false;
	for (size_t i = 0; i < listed.count; i++) {
		struct net_link *link;
		struct nlmsg_link before;

		if (!net_link_is_wired(&listed.items[i]))
			continue;
		link = find_or_add(net, &listed.items[i]);
		if (!link)
			continue;
		seen[link - net->links] = true;
		before = link->present ? link->link : listed.items[i];
		link->link = listed.items[i];
		link->present = true;
		link->boot = is_boot_link(net, &link->link);
		note_carrier(link, &before, now_ms);
	}
	for (size_t i = 0; i < net->count; i++)
		if (!seen[i])
			forget(&net->links[i]);
	set_all_up(net, now_ms);
	return 0;
}

bool net_links_others_due(struct net *net, uint64_t now_ms)
{
	const struct net_link *boot = net_links_boot(net);

	if (!net->boot_named)
		return true;
	if (net->static_config)
		return false; /* an address that belongs on that link and no other */
	if (now_ms - net->started_ms < net->request.grace_ms)
		return false;
	return !boot || boot->client.state < DHCP_STATE_REQUESTING;
}
