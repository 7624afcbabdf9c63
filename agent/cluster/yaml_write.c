/* SPDX-License-Identifier: MIT */
/* JSON -> YAML. A text goes without quotes only where every reader, YAML 1.1 ones among
 * them (that is what Kubernetes has), takes it for the same text. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/json.h"
#include "cluster/yaml.h"
#include "model/role_value.h"

#define DEPTH_MAX 32

static int write_value(
	const json_t *value, unsigned int depth, bool in_list, struct buf *ret);

/* Words that YAML 1.1 takes for something else (type/bool.html, merge, value). */
static bool is_word_of_1_1(const char *text)
{
	static const char *const words[] = {"y", "Y", "yes", "Yes", "YES", "n", "N", "no",
		"No", "NO", "on", "On", "ON", "off", "Off", "OFF", "<<", "="};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], text) == 0)
			return true;
	return false;
}

/* Numbers, dates and sexagesimals of YAML 1.1 are all written in these characters. */
static bool looks_numeric(const char *text)
{
	struct in_addr address;

	return strspn(text, "0123456789abcdefABCDEFxo+-.:_TZ") == strlen(text) &&
	       strpbrk(text, "0123456789") && inet_pton(AF_INET, text, &address) != 1;
}

static bool is_plain(const char *text)
{
	static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789_./:@+=-*,$() ";
	size_t len = strlen(text);

	if (!len || strspn(text, safe) != len || strchr(" :@*,=.+$()", text[0]) ||
		text[len - 1] == ' ' || text[len - 1] == ':' || strstr(text, ": "))
		return false;
	if (text[0] == '-' && (strspn(text, "-") == len || text[1] == ' '))
		return false;
	if (strncmp(text, "---", 3) == 0)
		return false;
	return value_kind_of(text) == VALUE_TEXT && !is_word_of_1_1(text) &&
	       !looks_numeric(text);
}

/* A literal block keeps the text as it is; its first line may not begin with a space, and
 * nothing may need an escape. */
static bool is_block(const char *text)
{
	if (!strchr(text, '\n') || strchr(" \n", text[0]))
		return false;
	for (const char *p = text; *p; p++) {
		if (((unsigned char)*p < ' ' && *p != '\n') || *p == 0x7f)
			return false;
		if (*p == ' ' && p[1] == '\n')
			return false;
	}
	return true;
}

static int indent(unsigned int depth, struct buf *ret)
{
	int rc = 0;

	for (unsigned int i = 0; i < depth && rc == 0; i++)
		rc = buf_add_str(ret, "  ");
	return rc;
}

static int write_block(const char *text, unsigned int depth, struct buf *ret)
{
	size_t len = strlen(text);
	int rc;

	if (text[len - 1] != '\n')
		rc = buf_add_str(ret, " |-\n");
	else
		rc = buf_add_str(ret, text[len - 2] == '\n' ? " |+\n" : " |\n");
	while (*text && rc == 0) {
		size_t line = strcspn(text, "\n");

		if (line)
			rc = indent(depth, ret);
		if (rc == 0)
			rc = buf_add(ret, text, line);
		if (rc == 0)
			rc = buf_add_str(ret, "\n");
		text += line + (text[line] == '\n');
	}
	return rc;
}

static int write_quoted(const char *text, struct buf *ret)
{
	int rc = buf_add_str(ret, "\"");

	for (const char *p = text; *p && rc == 0; p++) {
		if (*p == '"' || *p == '\\')
			rc = buf_printf(ret, "\\%c", *p);
		else if (*p == '\n')
			rc = buf_add_str(ret, "\\n");
		else if ((unsigned char)*p < ' ' || *p == 0x7f)
			rc = buf_printf(ret, "\\x%02x", (unsigned char)*p);
		else
			rc = buf_add(ret, p, 1);
	}
	return rc < 0 ? rc : buf_add_str(ret, "\"");
}

