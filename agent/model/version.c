/* SPDX-License-Identifier: MIT */
#include "model/version.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Reads digits at *text into ret; false when there are none or they overflow. */
static bool take_number(const char **text, unsigned int *ret)
{
	const char *p = *text;
	unsigned int value = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned int digit = (unsigned int)(*p - '0');

		/* VERSION_RC_NONE itself is no number. */
		if (value > (VERSION_RC_NONE - 1 - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*text = p;
	*ret = value;
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int version_parse(const char *text, struct version *ret)
{
	struct version version = {0, 0, 0, VERSION_RC_NONE};

	if (!take_number(&text, &version.major) || *text++ != '.' ||
		!take_number(&text, &version.minor))
		return -EINVAL;
	if (text[0] == '.' && is_digit(text[1])) {
		text++;
		if (!take_number(&text, &version.sublevel))
			return -EINVAL;
	}
	if (strncmp(text, "-rc", 3) == 0 && is_digit(text[3])) {
		text += 3;
		if (!take_number(&text, &version.rc))
			return -EINVAL;
	}
	*ret = version;
	return 0;
}

static int compare(unsigned int a, unsigned int b)
{
	return (a > b) - (a < b);
}

int version_compare(const struct version *a, const struct version *b)
{
	int order = compare(a->major, b->major);

	if (order == 0)
		order = compare(a->minor, b->minor);
	if (order == 0)
		order = compare(a->sublevel, b->sublevel);
	return order ? order : compare(a->rc, b->rc);
}
