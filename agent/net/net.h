/* SPDX-License-Identifier: MIT */
/*
 * Brings the network up and keeps it: every wired link is set up at once (carriers take
 * 30-90 s on switches with spanning tree or LACP), the boot link is asked first, then all
 * that have carrier in parallel. It waits for ever unless told otherwise and says every
 * ten seconds what it awaits. Bonds and VLANs are not made here.
 *
 * The order of preference, none of it final before a lease is there:
 *   1. a lease on the boot link (BOOTIF, hw_addr= or the device of ip=)
 *   2. after NET_GRACE_MS without one, a lease on any link, at once where the boot link
 * is missing or has no carrier, and NET_PATIENCE_MS after its carrier where it has: its
 *      port may still be in spanning tree's listening and learning states, and iPXE was
 *      served there a minute ago
 *   3. after NET_RA_MS without DHCPv4, an address and a router by router advertisement,
 *      which the kernel takes by itself (accept_ra and autoconf are on by default)
 */
#ifndef PROMENADE_NET_NET_H
#define PROMENADE_NET_NET_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"
#include "model/cmdline.h"
#include "model/facts.h"

#define NET_GRACE_MS 10000U
#define NET_PATIENCE_MS 60000U
#define NET_RA_MS 30000U

struct net_request {
	char boot_mac[18]; /* from cmdline_boot_mac(); "" unknown */
	/* NULL for DHCP. Where its method is DHCP, what else it names (device, host name,
	 * servers, MTU) goes before what the lease says. Borrowed until net_free(). */
	const struct cmdline_ip *ip;
	unsigned int timeout_ms; /* 0: no hard end */
	/* Called at least every second while net_up() waits: uevents, watchdog. May be
	 * NULL. It is called at once when idle_fd (-1: none) is readable. */
	void (*idle)(void *context);
	void *context;
	int idle_fd;
	/* 0: the defaults above; tests shorten them. */
	unsigned int grace_ms;
	unsigned int patience_ms;
	unsigned int ra_ms;
};

#define NET_REQUEST_INIT                                                                 \
	{                                                                                \
		.idle_fd = -1                                                            \
	}

/* Links, clients and sockets of the network being brought up. */
struct net;

/* Opens what net_up() needs without an effect yet. env and request's pointers are
 * borrowed until net_free(). Errors: E_USAGE and E_UNSUPPORTED for an ip= that cannot be
 * served, naming what can; errno of the sockets. */
int net_new(struct env *env, const struct net_request *request, struct net **ret,
	struct err *err) MUST_USE;

/* After success one link has its address, routes and MTU, /etc/resolv.conf its servers,
 * and *ret describes it (its lists are the caller's: strlist_done()). ret->known is false
 * where ip=off wants no network. The host name is reported, not set. Blocks without end,
 * or timeout_ms. Logs what it awaits. May be called again after net_keep() failed.
 * Errors: E_TIMEOUT, saying what was awaited; errno of netlink when the configuration is
 * refused. */
int net_up(struct net *net, struct fact_lease *ret, struct err *err) MUST_USE;

/* Renews the lease when it is time; to be called every few seconds while waiting for
 * others. Does not block. Errors: E_NET when the lease is lost (the address is off the
 * link then) or the link is gone: call net_up() again. */
int net_keep(struct net *net, struct err *err) MUST_USE;

/* Closes the sockets; the links stay as they are. Takes NULL. */
void net_free(struct net *net);

/* After success no wired link has an address or a route, and all are down: the installed
 * OS starts clean. Works without a net_new() before it (another process may have been
 * net_up()'s). Errors: the first of netlink; the other links are still done. */
int net_down(struct env *env, struct err *err) MUST_USE;

#endif
