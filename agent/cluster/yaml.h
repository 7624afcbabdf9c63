/* SPDX-License-Identifier: MIT */
/*
 * YAML <-> JSON as Kubernetes understands them: objects are json_t inside the agent and
 * YAML in files and ConfigMaps. Reading takes the strict subset of model/role_tree.h
 * (no anchors, aliases or tags), writing gives what sigs.k8s.io/yaml gives: block style,
 * keys sorted, lists not indented.
 */
#ifndef PROMENADE_CLUSTER_YAML_H
#define PROMENADE_CLUSTER_YAML_H

#include <jansson.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct tree_node;

/* Reads one document of len bytes (at most 256 KiB); name is for messages. Scalars
 * without quotes are null, bools, integers or texts by the core schema of YAML 1.2;
 * numbers with a fraction stay text, no object of ours has one. ret: caller
 * json_decref()s. Does not block. Errors: E_FORMAT with line and column, E_TOO_BIG,
 * -ENOMEM. */
int yaml_read(const char *bytes, size_t len, const char *name, json_t **ret,
	struct err *err) MUST_USE;

/* The documents of a stream, split at lines that begin with "---", in order, as one JSON
 * array; empty documents are left out. Otherwise as yaml_read(). */
int yaml_read_all(const char *bytes, size_t len, const char *name, json_t **ret,
	struct err *err) MUST_USE;

/* The JSON of a node of a tree that was read already. NULL when out of memory. Caller
 * json_decref()s. */
json_t *yaml_of_node(const struct tree_node *node) MUST_USE;

/* Appends value as one YAML document, ending in a newline. Errors: -ENOMEM. */
int yaml_write(const json_t *value, struct buf *ret) MUST_USE;

#endif
