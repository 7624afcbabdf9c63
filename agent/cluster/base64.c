/* SPDX-License-Identifier: MIT */
#include "cluster/base64.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cluster/secret.h"

static const char standard[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* Up to 3 bytes become up to 4 characters; their number. */
static size_t encode_group(
	const char *alphabet, const unsigned char *bytes, size_t count, char quad[4])
{
	uint32_t bits = (uint32_t)bytes[0] << 16;

	if (count > 1)
		bits |= (uint32_t)bytes[1] << 8;
	if (count > 2)
		bits |= bytes[2];
	for (size_t i = 0; i < 4; i++)
		quad[i] = alphabet[bits >> (18 - 6 * i) & 63];
	return count + 1;
}

static int encode(struct buf *text, const char *alphabet, bool padded, const void *bytes,
	size_t len)
{
	const unsigned char *p = bytes;

	for (size_t at = 0; at < len; at += 3) {
		size_t count = len - at < 3 ? len - at : 3;
		char quad[4];
		size_t used = encode_group(alphabet, p + at, count, quad);

		if (padded)
			for (; used < 4; used++)
				quad[used] = '=';
		if (secret_add(text, quad, used) < 0)
			return -ENOMEM;
	}
	return 0;
}

int base64_add(struct buf *text, const void *bytes, size_t len)
{
	return encode(text, standard, true, bytes, len);
}

int base64url_add(struct buf *text, const void *bytes, size_t len)
{
	return encode(text, url, false, bytes, len);
}

static int value_of(char c)
{
	const char *at = c ? strchr(standard, c) : NULL;

	return at ? (int)(at - standard) : -1;
}

/* The bytes of four characters, of which pad are '='; 0 when they are none. */
static size_t decode_group(const char quad[4], unsigned char bytes[3])
{
	size_t pad = quad[3] != '=' ? 0 : quad[2] != '=' ? 1 : 2;
	uint32_t bits = 0;

	for (size_t i = 0; i < 4; i++) {
		int value = i < 4 - pad ? value_of(quad[i]) : 0;

		if (value < 0)
			return 0;
		bits = bits << 6 | (uint32_t)value;
	}
	if ((pad == 1 && bits & 0xff) || (pad == 2 && bits & 0xffff))
		return 0;
	bytes[0] = (unsigned char)(bits >> 16);
	bytes[1] = (unsigned char)(bits >> 8);
	bytes[2] = (unsigned char)bits;
	return 3 - pad;
}

static bool is_blank(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

static int decode_into(const char *text, size_t len, struct buf *ret)
{
	char quad[4];
	size_t held = 0, count = 3;

	for (size_t i = 0; i < len; i++) {
		unsigned char bytes[3];

		if (is_blank(text[i]))
			continue;
		if (count < 3) /* a padded group was the last */
			return -EINVAL;
		quad[held++] = text[i];
		if (held < 4)
			continue;
		held = 0;
		count = decode_group(quad, bytes);
		if (count == 0)
			return -EINVAL;
		if (secret_add(ret, bytes, count) < 0)
			return -ENOMEM;
	}
	return held ? -EINVAL : 0;
}

int base64_decode(const char *text, size_t len, struct buf *ret)
{
	size_t before = ret->len;
	int rc = decode_into(text, len, ret);

	if (rc < 0 && ret->bytes) {
		explicit_bzero(ret->bytes + before, ret->len - before);
		ret->len = before;
		ret->bytes[before] = '\0';
	}
	return rc;
}
