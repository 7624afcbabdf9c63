/* SPDX-License-Identifier: MIT */
#include "net/net.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "base/log.h"
#include "net/net_state.h"
#include "net/packet.h"

#define SAY_EVERY_MS 10000U
/* The longest sleep: idle() feeds a watchdog. */
#define POLL_MAX_MS 1000U

/* What ip= says in the form that is applied. Its fields are valid already. */
static void read_ip(const struct cmdline_ip *ip, struct net_config *config)
{
	if (ip->method == CMDLINE_IP_STATIC &&
		address_parse(ip->address, &config->address))
		config->address.prefix_len = ip->prefix_len;
	if (ip->gateway[0] && address_parse(ip->gateway, &config->routes[0].gateway)) {
		config->routes[0].destination.family = config->routes[0].gateway.family;
		config->route_count = 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(ip->dns); i++)
		if (ip->dns[i][0] &&
			address_parse(ip->dns[i], &config->dns[config->dns_count]))
			config->dns_count++;
	if (ip->ntp[0] && address_parse(ip->ntp, &config->ntp[0]))
		config->ntp_count = 1;
	(void)str_copy(config->hostname, sizeof(config->hostname), ip->hostname);
	config->mtu = ip->mtu;
}

static int check_request(const struct net_request *request, struct err *err)
{
	const struct cmdline_ip *ip = request->ip;

	if (!ip)
		return 0;
	if (ip->method == CMDLINE_IP_DHCP6)
		return err_set(err, E_UNSUPPORTED,
			"ip=dhcp6 is not supported; use ip=auto6 or ip=dhcp");
	return 0;
}

static void set_defaults(struct net_request *request)
{
	if (!request->grace_ms)
		request->grace_ms = NET_GRACE_MS;
	if (!request->patience_ms)
		request->patience_ms = NET_PATIENCE_MS;
	if (!request->ra_ms)
		request->ra_ms = NET_RA_MS;
}

int net_new(struct env *env, const struct net_request *request, struct net **ret,
	struct err *err)
{
	const struct cmdline_ip *ip = request->ip;
	struct net *net;
	int code = check_request(request, err);

	if (code < 0)
		return code;
	net = calloc(1, sizeof(*net));
	if (!net)
		return err_errno(err, ENOMEM, "prepare the network");
	net->env = env;
	net->request = *request;
	net->netlink = (struct netlink)NETLINK_INIT;
	net->boot_named = request->boot_mac[0] || (ip && ip->device[0]);
	set_defaults(&net->request);
	if (ip) {
		net->static_config = ip->method == CMDLINE_IP_STATIC;
		net->ra_only = ip->method == CMDLINE_IP_AUTO6;
		read_ip(ip, &net->given);
	}
	net->monitor_fd = netlink_monitor_open(err);
	code = net->monitor_fd;
	if (code >= 0)
		code = netlink_open(&net->netlink, env->sys, err);
	if (code < 0) {
		net_free(net);
		return code;
	}
	*ret = net;
	return 0;
}

void net_free(struct net *net)
{
	if (!net)
		return;
	for (size_t i = 0; i < net->count; i++)
		fd_close(&net->links[i].fd);
	fd_close(&net->monitor_fd);
	netlink_close(&net->netlink);
	free(net);
}

static void stop_client(struct net_link *link)
{
	dhcp_client_stop(&link->client);
	fd_close(&link->fd);
}

/* Starts the client when its link has got carrier, stops it when it went. */
static void follow_carrier(struct net *net, struct net_link *link, uint64_t now_ms)
{
	bool wanted = link->present && link->carrier_since_ms != 0;
	bool running = link->client.state != DHCP_STATE_STOPPED;
	struct err err = ERR_INIT;

	if (running && (!wanted || link->carrier_since_ms > link->client.started_ms)) {
		stop_client(link);
		running = false;
	}
	if (!wanted || running || !(link->boot || net_links_others_due(net, now_ms)))
		return;
	link->fd = packet_open(link->link.index, DHCP_CLIENT_PORT, &err);
	if (link->fd < 0) {
		log_event(LOG_LEVEL_DEBUG, "network", "dhcp", "%s", err.text);
		return; /* the link went away; the next look says so */
	}
	dhcp_client_start(&link->client, now_ms);
}

/* Sends what is due. A send that fails (link going down, queue full) is a lost packet. */
static enum dhcp_event tick(struct net *net, struct net_link *link, uint64_t now_ms)
{
	uint8_t frame[PACKET_FRAME_MAX];
	size_t len;
	enum dhcp_event event = dhcp_client_tick(&link->client, now_ms, frame, &len);

	if (len && net->env->sys->write(link->fd, frame, len) < 0)
		log_event(LOG_LEVEL_DEBUG, "network", "dhcp", "send on %s: %s",
			link->link.name, strerror(errno));
	return event;
}

