/* SPDX-License-Identifier: MIT */
/* What the files net*.c share; nobody else includes it. */
#ifndef PROMENADE_NET_NET_STATE_H
#define PROMENADE_NET_NET_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/config.h"
#include "net/dhcp_client.h"
#include "net/net.h"
#include "net/netlink.h"

/* A link that the kernel has, or had: items never move, so that an index stays good. */
struct net_link {
	struct nlmsg_link link;
	bool present;
	bool boot; /* the one that the request names */
	int fd;    /* packet socket, -1 while the client is stopped */
	struct dhcp_client client;
	uint64_t carrier_since_ms; /* 0 without carrier */
	uint64_t carrier_gone_ms;  /* when it was last lost */
	uint64_t up_retry_ms;      /* when to try again to set it up */
	char up_error[128];        /* why it does not go up, or "" */
};

struct net {
	struct env *env;
	struct net_request request;
	bool static_config; /* ip= carries the address */
	bool ra_only;       /* ip=auto6 */
	bool boot_named;    /* the request names a boot link */
	struct net_config
		given; /* what ip= says; family 0 address unless static_config */
	struct netlink netlink;
	int monitor_fd;
	bool links_changed; /* the monitor spoke: list again */
	struct net_link links[NETLINK_LINKS_MAX];
	size_t count;
	struct nlmsg_rdnss rdnss;
	uint64_t started_ms;
	uint64_t said_ms;
	struct net_link *chosen;  /* NULL until net_up() has succeeded */
	struct net_config config; /* what is in effect on it */
};

/* Brings links[] up to date with the kernel: finds new ones and sets them up, notes
 * carriers that came or went. Errors: those of listing; a link that does not go up is
 * only noted. */
int net_links_refresh(struct net *net, struct err *err) MUST_USE;

/* The present boot link, or NULL. */
struct net_link *net_links_boot(struct net *net) MUST_USE;

/* True for a link of hardware, or a veth: not loopback, not made in software, not part of
 * a bond or bridge. */
bool net_link_is_wired(const struct nlmsg_link *link) MUST_USE;

/* Whether the links other than the boot link may be asked by now. */
bool net_links_others_due(struct net *net, uint64_t now_ms) MUST_USE;

/* The link to go with now and its configuration in *config, or NULL when none is usable
 * yet. The boot link goes first, then the others as the kernel lists them. */
struct net_link *net_choose(
	struct net *net, uint64_t now_ms, struct net_config *config) MUST_USE;

/* Puts what ip= names (servers, host name, MTU) in the place of what a lease says. */
void net_prefer_given(const struct net_config *given, struct net_config *config);

/* What is awaited, in one line for a console: "waiting for ... , 31 s; no hard end". */
void net_wait_text(struct net *net, uint64_t now_ms, struct buf *ret);

#endif
