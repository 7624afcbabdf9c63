/* SPDX-License-Identifier: MIT */
/*
 * The keys of a role as tables: what decodes them (role_decode.c), frees them (role.c)
 * and lists them (tests compare with role.schema.json) reads the same rows.
 */
#ifndef PROMENADE_MODEL_ROLE_FIELDS_H
#define PROMENADE_MODEL_ROLE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "model/role_value.h"

/* How a value is written and where it goes; the C type that offset points at. */
enum field_type {
	FIELD_CONSTANT, /* must be one of choices; kept nowhere */
	FIELD_TEXT,     /* char * */
	FIELD_SHA256,   /* char [65], lower-case */
	FIELD_BOOL,     /* bool */
	FIELD_NUMBER,   /* unsigned int, or uint64_t with wide */
	FIELD_TIME,     /* int64_t */
	FIELD_MODE,     /* unsigned int */
	FIELD_CHOICE,   /* an enum, or bool with flag */
	FIELD_TEXTS,    /* struct strlist: list of texts */
	FIELD_PAIRS,    /* struct role_map: map of texts */
	FIELD_SECTION, /* a map with keys of its own; offset is where its offsets begin */
	FIELD_ITEMS    /* list of sections: T *items, followed by size_t count */
};

struct field_choice {
	const char *word;
	unsigned int value;
};

struct field_section;

struct field {
	const char *key;
	enum field_type type;
	bool required;
	bool wide;       /* NUMBER: uint64_t */
	bool flag;       /* CHOICE: bool */
	bool lower;      /* TEXT, TEXTS: letters become lower-case */
	bool hidden;     /* TEXT: never repeated in a message */
	bool lines;      /* TEXT: may hold newlines and tabs */
	bool partial;    /* SECTION, ITEMS: what it requires may come from elsewhere */
	bool takes_int;  /* PAIRS: whole numbers need no quotes */
	bool takes_bool; /* PAIRS: true and false need no quotes */
	size_t offset;
	uint64_t min, max;       /* NUMBER; entries of TEXTS, PAIRS, ITEMS */
	uint64_t absent;         /* NUMBER, BOOL, MODE, CHOICE: when the key is missing */
	const char *absent_text; /* TEXT: the same; NULL stays NULL */
	value_check *check;      /* TEXT, TEXTS, PAIRS' values */
	value_check *check_key;  /* PAIRS */
	const struct field_choice *choices; /* ends with word NULL */
	const struct field_section *section;
};

struct field_section {
	const struct field *fields; /* ends with key NULL */
	size_t item_size;           /* ITEMS: size of one */
	bool has_present;           /* a bool at present is set when the key is given */
	size_t present;
	bool not_empty; /* at least one key */
};

/* The whole document; offsets are into struct role. Static storage. */
const struct field_section *role_fields(void) MUST_USE;

#endif
