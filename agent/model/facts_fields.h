/* SPDX-License-Identifier: MIT */
/* The fields of struct facts as a table; the inside of facts.h. */
#ifndef PROMENADE_MODEL_FACTS_FIELDS_H
#define PROMENADE_MODEL_FACTS_FIELDS_H

#include <stddef.h>

#include "base/compiler.h"

/* The C type that a field has, hence how it is written. */
enum fact_type {
	FACT_TEXT, /* char [size]; left out when empty */
	FACT_BOOL,
	FACT_INT,
	FACT_UINT,
	FACT_HEX16, /* uint16_t, 0x14e4 */
	FACT_U64,
	FACT_I64,
	FACT_NETWORK, /* enum fact_network_manager */
	FACT_LIST,    /* struct strlist, as key.0, key.1, ... */
	FACT_ITEMS    /* T *items, then size_t count; as key.0.name, ... */
};

struct fact_field {
	const char *key;
	enum fact_type type;
	size_t offset;
	size_t size;                    /* TEXT: of the array; ITEMS: of one item */
	const struct fact_field *items; /* ITEMS: its fields */
};

/* The fields of struct facts, up to one without key. Static storage. */
const struct fact_field *facts_fields(void) MUST_USE;

/* The array that an ITEMS field of the struct at base points at, and its length. */
char *fact_items(
	const struct fact_field *field, const char *base, size_t *ret_count) MUST_USE;

#endif