/* Reads what has come; the last event that means something. */
static enum dhcp_event receive(struct net_link *link, uint64_t now_ms)
{
	enum dhcp_event last = DHCP_EVENT_NONE;
	struct packet_frame frame = {.len = 0};

	while (link->fd >= 0 && packet_receive(link->fd, &frame)) {
		enum dhcp_event event =
			dhcp_client_receive(&link->client, now_ms, &frame);

		if (event != DHCP_EVENT_NONE)
			last = event;
	}
	return last;
}

/* Sleeps until a socket, idle_fd or the next thing to do, at most POLL_MAX_MS. */
static void await(struct net *net, uint64_t now_ms)
{
	struct pollfd fds[NETLINK_LINKS_MAX + 2];
	nfds_t count = 0;
	uint64_t wait_ms = POLL_MAX_MS;

	fds[count++] = (struct pollfd){.fd = net->monitor_fd, .events = POLLIN};
	fds[count++] = (struct pollfd){.fd = net->request.idle_fd, .events = POLLIN};
	for (size_t i = 0; i < net->count; i++) {
		const struct net_link *link = &net->links[i];
		uint64_t next_ms = link->client.next_ms;

		if (link->fd < 0)
			continue;
		fds[count++] = (struct pollfd){.fd = link->fd, .events = POLLIN};
		if (next_ms < now_ms + wait_ms)
			wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
	}
	if (net->links_changed)
		wait_ms = 0;
	IGNORE_RESULT(poll(fds, count, (int)wait_ms)); /* EINTR is a wake-up too */
	if (netlink_monitor_drain(net->monitor_fd, &net->rdnss))
		net->links_changed = true;
	if (net->request.idle)
		net->request.idle(net->request.context);
}

static const char *source_name(const struct net *net, const struct net_link *link)
{
	if (net->static_config)
		return "ip=";
	return link->client.state >= DHCP_STATE_BOUND ? "DHCP" : "router advertisement";
}

/* Puts the configuration of a link into effect. */
static int apply(struct net *net, struct net_link *link, const struct net_config *config,
	struct err *err)
{
	bool by_kernel = !net->static_config && link->client.state < DHCP_STATE_BOUND;
	int code = 0;

	if (!by_kernel)
		code = config_apply(&net->netlink, &link->link, config,
			net->static_config ? RTPROT_STATIC : RTPROT_DHCP, err);
	if (code == 0)
		code = config_write_resolver(net->env, config, err);
	if (code == 0)
		net->config = *config;
	return code;
}

static void say_result(const struct net *net, const struct net_link *link)
{
	const struct net_config *config = &net->config;
	const struct address *gateway = config_gateway(config);
	char address[ADDRESS_TEXT_MAX], router[ADDRESS_TEXT_MAX] = "none";

	address_format(&config->address, address);
	if (gateway)
		address_format(gateway, router);
	log_event(LOG_LEVEL_DEBUG, "network", "lease",
		"%s has %s/%u by %s, gateway %s, %zu DNS and %zu NTP servers",
		link->link.name, address, config->address.prefix_len,
		source_name(net, link), router, config->dns_count, config->ntp_count);
}

/* Ends the waiting: one link is configured, the other clients fall silent. */
static int settle(struct net *net, struct net_link *link, const struct net_config *config,
	struct fact_lease *ret, struct err *err)
{
	struct fact_lease lease;
	int code;

	for (size_t i = 0; i < net->count; i++)
		if (&net->links[i] != link)
			stop_client(&net->links[i]);
	code = apply(net, link, config, err);
	if (code == 0)
		code = config_to_lease(&link->link, config, &lease, err);
	if (code < 0)
		return code;
	if (link->client.state >= DHCP_STATE_BOUND)
		dhcp_client_id_text(link->link.mac, lease.client_id);
	net->chosen = link;
	say_result(net, link);
	*ret = lease;
	return 0;
}

/* Says what is awaited when it is time; -E_TIMEOUT at the hard end, if there is one. */
static int say_waiting(struct net *net, uint64_t now_ms, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	uint64_t waited_ms = now_ms - net->started_ms;
	bool end = net->request.timeout_ms && waited_ms >= net->request.timeout_ms;

	if (!end && now_ms - net->said_ms < SAY_EVERY_MS)
		return 0;
	net->said_ms = now_ms;
	net_wait_text(net, now_ms, &text);
	if (end)
		return err_set(err, E_TIMEOUT, "no network: %s", buf_text(&text));
	log_event(LOG_LEVEL_NOTICE, "network", "wait", "%s", buf_text(&text));
	return 0;
}

/* The loopback link: local clients of a control plane need it. Not having one is no
 * error. */
