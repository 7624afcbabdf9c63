/* SPDX-License-Identifier: MIT */
/*
 * Whatever answers on port 123. The first eight bytes of the input are the nonce.
 *
 * Links: net/sntp base/err base/str
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/sntp.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(int holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const int64_t floor_s = 1700000000;
	struct err err = ERR_INIT;
	struct sntp_reply reply;
	uint64_t nonce = 0;
	int64_t now_ms;

	if (len < sizeof(nonce))
		return 0;
	for (size_t i = 0; i < sizeof(nonce); i++)
		nonce = nonce << 8 | bytes[i];
	switch (sntp_parse(bytes + 8, len - 8, nonce, &reply, &err)) {
	case SNTP_IGNORE:
		demand(err.code == 0);
		break;
	case SNTP_REFUSED:
		demand(err.code == -E_NET && err.text[0]);
		break;
	case SNTP_TIME:
		demand(reply.stratum >= 1 && reply.stratum <= 15);
		now_ms = sntp_now_ms(&reply, 2000, floor_s);
		demand(now_ms >= floor_s * 1000);
		demand(now_ms < (floor_s + (1LL << 32)) * 1000 + 1000);
		break;
	}
	return 0;
}
