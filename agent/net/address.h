/* SPDX-License-Identifier: MIT */
/* An IP address with its prefix length, as rtnetlink and DHCP carry it. Pure. */
#ifndef PROMENADE_NET_ADDRESS_H
#define PROMENADE_NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255" and its NUL (INET6_ADDRSTRLEN). */
#define ADDRESS_TEXT_MAX 46
/* "aa:bb:cc:dd:ee:ff" and its NUL. */
#define MAC_TEXT_MAX 18

/* family is AF_INET, AF_INET6, or 0 when there is none; bytes are in network order. */
struct address {
	int family;
	unsigned int prefix_len;
	uint8_t bytes[16];
};

/* The IPv4 address in four bytes of network order, with that prefix length. */
struct address address_from_ipv4(
	const uint8_t bytes[4], unsigned int prefix_len) MUST_USE;

/* Parses "192.0.2.7", "2001:db8::7" or "[2001:db8::7]"; the prefix length is that of one
 * host. No zone, no "/". False otherwise; *ret untouched then. */
bool address_parse(const char *text, struct address *ret) MUST_USE;

/* Writes the address without its prefix length; "" when there is none. */
void address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);

/* Prefix length of four mask bytes. False when the ones are not contiguous. */
bool address_mask_prefix(const uint8_t mask[4], unsigned int *ret) MUST_USE;

/* True for what a host or a router may be given: not unspecified, loopback, multicast,
 * IPv4 class E or the IPv4 broadcast address. */
bool address_is_unicast(const struct address *address) MUST_USE;

/* True for an IPv6 address of fe80::/10 or an IPv4 address of 169.254.0.0/16. */
bool address_is_link_local(const struct address *address) MUST_USE;

/* True when both are of one family and other is in network's prefix. */
bool address_in_prefix(
	const struct address *network, const struct address *other) MUST_USE;

/* True when family and bytes are equal; the prefix length does not count. */
bool address_equal(const struct address *a, const struct address *b) MUST_USE;

/* Bytes of an address of family: 4 or 16, 0 for another family. */
size_t address_size(int family) MUST_USE;

/* Writes lower-case hex with colons. */
void mac_format(const uint8_t mac[6], char text[MAC_TEXT_MAX]);

#endif