static void set_loopback_up(struct net *net)
{
	struct nlmsg_link loopback = {.index = 1, .name = "lo"};

	IGNORE_RESULT(netlink_set_up(&net->netlink, &loopback, true, NULL));
}

static void start_waiting(struct net *net)
{
	net->started_ms = net->env->now_ms();
	net->said_ms = net->started_ms;
	net->chosen = NULL;
	net->links_changed = true;
	set_loopback_up(net);
}

int net_up(struct net *net, struct fact_lease *ret, struct err *err)
{
	int code = 0;

	if (net->request.ip && net->request.ip->method == CMDLINE_IP_OFF) {
		*ret = (struct fact_lease){0};
		return 0;
	}
	start_waiting(net);
	while (code == 0) {
		uint64_t now_ms = net->env->now_ms();
		struct net_config config = {0};
		struct net_link *link;

		code = net_links_refresh(net, err);
		for (size_t i = 0; i < net->count && code == 0; i++) {
			if (!net->static_config && !net->ra_only)
				follow_carrier(net, &net->links[i], now_ms);
			(void)receive(&net->links[i], now_ms);
			(void)tick(net, &net->links[i], now_ms);
		}
		link = code == 0 ? net_choose(net, now_ms, &config) : NULL;
		if (link)
			return settle(net, link, &config, ret, err);
		if (code == 0)
			code = say_waiting(net, now_ms, err);
		if (code == 0)
			await(net, now_ms);
	}
	return code;
}

/* The network is gone: nobody may use the address any longer. What the kernel took from a
 * router advertisement it lets go by itself. */
static int lose(struct net *net, const char *why, struct err *err)
{
	struct net_link *link = net->chosen;
	bool ours = net->static_config || link->client.state != DHCP_STATE_STOPPED;
	struct err minor = ERR_INIT;

	stop_client(link);
	net->chosen = NULL;
	if (ours && link->present &&
		netlink_flush(&net->netlink, link->link.index, net->config.address.family,
			NULL, &minor) < 0)
		log_event(LOG_LEVEL_WARN, "network", "lost", "%s, ignoring", minor.text);
	return err_set(err, E_NET, "the network on %s is lost: %s", link->link.name, why);
}

/* Puts changed options of a renewed lease into effect. */
static int take_renewal(struct net *net, struct err *err)
{
	struct net_link *link = net->chosen;
	struct net_config config = link->client.lease.config;

	net_prefer_given(&net->given, &config);
	if (config_equal(&config, &net->config))
		return 0;
	return apply(net, link, &config, err);
}

int net_keep(struct net *net, struct err *err)
{
	uint64_t now_ms = net->env->now_ms();
	struct net_link *link = net->chosen;
	enum dhcp_event ticked, received;
	uint64_t carrier_since_ms;
	int code;

	if (!link)
		return 0;
	carrier_since_ms = link->carrier_since_ms;
	if (netlink_monitor_drain(net->monitor_fd, &net->rdnss)) {
		code = net_links_refresh(net, err);
		if (code < 0)
			return code;
	}
	if (!link->present)
		return lose(net, "the link is gone", err);
	if (!link->carrier_since_ms &&
		now_ms - link->carrier_gone_ms >= net->request.patience_ms)
		return lose(net, "its carrier does not come back", err);
	if (link->carrier_since_ms && link->carrier_since_ms != carrier_since_ms)
		dhcp_client_confirm(&link->client, now_ms);
	received = receive(link, now_ms);
	ticked = received == DHCP_EVENT_LOST ? DHCP_EVENT_NONE : tick(net, link, now_ms);
	if (received == DHCP_EVENT_LOST)
		return lose(net, "the DHCP server took the lease back", err);
	if (ticked == DHCP_EVENT_LOST)
		return lose(net, "the lease ended, no DHCP server renewed it", err);
	return received == DHCP_EVENT_RENEWED ? take_renewal(net, err) : 0;
}

static void down_link(
	struct netlink *netlink, const struct nlmsg_link *link, struct err *first)
{
	struct err err = ERR_INIT;

	if (netlink_flush(netlink, link->index, AF_UNSPEC, NULL, &err) < 0 &&
		!first->code)
		*first = err;
	if (netlink_set_up(netlink, link, false, &err) < 0 && !first->code)
		*first = err;
}

int net_down(struct env *env, struct err *err)
{
	struct netlink netlink CLEANUP(netlink_close) = NETLINK_INIT;
	struct err first = ERR_INIT;
	struct netlink_links links;
	int code = netlink_open(&netlink, env->sys, err);

	if (code == 0)
		code = netlink_list_links(&netlink, &links, err);
	if (code < 0)
		return code;
	for (size_t i = 0; i < links.count; i++)
		if (net_link_is_wired(&links.items[i]))
			down_link(&netlink, &links.items[i], &first);
	return first.code ? err_set(err, -first.code, "%s", first.text) : 0;
}
