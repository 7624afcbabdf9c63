/* SPDX-License-Identifier: MIT */
/*
 * Bytes of YAML -> a tree of nodes with line and column, of the strict subset that roles
 * use: one document, maps with scalar keys, lists and scalars; no anchors, aliases, tags
 * or directives. Values stay text: nothing is resolved here. role_tree.c alone includes
 * yaml.h.
 */
#ifndef PROMENADE_MODEL_ROLE_TREE_H
#define PROMENADE_MODEL_ROLE_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "model/role.h"
#include "model/role_mistake.h"

#define TREE_EVENTS_MAX 20000U /* node.md 8.2 */
#define TREE_ENTRIES_MAX 512U  /* of one map or list: bounds the search for duplicates */
#define TREE_KEY_MAX 255U

/* TREE_REFUSED: already a mistake (alias, control character); decoding passes it by. */
enum tree_kind { TREE_SCALAR, TREE_MAP, TREE_LIST, TREE_REFUSED };

struct tree_node {
	enum tree_kind kind;
	bool plain; /* a scalar without quotes or block indicator */
	struct role_place place;
	char *text; /* scalar; valid UTF-8 without NUL */
	char *key;  /* of an entry of a map, else NULL */
	struct role_place key_place;
	struct tree_node *first, *last; /* entries of a map or list, in document order */
	struct tree_node *next;         /* the entry after this one */
	size_t count;
	struct tree_node *older; /* chain of all nodes, for tree_done() */
};

struct tree {
	struct tree_node *root; /* never NULL after success */
	struct tree_node *newest;
};

/* Reads len bytes. 0: *ret is the whole document (caller tree_done()s, also on failure),
 * and mistakes may have been added, duplicate keys for one (the first stays in the tree).
 * Linear in len, without recursion. Errors: E_ROLE, E_TOO_BIG, each with its mistake
 * added; -ENOMEM. */
int tree_read(const char *bytes, size_t len, struct tree *ret,
	struct role_mistakes *mistakes) MUST_USE;

/* The entry of a map with this key, else NULL; takes NULL and other kinds. */
const struct tree_node *tree_child(const struct tree_node *map, const char *key) MUST_USE;

/* Frees all nodes; takes an empty one. */
void tree_done(struct tree *tree);

#endif
