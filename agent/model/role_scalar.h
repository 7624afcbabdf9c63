/* SPDX-License-Identifier: MIT */
/* Decoding of single values of a role; the inside of role_decode(). */
#ifndef PROMENADE_MODEL_ROLE_SCALAR_H
#define PROMENADE_MODEL_ROLE_SCALAR_H

#include <stdbool.h>

#include "base/compiler.h"
#include "model/role_fields.h"
#include "model/role_tree.h"

struct role_decoder {
	struct role_mistakes *mistakes;
	bool out_of_memory; /* sticky: the decoding fails at its end */
	bool partial;       /* beneath a partial section: nothing is required */
	const struct field_section *top; /* of the whole document */
	const char *document;            /* "a role" */
};

/* Puts the value of node where field says, in the struct at base; what is wrong is added
 * to the mistakes and the member stays zero. Not for FIELD_SECTION and FIELD_ITEMS. */
void role_scalar_decode(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base);

/* Puts the default of an absent key there. */
void role_scalar_default(
	struct role_decoder *decoder, const struct field *field, char *base);

/* Adds "'key': must be WANTED, not a list". Nothing for a node that is a mistake already.
 */
void role_refuse_kind(struct role_decoder *decoder, const char *key,
	const struct tree_node *node, const char *wanted);

/* True when node is of this kind with at most field->max entries; else it adds a mistake.
 */
bool role_is_bounded(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, enum tree_kind kind) MUST_USE;

#endif
