/* SPDX-License-Identifier: MIT */
#include "host/fetch_head.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

static void head_status(struct fetch_head *head, const char *line)
{
	const char *space = strchr(line, ' ');
	size_t bytes = head->bytes;
	uint64_t status = 0;
	char digits[4] = "";

	memset(head, 0, sizeof(*head));
	head->bytes = bytes;
	if (space)
		(void)str_copy(digits, sizeof(digits), space + 1); /* the reason is cut */
	if (str_to_u64(digits, 999, &status))
		head->status = (long)status;
}

static void head_length(struct fetch_head *head, char *value)
{
	head->has_length = str_to_u64(value, INT64_MAX, &head->length);
}

/* bytes START-END/TOTAL or bytes START-END/ * (RFC 9110 14.4). */
static void head_range(struct fetch_head *head, char *value)
{
	char *dash = strchr(value, '-'), *slash = strchr(value, '/');
	uint64_t start, end, total = 0;

	if (strncasecmp(value, "bytes ", 6) != 0 || !dash || !slash || dash > slash)
		return;
	*dash = '\0';
	*slash = '\0';
	if (!str_to_u64(value + 6, INT64_MAX, &start) ||
		!str_to_u64(dash + 1, INT64_MAX, &end) || end < start)
		return;
	if (strcmp(slash + 1, "*") != 0 &&
		(!str_to_u64(slash + 1, INT64_MAX, &total) || total <= end))
		return;
	head->has_range = true;
	head->range_start = start;
	head->range_total = total;
}

/* Kept to be sent back: printable, or it could end our header line and begin another. */
static void keep_validator(struct fetch_head *head, const char *value)
{
	for (const char *p = value; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			return;
	if (!str_copy(head->validator, sizeof(head->validator), value))
		head->validator[0] = '\0';
}

/* A weak ETag does not promise the same bytes (RFC 9110 13.1.5). */
static void head_etag(struct fetch_head *head, char *value)
{
	if (value[0] == '"')
		keep_validator(head, value);
}

static void head_modified(struct fetch_head *head, char *value)
{
	if (head->validator[0] != '"')
		keep_validator(head, value);
}

/* RFC 9110 5.6.7, the one form that is sent; -1 for any other. */
static time_t http_date(const char *value)
{
	struct tm tm = {.tm_isdst = 0};
	const char *end = strptime(value, "%a, %d %b %Y %H:%M:%S GMT", &tm);

	return end && !*end ? timegm(&tm) : -1;
}

static void head_date(struct fetch_head *head, char *value)
{
	head->date = http_date(value);
}

static void head_retry_after(struct fetch_head *head, char *value)
{
	uint64_t seconds;

	if (str_to_u64(value, UINT32_MAX, &seconds))
		head->retry_after_s = seconds;
	else
		head->retry_at = http_date(value);
}

static const struct {
	const char *name;
	void (*set)(struct fetch_head *head, char *value);
} fields[] = {
	{"content-length", head_length},
	{"content-range", head_range},
	{"date", head_date},
	{"etag", head_etag},
	{"last-modified", head_modified},
	{"retry-after", head_retry_after},
};

bool fetch_head_line(struct fetch_head *head, const char *line, size_t len)
{
	char text[512], *colon;

	if (len > FETCH_HEAD_MAX - head->bytes)
		return false;
	head->bytes += len;
	if (len >= sizeof(text) || memchr(line, '\0', len))
		return true; /* no field that is read here is so long or has a NUL */
	memcpy(text, line, len);
	text[len] = '\0';
	if (text[strspn(text, "\r\n")] == '\0') {
		head->complete = true;
		return true;
	}
	if (strncasecmp(text, "HTTP/", 5) == 0) {
		head_status(head, text);
		return true;
	}
	colon = strchr(text, ':');
	if (!colon)
		return true;
	*colon = '\0';
	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (strcasecmp(text, fields[i].name) == 0)
			fields[i].set(head, str_trim(colon + 1));
	return true;
}

unsigned int fetch_head_retry_after(const struct fetch_head *head)
{
	uint64_t seconds = head->retry_after_s;

	if (head->retry_at > 0 && head->date > 0 && head->retry_at > head->date)
		seconds = (uint64_t)(head->retry_at - head->date);
	return (unsigned int)(seconds > FETCH_RETRY_AFTER_MAX ? FETCH_RETRY_AFTER_MAX
							      : seconds);
}
