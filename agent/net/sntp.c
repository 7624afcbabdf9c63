/* SPDX-License-Identifier: MIT */
#include "net/sntp.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

#define MODE_CLIENT 3U
#define MODE_SERVER 4U
#define VERSION 4U
#define LEAP_UNSYNCHRONISED 3U
#define STRATUM_MAX 15U
#define REFERENCE_ID_AT 12
#define ORIGIN_AT 24
#define RECEIVE_AT 32
#define TRANSMIT_AT 40
/* Seconds from 1900 to 1970 (RFC 5905 figure 4). */
#define UNIX_EPOCH 2208988800U
/* Root distance of a server that may still be called synchronised, in 16.16 seconds;
 * systemd-timesyncd's RootDistanceMaxSec has the same 5 s. */
#define ROOT_DISTANCE_MAX (5U << 16)

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 |
	       at[3];
}

static uint64_t get64(const uint8_t *at)
{
	return (uint64_t)get32(at) << 32 | get32(at + 4);
}

void sntp_build(uint64_t nonce, uint8_t packet[SNTP_PACKET_LEN])
{
	memset(packet, 0, SNTP_PACKET_LEN);
	packet[0] = VERSION << 3 | MODE_CLIENT;
	for (unsigned int i = 0; i < 8; i++)
		packet[TRANSMIT_AT + i] = (uint8_t)(nonce >> (56 - 8 * i));
}

/* Half the round trip to the reference clock and its dispersion (RFC 5905 A.5.5.2). */
static bool distance_is_sane(const uint8_t *bytes)
{
	uint64_t delay = get32(bytes + 4);
	uint64_t dispersion = get32(bytes + 8);

	return delay / 2 + dispersion <= ROOT_DISTANCE_MAX;
}

enum sntp_verdict sntp_parse(const uint8_t *bytes, size_t len, uint64_t nonce,
	struct sntp_reply *ret, struct err *err)
{
	struct sntp_reply reply;
	char kiss[5];

	if (len < SNTP_PACKET_LEN || (bytes[0] & 7U) != MODE_SERVER ||
		((bytes[0] >> 3) & 7U) < 3 || ((bytes[0] >> 3) & 7U) > VERSION ||
		get64(bytes + ORIGIN_AT) != nonce)
		return SNTP_IGNORE;
	reply.stratum = bytes[1];
	reply.receive = get64(bytes + RECEIVE_AT);
	reply.transmit = get64(bytes + TRANSMIT_AT);
	if (reply.stratum == 0) {
		/* RFC 5905 7.4: kiss-o'-death, four ASCII bytes instead of the reference.
		 */
		memcpy(kiss, bytes + REFERENCE_ID_AT, 4);
		kiss[4] = '\0';
		str_make_printable(kiss);
		err_set(err, E_NET, "it refuses (kiss-o'-death %s)", kiss);
		return SNTP_REFUSED;
	}
	if (bytes[0] >> 6 == LEAP_UNSYNCHRONISED || reply.stratum > STRATUM_MAX ||
		reply.transmit == 0 || reply.receive == 0) {
		err_set(err, E_NET, "it is not synchronised itself");
		return SNTP_REFUSED;
	}
	if (!distance_is_sane(bytes)) {
		err_set(err, E_NET, "it is more than 5 s unsure of its own time");
		return SNTP_REFUSED;
	}
	*ret = reply;
	return SNTP_TIME;
}

int64_t sntp_to_unix_ms(uint64_t timestamp, int64_t floor_s)
{
	uint32_t since_1970 =
		(uint32_t)(timestamp >> 32) - UNIX_EPOCH; /* modulo an era */
	uint32_t after_floor = since_1970 - (uint32_t)floor_s;
	uint64_t fraction_ms = ((timestamp & UINT32_MAX) * 1000U) >> 32;

	return (floor_s + (int64_t)after_floor) * 1000 + (int64_t)fraction_ms;
}

int64_t sntp_now_ms(
	const struct sntp_reply *reply, uint64_t round_trip_ms, int64_t floor_s)
{
	/* Modulo an era, so that a question over the turn of one is short too. */
	uint64_t held_ms = ((reply->transmit - reply->receive) >> 16) * 1000U >> 16;
	uint64_t network_ms = held_ms < round_trip_ms ? round_trip_ms - held_ms : 0;

	return sntp_to_unix_ms(reply->transmit, floor_s) + (int64_t)(network_ms / 2);
}
