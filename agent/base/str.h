/* SPDX-License-Identifier: MIT */
/* Growing byte buffers, lists of strings, and number parsing that refuses what it does
 * not understand. Allocation failure is -ENOMEM, never an abort. */
#ifndef PROMENADE_BASE_STR_H
#define PROMENADE_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* bytes is NULL or NUL-terminated at bytes[len]; len excludes the NUL. */
struct buf {
	char *bytes;
	size_t len;
	size_t cap;
};

#define BUF_INIT                                                                         \
	{                                                                                \
		NULL, 0, 0                                                               \
	}

/* Appends len bytes; the buffer stays NUL-terminated and is unchanged on failure.
 * Errors: -ENOMEM. */
int buf_add(struct buf *buf, const void *bytes, size_t len) MUST_USE;

/* Appends a NUL-terminated string. Errors: -ENOMEM. */
int buf_add_str(struct buf *buf, const char *text) MUST_USE;

/* Appends formatted text. Errors: -ENOMEM. */
int buf_printf(struct buf *buf, const char *fmt, ...) PRINTF(2, 3) MUST_USE;

/* Appends text as the inside of a JSON string, ASCII only: control characters and bytes
 * above 0x7e become \u00XX (RFC 8259 7), UTF-8 becomes \uXXXX. Errors: -ENOMEM. */
int buf_add_json(struct buf *buf, const char *text) MUST_USE;

/* The text, "" when empty; valid until the next change. */
const char *buf_text(const struct buf *buf) MUST_USE;

/* Moves the bytes out (caller frees, never NULL unless out of memory) and empties buf. */
char *buf_steal(struct buf *buf) MUST_USE;

/* Frees and empties; takes an empty one. */
void buf_done(struct buf *buf);

/* A list of owned strings in insertion order. */
struct strlist {
	char **items;
	size_t count;
	size_t cap;
};

#define STRLIST_INIT                                                                     \
	{                                                                                \
		NULL, 0, 0                                                               \
	}

/* Appends a copy. Errors: -ENOMEM. */
int strlist_add(struct strlist *list, const char *text) MUST_USE;

/* Appends formatted text. Errors: -ENOMEM. */
int strlist_printf(struct strlist *list, const char *fmt, ...) PRINTF(2, 3) MUST_USE;

/* True when an item equals text. */
bool strlist_has(const struct strlist *list, const char *text) MUST_USE;

/* Sorts by strcmp. */
void strlist_sort(struct strlist *list);

/* Frees all; takes an empty one. */
void strlist_done(struct strlist *list);

/* Whole of text as decimal digits into ret, at most max. False on anything else (sign,
 * space, empty, overflow); ret untouched then. */
bool str_to_u64(const char *text, uint64_t max, uint64_t *ret) MUST_USE;

/* True when text begins with prefix. */
bool str_has_prefix(const char *text, const char *prefix) MUST_USE;

/* True when text ends with suffix. */
bool str_has_suffix(const char *text, const char *suffix) MUST_USE;

/* Copies at most size-1 bytes, always terminates. True when everything fitted. */
bool str_copy(char *dest, size_t size, const char *text);

/* Removes white space (space, tab, CR, LF) at both ends in place; returns text moved to
 * its first other byte. */
char *str_trim(char *text) MUST_USE;

/* Replaces every byte outside printable ASCII with '?' in place: for text that others
 * wrote and a console will show. */
void str_make_printable(char *text);

/* 64 lower-case hex digits of 32 bytes into hex[65]. */
void str_hex32(const uint8_t bytes[32], char hex[65]);

/* Frees *text; for CLEANUP on a char pointer. */
void str_free(char **text);

#endif
