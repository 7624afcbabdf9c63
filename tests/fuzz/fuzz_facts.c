/* SPDX-License-Identifier: MIT */
/*
 * A facts file: what is read renders, and reads and renders again as the same text.
 *
 * Links: model/facts model/facts_text model/nic_ids base/err base/str
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct facts facts CLEANUP(facts_done) = {0}, again CLEANUP(facts_done) = {0};
	struct buf first CLEANUP(buf_done) = BUF_INIT,
			 second CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	int rc = facts_parse((const char *)bytes, len, &facts, &err);

	if (rc < 0) {
		demand(rc == -E_FORMAT && err.code == rc && *err.text);
		return 0;
	}
	demand(facts_render(&facts, &first) == 0);
	demand(facts_parse(first.bytes, first.len, &again, &err) == 0);
	demand(facts_render(&again, &second) == 0);
	demand(strcmp(first.bytes, second.bytes) == 0);
	return 0;
}
