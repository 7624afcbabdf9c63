/* SPDX-License-Identifier: MIT */
/* The parts of host/fetch that need no server: heads, URLs for people, identity headers.
 * tests/http has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "host/fetch.h"
#include "host/fetch_head.h"
#include "model/facts.h"

static void feed(struct fetch_head *head, const char *text)
{
	while (*text) {
		const char *end = strchr(text, '\n');

		assert_non_null(end);
		assert_true(fetch_head_line(head, text, (size_t)(end - text) + 1));
		text = end + 1;
	}
}

static void head_fields(void **state)
{
	struct fetch_head head = {.bytes = 0};

	(void)state;
	feed(&head, "HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n"
		    "HTTP/1.1 206 Partial Content\r\ncontent-length:  10 \r\n"
		    "Content-Range: bytes 5-14/15\r\nETag: \"a b\"\r\n"
		    "Last-Modified: Sun, 22 Nov 2026 10:00:00 GMT\r\n");
	assert_false(head.complete);
	feed(&head, "\r\n");
	assert_true(head.complete);
	assert_int_equal(head.status, 206);
	assert_true(head.has_length && head.length == 10);
	assert_true(head.has_range);
	assert_int_equal(head.range_start, 5);
	assert_int_equal(head.range_total, 15);
	assert_string_equal(head.validator, "\"a b\"");
}

/* Lines that must be as if absent. */
static void head_odd(void **state)
{
	static const char *const lines[] = {"Content-Length: -1\r\n",
		"Content-Length: 1 2\r\n", "Content-Length: 99999999999999999999\r\n",
		"Content-Length:\r\n", "Content-Range: bytes */15\r\n",
		"Content-Range: bytes 5-4/15\r\n", "Content-Range: bytes 5-14/14\r\n",
		"Content-Range: bytes -/\r\n", "Content-Range: octets 5-14/15\r\n",
		"Content-Range: bytes 5/14-15\r\n", "ETag: W/\"weak\"\r\n",
		"ETag: unquoted\r\n", "ETag: \"a\"\rX: y\r\n", "Retry-After: -1\r\n",
		"Retry-After: tomorrow\r\n", "no colon\r\n", ":\r\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct fetch_head head = {.bytes = 0}, before;

		feed(&head, "HTTP/1.1 200 OK\r\n");
		before = head;
		feed(&head, lines[i]);
		before.bytes = head.bytes;
		if (head.retry_at < 0)
			before.retry_at = head.retry_at;
		assert_memory_equal(&head, &before, sizeof(head));
	}
}

static void head_validator(void **state)
{
	struct fetch_head head = {.bytes = 0};
	char line[256] = "ETag: \"";

	(void)state;
	/* a strong ETag wins in whatever order they come; one too long is none */
	feed(&head, "HTTP/1.1 200 OK\r\nETag: \"s\"\r\nLast-Modified: date\r\n");
	assert_string_equal(head.validator, "\"s\"");
	feed(&head, "HTTP/1.1 200 OK\r\nLast-Modified: date\r\nETag: \"s\"\r\n");
	assert_string_equal(head.validator, "\"s\"");
	feed(&head, "HTTP/1.1 200 OK\r\nETag: W/\"w\"\r\nLast-Modified: date\r\n");
	assert_string_equal(head.validator, "date");
	memset(line + strlen(line), 'x', 200);
	strcpy(line + 207, "\"\r\n");
	feed(&head, "HTTP/1.1 200 OK\r\n");
	feed(&head, line);
	assert_string_equal(head.validator, "");
}

static void head_retry_after(void **state)
{
	static const struct {
		const char *text;
		unsigned int seconds;
	} cases[] = {
		{"Retry-After: 17\r\n", 17},
		{"Retry-After: 4294967295\r\n", FETCH_RETRY_AFTER_MAX},
		{"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
		 "Retry-After: Sun, 22 Nov 2026 10:02:00 GMT\r\n",
			120},
		{"Retry-After: Sun, 22 Nov 2026 10:02:00 GMT\r\n"
		 "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n",
			120},
		{"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
		 "Retry-After: Sun, 22 Nov 2026 09:00:00 GMT\r\n",
			0},
		{"Retry-After: Sun, 22 Nov 2026 10:02:00 GMT\r\n", 0},
		{"Date: Sun, 22 Nov 2026 10:00:00 GMT\r\n"
		 "Retry-After: Mon, 22 Nov 2027 10:00:00 GMT\r\n",
			FETCH_RETRY_AFTER_MAX},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct fetch_head head = {.bytes = 0};

		feed(&head, "HTTP/1.1 503 Wait\r\n");
		feed(&head, cases[i].text);
		assert_int_equal(fetch_head_retry_after(&head), cases[i].seconds);
	}
}

static void head_too_long(void **state)
{
	struct fetch_head head = {.bytes = 0};
	char line[1000];
	unsigned int lines = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	while (fetch_head_line(&head, line, sizeof(line)))
		lines++;
	assert_int_equal(lines, FETCH_HEAD_MAX / sizeof(line));
}

static void url_printable(void **state)
{
	static const struct {
		const char *url;
		const char *shown;
	} cases[] = {
		{"https://host/path", "https://host/path"},
		{"https://host/path?token=secret", "https://host/path?..."},
		{"https://host/path#secret", "https://host/path?..."},
		{"https://user:secret@host/path", "https://...@host/path"},
		{"https://host/a@b", "https://host/a@b"},
		{"user:secret@host", "...@host"},
		{"https://host/\x1b[2J\n", "https://host/?[2J?"},
		{"", ""},
	};
	char text[64], tiny[12];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		fetch_url_printable(cases[i].url, text, sizeof(text));
		assert_string_equal(text, cases[i].shown);
	}
	fetch_url_printable("https://host/path?token=secret", tiny, sizeof(tiny));
	assert_string_equal(tiny, "https://hos");
}

static void identity_headers(void **state)
{
	struct fact_nic nics[] = {
		{.name = "eth0", .mac = "52:54:00:00:00:01"},
		{.name = "", .mac = "52:54:00:00:00:02"},
		{.name = "eth1", .mac = "52:54:00:00:00:03", .boot = true},
	};
	struct facts facts = {.nics = nics, .nic_count = 3, .serial = "AB\r\nX: y"};
	struct strlist headers = STRLIST_INIT;

	(void)state;
	assert_int_equal(fetch_identity_headers(&facts, &headers), 0);
	assert_int_equal(headers.count, 3);
	assert_string_equal(
		headers.items[0], "X-RHN-Provisioning-MAC-0: eth1 52:54:00:00:00:03");
	assert_string_equal(
		headers.items[1], "X-RHN-Provisioning-MAC-1: eth0 52:54:00:00:00:01");
	assert_string_equal(headers.items[2], "X-System-Serial-Number: AB??X: y");
	strlist_done(&headers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_fields),
		cmocka_unit_test(head_odd),
		cmocka_unit_test(head_validator),
		cmocka_unit_test(head_retry_after),
		cmocka_unit_test(head_too_long),
		cmocka_unit_test(url_printable),
		cmocka_unit_test(identity_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
