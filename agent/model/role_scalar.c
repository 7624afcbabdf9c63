/* SPDX-License-Identifier: MIT */
/* The single values of a role, lists of texts and maps of texts: node -> member of a
 * struct. */
#include "model/role_scalar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *at(char *base, const struct field *field)
{
	return base + field->offset;
}

static char *copy_text(struct role_decoder *decoder, const char *text, bool lower)
{
	char *copy = strdup(text);

	if (!copy) {
		decoder->out_of_memory = true;
		return NULL;
	}
	for (char *p = copy; lower && *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
	return copy;
}

static const char *kind_words(const struct tree_node *node)
{
	if (node->kind == TREE_MAP)
		return "a map";
	if (node->kind == TREE_LIST)
		return "a list";
	if (!node->plain)
		return "text";
	switch (value_kind_of(node->text)) {
	case VALUE_NULL:
		return "nothing";
	case VALUE_BOOL:
		return "true or false";
	case VALUE_INT:
	case VALUE_FLOAT:
		return "a number";
	case VALUE_TEXT:
		break;
	}
	return "text";
}

/* "'key': must be WANTED, not KIND"; what is wrong already is not told twice. */
void role_refuse_kind(struct role_decoder *decoder, const char *key,
	const struct tree_node *node, const char *wanted)
{
	struct role_shown shown = role_show(key);

	if (node->kind == TREE_REFUSED)
		return;
	if (node->kind == TREE_SCALAR && node->plain &&
		value_kind_of(node->text) == VALUE_NULL)
		role_mistake_add(decoder->mistakes, node->place,
			"'%s' has no value; give it one or leave the key out",
			shown.text);
	else
		role_mistake_add(decoder->mistakes, node->place,
			"'%s': must be %s, not %s", shown.text, wanted, kind_words(node));
}

/* A hidden value is not repeated: it may hold a password, and messages are logged. */
static void refuse_value(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, const char *wanted)
{
	struct role_shown shown = role_show(node->key ? node->key : field->key);
	struct role_shown value = role_show(node->text);

	if (field->hidden || strchr(node->text, '\n'))
		role_mistake_add(decoder->mistakes, node->place, "'%s': must be %s",
			shown.text, wanted);
	else
		role_mistake_add(decoder->mistakes, node->place,
			"'%s': must be %s, not '%s'", shown.text, wanted, value.text);
}

/*
 * The text of a scalar, NULL when it is something else. What another reader of the same
 * document (an editor, a template, kubectl) would take for a number or a bool must be in
 * quotes where text is meant: 0755, 1e3 and true would be different texts there.
 */
static const char *text_of(struct role_decoder *decoder, const struct field *field,
	const char *key, const struct tree_node *node)
{
	enum value_kind kind;
	struct role_shown shown, value;

	if (node->kind != TREE_SCALAR) {
		role_refuse_kind(decoder, key, node, "text");
		return NULL;
	}
	kind = node->plain ? value_kind_of(node->text) : VALUE_TEXT;
	if (kind == VALUE_TEXT || (kind == VALUE_INT && field->takes_int) ||
		(kind == VALUE_BOOL && field->takes_bool))
		return node->text;
	if (kind == VALUE_NULL) {
		role_refuse_kind(decoder, key, node, "text");
		return NULL;
	}
	shown = role_show(key);
	value = role_show(node->text);
	role_mistake_add(decoder->mistakes, node->place,
		"'%s': is text and looks like %s; write it in quotes: \"%s\"", shown.text,
		kind_words(node), value.text);
	return NULL;
}

/* As text_of(), and fits the field's check. */
static const char *checked_text(struct role_decoder *decoder, const struct field *field,
	const char *key, const struct tree_node *node)
{
	const char *text = text_of(decoder, field, key, node);
	const char *wanted = NULL;

	if (text && !field->lines && strpbrk(text, "\n\t"))
		wanted = "one line without tabs";
	else if (text)
		wanted = field->check(text);

	if (wanted)
		refuse_value(decoder, field, node, wanted);
	return wanted ? NULL : text;
}

static void decode_text(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	const char *text = checked_text(decoder, field, field->key, node);

	if (text)
		*(char **)at(base, field) = copy_text(decoder, text, field->lower);
}

static void decode_sha256(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	const char *text = text_of(decoder, field, field->key, node);
	const char *wanted = text ? value_sha256(text) : NULL;
	char *digits = at(base, field);

	if (wanted)
		refuse_value(decoder, field, node, wanted);
	if (!text || wanted)
		return;
	for (size_t i = 0; i < 64; i++)
		digits[i] = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] - 'A' + 'a')
							     : text[i];
	digits[64] = '\0';
}

