/* SPDX-License-Identifier: MIT */
/* What the files of the worker share: boot.c (the order), boot_role.c (getting a role),
 * boot_machine.c (modules, network, clock). */
#ifndef PROMENADE_BOOT_PARTS_H
#define PROMENADE_BOOT_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "host/fetch.h"
#include "host/journal.h"
#include "host/module.h"
#include "host/policy.h"
#include "host/report.h"
#include "host/role_source.h"
#include "host/syslog.h"
#include "model/cmdline.h"
#include "model/facts.h"
#include "model/role.h"
#include "net/net.h"
#include "steps/root.h"

/* Seconds that a prepared machine asks for its role (DESIGN.md, boot step 4). */
#define BOOT_ROLEWAIT_S 60U

/* The words of the kernel command line that are ours. */
struct boot_options {
	struct strlist role_urls;
	struct strlist ntp;
	char *report_url; /* "" when not given */
	unsigned int rolewait_s;
	char boot_mac[18];
	bool has_ip;
	struct cmdline_ip ip;
};

struct boot {
	struct env env;
	struct journal journal;
	struct boot_options options;
	struct facts facts;
	struct policy policy;
	struct module_loader *modules;
	struct net *net;
	struct net_request net_request;
	struct strlist headers;
	struct fetch_config fetch_config;
	struct fetch *fetch;
	struct report *report;
	struct syslog_sender syslog;
	struct root_prepared prepared;
	struct role_text role_text;
	struct role role;
	enum role_pivot pivot; /* of the last plan */
	bool target_seen; /* the installed OS was looked at, and this is what it was: */
	bool was_prepared;
	uint64_t was_prepared_serial;
	bool role_is_stale;       /* the last accepted one, because no server answered */
	uint64_t role_since_ms;   /* when asking for a role began */
	uint64_t said_waiting_ms; /* into a request, when its wait was last named */
};

/* Reads the command line into options; a word that does not parse is said and left out: a
 * typing error must not stop the machine. Errors: -ENOMEM, errno of /proc/cmdline. */
int boot_read_options(struct boot *boot, struct err *err) MUST_USE;

/* Loads modules for what is there and keeps listening for what comes. Failures of single
 * modules are said and passed over. Errors: errno of the loader. */
int boot_load_modules(struct boot *boot, struct err *err) MUST_USE;

/* Loads modules for devices that appeared meanwhile. Does not block. */
void boot_pump(void *boot);

/* Sleeps, pumping uevents and renewing the lease. */
void boot_wait_ms(struct boot *boot, unsigned int ms);

/* Puts the clock above its floor, for certificates. Never fails: says what it could not.
 */
void boot_floor_clock(struct boot *boot);

/* Address, name servers and time. timeout_ms 0: no hard end. Errors: those of net_up().
 */
int boot_open_network(
	struct boot *boot, unsigned int timeout_ms, struct err *err) MUST_USE;

/* Sets the clock by the servers of the command line, the lease and the role, unless that
 * was done in this boot. Never fails: says what it could not. */
void boot_sync_clock(struct boot *boot);

/* The HTTP client with the policy's trust and the machine's identity, and the reporter
 * when the command line names one. Errors: -ENOMEM, E_BUG. */
int boot_open_fetch(struct boot *boot, struct err *err) MUST_USE;

/* One try to get a role that is for this machine and acceptable; replaces boot->role on
 * success. *ret_retry_after_s is what a server asked for. Errors: those of
 * role_source_get(), role_parse() and the role's checks; mistakes are logged. */
int boot_try_role(
	struct boot *boot, unsigned int *ret_retry_after_s, struct err *err) MUST_USE;

/* Takes the role kept on a prepared machine. Errors: those of role_parse(). */
int boot_take_kept_role(struct boot *boot, struct err *err) MUST_USE;

/* Asks until there is a role; on a prepared machine at most rolewait, then the kept one.
 * Says what it waits for. Errors: only what asking again cannot heal (-ENOMEM). */
int boot_get_role(struct boot *boot, struct err *err) MUST_USE;

/* Shows on every console what happened, the evidence and what comes next, keeps showing
 * it, and returns when it is time to try again: sooner for what may heal by itself, every
 * few minutes for what a person must mend. attempt counts from 0. */
void boot_hold(struct boot *boot, const struct err *err, unsigned int attempt);

#endif
