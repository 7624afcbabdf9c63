/* SPDX-License-Identifier: MIT */
/*
 * SNTP messages (RFC 5905 figure 8, client mode of section 14). Pure. NTP is not
 * authenticated here: what stands between us and a lie is a 64-bit nonce that only the
 * asked server can echo, and the caller's window of credible times.
 *
 *   LI VN mode | stratum | poll | precision | root delay 4 | root dispersion 4 | ref id 4
 * | reference 8 | origin 8 | receive 8 | transmit 8
 */
#ifndef PROMENADE_NET_SNTP_H
#define PROMENADE_NET_SNTP_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define SNTP_PORT 123
#define SNTP_PACKET_LEN 48U

enum sntp_verdict {
	SNTP_IGNORE,  /* not an answer to this question: go on waiting */
	SNTP_TIME,    /* a time */
	SNTP_REFUSED, /* the server has no time for us: do not ask it again */
};

/* Timestamps are 32.32 fixed-point seconds of an era of 2^32 s (RFC 5905 6). */
struct sntp_reply {
	unsigned int stratum;
	uint64_t receive;  /* when the server got the question */
	uint64_t transmit; /* when it answered */
};

/* A question. nonce goes where the transmit timestamp would: servers echo it and a
 * client's clock is nobody's business (draft-ietf-ntp-data-minimization). */
void sntp_build(uint64_t nonce, uint8_t packet[SNTP_PACKET_LEN]);

/* Judges a datagram from the asked server. SNTP_REFUSED sets err: kiss-o'-death with its
 * code, not synchronised, or a nonsensical root distance (E_NET). */
enum sntp_verdict sntp_parse(const uint8_t *bytes, size_t len, uint64_t nonce,
	struct sntp_reply *ret, struct err *err) MUST_USE;

/* Milliseconds since 1970 of a timestamp, in the era that puts it within 2^32 s (136
 * years) after floor_s: right beyond 2036, when era 1 begins. */
int64_t sntp_to_unix_ms(uint64_t timestamp, int64_t floor_s) MUST_USE;

/* The time now, in ms since 1970, of a server's reply that took round_trip_ms from
 * question to answer: its transmit time and half of what the network took. */
int64_t sntp_now_ms(
	const struct sntp_reply *reply, uint64_t round_trip_ms, int64_t floor_s) MUST_USE;

#endif
