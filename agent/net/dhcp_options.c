/* SPDX-License-Identifier: MIT */
#include "net/dhcp_options.h"

#include <arpa/inet.h>
#include <string.h>

#include "model/role_value.h"

/* A part of the message that holds options. */
struct area {
	const uint8_t *bytes;
	size_t len;
};

/* One option of an area. */
struct item {
	uint8_t code;
	const uint8_t *bytes;
	size_t len;
};

enum next { NEXT_ITEM, NEXT_END, NEXT_TRUNCATED };

/* Code and length byte, then the value; pad and end are single bytes (RFC 2132 2). A
 * missing end option is tolerated: servers that leave it out exist. */
static enum next area_next(struct area area, size_t *at, struct item *ret)
{
	while (*at < area.len && area.bytes[*at] == DHCP_OPTION_PAD)
		(*at)++;
	if (*at >= area.len || area.bytes[*at] == DHCP_OPTION_END)
		return NEXT_END;
	if (area.len - *at < 2 || area.bytes[*at + 1] > area.len - *at - 2)
		return NEXT_TRUNCATED;
	ret->code = area.bytes[*at];
	ret->len = area.bytes[*at + 1];
	ret->bytes = area.bytes + *at + 2;
	*at += 2 + ret->len;
	return NEXT_ITEM;
}

/* Option 52: 1 file, 2 sname, 3 both (RFC 2132 9.3). It counts in the options area alone,
 * so that an area cannot open itself again. */
static unsigned int overload(struct area options)
{
	struct item item;
	size_t at = 0;

	while (area_next(options, &at, &item) == NEXT_ITEM)
		if (item.code == DHCP_OPTION_OVERLOAD && item.len == 1)
			return item.bytes[0] & 3U;
	return 0;
}

/* The areas in the order in which RFC 3396 5 joins them. Returns how many. */
static size_t areas_of(const uint8_t *message, size_t len, struct area areas[3])
{
	struct area options = {message + DHCP_OPTIONS_AT, len - DHCP_OPTIONS_AT};
	unsigned int open = overload(options);
	size_t count = 0;

	areas[count++] = options;
	if (open & 1U)
		areas[count++] = (struct area){message + DHCP_FILE_AT, DHCP_FILE_LEN};
	if (open & 2U)
		areas[count++] = (struct area){message + DHCP_SNAME_AT, DHCP_SNAME_LEN};
	return count;
}

bool dhcp_options_sound(const uint8_t *message, size_t len)
{
	struct area areas[3];
	size_t count = areas_of(message, len, areas);

	for (size_t i = 0; i < count; i++) {
		struct item item;
		size_t at = 0;
		enum next next;

		do {
			next = area_next(areas[i], &at, &item);
		} while (next == NEXT_ITEM);
		if (next == NEXT_TRUNCATED)
			return false;
	}
	return true;
}

bool dhcp_option_find(
	const uint8_t *message, size_t len, enum dhcp_option code, struct dhcp_value *ret)
{
	struct area areas[3];
	size_t count = areas_of(message, len, areas);
	bool found = false;

	ret->len = 0;
	for (size_t i = 0; i < count; i++) {
		struct item item;
		size_t at = 0;

		while (area_next(areas[i], &at, &item) == NEXT_ITEM) {
			if (item.code != code)
				continue;
			found = true;
			if (item.len > sizeof(ret->bytes) - ret->len)
				return false;
			memcpy(ret->bytes + ret->len, item.bytes, item.len);
			ret->len += item.len;
		}
	}
	return found;
}

bool dhcp_option_u32(
	const uint8_t *message, size_t len, enum dhcp_option code, uint32_t *ret)
{
	struct dhcp_value value;
	uint32_t number;

	if (!dhcp_option_find(message, len, code, &value) || value.len != sizeof(number))
		return false;
	memcpy(&number, value.bytes, sizeof(number));
	*ret = ntohl(number);
	return true;
}

size_t dhcp_option_addresses(const uint8_t *message, size_t len, enum dhcp_option code,
	struct address *ret, size_t max)
{
	struct dhcp_value value;
	size_t count = 0;

	if (!dhcp_option_find(message, len, code, &value) || value.len % 4 != 0)
		return 0;
	for (size_t at = 0; at < value.len && count < max; at += 4) {
		struct address address = address_from_ipv4(value.bytes + at, 32);

		if (address_is_unicast(&address))
			ret[count++] = address;
	}
	return count;
}