static int write_text(const char *text, unsigned int depth, struct buf *ret)
{
	int rc;

	if (is_plain(text))
		return buf_printf(ret, " %s\n", text);
	/* A block alone in a document would not be indented, and "---" in it end it. */
	if (depth && is_block(text))
		return write_block(text, depth, ret);
	rc = buf_add_str(ret, " ");
	if (rc == 0)
		rc = write_quoted(text, ret);
	return rc < 0 ? rc : buf_add_str(ret, "\n");
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys sorted; caller frees the array, the texts are the object's. */
static const char **sorted_keys(const json_t *object)
{
	size_t count = json_object_size(object), i = 0;
	const char **keys = calloc(count + 1, sizeof(*keys));
	json_t *open = (json_t *)object; /* jansson's iterators are not const */
	void *at = json_object_iter(open);

	if (!keys)
		return NULL;
	for (; at && i < count; at = json_object_iter_next(open, at))
		keys[i++] = json_object_iter_key(at);
	qsort(keys, count, sizeof(*keys), compare_keys);
	return keys;
}

static int write_key(const char *key, struct buf *ret)
{
	int rc;

	if (is_plain(key))
		return buf_printf(ret, "%s:", key);
	rc = write_quoted(key, ret);
	return rc < 0 ? rc : buf_add_str(ret, ":");
}

static int write_object(
	const json_t *object, unsigned int depth, bool in_list, struct buf *ret)
{
	const char **keys = sorted_keys(object);
	int rc = keys ? 0 : -ENOMEM;

	for (size_t i = 0; rc == 0 && keys[i]; i++) {
		/* The first key of a list's item stands behind its dash. */
		if (i || !in_list)
			rc = indent(depth, ret);
		if (rc == 0)
			rc = write_key(keys[i], ret);
		if (rc == 0)
			rc = write_value(
				json_object_get(object, keys[i]), depth + 1, false, ret);
	}
	free(keys);
	return rc;
}

static int write_array(const json_t *array, unsigned int depth, struct buf *ret)
{
	int rc = 0;

	for (size_t i = 0; i < json_array_size(array) && rc == 0; i++) {
		rc = indent(depth, ret);
		if (rc == 0)
			rc = buf_add_str(ret, "-");
		if (rc == 0)
			rc = write_value(json_array_get(array, i), depth + 1, true, ret);
	}
	return rc;
}

static int write_scalar(const json_t *value, unsigned int depth, struct buf *ret)
{
	if (json_is_string(value))
		return write_text(json_string_value(value), depth, ret);
	if (json_is_integer(value))
		return buf_printf(ret, " %lld\n", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		return buf_add_str(ret, json_is_true(value) ? " true\n" : " false\n");
	if (json_is_real(value))
		return buf_printf(ret, " %.17g\n", json_real_value(value));
	return buf_add_str(ret, " null\n");
}

/* What stands behind "key:" or "-"; depth is that of what it holds. */
static int write_value(
	const json_t *value, unsigned int depth, bool in_list, struct buf *ret)
{
	int rc;

	if (depth > DEPTH_MAX)
		return -E_TOO_BIG;
	if (json_is_object(value) && json_object_size(value)) {
		rc = buf_add_str(ret, in_list ? " " : "\n");
		return rc < 0 ? rc : write_object(value, depth, in_list, ret);
	}
	if (json_is_array(value) && json_array_size(value)) {
		/* A list in a map is not indented; one in a list is. */
		rc = buf_add_str(ret, "\n");
		return rc < 0 ? rc : write_array(value, in_list ? depth : depth - 1, ret);
	}
	if (json_is_object(value) || json_is_array(value))
		return buf_add_str(ret, json_is_object(value) ? " {}\n" : " []\n");
	return write_scalar(value, depth, ret);
}

int yaml_write(const json_t *value, struct buf *ret)
{
	if (json_is_object(value) && json_object_size(value))
		return write_object(value, 0, false, ret);
	if (json_is_array(value) && json_array_size(value))
		return write_array(value, 0, ret);
	return write_value(value, 0, false, ret);
}
