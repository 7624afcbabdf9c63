/* SPDX-License-Identifier: MIT */
/*
 * The system clock before the first TLS handshake: a floor from the build, SNTP within a
 * window of credible times, and back into the RTC before the pivot. A wrong clock makes
 * every certificate "not yet valid" (agents.md, pain 4), a forged one revives dead ones.
 */
#ifndef PROMENADE_NET_CLOCK_H
#define PROMENADE_NET_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

/* Times before the floor or this much after it are not believed: systemd's bound, 15
 * years (src/core/clock-warp.c). */
#define CLOCK_CREDIBLE_S (15LL * 31557600LL)
/* Servers asked, tries each, and the wait for each try: 12 s in all at worst, and the
 * time that the resolver takes for names. */
#define CLOCK_SERVERS_MAX 3
#define CLOCK_TRIES 2
#define CLOCK_WAIT_MS 2000

enum clock_floor_change {
	CLOCK_FLOOR_KEPT,   /* the clock was credible */
	CLOCK_FLOOR_RAISED, /* it was before the floor: the RTC is empty or its battery
			       dead */
	CLOCK_FLOOR_LOWERED /* it was more than CLOCK_CREDIBLE_S after it */
};

struct clock_result {
	char server[256]; /* as configured */
	unsigned int stratum;
	int64_t skew_ms; /* how far the clock was behind (+) or ahead (-) */
	bool stepped;    /* the clock was set; a skew under 50 ms is left alone */
};

/* The time of the commit that this binary was built from (SOURCE_DATE_EPOCH), in seconds
 * since 1970. */
int64_t clock_build_floor(void) MUST_USE;

/* After success the clock is within [floor_s, floor_s + CLOCK_CREDIBLE_S]; outside of it,
 * it is set to floor_s. *ret_change says which. Errors: errno of clock_settime. */
int clock_apply_floor(const struct env *env, int64_t floor_s,
	enum clock_floor_change *ret_change, struct err *err) MUST_USE;

/* Sets the clock from the first of the servers (names or addresses, in order, the first
 * CLOCK_SERVERS_MAX) that answers with a credible time. Blocks as the constants say. Not
 * fatal for a caller whose clock is credible already. Errors: E_NET with each server and
 * its reason; errno of clock_settime. */
int clock_sync(struct env *env, const struct strlist *servers, int64_t floor_s,
	struct clock_result *ret, struct err *err) MUST_USE;

/* Writes the system clock into /dev/rtc0 as UTC, so that the installed OS and the next
 * boot start right. Errors: errno; ENOENT and ENXIO where the machine has no RTC. */
int clock_write_rtc(const struct env *env, struct err *err) MUST_USE;

#endif
