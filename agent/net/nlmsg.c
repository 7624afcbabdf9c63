/* SPDX-License-Identifier: MIT */
#include "net/nlmsg.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

/* RFC 8106 5.1; the kernel hands the whole option on (ndisc_ra_useropt()). */
#define ND_OPTION_RDNSS 25U

struct bytes {
	const uint8_t *at;
	size_t len;
};

static size_t align4(size_t len)
{
	return (len + 3U) & ~(size_t)3U;
}

static void append(struct nlmsg *message, const void *bytes, size_t len)
{
	size_t padded = align4(len);

	if (message->overflow || padded > sizeof(message->bytes) - message->len) {
		message->overflow = true;
		return;
	}
	memset(message->bytes + message->len, 0, padded);
	if (len)
		memcpy(message->bytes + message->len, bytes, len);
	message->len += padded;
}

static void set_length(struct nlmsg *message)
{
	uint32_t len = (uint32_t)message->len;

	memcpy(message->bytes, &len, sizeof(len)); /* nlmsg_len is the first field */
}

void nlmsg_begin(struct nlmsg *message, uint16_t type, uint16_t flags, const void *body,
	size_t len)
{
	struct nlmsghdr header = {
		.nlmsg_type = type,
		.nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST),
	};

	message->len = 0;
	message->overflow = false;
	append(message, &header, sizeof(header));
	append(message, body, len);
	set_length(message);
}

void nlmsg_add(struct nlmsg *message, uint16_t type, const void *bytes, size_t len)
{
	struct rtattr attribute = {.rta_type = type};

	if (len > NLMSG_REQUEST_MAX) {
		message->overflow = true;
		return;
	}
	attribute.rta_len = (uint16_t)(sizeof(attribute) + len);
	append(message, &attribute, sizeof(attribute));
	append(message, bytes, len);
	set_length(message);
}

bool nlmsg_next(const uint8_t *bytes, size_t len, size_t *offset, struct nlmsg_view *ret)
{
	struct nlmsghdr header;

	if (*offset > len || len - *offset < sizeof(header))
		return false;
	memcpy(&header, bytes + *offset, sizeof(header));
	if (header.nlmsg_len < sizeof(header) || header.nlmsg_len > len - *offset)
		return false;
	*ret = (struct nlmsg_view){
		.type = header.nlmsg_type,
		.flags = header.nlmsg_flags,
		.sequence = header.nlmsg_seq,
		.body = bytes + *offset + sizeof(header),
		.len = header.nlmsg_len - sizeof(header),
	};
	*offset += align4(header.nlmsg_len);
	return true;
}

int nlmsg_error(const struct nlmsg_view *view)
{
	int code;

	if (view->len < sizeof(code))
		return EPROTO;
	memcpy(&code, view->body, sizeof(code));
	return code < 0 && code > -4096 ? -code : (code == 0 ? 0 : EPROTO);
}

/* Finds the first attribute of type; false when it is missing or a length before it lies.
 */
static bool find(struct bytes list, uint16_t type, struct bytes *ret)
{
	while (list.len >= sizeof(struct rtattr)) {
		struct rtattr attribute;
		size_t step;

		memcpy(&attribute, list.at, sizeof(attribute));
		if (attribute.rta_len < sizeof(attribute) || attribute.rta_len > list.len)
			return false;
		if ((attribute.rta_type & NLA_TYPE_MASK) == type) {
			ret->at = list.at + sizeof(attribute);
			ret->len = attribute.rta_len - sizeof(attribute);
			return true;
		}
		step = align4(attribute.rta_len);
		if (step > list.len)
			return false;
		list.at += step;
		list.len -= step;
	}
	return false;
}

/* Splits a message into its fixed body and its attributes. */
static bool split(const struct nlmsg_view *view, uint16_t type, size_t body_len,
	struct bytes *ret_attributes)
{
	size_t fixed = align4(body_len);

	if (view->type != type || view->len < fixed)
		return false;
	ret_attributes->at = view->body + fixed;
	ret_attributes->len = view->len - fixed;
	return true;
}

static uint32_t find_u32(struct bytes list, uint16_t type, uint32_t otherwise)
{
	struct bytes found;
	uint32_t number;

	if (!find(list, type, &found) || found.len != sizeof(number))
		return otherwise;
	memcpy(&number, found.at, sizeof(number));
	return number;
}

static uint8_t find_u8(struct bytes list, uint16_t type, uint8_t otherwise)
{
	struct bytes found;

	return find(list, type, &found) && found.len == 1 ? *found.at : otherwise;
}

static bool find_text(struct bytes list, uint16_t type, char *text, size_t size)
{
	struct bytes found;
	size_t len;

	if (!find(list, type, &found))
		return false;
	len = strnlen((const char *)found.at, found.len);
	if (len >= size)
		return false;
	memcpy(text, found.at, len);
	text[len] = '\0';
	return true;
}

