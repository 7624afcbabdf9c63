/* SPDX-License-Identifier: MIT */
/* The head of an HTTP answer, as far as the agent reads it. Pure, so that it is fuzzed
 * alone. */
#ifndef PROMENADE_HOST_FETCH_HEAD_H
#define PROMENADE_HOST_FETCH_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/compiler.h"

/* All bytes of the heads of one exchange (RFC 9112 sets no limit; browsers take 256 KiB).
 */
#define FETCH_HEAD_MAX 65536U

/* Longest Retry-After that is believed: a bad value must not park a machine for a day. */
#define FETCH_RETRY_AFTER_MAX 3600U

struct fetch_head {
	size_t bytes; /* of this and earlier heads of the exchange (1xx) */
	long status;
	bool complete; /* the empty line at its end was there */
	bool has_length;
	uint64_t length; /* Content-Length */
	bool has_range;
	uint64_t range_start; /* Content-Range: bytes START-END/TOTAL */
	uint64_t range_total; /* 0: "*" */
	char validator[128];  /* for If-Range: a strong ETag, else Last-Modified; "" none
			       */
	uint64_t retry_after_s; /* Retry-After in seconds */
	time_t retry_at;        /* Retry-After as a date; <= 0: none */
	time_t date;
};

/* Takes one line of the head, with or without its line end; a status line starts a new
 * head. False when the head is too long: the exchange must be ended. Lines that do not
 * parse are as if absent. */
bool fetch_head_line(struct fetch_head *head, const char *line, size_t len) MUST_USE;

/* What Retry-After asks for in seconds, at most FETCH_RETRY_AFTER_MAX; 0: nothing. A date
 * counts from the answer's own Date, because this machine's clock may be wrong
 * (RFC 9110 10.2.3). */
unsigned int fetch_head_retry_after(const struct fetch_head *head) MUST_USE;

#endif
