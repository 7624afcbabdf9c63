/* SPDX-License-Identifier: MIT */
#include "net/config.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/log.h"

#define RESOLVER_FILE "etc/resolv.conf"
/* The C library reads the first three (MAXNS of musl and glibc). */
#define RESOLVER_SERVERS_MAX 3

const struct address *config_gateway(const struct net_config *config)
{
	for (size_t i = 0; i < config->route_count; i++)
		if (config->routes[i].destination.prefix_len == 0 &&
			config->routes[i].gateway.family)
			return &config->routes[i].gateway;
	return NULL;
}

static int add_route(struct netlink *netlink, const struct nlmsg_route *shape,
	const struct net_config *config, const struct net_route *route, struct err *err)
{
	struct nlmsg_route request = *shape;

	request.destination = route->destination;
	request.gateway = route->gateway;
	request.source = config->address;
	/* RFC 3442 and clouds that lease a /32: the router need not be in our prefix. */
	request.onlink = route->gateway.family &&
			 !address_is_link_local(&route->gateway) &&
			 !address_in_prefix(&config->address, &route->gateway);
	return netlink_add_route(netlink, &request, err);
}

/* On-link routes first: a gateway may be reached through one of them. */
static int add_routes(struct netlink *netlink, const struct nlmsg_route *shape,
	const struct net_config *config, struct err *err)
{
	int code = 0;

	for (int gateways = 0; gateways < 2; gateways++)
		for (size_t i = 0; i < config->route_count && code == 0; i++) {
			const struct net_route *route = &config->routes[i];

			if ((route->gateway.family != 0) == (gateways != 0))
				code = add_route(netlink, shape, config, route, err);
		}
	return code;
}

/* A driver that cannot is no reason to have no network: the path MTU is found anyway. */
static void set_mtu(
	struct netlink *netlink, const struct nlmsg_link *link, unsigned int mtu)
{
	struct err err = ERR_INIT;

	if (mtu == 0 || mtu == link->mtu)
		return;
	if (netlink_set_mtu(netlink, link, mtu, &err) < 0)
		log_event(LOG_LEVEL_WARN, "network", "mtu", "%s, ignoring", err.text);
}

int config_apply(struct netlink *netlink, const struct nlmsg_link *link,
	const struct net_config *config, unsigned char protocol, struct err *err)
{
	struct nlmsg_address address = {.index = link->index, .address = config->address};
	struct nlmsg_route shape = {.index = link->index, .protocol = protocol};
	int code;

	/* Nobody else has an address that a person wrote down, and the fetch starts now.
	 */
	if (config->address.family == AF_INET6)
		address.flags = IFA_F_NODAD;
	/* First: a new MTU makes some drivers restart, which drops IPv6 routes. */
	set_mtu(netlink, link, config->mtu);
	code = netlink_flush(
		netlink, link->index, config->address.family, &config->address, err);
	if (code < 0)
		return code;
	code = netlink_add_address(netlink, &address, err);
	if (code < 0)
		return code;
	return add_routes(netlink, &shape, config, err);
}

static int add_server_lines(const struct net_config *config, struct buf *text)
{
	int code = 0;

	for (size_t i = 0; i < config->dns_count && i < RESOLVER_SERVERS_MAX; i++) {
		char server[ADDRESS_TEXT_MAX];

		address_format(&config->dns[i], server);
		code = code ? code : buf_printf(text, "nameserver %s\n", server);
	}
	return code;
}

int config_write_resolver(
	const struct env *env, const struct net_config *config, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct fs_content content = {.mode = 0644};
	const char *search = config->search[0] ? config->search : config->domain;
	int code;

	if (config->dns_count == 0)
		return 0;
	code = add_server_lines(config, &text);
	if (code == 0 && search[0])
		code = buf_printf(&text, "search %s\n", search);
	/* A dead first server must not eat the time of a whole fetch. */
	if (code == 0)
		code = buf_add_str(&text, "options timeout:2 attempts:3\n");
	if (code < 0)
		return err_errno(err, -code, "write '/%s'", RESOLVER_FILE);
	content.bytes = text.bytes;
	content.len = text.len;
	return fs_replace(env->sys, env->run_fd, RESOLVER_FILE, &content, err);
}

static int list_addresses(
	const struct address *addresses, size_t count, struct strlist *list)
{
	int code = 0;

	for (size_t i = 0; i < count && code == 0; i++) {
		char text[ADDRESS_TEXT_MAX];

		address_format(&addresses[i], text);
		code = strlist_add(list, text);
	}
	return code;
}

int config_to_lease(const struct nlmsg_link *link, const struct net_config *config,
	struct fact_lease *ret, struct err *err)
{
	const struct address *gateway = config_gateway(config);
	struct fact_lease lease = {
		.known = true, .prefix_len = config->address.prefix_len};
	int code;

	(void)str_copy(lease.link, sizeof(lease.link), link->name);
	mac_format(link->mac, lease.mac);
	address_format(&config->address, lease.address);
	if (gateway)
		address_format(gateway, lease.gateway);
	(void)str_copy(lease.hostname, sizeof(lease.hostname), config->hostname);
	(void)str_copy(lease.domain, sizeof(lease.domain), config->domain);
	lease.mtu = config->mtu;
	code = list_addresses(config->dns, config->dns_count, &lease.dns);
	if (code == 0)
		code = list_addresses(config->ntp, config->ntp_count, &lease.ntp);
	if (code < 0) {
		strlist_done(&lease.dns);
		strlist_done(&lease.ntp);
		return err_errno(err, -code, "describe the lease");
	}
	*ret = lease;
	return 0;
}

static bool addresses_equal(
	const struct address *a, const struct address *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!address_equal(&a[i], &b[i]))
			return false;
	return true;
}

static bool routes_equal(const struct net_config *a, const struct net_config *b)
{
	for (size_t i = 0; i < a->route_count; i++) {
		const struct net_route *x = &a->routes[i];
		const struct net_route *y = &b->routes[i];

		if (!address_equal(&x->destination, &y->destination) ||
			x->destination.prefix_len != y->destination.prefix_len ||
			!address_equal(&x->gateway, &y->gateway))
			return false;
	}
	return true;
}

bool config_equal(const struct net_config *a, const struct net_config *b)
{
	return address_equal(&a->address, &b->address) &&
	       a->address.prefix_len == b->address.prefix_len &&
	       a->route_count == b->route_count && a->dns_count == b->dns_count &&
	       a->ntp_count == b->ntp_count && a->mtu == b->mtu &&
	       !strcmp(a->hostname, b->hostname) && !strcmp(a->domain, b->domain) &&
	       !strcmp(a->search, b->search) && routes_equal(a, b) &&
	       addresses_equal(a->dns, b->dns, a->dns_count) &&
	       addresses_equal(a->ntp, b->ntp, a->ntp_count);
}