static bool find_address(
	struct bytes list, uint16_t type, int family, struct address *ret)
{
	struct bytes found;

	if (!find(list, type, &found) || found.len == 0 ||
		found.len != address_size(family))
		return false;
	*ret = (struct address){
		.family = family, .prefix_len = (unsigned int)found.len * 8};
	memcpy(ret->bytes, found.at, found.len);
	return true;
}

bool nlmsg_parse_link(const struct nlmsg_view *view, struct nlmsg_link *ret)
{
	struct nlmsg_link link = {0};
	struct ifinfomsg info;
	struct bytes list, found;

	if (!split(view, RTM_NEWLINK, sizeof(info), &list))
		return false;
	memcpy(&info, view->body, sizeof(info));
	link.index = info.ifi_index;
	if (link.index <= 0 ||
		!find_text(list, IFLA_IFNAME, link.name, sizeof(link.name)))
		return false;
	link.up = (info.ifi_flags & IFF_UP) != 0;
	link.operstate = find_u8(list, IFLA_OPERSTATE, IF_OPER_UNKNOWN);
	/* IFF_LOWER_UP is carrier and up; dormant (802.1X) is not carrier for traffic. */
	link.carrier = find_u8(list, IFLA_CARRIER, 0) &&
		       (info.ifi_flags & IFF_LOWER_UP) && !(info.ifi_flags & IFF_DORMANT);
	if (find(list, IFLA_ADDRESS, &found) && found.len == sizeof(link.mac)) {
		memcpy(link.mac, found.at, sizeof(link.mac));
		link.ethernet =
			info.ifi_type == ARPHRD_ETHER && !(info.ifi_flags & IFF_LOOPBACK);
	}
	link.master = (int)find_u32(list, IFLA_MASTER, 0);
	link.mtu = find_u32(list, IFLA_MTU, 0);
	link.mtu_max = find_u32(list, IFLA_MAX_MTU, 0);
	link.carrier_changes = find_u32(list, IFLA_CARRIER_CHANGES, 0);
	if (find(list, IFLA_LINKINFO, &found))
		(void)find_text(found, IFLA_INFO_KIND, link.kind, sizeof(link.kind));
	*ret = link;
	return true;
}

bool nlmsg_parse_address(const struct nlmsg_view *view, struct nlmsg_address *ret)
{
	struct nlmsg_address address = {0};
	struct ifaddrmsg info;
	struct bytes list;

	if (!split(view, RTM_NEWADDR, sizeof(info), &list))
		return false;
	memcpy(&info, view->body, sizeof(info));
	/* IFA_LOCAL is ours on a point-to-point link, where IFA_ADDRESS is the peer's. */
	if (!find_address(list, IFA_LOCAL, info.ifa_family, &address.address) &&
		!find_address(list, IFA_ADDRESS, info.ifa_family, &address.address))
		return false;
	if (info.ifa_prefixlen > address.address.prefix_len || info.ifa_index > INT32_MAX)
		return false;
	address.address.prefix_len = info.ifa_prefixlen;
	address.index = (int)info.ifa_index;
	address.scope = info.ifa_scope;
	address.flags = find_u32(list, IFA_FLAGS, info.ifa_flags);
	*ret = address;
	return true;
}

bool nlmsg_parse_route(const struct nlmsg_view *view, struct nlmsg_route *ret)
{
	struct nlmsg_route route = {0};
	struct rtmsg info;
	struct bytes list;

	if (!split(view, RTM_NEWROUTE, sizeof(info), &list))
		return false;
	memcpy(&info, view->body, sizeof(info));
	if (info.rtm_type != RTN_UNICAST || (info.rtm_flags & RTM_F_CLONED) ||
		find_u32(list, RTA_TABLE, info.rtm_table) != RT_TABLE_MAIN)
		return false;
	route.index = (int)find_u32(list, RTA_OIF, 0);
	if (route.index <= 0)
		return false;
	if (!find_address(list, RTA_DST, info.rtm_family, &route.destination)) {
		if (info.rtm_dst_len != 0)
			return false;
		route.destination.family = info.rtm_family;
	}
	if (info.rtm_dst_len > 8 * address_size(info.rtm_family))
		return false;
	route.destination.prefix_len = info.rtm_dst_len;
	(void)find_address(list, RTA_GATEWAY, info.rtm_family, &route.gateway);
	(void)find_address(list, RTA_PREFSRC, info.rtm_family, &route.source);
	route.protocol = info.rtm_protocol;
	route.onlink = (info.rtm_flags & RTNH_F_ONLINK) != 0;
	route.metric = find_u32(list, RTA_PRIORITY, 0);
	*ret = route;
	return true;
}

