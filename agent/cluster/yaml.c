/* SPDX-License-Identifier: MIT */
#include "cluster/yaml.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/json.h"
#include "model/role_mistake.h"
#include "model/role_tree.h"
#include "model/role_value.h"

static json_t *of_scalar(const struct tree_node *node)
{
	enum value_kind kind = node->plain ? value_kind_of(node->text) : VALUE_TEXT;
	char *end;
	long long number;

	if (kind == VALUE_NULL)
		return json_null();
	if (kind == VALUE_BOOL)
		return json_boolean(node->text[0] == 't' || node->text[0] == 'T');
	if (kind != VALUE_INT)
		return json_string(node->text);
	errno = 0;
	number = strtoll(node->text, &end, 10);
	return *end || errno ? json_string(node->text) : json_integer(number);
}

static int put(json_t *container, const char *key, json_t *value)
{
	return json_is_object(container) ? json_object_set_new(container, key, value)
					 : json_array_append_new(container, value);
}

/* Depth is bounded by the reader (ROLE_DEPTH_MAX). */
json_t *yaml_of_node(const struct tree_node *node)
{
	json_t *container CLEANUP(json_done) = NULL;

	if (node->kind == TREE_SCALAR)
		return of_scalar(node);
	container = node->kind == TREE_LIST ? json_array() : json_object();
	for (const struct tree_node *entry = node->first; entry && container;
		entry = entry->next)
		if (put(container, entry->key, yaml_of_node(entry)) < 0)
			return NULL;
	return json_incref(container);
}

int yaml_read(
	const char *bytes, size_t len, const char *name, json_t **ret, struct err *err)
{
	struct tree tree CLEANUP(tree_done) = {NULL, NULL};
	struct role_mistakes mistakes = {.count = 0};
	int rc = tree_read(bytes, len, &tree, &mistakes);
	json_t *value;

	if (mistakes.count) {
		role_mistakes_sort(&mistakes);
		return err_set(err, rc == -E_TOO_BIG ? E_TOO_BIG : E_FORMAT,
			"read '%s': line %u, column %u: %s", name, mistakes.items[0].line,
			mistakes.items[0].column, mistakes.items[0].text);
	}
	value = rc < 0 ? NULL : yaml_of_node(tree.root);
	if (!value)
		return err_errno(err, ENOMEM, "read '%s'", name);
	*ret = value;
	return 0;
}

/* Length of the document at bytes: up to the next line that begins with "---", which ends
 * any document, inside a block scalar too (YAML 1.2.2, 9.1.2: c-forbidden). */
static size_t document_len(const char *bytes, size_t len)
{
	const char *line = bytes;

	while (line) {
		size_t left = len - (size_t)(line - bytes);

		if (left >= 3 && memcmp(line, "---", 3) == 0)
			return (size_t)(line - bytes);
		line = left ? memchr(line, '\n', left) : NULL;
		line = line ? line + 1 : NULL;
	}
	return len;
}

/* Only blanks, newlines and comments: nothing to apply. */
static bool is_empty(const char *bytes, size_t len)
{
	bool comment = false;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\n')
			comment = false;
		else if (bytes[i] == '#')
			comment = true;
		else if (!comment && !strchr(" \t\r", bytes[i]))
			return false;
	}
	return true;
}

int yaml_read_all(
	const char *bytes, size_t len, const char *name, json_t **ret, struct err *err)
{
	json_t *all CLEANUP(json_done) = json_array();
	int rc = all ? 0 : err_errno(err, ENOMEM, "read '%s'", name);

	while (rc == 0 && len) {
		size_t size = document_len(bytes, len);
		json_t *document = NULL;

		if (!is_empty(bytes, size)) {
			rc = yaml_read(bytes, size, name, &document, err);
			if (rc == 0 && json_array_append_new(all, document) < 0)
				rc = err_errno(err, ENOMEM, "read '%s'", name);
		}
		if (size < len) /* the rest of the line of "---" is its comment */
			while (size < len && bytes[size] != '\n')
				size++;
		bytes += size;
		len -= size;
	}
	if (rc == 0)
		*ret = json_incref(all);
	return rc;
}
