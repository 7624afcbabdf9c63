/* SPDX-License-Identifier: MIT */
/*
 * Whatever a host on the link may send to a DHCP client: as a frame through the whole way
 * of a client that is asking, and, so that checksums and xid do not keep the fuzzer out,
 * as a bare message. What was accepted must hold what the rest of the agent relies on.
 *
 * Links: net/address net/config net/dhcp net/dhcp_client net/dhcp_options net/netlink
 * Links: net/nlmsg net/packet base/err base/fs base/log base/str model/role_address
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/role_value.h"
#include "net/dhcp_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_config(const struct net_config *config)
{
	demand(address_is_unicast(&config->address));
	demand(config->address.prefix_len >= 1 && config->address.prefix_len <= 32);
	demand(config->route_count <= NET_ROUTES_MAX);
	demand(config->dns_count <= NET_SERVERS_MAX &&
		config->ntp_count <= NET_SERVERS_MAX);
	for (size_t i = 0; i < config->route_count; i++) {
		demand(config->routes[i].destination.prefix_len <= 32);
		demand(!config->routes[i].gateway.family ||
			address_is_unicast(&config->routes[i].gateway));
	}
	demand(!config->hostname[0] || !value_dns_name(config->hostname));
	demand(!config->domain[0] || !value_dns_name(config->domain));
	demand(strlen(config->search) < sizeof(config->search));
	demand(!strchr(config->search, '\n'));
	demand(!config->mtu || config->mtu >= 576);
}

static void fuzz_message(const uint8_t *bytes, size_t len)
{
	struct dhcp_reply reply;
	struct err err = ERR_INIT;

	if (dhcp_parse(bytes, len, &reply, &err) < 0) {
		demand(err.code == -E_FORMAT);
		return;
	}
	demand(memchr(reply.message, 0, sizeof(reply.message)) != NULL);
	if (reply.type == DHCP_NAK)
		return;
	check_config(&reply.lease.config);
	demand(reply.lease.renew_s >= 5 && reply.lease.renew_s <= reply.lease.rebind_s);
	demand(reply.lease.rebind_s <= reply.lease.lease_s);
}

static void fuzz_frame(const uint8_t *bytes, size_t len)
{
	static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};
	struct packet_frame frame = {.len = len, .checksum_ready = false};
	uint8_t sent[PACKET_FRAME_MAX];
	struct dhcp_client client;
	size_t sent_len;

	if (len > sizeof(frame.bytes))
		return;
	memcpy(frame.bytes, bytes, len);
	dhcp_client_init(&client, mac, 1);
	dhcp_client_start(&client, 1000);
	(void)!dhcp_client_tick(&client, 1000, sent, &sent_len);
	(void)!dhcp_client_receive(&client, 1001, &frame);
	(void)!dhcp_client_tick(&client, 1001, sent, &sent_len);
	demand(client.state == DHCP_STATE_SELECTING ||
		client.state == DHCP_STATE_REQUESTING);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	fuzz_message(bytes, len);
	fuzz_frame(bytes, len);
	return 0;
}