/*  type 25 | length in 8 bytes | reserved 2 | lifetime 4 | 16 bytes each server  */
static bool parse_rdnss_option(struct bytes option, struct nlmsg_rdnss *rdnss)
{
	static const uint8_t never[4];
	size_t len;

	if (option.len < 8 || option.at[0] != ND_OPTION_RDNSS)
		return false;
	len = (size_t)option.at[1] * 8;
	if (len < 24 || len > option.len || !memcmp(option.at + 4, never, sizeof(never)))
		return false;
	for (size_t at = 8; at + 16 <= len && rdnss->count < NLMSG_RDNSS_MAX; at += 16) {
		struct address server = {.family = AF_INET6, .prefix_len = 128};

		memcpy(server.bytes, option.at + at, 16);
		if (address_is_unicast(&server))
			rdnss->servers[rdnss->count++] = server;
	}
	return rdnss->count > 0;
}

bool nlmsg_parse_rdnss(const struct nlmsg_view *view, struct nlmsg_rdnss *ret)
{
	struct nlmsg_rdnss rdnss = {0};
	struct nduseroptmsg info;
	struct bytes list;

	if (!split(view, RTM_NEWNDUSEROPT, sizeof(info), &list))
		return false;
	memcpy(&info, view->body, sizeof(info));
	if (info.nduseropt_family != AF_INET6 || info.nduseropt_opts_len > list.len)
		return false;
	list.len = info.nduseropt_opts_len;
	rdnss.index = info.nduseropt_ifindex;
	if (!parse_rdnss_option(list, &rdnss))
		return false;
	*ret = rdnss;
	return true;
}

void nlmsg_put_link_up(struct nlmsg *message, int index, bool up)
{
	struct ifinfomsg info = {
		.ifi_index = index, .ifi_change = IFF_UP, .ifi_flags = up ? IFF_UP : 0};

	nlmsg_begin(message, RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
}

void nlmsg_put_link_mtu(struct nlmsg *message, int index, uint32_t mtu)
{
	struct ifinfomsg info = {.ifi_index = index};

	nlmsg_begin(message, RTM_NEWLINK, NLM_F_ACK, &info, sizeof(info));
	nlmsg_add(message, IFLA_MTU, &mtu, sizeof(mtu));
}

void nlmsg_put_address(struct nlmsg *message, uint16_t type, uint16_t flags,
	const struct nlmsg_address *address)
{
	const struct address *a = &address->address;
	size_t size = address_size(a->family);
	struct ifaddrmsg info = {
		.ifa_family = (uint8_t)a->family,
		.ifa_prefixlen = (uint8_t)a->prefix_len,
		.ifa_index = (uint32_t)address->index,
		.ifa_flags = (uint8_t)address->flags, /* IFA_F_NODAD is in the low byte */
	};

	nlmsg_begin(message, type, (uint16_t)(flags | NLM_F_ACK), &info, sizeof(info));
	nlmsg_add(message, IFA_LOCAL, a->bytes, size);
	nlmsg_add(message, IFA_ADDRESS, a->bytes, size);
	if (a->family == AF_INET && a->prefix_len < 31 && type == RTM_NEWADDR) {
		uint32_t broadcast;

		memcpy(&broadcast, a->bytes, sizeof(broadcast));
		broadcast |= htonl(0xffffffffU >> a->prefix_len);
		nlmsg_add(message, IFA_BROADCAST, &broadcast, sizeof(broadcast));
	}
}

void nlmsg_put_route(struct nlmsg *message, uint16_t type, uint16_t flags,
	const struct nlmsg_route *route)
{
	const struct address *to = &route->destination;
	size_t size = address_size(to->family);
	uint32_t index = (uint32_t)route->index;
	struct rtmsg info = {
		.rtm_family = (uint8_t)to->family,
		.rtm_dst_len = (uint8_t)to->prefix_len,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = route->protocol,
		.rtm_scope = route->gateway.family ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
		.rtm_type = RTN_UNICAST,
		.rtm_flags = route->onlink ? RTNH_F_ONLINK : 0,
	};

	if (type == RTM_DELROUTE)
		info.rtm_scope =
			RT_SCOPE_NOWHERE; /* any scope matches (fib_table_delete()) */
	nlmsg_begin(message, type, (uint16_t)(flags | NLM_F_ACK), &info, sizeof(info));
	if (to->prefix_len)
		nlmsg_add(message, RTA_DST, to->bytes, size);
	if (route->gateway.family)
		nlmsg_add(message, RTA_GATEWAY, route->gateway.bytes, size);
	if (route->source.family)
		nlmsg_add(message, RTA_PREFSRC, route->source.bytes, size);
	if (route->metric)
		nlmsg_add(message, RTA_PRIORITY, &route->metric, sizeof(route->metric));
	nlmsg_add(message, RTA_OIF, &index, sizeof(index));
}