/* Copies a name in lower case without a final dot; false when it is not one. */
static bool take_name(const uint8_t *bytes, size_t len, char name[256])
{
	if (len > 0 && bytes[len - 1] == '.')
		len--;
	if (len == 0 || len > 253)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\0')
			return false;
		name[i] = (char)bytes[i];
		if (name[i] >= 'A' && name[i] <= 'Z')
			name[i] = (char)(name[i] - 'A' + 'a');
	}
	name[len] = '\0';
	return value_dns_name(name) == NULL;
}

bool dhcp_option_name(
	const uint8_t *message, size_t len, enum dhcp_option code, char name[256])
{
	struct dhcp_value value;
	char taken[256];

	if (!dhcp_option_find(message, len, code, &value))
		return false;
	while (value.len > 0 && value.bytes[value.len - 1] == '\0')
		value.len--; /* RFC 2132 2: a receiver strips trailing NULs */
	if (!take_name(value.bytes, value.len, taken))
		return false;
	memcpy(name, taken, sizeof(taken));
	return true;
}

/*  width 0-32 | that many bits of destination in whole octets | gateway 4  (RFC 3442)  */
static bool next_route(const struct dhcp_value *value, size_t *at, struct net_route *ret)
{
	unsigned int width = value->bytes[*at];
	size_t octets = (width + 7U) / 8U;
	uint8_t destination[4] = {0};
	struct address gateway;

	if (width > 32 || value->len - *at < 1 + octets + 4)
		return false;
	memcpy(destination, value->bytes + *at + 1, octets);
	if (width % 8 != 0)
		destination[octets - 1] &= (uint8_t)(0xffU << (8 - width % 8));
	gateway = address_from_ipv4(value->bytes + *at + 1 + octets, 32);
	*at += 1 + octets + 4;
	*ret = (struct net_route){.destination = address_from_ipv4(destination, width)};
	if (address_is_unicast(&gateway))
		ret->gateway = gateway;
	else if (memcmp(gateway.bytes, (uint8_t[4]){0}, 4))
		return false;
	return true;
}

size_t dhcp_option_routes(
	const uint8_t *message, size_t len, struct net_route *ret, size_t max)
{
	struct dhcp_value value;
	size_t count = 0;
	size_t at = 0;

	if (!dhcp_option_find(message, len, DHCP_OPTION_ROUTES, &value))
		return 0;
	while (at < value.len) {
		struct net_route route;

		if (!next_route(&value, &at, &route))
			return 0;
		if (count < max && (route.destination.prefix_len == 0 ||
					   address_is_unicast(&route.destination)))
			ret[count++] = route;
	}
	return count;
}

/* Reads one name (RFC 1035 4.1.4) at *at into out as text. A pointer leads strictly
 * backwards, so that names cannot loop. */
static bool next_name(const struct dhcp_value *value, size_t *at, char name[256])
{
	uint8_t text[256];
	size_t len = 0;
	size_t from = *at;
	size_t lowest = *at;
	bool jumped = false;

	for (;;) {
		uint8_t label;

		if (from >= value->len)
			return false;
		label = value->bytes[from++];
		if (label == 0)
			break;
		if ((label & 0xc0) == 0xc0) {
			if (from >= value->len)
				return false;
			if (!jumped)
				*at = from + 1;
			jumped = true;
			from = (size_t)(label & 0x3f) << 8 | value->bytes[from];
			if (from >= lowest)
				return false;
			lowest = from;
			continue;
		}
		if (label > 63 || label > value->len - from || len + label + 1 > 254)
			return false;
		memcpy(text + len, value->bytes + from, label);
		len += label;
		text[len++] = '.';
		from += label;
	}
	if (!jumped)
		*at = from;
	return take_name(text, len, name);
}

bool dhcp_option_search(const uint8_t *message, size_t len, char search[256])
{
	struct dhcp_value value;
	char list[256] = "";
	size_t used = 0;
	size_t at = 0;

	if (!dhcp_option_find(message, len, DHCP_OPTION_SEARCH, &value) || value.len == 0)
		return false;
	while (at < value.len) {
		char name[256];
		size_t name_len;

		if (!next_name(&value, &at, name))
			return false;
		name_len = strlen(name);
		if (used + name_len + 2 > sizeof(list))
			return false;
		if (used)
			list[used++] = ' ';
		memcpy(list + used, name, name_len + 1);
		used += name_len;
	}
	memcpy(search, list, sizeof(list));
	return true;
}
