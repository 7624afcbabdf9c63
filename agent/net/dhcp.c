/* SPDX-License-Identifier: MIT */
#include "net/dhcp.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define BOOTP_REQUEST 1
#define BOOTP_REPLY 2
#define HARDWARE_ETHERNET 1
#define FLAG_BROADCAST 0x8000U
#define MESSAGE_MIN 300U
/* RFC 791's minimum; a smaller one is a mistake or an attack. */
#define MTU_MIN 576U
/* RFC 2131 3.3: the time is always given; where it is not, one hour is what servers use.
 */
#define LEASE_DEFAULT_S 3600U
/* Shorter ones would have us renew all the time. */
#define LEASE_MIN_S 20U

static const uint8_t cookie[4] = {99, 130, 83, 99}; /* RFC 2131 3 */

/* 121 before 3: some servers answer in this order and cut at the end (RFC 3442). */
static const uint8_t parameters[] = {
	DHCP_OPTION_ROUTES,
	DHCP_OPTION_MASK,
	DHCP_OPTION_ROUTER,
	DHCP_OPTION_DNS,
	DHCP_OPTION_HOSTNAME,
	DHCP_OPTION_DOMAIN,
	DHCP_OPTION_MTU,
	DHCP_OPTION_NTP,
	DHCP_OPTION_LEASE_TIME,
	DHCP_OPTION_SERVER_ID,
	DHCP_OPTION_RENEW_TIME,
	DHCP_OPTION_REBIND_TIME,
	DHCP_OPTION_SEARCH,
};

static const char vendor_class[] = "promenade";

/* Appends an option. The caller's options are constant in number and size and fit. */
static size_t put_option(
	uint8_t *bytes, size_t at, enum dhcp_option code, const void *value, size_t len)
{
	bytes[at] = (uint8_t)code;
	bytes[at + 1] = (uint8_t)len;
	memcpy(bytes + at + 2, value, len);
	return at + 2 + len;
}

static bool is_zero(const uint8_t address[4])
{
	return (address[0] | address[1] | address[2] | address[3]) == 0;
}

static size_t put_options(
	const struct dhcp_request *request, uint8_t bytes[DHCP_REQUEST_MAX])
{
	uint8_t type = (uint8_t)request->type;
	uint8_t client_id[7] = {HARDWARE_ETHERNET};
	uint16_t max_size = htons(1500); /* IP datagram; ours is read whole */
	size_t at = DHCP_OPTIONS_AT;

	memcpy(client_id + 1, request->mac, sizeof(request->mac));
	at = put_option(bytes, at, DHCP_OPTION_TYPE, &type, 1);
	at = put_option(bytes, at, DHCP_OPTION_CLIENT_ID, client_id, sizeof(client_id));
	if (!is_zero(request->requested))
		at = put_option(
			bytes, at, DHCP_OPTION_REQUESTED_ADDRESS, request->requested, 4);
	if (!is_zero(request->server_id))
		at = put_option(bytes, at, DHCP_OPTION_SERVER_ID, request->server_id, 4);
	at = put_option(bytes, at, DHCP_OPTION_MAX_SIZE, &max_size, sizeof(max_size));
	at = put_option(bytes, at, DHCP_OPTION_VENDOR_CLASS, vendor_class,
		sizeof(vendor_class) - 1);
	at = put_option(
		bytes, at, DHCP_OPTION_PARAMETERS, parameters, sizeof(parameters));
	bytes[at++] = DHCP_OPTION_END;
	return at;
}

