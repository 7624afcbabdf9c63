/* SPDX-License-Identifier: MIT */
/*
 * The head of an HTTP answer, line by line as libcurl hands it over.
 *
 * Links: host/fetch_head base/err base/str
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/fetch_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(int holds)
{
	if (!holds)
		abort();
}

static void check(const struct fetch_head *head)
{
	demand(head->bytes <= FETCH_HEAD_MAX);
	demand(head->status >= 0 && head->status <= 999);
	demand(!head->has_length || head->length <= INT64_MAX);
	demand(!head->has_range || !head->range_total ||
		head->range_start < head->range_total);
	demand(memchr(head->validator, '\0', sizeof(head->validator)) != NULL);
	for (const char *p = head->validator; *p; p++)
		demand(*p >= 0x20 && *p <= 0x7e);
	demand(fetch_head_retry_after(head) <= FETCH_RETRY_AFTER_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct fetch_head head = {.bytes = 0};
	const char *line = (const char *)bytes;

	while (len) {
		const char *end = memchr(line, '\n', len);
		size_t used = end ? (size_t)(end - line) + 1 : len;

		if (!fetch_head_line(&head, line, used))
			break;
		check(&head);
		line += used;
		len -= used;
	}
	return 0;
}
