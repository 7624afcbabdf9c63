/* SPDX-License-Identifier: MIT */
/* Facts as lines of text and back, by the table of facts_fields.h. */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/facts.h"
#include "model/facts_fields.h"

/* More of a kind than any machine has; bounds what a facts file can ask for. */
#define ITEMS_MAX 1024U
#define KEY_SIZE 64U

static const char *const network_words[] = {
	[FACT_NETWORK_NONE] = "none",
	[FACT_NETWORK_NETWORKD] = "networkd",
	[FACT_NETWORK_NETWORKMANAGER] = "networkmanager",
	[FACT_NETWORK_IFUPDOWN] = "ifupdown",
	[FACT_NETWORK_NETPLAN] = "netplan",
};

static int add_escaped(struct buf *buf, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		int rc;

		if (*p == '\n')
			rc = buf_add_str(buf, "\\n");
		else if (*p == '\t')
			rc = buf_add_str(buf, "\\t");
		else if (*p == '\\')
			rc = buf_add_str(buf, "\\\\");
		else if (*p < 0x20 || *p > 0x7e)
			rc = buf_printf(buf, "\\x%02x", (unsigned int)*p);
		else
			rc = buf_add(buf, p, 1);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add_line(struct buf *buf, const char *key, const char *value)
{
	if (buf_add_str(buf, key) < 0 || buf_add_str(buf, "=") < 0 ||
		add_escaped(buf, value) < 0 || buf_add_str(buf, "\n") < 0)
		return -ENOMEM;
	return 0;
}

static int render_list(const struct strlist *list, const char *key, struct buf *ret)
{
	char item_key[KEY_SIZE + 24];

	for (size_t i = 0; i < list->count; i++) {
		(void)snprintf(item_key, sizeof(item_key), "%s.%zu", key, i);
		if (add_line(ret, item_key, list->items[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* value points at the field. */
static int render_scalar(const struct fact_field *field, const char *key,
	const void *value, struct buf *ret)
{
	switch (field->type) {
	case FACT_TEXT:
		return *(const char *)value ? add_line(ret, key, value) : 0;
	case FACT_BOOL:
		return buf_printf(
			ret, "%s=%s\n", key, *(const bool *)value ? "true" : "false");
	case FACT_INT:
		return buf_printf(ret, "%s=%d\n", key, *(const int *)value);
	case FACT_UINT:
		return buf_printf(ret, "%s=%u\n", key, *(const unsigned int *)value);
	case FACT_HEX16:
		return buf_printf(
			ret, "%s=0x%04x\n", key, (unsigned int)*(const uint16_t *)value);
	case FACT_U64:
		return buf_printf(ret, "%s=%" PRIu64 "\n", key, *(const uint64_t *)value);
	case FACT_I64:
		return buf_printf(ret, "%s=%" PRId64 "\n", key, *(const int64_t *)value);
	case FACT_NETWORK:
		return buf_printf(ret, "%s=%s\n", key,
			network_words[*(const enum fact_network_manager *)value]);
	case FACT_LIST:
		return render_list(value, key, ret);
	case FACT_ITEMS:
		break;
	}
	return 0;
}

static int render_fields(const struct fact_field *field, const char *prefix,
	const char *base, struct buf *ret)
{
	for (; field->key; field++) {
		char key[KEY_SIZE];
		const char *items;
		size_t count = 0;

		(void)snprintf(key, sizeof(key), "%s%s", prefix, field->key);
		if (field->type != FACT_ITEMS) {
			if (render_scalar(field, key, base + field->offset, ret) < 0)
				return -ENOMEM;
			continue;
		}
		items = fact_items(field, base, &count);
		for (size_t i = 0; i < count; i++) {
			(void)snprintf(
				key, sizeof(key), "%s%s.%zu.", prefix, field->key, i);
			if (render_fields(
				    field->items, key, items + i * field->size, ret) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

int facts_render(const struct facts *facts, struct buf *ret)
{
	return render_fields(facts_fields(), "", (const char *)facts, ret);
}

/* One line of the text. */
struct line {
	unsigned int number;
	const char *key;
	char *value;  /* unescaped in place */
	size_t index; /* of the item that the key names, one level at a time */
	void *seen;   /* tree of the keys so far (tsearch) */
};

static int refuse(const struct line *line, const char *why, struct err *err)
{
	char shown[48];

	(void)str_copy(shown, sizeof(shown), line->key);
	str_make_printable(shown);
	return err_set(
		err, E_FORMAT, "facts: line %u: '%s': %s", line->number, shown, why);
}

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Undoes add_escaped() in place; false on another escape. */
static bool unescape(char *text)
{
	char *to = text;

	for (const char *p = text; *p; p++) {
		if (*p != '\\') {
			*to++ = *p;
			continue;
		}
		p++;
		if (*p == 'n') {
			*to++ = '\n';
		} else if (*p == 't') {
			*to++ = '\t';
		} else if (*p == '\\') {
			*to++ = '\\';
		} else if (*p == 'x' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0 &&
			   strncmp(p, "x00", 3) != 0) {
			*to++ = (char)(hex_digit(p[1]) * 16 + hex_digit(p[2]));
			p += 2;
		} else {
			return false;
		}
	}
	*to = '\0';
	return true;
}

static bool read_signed(const char *text, int64_t least, int64_t most, int64_t *ret)
{
	bool negative = *text == '-';
	uint64_t value;

	if (!str_to_u64(text + negative, INT64_MAX, &value))
		return false;
	*ret = negative ? -(int64_t)value : (int64_t)value;
	return *ret >= least && *ret <= most;
}

static bool read_hex16(const char *text, uint16_t *ret)
{
	unsigned int value = 0;

	if (strlen(text) != 6 || strncmp(text, "0x", 2) != 0)
		return false;
	for (size_t i = 2; i < 6; i++) {
		if (hex_digit(text[i]) < 0)
			return false;
		value = value * 16 + (unsigned int)hex_digit(text[i]);
	}
	*ret = (uint16_t)value;
	return true;
}

static bool read_bool(const char *text, bool *ret)
{
	*ret = strcmp(text, "true") == 0;
	return *ret || strcmp(text, "false") == 0;
}

static bool read_network(const char *text, enum fact_network_manager *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(network_words); i++) {
		if (strcmp(text, network_words[i]) != 0)
			continue;
		*ret = (enum fact_network_manager)i;
		return true;
	}
	return false;
}

/* value points at the field. Returns NULL, or what would be right. */
static const char *read_scalar(
	const struct fact_field *field, const char *text, void *value)
{
	int64_t number = 0;
	uint64_t whole = 0;

	switch (field->type) {
	case FACT_TEXT:
		return strlen(text) < field->size && str_copy(value, field->size, text)
			       ? NULL
			       : "longer than any such value";
	case FACT_BOOL:
		return read_bool(text, value) ? NULL : "must be true or false";
	case FACT_HEX16:
		return read_hex16(text, value) ? NULL : "must be like 0x14e4";
	case FACT_NETWORK:
		return read_network(text, value) ? NULL : "unknown network manager";
	case FACT_INT:
		if (!read_signed(text, INT32_MIN, INT32_MAX, &number))
			return "must be a number";
		*(int *)value = (int)number;
		return NULL;
	case FACT_I64:
		return read_signed(text, INT64_MIN, INT64_MAX, value)
			       ? NULL
			       : "must be a number";
	case FACT_UINT:
		if (!str_to_u64(text, UINT32_MAX, &whole))
			return "must be a number";
		*(unsigned int *)value = (unsigned int)whole;
		return NULL;
	case FACT_U64:
		return str_to_u64(text, UINT64_MAX, value) ? NULL : "must be a number";
	case FACT_LIST:
	case FACT_ITEMS:
		break;
	}
	return "unknown fact";
}

/* Reads `.N` behind the key of a list; *ret_rest is what follows. */
static bool read_index(const char *text, size_t *ret_index, const char **ret_rest)
{
	size_t len = *text == '.' ? strspn(text + 1, "0123456789") : 0;
	size_t index = 0;

	if (!len || len > 4 || (len > 1 && text[1] == '0'))
		return false;
	for (size_t i = 1; i <= len; i++)
		index = index * 10 + (size_t)(text[i] - '0');
	*ret_index = index;
	*ret_rest = text + 1 + len;
	return true;
}

static int add_to_list(const struct line *line, struct strlist *list, struct err *err)
{
	if (line->index != list->count || line->index >= ITEMS_MAX)
		return refuse(line, "items must be numbered from 0, in order", err);
	if (strlist_add(list, line->value) < 0)
		return err_errno(err, ENOMEM, "read the facts");
	return 0;
}

/* The item at line->index of the array, which grows by one where that is its length. */
static int find_item(const struct line *line, const struct fact_field *field, char *base,
	char **ret, struct err *err)
{
	size_t count = 0;
	char *items = fact_items(field, base, &count);

	if (line->index > count || line->index >= ITEMS_MAX)
		return refuse(line, "items must be numbered from 0, in order", err);
	if (line->index == count) {
		items = realloc(items, (count + 1) * field->size);
		if (!items)
			return err_errno(err, ENOMEM, "read the facts");
		memset(items + count * field->size, 0, field->size);
		count++;
		memcpy(base + field->offset, &items, sizeof(items));
		memcpy(base + field->offset + sizeof(items), &count, sizeof(count));
	}
	*ret = items + line->index * field->size;
	return 0;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* A key that came before: which of the two holds would depend on their order. The keys
 * stay where they are in the text. */
static int check_new(struct line *line, struct err *err)
{
	const char *const *node = tsearch(line->key, &line->seen, compare_keys);

	if (!node)
		return err_errno(err, ENOMEM, "read the facts");
	return *node == line->key
		       ? 0
		       : refuse(line, "was given before; each fact stands once", err);
}

static void keep_key(void *key)
{
	(void)key; /* the text's */
}

static int set_field(const struct line *line, const struct fact_field *field, char *base,
	struct err *err)
{
	const char *why = read_scalar(field, line->value, base + field->offset);

	return why ? refuse(line, why, err) : 0;
}

/* Puts the line's value where key says, beneath the struct at base. */
static int store(struct line *line, const char *key, const struct fact_field *field,
	char *base, struct err *err)
{
	for (; field->key; field++) {
		size_t len = strlen(field->key);
		const char *rest;
		char *item = NULL;
		int rc;

		if (strncmp(key, field->key, len) != 0)
			continue;
		if (field->type < FACT_LIST && !key[len])
			return set_field(line, field, base, err);
		if (field->type < FACT_LIST ||
			!read_index(key + len, &line->index, &rest))
			continue;
		if (field->type == FACT_LIST && !*rest)
			return add_to_list(line,
				(struct strlist *)(void *)(base + field->offset), err);
		if (field->type != FACT_ITEMS || *rest != '.')
			continue;
		rc = find_item(line, field, base, &item, err);
		return rc < 0 ? rc : store(line, rest + 1, field->items, item, err);
	}
	return refuse(line, "unknown fact", err);
}

static int take_line(struct line *line, char *text, struct facts *facts, struct err *err)
{
	char *equals = strchr(text, '=');
	int rc;

	line->key = text;
	if (!*text || *text == '#')
		return 0;
	if (!equals)
		return refuse(line, "must be key=value", err);
	*equals = '\0';
	line->value = equals + 1;
	if (!unescape(line->value))
		return refuse(line, "escapes are \\n, \\t, \\\\ and \\xNN", err);
	rc = check_new(line, err);
	return rc < 0 ? rc : store(line, text, facts_fields(), (char *)facts, err);
}

static int take_lines(char *text, struct facts *facts, struct err *err)
{
	struct line line = {.number = 0};
	int rc = 0;

	while (text && rc == 0) {
		char *end = strchr(text, '\n');

		line.number++;
		if (end)
			*end++ = '\0';
		rc = take_line(&line, text, facts, err);
		text = end;
	}
	tdestroy(line.seen, keep_key);
	return rc;
}

int facts_parse(const char *text, size_t len, struct facts *ret, struct err *err)
{
	struct facts facts CLEANUP(facts_done) = {0};
	char *copy CLEANUP(str_free) = NULL;
	int rc;

	if (len && memchr(text, 0, len))
		return err_set(
			err, E_FORMAT, "facts: holds a NUL byte: not a facts file");
	copy = calloc(1, len + 1);
	if (!copy)
		return err_errno(err, ENOMEM, "read the facts");
	if (len)
		memcpy(copy, text, len);
	rc = take_lines(copy, &facts, err);
	if (rc < 0)
		return rc;
	*ret = facts;
	facts = (struct facts){0};
	return 0;
}