static void decode_bool(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	bool value = node->kind == TREE_SCALAR && strcmp(node->text, "true") == 0;

	if (node->kind == TREE_SCALAR && node->plain &&
		(value || strcmp(node->text, "false") == 0))
		*(bool *)at(base, field) = value;
	else if (node->kind == TREE_SCALAR && *node->text)
		refuse_value(decoder, field, node, "true or false, without quotes");
	else
		role_refuse_kind(decoder, field->key, node, "true or false");
}

static void store_number(const struct field *field, uint64_t value, char *base)
{
	if (field->wide)
		*(uint64_t *)at(base, field) = value;
	else
		*(unsigned int *)at(base, field) = (unsigned int)value;
}

static void decode_number(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	char wanted[96];
	uint64_t value = 0;
	bool decimal = node->kind == TREE_SCALAR && node->plain &&
		       (node->text[0] != '0' || !node->text[1]) &&
		       str_to_u64(node->text, field->max, &value);

	if (decimal && value >= field->min) {
		store_number(field, value, base);
		return;
	}
	if (field->min == field->max)
		(void)snprintf(wanted, sizeof(wanted), "%llu, without quotes",
			(unsigned long long)field->min);
	else
		(void)snprintf(wanted, sizeof(wanted),
			"a decimal number from %llu to %llu, without quotes",
			(unsigned long long)field->min, (unsigned long long)field->max);
	if (node->kind == TREE_SCALAR && *node->text)
		refuse_value(decoder, field, node, wanted);
	else
		role_refuse_kind(decoder, field->key, node, wanted);
}

static void decode_time(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	const char *text = text_of(decoder, field, field->key, node);
	int64_t value;

	if (!text)
		return;
	if (value_parse_time(text, &value))
		*(int64_t *)at(base, field) = value;
	else
		refuse_value(
			decoder, field, node, "a time in UTC like 2027-01-31T12:00:00Z");
}

static void decode_mode(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	const char *text = text_of(decoder, field, field->key, node);
	unsigned int value;

	if (!text)
		return;
	if (value_parse_mode(text, &value))
		*(unsigned int *)at(base, field) = value;
	else
		refuse_value(decoder, field, node,
			"four octal digits like \"0644\"; no setuid, setgid or sticky "
			"bit");
}

static void list_choices(const struct field_choice *choices, char *list, size_t size)
{
	size_t len = 0;

	for (list[0] = '\0'; choices->word && len < size; choices++)
		len += (size_t)snprintf(
			list + len, size - len, "%s%s", len ? ", " : "", choices->word);
}

static void decode_choice(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	const char *text = text_of(decoder, field, field->key, node);
	const struct field_choice *choice = field->choices;
	struct role_shown shown;
	char list[96];

	if (!text)
		return;
	while (choice->word && strcmp(choice->word, text) != 0)
		choice++;
	if (!choice->word) {
		shown = role_show(text);
		list_choices(field->choices, list, sizeof(list));
		role_mistake_add(decoder->mistakes, node->place,
			"'%s': unknown value '%s'; one of: %s", field->key, shown.text,
			list);
	} else if (field->flag) {
		*(bool *)at(base, field) = choice->value != 0;
	} else if (field->type == FIELD_CHOICE) {
		*(unsigned int *)at(base, field) = choice->value;
	}
}

