/* SPDX-License-Identifier: MIT */
#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

struct address address_from_ipv4(const uint8_t bytes[4], unsigned int prefix_len)
{
	struct address address = {.family = AF_INET, .prefix_len = prefix_len};

	memcpy(address.bytes, bytes, 4);
	return address;
}

bool address_parse(const char *text, struct address *ret)
{
	struct address address = {0};
	char inner[ADDRESS_TEXT_MAX + 2];
	size_t len;

	if (!str_copy(inner, sizeof(inner), text))
		return false;
	len = strlen(inner);
	if (len > 2 && inner[0] == '[' && inner[len - 1] == ']') {
		memmove(inner, inner + 1, len - 2);
		inner[len - 2] = '\0';
	}
	if (inner[0] != '\0' && !strchr(inner, ':') && text[0] != '[' &&
		inet_pton(AF_INET, inner, address.bytes) == 1) {
		address.family = AF_INET;
		address.prefix_len = 32;
	} else if (inet_pton(AF_INET6, inner, address.bytes) == 1) {
		address.family = AF_INET6;
		address.prefix_len = 128;
	} else {
		return false;
	}
	*ret = address;
	return true;
}

void address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
	text[0] = '\0';
	if (address->family)
		(void)inet_ntop(address->family, address->bytes, text, ADDRESS_TEXT_MAX);
}

bool address_mask_prefix(const uint8_t mask[4], unsigned int *ret)
{
	uint32_t bits = (uint32_t)mask[0] << 24 | (uint32_t)mask[1] << 16 |
			(uint32_t)mask[2] << 8 | mask[3];
	unsigned int ones = 0;

	while (bits & 0x80000000U) {
		bits <<= 1;
		ones++;
	}
	if (bits)
		return false;
	*ret = ones;
	return true;
}

bool address_is_unicast(const struct address *address)
{
	static const uint8_t zero[16];
	static const uint8_t loopback6[16] = {[15] = 1};
	const uint8_t *b = address->bytes;

	if (address->family == AF_INET)
		return b[0] != 0 && b[0] != 127 && b[0] < 224; /* RFC 1122 3.2.1.3 */
	if (address->family == AF_INET6)
		return b[0] != 0xff && memcmp(b, zero, 16) && memcmp(b, loopback6, 16);
	return false;
}

bool address_is_link_local(const struct address *address)
{
	const uint8_t *b = address->bytes;

	if (address->family == AF_INET)
		return b[0] == 169 && b[1] == 254;
	return address->family == AF_INET6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

bool address_in_prefix(const struct address *network, const struct address *other)
{
	unsigned int whole = network->prefix_len / 8;
	unsigned int rest = network->prefix_len % 8;
	uint8_t mask = (uint8_t)(0xffU << (8 - rest));

	if (network->family != other->family ||
		network->prefix_len > 8 * address_size(network->family))
		return false;
	if (memcmp(network->bytes, other->bytes, whole))
		return false;
	return rest == 0 || !((network->bytes[whole] ^ other->bytes[whole]) & mask);
}

bool address_equal(const struct address *a, const struct address *b)
{
	return a->family == b->family &&
	       !memcmp(a->bytes, b->bytes, address_size(a->family));
}

size_t address_size(int family)
{
	if (family == AF_INET)
		return 4;
	return family == AF_INET6 ? 16 : 0;
}

void mac_format(const uint8_t mac[6], char text[MAC_TEXT_MAX])
{
	(void)snprintf(text, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0],
		mac[1], mac[2], mac[3], mac[4], mac[5]);
}
