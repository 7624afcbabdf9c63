/* SPDX-License-Identifier: MIT */
/*
 * DHCPv4 messages: what we ask and what a server's answer says (RFC 2131, 2132, 3442).
 * Pure.
 *
 * The client identifier (option 61) is hardware type 1 and the MAC, the same bytes that
 * iPXE sends: the server then hands the agent the address that iPXE had, and the
 * installed OS gets it too when it is told the same (systemd-networkd
 * ClientIdentifier=mac, NetworkManager ipv4.dhcp-client-id=mac). A server takes two
 * identifiers for two machines.
 */
#ifndef PROMENADE_NET_DHCP_H
#define PROMENADE_NET_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "net/config.h"
#include "net/dhcp_options.h"

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68
/* What we send: the fixed part and our options, under the BOOTP minimum of 300 or little
 * over it. */
#define DHCP_REQUEST_MAX 400U

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_ACK = 5,
	DHCP_NAK = 6
};

/* What a client says. Addresses of zero are left out of the message's options. */
struct dhcp_request {
	enum dhcp_type type; /* DHCP_DISCOVER or DHCP_REQUEST */
	uint32_t xid;
	uint16_t secs;
	bool broadcast; /* asks the server to answer by broadcast */
	uint8_t mac[6];
	uint8_t current[4];   /* ciaddr: our address when renewing */
	uint8_t requested[4]; /* option 50 */
	uint8_t server_id[4]; /* option 54 */
};

/* What a server grants. Times are seconds from the moment the request was sent;
 * UINT32_MAX is for ever. */
struct dhcp_lease {
	struct net_config config; /* routes of option 121, else of option 3 */
	uint8_t server_id[4];
	uint32_t lease_s;
	uint32_t renew_s;
	uint32_t rebind_s;
};

/* A server's answer. lease is filled for DHCP_OFFER and DHCP_ACK; of a DHCP_NAK only its
 * server_id, and message says why (printable, may be ""). */
struct dhcp_reply {
	enum dhcp_type type;
	uint32_t xid;
	uint8_t mac[6];
	struct dhcp_lease lease;
	char message[128];
};

/* Builds the UDP payload. Returns its length (at least 300, the BOOTP minimum of RFC 1542
 * 2.1). */
size_t dhcp_build(
	const struct dhcp_request *request, uint8_t bytes[DHCP_REQUEST_MAX]) MUST_USE;

/* The client identifier that dhcp_build() sends for this MAC, as lower-case hex digits.
 */
void dhcp_client_id_text(const uint8_t mac[6], char text[128]);

/* Parses the UDP payload of a reply. An optional option that is malformed counts as
 * missing. Errors: E_FORMAT for what is no usable OFFER, ACK or NAK: truncated, no server
 * identifier, an address that no host can have (proxyDHCP offers have 0.0.0.0). */
int dhcp_parse(const uint8_t *bytes, size_t len, struct dhcp_reply *ret,
	struct err *err) MUST_USE;

#endif
