/* SPDX-License-Identifier: MIT */
/*
 * The address of the boot link, as the installed OS shall have it: by DHCP with the
 * client identifier that the initramfs sent, so that the server gives the same lease and
 * it is still renewed, or fixed where it was given (ip=, router advertisement). Matched
 * by MAC, because the name that the OS will give to the link is not known here.
 */
#ifndef PROMENADE_STEPS_NETWORK_PIN_H
#define PROMENADE_STEPS_NETWORK_PIN_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"
#include "model/facts.h"
#include "steps/edit.h"

struct pin {
	const struct env *env;
	const struct fact_lease *lease; /* borrowed */
	char mac_hex[13];               /* 525400123456 */
	bool dhcp;                      /* else fixed */
	bool ipv6;                      /* a fixed IPv6 address */
	bool has_gateway; /* one to write down: of IPv6 only a global one, the rest is
			     RA's */
};

/* A setting that makes a link part of something bigger. value NULL: any but "none". */
struct pin_conflict {
	const char *key;
	const char *value;
};

/* Refuses when a file of dir (its own name, or all with suffix when dir ends in '/') has
 * one of the conflicts, which end with key NULL. Files of ours are not looked at. Errors:
 * E_UNSUPPORTED naming file and setting, errno of reading. */
int pin_refuse(const struct pin *pin, const char *dir, const char *suffix,
	const struct pin_conflict *conflicts, struct err *err) MUST_USE;

/* Value of "key = value", "key: value" or "key value" when the line is of that key, else
 * NULL. Points into line. */
const char *pin_line_value(const char *line, const char *key) MUST_USE;

/* Debian's ifupdown (interfaces(5)) with dhclient, dhcpcd or udhcpc, whichever it would
 * run. Errors: -ENOMEM, E_UNSUPPORTED, errno of reading. */
int pin_ifupdown(const struct pin *pin, struct edits *edits, struct err *err) MUST_USE;

#endif
