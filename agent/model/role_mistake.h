/* SPDX-License-Identifier: MIT */
/* Collects what is wrong with a role; the inside of role_parse(). */
#ifndef PROMENADE_MODEL_ROLE_MISTAKE_H
#define PROMENADE_MODEL_ROLE_MISTAKE_H

#include "base/compiler.h"
#include "model/role.h"

/* Where something stands in the document; both count from 1. */
struct role_place {
	unsigned int line;
	unsigned int column;
};

/* Text of the document made fit for a message: printable ASCII, cut to 48 bytes. */
struct role_shown {
	char text[52];
};

/* Adds a mistake. Beyond ROLE_MISTAKES_MAX it is only counted. */
void role_mistake_add(struct role_mistakes *mistakes, struct role_place place,
	const char *fmt, ...) PRINTF(3, 4);

/* Sorts by line and column; mistakes of one place stay in the order of their adding. */
void role_mistakes_sort(struct role_mistakes *mistakes);

/* A copy of text for a message. */
struct role_shown role_show(const char *text) MUST_USE;

/* Edit distance (insert, delete, replace, swap of neighbours; letters without case) of
 * two words, each at most 40 bytes; longer ones are as far apart as can be (UINT_MAX). */
unsigned int role_word_distance(const char *a, const char *b) MUST_USE;

#endif
