/* SPDX-License-Identifier: MIT */
#include "base/str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int buf_reserve(struct buf *buf, size_t extra)
{
	size_t need, cap;
	char *bytes;

	if (extra > SIZE_MAX / 2 - buf->len - 1)
		return -ENOMEM;
	need = buf->len + extra + 1;
	if (need <= buf->cap)
		return 0;
	cap = buf->cap ? buf->cap * 2 : 64;
	if (cap < need)
		cap = need;
	bytes = realloc(buf->bytes, cap);
	if (!bytes)
		return -ENOMEM;
	buf->bytes = bytes;
	buf->cap = cap;
	return 0;
}

int buf_add(struct buf *buf, const void *bytes, size_t len)
{
	if (buf_reserve(buf, len) < 0)
		return -ENOMEM;
	if (len)
		memcpy(buf->bytes + buf->len, bytes, len);
	buf->len += len;
	buf->bytes[buf->len] = '\0';
	return 0;
}

int buf_add_str(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

PRINTF(2, 0) static int buf_vprintf(struct buf *buf, const char *fmt, va_list args)
{
	va_list again;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, args);
	if (len < 0 || buf_reserve(buf, (size_t)len) < 0) {
		va_end(again);
		return -ENOMEM;
	}
	(void)vsnprintf(buf->bytes + buf->len, (size_t)len + 1, fmt, again);
	va_end(again);
	buf->len += (size_t)len;
	return 0;
}

int buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = buf_vprintf(buf, fmt, args);
	va_end(args);
	return rc;
}

/* Decodes one UTF-8 sequence; a bad byte stands for itself as U+00XX. */
static size_t utf8_next(const unsigned char *p, unsigned int *ret)
{
	static const unsigned char first_mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	size_t len = p[0] < 0x80             ? 1
		     : (p[0] & 0xe0) == 0xc0 ? 2
		     : (p[0] & 0xf0) == 0xe0 ? 3
		     : (p[0] & 0xf8) == 0xf0 ? 4
					     : 0;
	unsigned int value;

	*ret = p[0];
	if (len == 0)
		return 1;
	value = p[0] & first_mask[len];
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (p[i] & 0x3f);
	}
	*ret = value;
	return len;
}

static int json_code_point(struct buf *buf, unsigned int value)
{
	if (value == '"' || value == '\\')
		return buf_printf(buf, "\\%c", (char)value);
	if (value >= 0x20 && value <= 0x7e)
		return buf_printf(buf, "%c", (char)value);
	if (value < 0x10000)
		return buf_printf(buf, "\\u%04x", value);
	value -= 0x10000;
	return buf_printf(
		buf, "\\u%04x\\u%04x", 0xd800 + (value >> 10), 0xdc00 + (value & 0x3ff));
}

int buf_add_json(struct buf *buf, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		unsigned int value;

		p += utf8_next(p, &value);
		if (json_code_point(buf, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

const char *buf_text(const struct buf *buf)
{
	return buf->bytes ? buf->bytes : "";
}

char *buf_steal(struct buf *buf)
{
	char *bytes = buf->bytes ? buf->bytes : calloc(1, 1);

	*buf = (struct buf)BUF_INIT;
	return bytes;
}

void buf_done(struct buf *buf)
{
	free(buf->bytes);
	*buf = (struct buf)BUF_INIT;
}

static int strlist_take(struct strlist *list, char *text)
{
	if (!text)
		return -ENOMEM;
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 8;
		char **items = realloc(list->items, cap * sizeof(*items));

		if (!items) {
			free(text);
			return -ENOMEM;
		}
		list->items = items;
		list->cap = cap;
	}
	list->items[list->count++] = text;
	return 0;
}

int strlist_add(struct strlist *list, const char *text)
{
	return strlist_take(list, strdup(text));
}

int strlist_printf(struct strlist *list, const char *fmt, ...)
{
	struct buf buf = BUF_INIT;
	va_list args;
	int rc;

	va_start(args, fmt);
	rc = buf_vprintf(&buf, fmt, args);
	va_end(args);
	if (rc < 0)
		return rc;
	return strlist_take(list, buf_steal(&buf));
}

bool strlist_has(const struct strlist *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return true;
	return false;
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strlist_sort(struct strlist *list)
{
	if (list->count)
		qsort(list->items, list->count, sizeof(*list->items), compare_items);
}

void strlist_done(struct strlist *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct strlist)STRLIST_INIT;
}

bool str_to_u64(const char *text, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (const char *p = text; *p; p++) {
		unsigned int digit = (unsigned int)(*p - '0');

		if (*p < '0' || *p > '9' || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*ret = value;
	return true;
}

bool str_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_has_suffix(const char *text, const char *suffix)
{
	size_t len = strlen(text), tail = strlen(suffix);

	return len >= tail && strcmp(text + len - tail, suffix) == 0;
}

bool str_copy(char *dest, size_t size, const char *text)
{
	return (size_t)snprintf(dest, size, "%s", text) < size;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char *str_trim(char *text)
{
	size_t len;

	while (is_space(*text))
		text++;
	len = strlen(text);
	while (len && is_space(text[len - 1]))
		text[--len] = '\0';
	return text;
}

void str_make_printable(char *text)
{
	for (char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
}

void str_hex32(const uint8_t bytes[32], char hex[65])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < 32; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	hex[64] = '\0';
}

void str_free(char **text)
{
	int saved = errno;

	free(*text);
	*text = NULL;
	errno = saved;
}
