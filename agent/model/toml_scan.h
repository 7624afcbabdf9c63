/* SPDX-License-Identifier: MIT */
/* From bytes to statements with their places, for toml.c alone. */
#ifndef PROMENADE_MODEL_TOML_SCAN_H
#define PROMENADE_MODEL_TOML_SCAN_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define TOML_PATH_MAX 512

enum toml_kind {
	TOML_TABLE,       /* [a.b] */
	TOML_ARRAY_TABLE, /* [[a.b]] */
	TOML_VALUE        /* key = value */
};

/* One statement. path is whole: the table's and the key's. Places are byte offsets. */
struct toml_statement {
	enum toml_kind kind;
	unsigned int line;
	char path[TOML_PATH_MAX];
	size_t table_len;   /* VALUE: length of the table's part of path */
	bool in_array;      /* VALUE: beneath [[...]] */
	size_t start;       /* of the line's first byte that is no blank */
	size_t value_start; /* VALUE */
	size_t value_end;
	size_t end; /* past the newline, or the end of the text */
};

struct toml_statements {
	struct toml_statement *items;
	size_t count;
};

/* Splits text. ret: caller toml_statements_done()s. Errors: E_FORMAT with the line
 * number, -ENOMEM. */
int toml_scan(
	const struct buf *text, struct toml_statements *ret, struct err *err) MUST_USE;

/* Past the one-line or multi-line string that begins at p, or 0 when it does not end
 * before end. */
size_t toml_string_end(const char *text, size_t p, size_t end) MUST_USE;

/* Decodes a one-line basic or literal string (quotes included) into ret. False when it is
 * none, does not fit, or has an escape other than \" \\ \t. */
bool toml_decode(const char *raw, size_t len, char *ret, size_t size) MUST_USE;

/* Frees all; takes an empty one. */
void toml_statements_done(struct toml_statements *statements);

#endif
