/* SPDX-License-Identifier: MIT */
#include "cluster/der.h"

#include <string.h>
#include <time.h>

void der_raw(struct der *der, const void *bytes, size_t len)
{
	if (!der->failed && buf_add(&der->out, bytes, len) < 0)
		der->failed = true;
}

void der_open(struct der *der, uint8_t tag)
{
	der_raw(der, &tag, 1);
	if (der->depth == DER_DEPTH_MAX) {
		der->failed = true;
		return;
	}
	der->open[der->depth++] = der->out.len;
}

void der_open_bits(struct der *der)
{
	der_open(der, DER_BIT_STRING);
	der_raw(der, "", 1);
}

/* X.690 8.1.3; returns how many bytes of head are used. */
static size_t length_bytes(size_t len, uint8_t head[1 + sizeof(size_t)])
{
	size_t count = 0;

	if (len < 0x80) {
		head[0] = (uint8_t)len;
		return 1;
	}
	for (size_t rest = len; rest; rest >>= 8)
		count++;
	head[0] = (uint8_t)(0x80 | count);
	for (size_t i = 0; i < count; i++)
		head[count - i] = (uint8_t)(len >> (8 * i));
	return 1 + count;
}

void der_close(struct der *der)
{
	uint8_t head[1 + sizeof(size_t)];
	size_t begin, len, used;

	if (der->failed || der->depth == 0) {
		der->failed = true;
		return;
	}
	begin = der->open[--der->depth];
	len = der->out.len - begin;
	used = length_bytes(len, head);
	der_raw(der, head, used); /* makes room at the end; then it moves to the front */
	if (der->failed)
		return;
	memmove(der->out.bytes + begin + used, der->out.bytes + begin, len);
	memcpy(der->out.bytes + begin, head, used);
}

void der_value(struct der *der, uint8_t tag, const void *bytes, size_t len)
{
	der_open(der, tag);
	der_raw(der, bytes, len);
	der_close(der);
}

void der_oid(struct der *der, const struct der_oid *oid)
{
	der_value(der, DER_OID, oid->bytes, oid->len);
}

void der_time(struct der *der, int64_t time)
{
	time_t seconds = (time_t)time;
	char text[32];
	struct tm tm;

	if (time < 0 || !gmtime_r(&seconds, &tm) || tm.tm_year + 1900 > 9999) {
		der->failed = true;
		return;
	}
	(void)strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	if (tm.tm_year + 1900 < 2050)
		der_value(der, DER_UTC_TIME, text + 2, strlen(text + 2));
	else
		der_value(der, DER_GENERALIZED_TIME, text, strlen(text));
}

/* X.680 41.4, table 10 */
static bool is_printable(const char *text)
{
	return text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				 "0123456789 '()+,-./:=?")] == '\0';
}

void der_name_text(struct der *der, const char *text)
{
	der_value(der, is_printable(text) ? DER_PRINTABLE_STRING : DER_UTF8_STRING, text,
		strlen(text));
}

bool der_finish(const struct der *der)
{
	return !der->failed && der->depth == 0;
}

void der_done(struct der *der)
{
	buf_done(&der->out);
	*der = (struct der)DER_INIT;
}
