/* SPDX-License-Identifier: MIT */
#include "net/netlink.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "base/fs.h"

/* The kernel fills dumps in skbs of at most 32 KiB (netlink_dump()). */
#define RECEIVE_MAX 32768U
/* The kernel answers at once; this only ends a wait for an answer that never comes. */
#define ANSWER_TIMEOUT_S 10
/* A dump that links keep changing under is taken again, NLM_F_DUMP_INTR. */
#define DUMP_TRIES 5

struct receive_buffer {
	_Alignas(8) uint8_t bytes[RECEIVE_MAX];
};

/* Takes one message of a dump. */
typedef void (*take_function)(const struct nlmsg_view *view, void *context);

static int open_socket(uint32_t groups, int flags)
{
	struct sockaddr_nl self = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);
	int code;

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&self, sizeof(self)) < 0) {
		code = -errno;
		fd_close(&fd);
		return code;
	}
	return fd;
}

int netlink_open(struct netlink *netlink, const struct sys_ops *sys, struct err *err)
{
	struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int fd = open_socket(0, 0);

	if (fd < 0)
		return err_errno(err, -fd, "open a netlink socket");
	/* Best effort: without the timeout a kernel that never answers would block. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	*netlink = (struct netlink){.sys = sys, .fd = fd};
	return 0;
}

void netlink_close(struct netlink *netlink)
{
	fd_close(&netlink->fd);
}

/* One datagram from the kernel itself (nl_pid 0); others could be forged by a process. */
static ssize_t receive(int fd, struct receive_buffer *buffer)
{
	struct sockaddr_nl from = {0};
	socklen_t from_len = sizeof(from);
	ssize_t len;

	do {
		len = recvfrom(fd, buffer->bytes, sizeof(buffer->bytes), 0,
			(struct sockaddr *)&from, &from_len);
	} while ((len < 0 && errno == EINTR) || (len >= 0 && from.nl_pid != 0));
	return len < 0 ? -errno : len;
}

static void stamp(struct netlink *netlink, struct nlmsg *message)
{
	netlink->sequence++;
	memcpy(message->bytes + offsetof(struct nlmsghdr, nlmsg_seq), &netlink->sequence,
		sizeof(netlink->sequence));
}

/* Reads one datagram of a dump. 1: more to come, 0: done, negative: -errno. */
static int take_datagram(struct netlink *netlink, struct receive_buffer *buffer,
	take_function take, void *context)
{
	struct nlmsg_view view;
	size_t offset = 0;
	ssize_t len = receive(netlink->fd, buffer);

	if (len < 0)
		return (int)len;
	while (nlmsg_next(buffer->bytes, (size_t)len, &offset, &view)) {
		if (view.sequence != netlink->sequence)
			continue; /* of an earlier request that timed out */
		if (view.flags & NLM_F_DUMP_INTR)
			return -EAGAIN;
		if (view.type == NLMSG_DONE)
			return 0;
		if (view.type == NLMSG_ERROR)
			return -nlmsg_error(&view);
		take(&view, context);
	}
	return 1;
}

static int dump_once(
	struct netlink *netlink, struct nlmsg *request, take_function take, void *context)
{
	struct receive_buffer buffer;
	int more;

	stamp(netlink, request);
	/* A read: it does not go through the effects table. */
	if (send(netlink->fd, request->bytes, request->len, 0) < 0)
		return -errno;
	do {
		more = take_datagram(netlink, &buffer, take, context);
	} while (more > 0);
	return more;
}

/* Filled by one kind of dump; count is reset when a dump is taken again. */
struct listing {
	int index; /* 0: of every link */
	size_t *count;
	void *items;
};

static int dump(struct netlink *netlink, struct nlmsg *request, take_function take,
	struct listing *listing)
{
	size_t before = *listing->count;
	int code = -EAGAIN;

	for (int try = 0; try < DUMP_TRIES && code == -EAGAIN; try++) {
		*listing->count = before;
		code = dump_once(netlink, request, take, listing);
	}
	return code;
}

static void take_link(const struct nlmsg_view *view, void *context)
{
	struct listing *listing = context;
	struct nlmsg_link *items = listing->items;

	if (*listing->count < NETLINK_LINKS_MAX &&
		nlmsg_parse_link(view, &items[*listing->count]))
		(*listing->count)++;
}

static void take_address(const struct nlmsg_view *view, void *context)
{
	struct listing *listing = context;
	struct nlmsg_address *items = listing->items;
	struct nlmsg_address address;

	if (*listing->count < NETLINK_ADDRESSES_MAX &&
		nlmsg_parse_address(view, &address) && address.index == listing->index)
		items[(*listing->count)++] = address;
}

static void take_route(const struct nlmsg_view *view, void *context)
{
	struct listing *listing = context;
	struct nlmsg_route *items = listing->items;
	struct nlmsg_route route;

	if (*listing->count < NETLINK_ROUTES_MAX && nlmsg_parse_route(view, &route) &&
		route.index == listing->index)
		items[(*listing->count)++] = route;
}

int netlink_list_links(
	struct netlink *netlink, struct netlink_links *ret, struct err *err)
{
	struct listing listing = {.count = &ret->count, .items = ret->items};
	struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
	struct nlmsg request;
	int code;

	ret->count = 0;
	nlmsg_begin(&request, RTM_GETLINK, NLM_F_DUMP, &info, sizeof(info));
	code = dump(netlink, &request, take_link, &listing);
	return code < 0 ? err_errno(err, -code, "list the network links") : 0;
}

int netlink_list_addresses(struct netlink *netlink, int index,
	struct netlink_addresses *ret, struct err *err)
{
	struct listing listing = {
		.index = index, .count = &ret->count, .items = ret->items};
	struct ifaddrmsg info = {.ifa_family = AF_UNSPEC};
	struct nlmsg request;
	int code;

	ret->count = 0;
	nlmsg_begin(&request, RTM_GETADDR, NLM_F_DUMP, &info, sizeof(info));
	code = dump(netlink, &request, take_address, &listing);
	return code < 0 ? err_errno(err, -code, "list the addresses of link %d", index)
			: 0;
}

int netlink_list_routes(
	struct netlink *netlink, int index, struct netlink_routes *ret, struct err *err)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	struct listing listing = {
		.index = index, .count = &ret->count, .items = ret->items};
	struct nlmsg request;
	int code;

	ret->count = 0;
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		struct rtmsg info = {.rtm_family = families[i]};

		nlmsg_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &info, sizeof(info));
		code = dump(netlink, &request, take_route, &listing);
		/* A kernel without IPv6 has no routes of it. */
		if (code < 0 && !(families[i] == AF_INET6 && code == -EOPNOTSUPP))
			return err_errno(err, -code, "list the routes of link %d", index);
	}
	return 0;
}

