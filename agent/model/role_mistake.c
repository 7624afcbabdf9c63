/* SPDX-License-Identifier: MIT */
#include "model/role_mistake.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_MAX 40

void role_mistake_add(
	struct role_mistakes *mistakes, struct role_place place, const char *fmt, ...)
{
	struct role_mistake *item;
	va_list args;

	if (mistakes->count++ >= ROLE_MISTAKES_MAX)
		return;
	item = &mistakes->items[mistakes->count - 1];
	item->line = place.line;
	item->column = place.column;
	va_start(args, fmt);
	(void)vsnprintf(item->text, sizeof(item->text), fmt, args);
	va_end(args);
}

static bool comes_after(const struct role_mistake *a, const struct role_mistake *b)
{
	return a->line > b->line || (a->line == b->line && a->column > b->column);
}

/* Insertion: stable, and 64 items at most. */
void role_mistakes_sort(struct role_mistakes *mistakes)
{
	size_t count =
		mistakes->count < ROLE_MISTAKES_MAX ? mistakes->count : ROLE_MISTAKES_MAX;

	for (size_t i = 1; i < count; i++) {
		struct role_mistake item = mistakes->items[i];
		size_t at = i;

		while (at && comes_after(&mistakes->items[at - 1], &item)) {
			mistakes->items[at] = mistakes->items[at - 1];
			at--;
		}
		mistakes->items[at] = item;
	}
}

struct role_shown role_show(const char *text)
{
	struct role_shown shown;
	size_t cut = sizeof(shown.text) - 4;

	if (!str_copy(shown.text, sizeof(shown.text), text))
		(void)str_copy(shown.text + cut, sizeof(shown.text) - cut, "...");
	str_make_printable(shown.text);
	return shown;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Damerau's distance in its restricted form; rows[i % 3] is the row of prefix a[0..i). */
unsigned int role_word_distance(const char *a, const char *b)
{
	unsigned int rows[3][WORD_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > WORD_MAX || b_len > WORD_MAX)
		return UINT_MAX;
	for (size_t k = 0; k <= b_len; k++)
		rows[0][k] = (unsigned int)k;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned int *row = rows[i % 3];
		const unsigned int *above = rows[(i - 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t k = 1; k <= b_len; k++) {
			unsigned int differ = lower(a[i - 1]) != lower(b[k - 1]);

			row[k] = least(
				above[k] + 1, row[k - 1] + 1, above[k - 1] + differ);
			if (i > 1 && k > 1 && lower(a[i - 1]) == lower(b[k - 2]) &&
				lower(a[i - 2]) == lower(b[k - 1]))
				row[k] = least(
					row[k], rows[(i - 2) % 3][k - 2] + 1, UINT_MAX);
		}
	}
	return rows[a_len % 3][b_len];
}
