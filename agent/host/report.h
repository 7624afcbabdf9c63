/* SPDX-License-Identifier: MIT */
/*
 * What the world is told: cloud-init's webhook events (servers.md 6.1), one POST each, so
 * that MAAS and anything that reads cloud-init reads us. Never in the boot's way: events
 * go through a pipe to a child that posts them; a full pipe drops and counts. Events
 * before the URL is known are kept and sent first.
 */
#ifndef PROMENADE_HOST_REPORT_H
#define PROMENADE_HOST_REPORT_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "host/fetch.h"
#include "model/facts.h"

enum report_result { REPORT_SUCCESS, REPORT_WARN, REPORT_FAIL };

struct report;

/* A reporter that keeps events until report_open(). Borrows env. Caller report_free()s.
 * Errors: -ENOMEM. */
int report_new(struct env *env, struct report **ret, struct err *err) MUST_USE;

/* Names the machine in every later event ("node": uuid, serial, mac, hostname, ip). */
void report_set_facts(struct report *report, const struct facts *facts, const char *name);

/* Starts the sending child for url, unless it runs already. config is copied by the fork.
 * allow_http: the URL may be plain HTTP. Errors: errno of pipe and fork. */
int report_open(struct report *report, const struct fetch_config *config, const char *url,
	bool allow_http, struct err *err) MUST_USE;

/* True while a child is there to send. NULL report: false. */
bool report_is_open(const struct report *report) MUST_USE;

/* Event "promenade/STEP" of type start. NULL report: nothing. */
void report_start(struct report *report, const char *step, const char *description);

/* Event of type finish with its result. NULL report: nothing. */
void report_finish(struct report *report, const char *step, enum report_result result,
	const char *description);

/* Lets the child send what it has, at most timeout_ms, then ends it. *ret_lost counts the
 * events that were dropped or not accepted. Blocks. Without a child: nothing. */
void report_close(struct report *report, unsigned int timeout_ms, unsigned int *ret_lost);

/* Ends the child without waiting for the rest and frees; takes NULL. */
void report_free(struct report **report);

#endif