size_t dhcp_build(const struct dhcp_request *request, uint8_t bytes[DHCP_REQUEST_MAX])
{
	uint32_t xid = htonl(request->xid);
	uint16_t secs = htons(request->secs);
	uint16_t flags = htons(request->broadcast ? FLAG_BROADCAST : 0);
	size_t len;

	memset(bytes, 0, DHCP_REQUEST_MAX);
	bytes[0] = BOOTP_REQUEST;
	bytes[1] = HARDWARE_ETHERNET;
	bytes[2] = sizeof(request->mac);
	memcpy(bytes + 4, &xid, sizeof(xid));
	memcpy(bytes + 8, &secs, sizeof(secs));
	memcpy(bytes + 10, &flags, sizeof(flags));
	memcpy(bytes + 12, request->current, 4);
	memcpy(bytes + 28, request->mac, sizeof(request->mac));
	memcpy(bytes + DHCP_COOKIE_AT, cookie, sizeof(cookie));
	len = put_options(request, bytes);
	return len < MESSAGE_MIN ? MESSAGE_MIN : len;
}

void dhcp_client_id_text(const uint8_t mac[6], char text[128])
{
	(void)snprintf(text, 128, "%02x%02x%02x%02x%02x%02x%02x", HARDWARE_ETHERNET,
		mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

/* Without option 1, the class of the address (RFC 950 appendix I) as every client does.
 */
static bool parse_prefix(const uint8_t *bytes, size_t len, struct address *address)
{
	struct dhcp_value mask;

	if (dhcp_option_find(bytes, len, DHCP_OPTION_MASK, &mask))
		return mask.len == 4 &&
		       address_mask_prefix(mask.bytes, &address->prefix_len) &&
		       address->prefix_len > 0;
	if (address->bytes[0] < 128)
		address->prefix_len = 8;
	else if (address->bytes[0] < 192)
		address->prefix_len = 16;
	else
		address->prefix_len = 24;
	return true;
}

static void parse_times(const uint8_t *bytes, size_t len, struct dhcp_lease *lease)
{
	uint32_t whole = LEASE_DEFAULT_S;
	uint32_t renew, rebind;

	dhcp_option_u32(bytes, len, DHCP_OPTION_LEASE_TIME, &whole);
	if (whole < LEASE_MIN_S)
		whole = LEASE_MIN_S;
	lease->lease_s = whole;
	if (whole == UINT32_MAX) {
		lease->renew_s = lease->rebind_s = UINT32_MAX;
		return;
	}
	/* RFC 2131 4.4.5: half and seven eighths, and T1 < T2 < the end. */
	if (!dhcp_option_u32(bytes, len, DHCP_OPTION_REBIND_TIME, &rebind) ||
		rebind < LEASE_MIN_S / 2 || rebind >= whole)
		rebind = whole - whole / 8;
	if (!dhcp_option_u32(bytes, len, DHCP_OPTION_RENEW_TIME, &renew) ||
		renew >= rebind)
		renew = whole / 2 < rebind ? whole / 2 : rebind / 2;
	lease->rebind_s = rebind;
	lease->renew_s = renew < LEASE_MIN_S / 4 ? LEASE_MIN_S / 4 : renew;
}

/* Option 121 takes the place of option 3 (RFC 3442: the latter MUST be ignored). */
static void parse_routes(const uint8_t *bytes, size_t len, struct net_config *config)
{
	static const uint8_t any[4];
	struct address router;

	config->route_count =
		dhcp_option_routes(bytes, len, config->routes, NET_ROUTES_MAX);
	if (config->route_count > 0 ||
		dhcp_option_addresses(bytes, len, DHCP_OPTION_ROUTER, &router, 1) == 0)
		return;
	config->routes[0].destination = address_from_ipv4(any, 0);
	config->routes[0].gateway = router;
	config->route_count = 1;
}

static void parse_names_and_servers(
	const uint8_t *bytes, size_t len, struct net_config *config)
{
	config->dns_count = dhcp_option_addresses(
		bytes, len, DHCP_OPTION_DNS, config->dns, NET_SERVERS_MAX);
	config->ntp_count = dhcp_option_addresses(
		bytes, len, DHCP_OPTION_NTP, config->ntp, NET_SERVERS_MAX);
	dhcp_option_name(bytes, len, DHCP_OPTION_HOSTNAME, config->hostname);
	dhcp_option_name(bytes, len, DHCP_OPTION_DOMAIN, config->domain);
	dhcp_option_search(bytes, len, config->search);
}

static void parse_mtu(const uint8_t *bytes, size_t len, struct net_config *config)
{
	struct dhcp_value mtu;
	unsigned int number;

	if (!dhcp_option_find(bytes, len, DHCP_OPTION_MTU, &mtu) || mtu.len != 2)
		return;
	number = (unsigned int)mtu.bytes[0] << 8 | mtu.bytes[1];
	config->mtu = number >= MTU_MIN ? number : 0;
}

static int parse_lease(
	const uint8_t *bytes, size_t len, struct dhcp_lease *lease, struct err *err)
{
	struct net_config *config = &lease->config;

	config->address = address_from_ipv4(bytes + 16, 32); /* yiaddr */
	if (!address_is_unicast(&config->address))
		return err_set(err, E_FORMAT, "DHCP reply: it offers no usable address");
	if (!parse_prefix(bytes, len, &config->address))
		return err_set(err, E_FORMAT, "DHCP reply: its subnet mask is none");
	parse_times(bytes, len, lease);
	parse_routes(bytes, len, config);
	parse_names_and_servers(bytes, len, config);
	parse_mtu(bytes, len, config);
	return 0;
}

/* Option 56, the server's reason, made fit for a console. */
static void parse_message(const uint8_t *bytes, size_t len, struct dhcp_reply *reply)
{
	struct dhcp_value value;

	if (!dhcp_option_find(bytes, len, DHCP_OPTION_MESSAGE, &value))
		return;
	if (value.len >= sizeof(reply->message))
		value.len = sizeof(reply->message) - 1;
	memcpy(reply->message, value.bytes, value.len);
	reply->message[value.len] = '\0';
	str_make_printable(reply->message);
}

static int parse_fixed(
	const uint8_t *bytes, size_t len, struct dhcp_reply *reply, struct err *err)
{
	uint32_t xid;

	if (len < DHCP_OPTIONS_AT || len > DHCP_MESSAGE_MAX)
		return err_set(err, E_FORMAT, "DHCP reply: %zu bytes are none", len);
	if (bytes[0] != BOOTP_REPLY || bytes[1] != HARDWARE_ETHERNET || bytes[2] != 6 ||
		memcmp(bytes + DHCP_COOKIE_AT, cookie, sizeof(cookie)))
		return err_set(
			err, E_FORMAT, "DHCP reply: not a reply to an Ethernet host");
	if (!dhcp_options_sound(bytes, len))
		return err_set(err, E_FORMAT, "DHCP reply: an option runs past the end");
	memcpy(&xid, bytes + 4, sizeof(xid));
	reply->xid = ntohl(xid);
	memcpy(reply->mac, bytes + 28, sizeof(reply->mac));
	return 0;
}

int dhcp_parse(const uint8_t *bytes, size_t len, struct dhcp_reply *ret, struct err *err)
{
	struct dhcp_reply reply = {0};
	struct dhcp_value value;
	int code = parse_fixed(bytes, len, &reply, err);

	if (code < 0)
		return code;
	if (!dhcp_option_find(bytes, len, DHCP_OPTION_TYPE, &value) || value.len != 1)
		return err_set(err, E_FORMAT, "DHCP reply: no message type, so BOOTP");
	reply.type = value.bytes[0];
	if (!dhcp_option_find(bytes, len, DHCP_OPTION_SERVER_ID, &value) ||
		value.len != 4)
		return err_set(err, E_FORMAT, "DHCP reply: no server identifier");
	memcpy(reply.lease.server_id, value.bytes, 4);
	if (reply.type == DHCP_NAK)
		parse_message(bytes, len, &reply);
	else if (reply.type != DHCP_OFFER && reply.type != DHCP_ACK)
		return err_set(
			err, E_FORMAT, "DHCP reply: message type %d", (int)reply.type);
	else
		code = parse_lease(bytes, len, &reply.lease, err);
	if (code == 0)
		*ret = reply;
	return code;
}
