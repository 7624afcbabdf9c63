/* SPDX-License-Identifier: MIT */
/* The line that a person in front of a waiting machine reads (agents.md, pains 1 and 2).
 */
#include "net/net_state.h"

#include <stdarg.h>
#include <stdio.h>

/* Memory that has run out makes the line shorter, no more. */
static void add(struct buf *text, const char *fmt, ...) PRINTF(2, 3);

static void add(struct buf *text, const char *fmt, ...)
{
	char part[512];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(part, sizeof(part), fmt, args);
	va_end(args);
	IGNORE_RESULT(buf_add_str(text, part));
}

static void add_name(struct buf *text, const struct net_link *link)
{
	char mac[MAC_TEXT_MAX];

	mac_format(link->link.mac, mac);
	add(text, "%s (%s%s)", link->link.name, link->boot ? "BOOTIF " : "", mac);
}

/* What this one link awaits, after "waiting for ". */
static void add_awaited(
	const struct net *net, const struct net_link *link, struct buf *text)
{
	const struct dhcp_client *client = &link->client;
	char server[ADDRESS_TEXT_MAX];
	struct address address = address_from_ipv4(client->lease.server_id, 32);

	if (link->up_error[0]) {
		add(text, "link ");
		add_name(text, link);
		add(text, " to go up: %s", link->up_error);
	} else if (link->carrier_since_ms == 0) {
		add(text, "carrier on ");
		add_name(text, link);
	} else if (net->ra_only) {
		add(text, "a router advertisement on ");
		add_name(text, link);
	} else if (client->state == DHCP_STATE_REQUESTING) {
		address_format(&address, server);
		add(text, "the DHCP server %s to acknowledge on ", server);
		add_name(text, link);
	} else if (client->state >= DHCP_STATE_BOUND) {
		add_name(text, link);
		add(text, " has a lease, which is taken if the boot link stays silent");
	} else {
		add(text, "a DHCP offer on ");
		add_name(text, link);
		add(text, ", %u DISCOVER%s sent", client->discovers,
			client->discovers == 1 ? "" : "s");
	}
	if (client->refusal[0])
		add(text, ", last refused: '%s'", client->refusal);
}

static void add_links(struct net *net, uint64_t now_ms, struct buf *text)
{
	const struct net_link *boot = net_links_boot(net);
	bool others = !boot && net_links_others_due(net, now_ms);
	size_t named = 0;

	if (boot) {
		add_awaited(net, boot, text);
		others = net_links_others_due(net, now_ms);
		named++;
	} else if (net->boot_named) {
		const struct cmdline_ip *ip = net->request.ip;

		add(text, "the boot NIC %s to appear",
			ip && ip->device[0] ? ip->device : net->request.boot_mac);
		named++;
	}
	for (size_t i = 0; i < net->count && others; i++) {
		const struct net_link *link = &net->links[i];

		if (link->boot || !link->present)
			continue;
		add(text, "%s", named++ ? "; " : "");
		add_awaited(net, link, text);
	}
	if (named == 0)
		add(text, "a wired link to appear (is its driver in the initramfs?)");
}

void net_wait_text(struct net *net, uint64_t now_ms, struct buf *ret)
{
	uint64_t waited_s = (now_ms - net->started_ms) / 1000U;

	add(ret, "waiting for ");
	add_links(net, now_ms, ret);
	add(ret, ", %llu s; ", (unsigned long long)waited_s);
	if (net->request.timeout_ms)
		add(ret, "gives up after %u s", net->request.timeout_ms / 1000U);
	else
		add(ret, "no hard end");
}
