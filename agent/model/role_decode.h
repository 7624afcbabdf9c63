/* SPDX-License-Identifier: MIT */
/* Tree -> struct role by the tables of role_fields.h, and the freeing of it. */
#ifndef PROMENADE_MODEL_ROLE_DECODE_H
#define PROMENADE_MODEL_ROLE_DECODE_H

#include "base/compiler.h"
#include "model/role.h"
#include "model/role_tree.h"

/* Fills ret (zeroed) with every value that is right and with the defaults of absent keys;
 * what is wrong or missing is added to mistakes and left zero. Lists of sections keep one
 * item per entry of the document, right or not. ret: caller role_done()s, also on
 * failure. Errors: -ENOMEM. */
int role_decode(const struct tree_node *root, struct role *ret,
	struct role_mistakes *mistakes) MUST_USE;

/* Another document: its top section, and "a cluster document" for messages. */
struct fields_document {
	const struct field_section *top;
	const char *words;
};

/* As role_decode() for another document; ret is the struct that the offsets are into
 * (zeroed; caller fields_free()s, also on failure). Errors: -ENOMEM. */
int fields_decode(const struct fields_document *document, const struct tree_node *root,
	void *ret, struct role_mistakes *mistakes) MUST_USE;

/* Frees what fields_decode() put into a struct; takes a zeroed one. */
void fields_free(const struct field_section *top, void *decoded);

/* Times of leader election that do not fit each other; node is the map, NULL when it is
 * absent. */
void role_check_leases(const struct tree_node *node, const struct role_leases *leases,
	struct role_mistakes *mistakes);

/* Checks that need more than one value: what excludes or needs what, targets that
 * overlap, names given twice. role is what role_decode() made of root. Errors: -ENOMEM.
 */
int role_check(const struct tree_node *root, const struct role *role,
	struct role_mistakes *mistakes) MUST_USE;

#endif