/* Sends one change and awaits its acknowledgement. Returns 0 or -errno. */
static int change(struct netlink *netlink, struct nlmsg *request)
{
	struct receive_buffer buffer;
	struct nlmsg_view view;
	ssize_t len;

	if (request->overflow)
		return -EMSGSIZE;
	stamp(netlink, request);
	if (netlink->sys->netlink_send(netlink->fd, request->bytes, request->len) < 0)
		return -errno;
	for (;;) {
		size_t offset = 0;

		len = receive(netlink->fd, &buffer);
		if (len < 0)
			return (int)len;
		while (nlmsg_next(buffer.bytes, (size_t)len, &offset, &view))
			if (view.type == NLMSG_ERROR &&
				view.sequence == netlink->sequence)
				return -nlmsg_error(&view);
	}
}

int netlink_set_up(
	struct netlink *netlink, const struct nlmsg_link *link, bool up, struct err *err)
{
	struct nlmsg request;
	int code;

	nlmsg_put_link_up(&request, link->index, up);
	code = change(netlink, &request);
	if (code == -ENOENT && up)
		return err_set(err, ENOENT,
			"set link %s up: the driver misses its firmware file; add it to "
			"the "
			"initramfs",
			link->name);
	return code < 0 ? err_errno(err, -code, "set link %s %s", link->name,
				  up ? "up" : "down")
			: 0;
}

int netlink_set_mtu(struct netlink *netlink, const struct nlmsg_link *link, uint32_t mtu,
	struct err *err)
{
	struct nlmsg request;
	int code;

	nlmsg_put_link_mtu(&request, link->index, mtu);
	code = change(netlink, &request);
	return code < 0 ? err_errno(err, -code, "set MTU %u on %s", mtu, link->name) : 0;
}

int netlink_add_address(
	struct netlink *netlink, const struct nlmsg_address *address, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	struct nlmsg request;
	int code;

	nlmsg_put_address(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, address);
	code = change(netlink, &request);
	if (code == 0)
		return 0;
	address_format(&address->address, text);
	return err_errno(err, -code, "add address %s/%u to link %d", text,
		address->address.prefix_len, address->index);
}

int netlink_remove_address(
	struct netlink *netlink, const struct nlmsg_address *address, struct err *err)
{
	char text[ADDRESS_TEXT_MAX];
	struct nlmsg request;
	int code;