/* True when node is of this kind with at most field->max entries. */
bool role_is_bounded(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, enum tree_kind kind)
{
	if (node->kind != kind) {
		role_refuse_kind(decoder, field->key, node,
			kind == TREE_LIST ? "a list" : "a map of names and values");
		return false;
	}
	if (node->count <= field->max)
		return true;
	role_mistake_add(decoder->mistakes, node->place,
		"'%s': %zu entries; at most %llu", field->key, node->count,
		(unsigned long long)field->max);
	return false;
}

static void decode_texts(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	struct strlist *list = at(base, field);

	if (!role_is_bounded(decoder, field, node, TREE_LIST))
		return;
	for (const struct tree_node *item = node->first; item; item = item->next) {
		const char *text = checked_text(decoder, field, field->key, item);
		char *copy = text ? copy_text(decoder, text, field->lower) : NULL;

		if (copy && strlist_add(list, copy) < 0)
			decoder->out_of_memory = true;
		free(copy);
	}
}

static void decode_pairs(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	struct role_map *map = at(base, field);

	if (!role_is_bounded(decoder, field, node, TREE_MAP) || !node->count)
		return;
	map->items = calloc(node->count, sizeof(*map->items));
	if (!map->items) {
		decoder->out_of_memory = true;
		return;
	}
	for (const struct tree_node *entry = node->first; entry; entry = entry->next) {
		const char *wanted = field->check_key(entry->key);
		const char *text = checked_text(decoder, field, entry->key, entry);
		struct role_shown shown = role_show(entry->key);

		if (wanted)
			role_mistake_add(decoder->mistakes, entry->key_place,
				"'%s' in '%s': must be %s", shown.text, field->key,
				wanted);
		if (wanted || !text)
			continue;
		map->items[map->count].key = copy_text(decoder, entry->key, false);
		map->items[map->count].value = copy_text(decoder, text, false);
		map->count++;
	}
}

void role_scalar_decode(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	static void (*const decode[])(struct role_decoder *, const struct field *,
		const struct tree_node *, char *) = {
		[FIELD_CONSTANT] = decode_choice,
		[FIELD_TEXT] = decode_text,
		[FIELD_SHA256] = decode_sha256,
		[FIELD_BOOL] = decode_bool,
		[FIELD_NUMBER] = decode_number,
		[FIELD_TIME] = decode_time,
		[FIELD_MODE] = decode_mode,
		[FIELD_CHOICE] = decode_choice,
		[FIELD_TEXTS] = decode_texts,
		[FIELD_PAIRS] = decode_pairs,
	};

	decode[field->type](decoder, field, node, base);
}

void role_scalar_default(
	struct role_decoder *decoder, const struct field *field, char *base)
{
	switch (field->type) {
	case FIELD_TEXT:
		if (field->absent_text)
			*(char **)at(base, field) =
				copy_text(decoder, field->absent_text, false);
		break;
	case FIELD_BOOL:
		*(bool *)at(base, field) = field->absent != 0;
		break;
	case FIELD_NUMBER:
		store_number(field, field->absent, base);
		break;
	case FIELD_MODE:
		*(unsigned int *)at(base, field) = (unsigned int)field->absent;
		break;
	case FIELD_CHOICE:
		if (field->flag)
			*(bool *)at(base, field) = field->absent != 0;
		else
			*(unsigned int *)at(base, field) = (unsigned int)field->absent;
		break;
	case FIELD_CONSTANT:
	case FIELD_SHA256:
	case FIELD_TIME:
	case FIELD_TEXTS:
	case FIELD_PAIRS:
	case FIELD_SECTION:
	case FIELD_ITEMS:
		break;
	}
}