	nlmsg_put_address(&request, RTM_DELADDR, 0, address);
	code = change(netlink, &request);
	if (code == 0 || code == -EADDRNOTAVAIL)
		return 0;
	address_format(&address->address, text);
	return err_errno(err, -code, "remove address %s/%u from link %d", text,
		address->address.prefix_len, address->index);
}

static int describe_route(
	const struct nlmsg_route *route, int code, const char *action, struct err *err)
{
	char to[ADDRESS_TEXT_MAX], gateway[ADDRESS_TEXT_MAX];

	address_format(&route->destination, to);
	address_format(&route->gateway, gateway);
	return err_errno(err, -code, "%s route %s/%u via '%s' on link %d", action, to,
		route->destination.prefix_len, gateway, route->index);
}

int netlink_add_route(
	struct netlink *netlink, const struct nlmsg_route *route, struct err *err)
{
	struct nlmsg request;
	int code;

	nlmsg_put_route(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route);
	code = change(netlink, &request);
	return code < 0 ? describe_route(route, code, "add", err) : 0;
}

/* Removes a route; one that went by itself with its address or gateway is success. */
static int remove_route(
	struct netlink *netlink, const struct nlmsg_route *route, struct err *err)
{
	struct nlmsg_route bare = *route;
	struct nlmsg request;
	int code;

	bare.protocol = 0; /* any */
	nlmsg_put_route(&request, RTM_DELROUTE, 0, &bare);
	code = change(netlink, &request);
	if (code == 0 || code == -ESRCH || code == -ENOENT)
		return 0;
	return describe_route(route, code, "remove", err);
}

static bool route_stays(const struct nlmsg_route *route, int family)
{
	if (family != AF_UNSPEC && route->destination.family != family)
		return true;
	/* A connected route belongs to its address and goes with it. */
	return route->protocol == RTPROT_KERNEL;
}

static bool address_stays(
	const struct address *address, int family, const struct address *keep)
{
	if (family != AF_UNSPEC && address->family != family)
		return true;
	if (address->family == AF_INET6 && address_is_link_local(address))
		return true;
	return keep && address_equal(address, keep) &&
	       keep->prefix_len == address->prefix_len;
}

/* Each removal is tried; the first failure is what is reported. */
static void note_first(struct err *first, int code, const struct err *this)
{
	if (code < 0 && first->code == 0)
		*first = *this;
}

static void flush_routes(
	struct netlink *netlink, int index, int family, struct err *first)
{
	struct netlink_routes routes;
	struct err err = ERR_INIT;
	int code = netlink_list_routes(netlink, index, &routes, &err);

	note_first(first, code, &err);
	if (code < 0)
		return;
	for (size_t i = 0; i < routes.count; i++) {
		if (route_stays(&routes.items[i], family))
			continue;
		code = remove_route(netlink, &routes.items[i], &err);
		note_first(first, code, &err);
	}
}

int netlink_flush(struct netlink *netlink, int index, int family,
	const struct address *keep, struct err *err)
{
	struct netlink_addresses addresses;
	struct err first = ERR_INIT;
	struct err this = ERR_INIT;
	int code;

	flush_routes(netlink, index, family, &first);
	code = netlink_list_addresses(netlink, index, &addresses, &this);
	note_first(&first, code, &this);
	for (size_t i = 0; code == 0 && i < addresses.count; i++) {
		if (address_stays(&addresses.items[i].address, family, keep))
			continue;
		note_first(&first,
			netlink_remove_address(netlink, &addresses.items[i], &this),
			&this);
	}
	if (first.code)
		return err_set(err, -first.code, "%s", first.text);
	return 0;
}

int netlink_monitor_open(struct err *err)
{
	uint32_t groups = RTMGRP_LINK | 1U << (RTNLGRP_ND_USEROPT - 1);
	int fd = open_socket(groups, SOCK_NONBLOCK);

	return fd < 0 ? err_errno(err, -fd, "open a netlink monitor") : fd;
}

bool netlink_monitor_drain(int fd, struct nlmsg_rdnss *rdnss)
{
	struct receive_buffer buffer;
	struct nlmsg_view view;
	bool any = false;

	for (;;) {
		ssize_t len = receive(fd, &buffer);
		size_t offset = 0;

		if (len == -ENOBUFS) {
			any = true;
			continue;
		}
		if (len < 0)
			return any;
		any = true;
		while (nlmsg_next(buffer.bytes, (size_t)len, &offset, &view)) {
			struct nlmsg_rdnss found;

			if (nlmsg_parse_rdnss(&view, &found))
				*rdnss = found;
		}
	}
}
