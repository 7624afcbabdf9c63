/* SPDX-License-Identifier: MIT */
#include "model/role_decode.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/role_fields.h"
#include "model/role_scalar.h"

static void decode_section(struct role_decoder *decoder,
	const struct field_section *section, const struct tree_node *map, char *base);

static void *at(char *base, const struct field *field)
{
	return base + field->offset;
}

static void decode_items(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	size_t size = field->section->item_size;
	char *items;

	if (!role_is_bounded(decoder, field, node, TREE_LIST) || !node->count)
		return;
	items = calloc(node->count, size);
	if (!items) {
		decoder->out_of_memory = true;
		return;
	}
	/* Not through a void **: the pointer in the struct has a type of its own. */
	memcpy(at(base, field), &items, sizeof(items));
	memcpy((char *)at(base, field) + sizeof(items), &node->count,
		sizeof(node->count));
	for (const struct tree_node *item = node->first; item; item = item->next) {
		if (item->kind == TREE_MAP)
			decode_section(decoder, field->section, item, items);
		else
			role_refuse_kind(decoder, field->key, item, "a list of maps");
		items += size;
	}
}

static void decode_map(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	if (node->kind != TREE_MAP) {
		role_refuse_kind(decoder, field->key, node, "a map");
		node = NULL;
	}
	decode_section(decoder, field->section, node, at(base, field));
}

static void decode_field(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *node, char *base)
{
	bool partial = decoder->partial;

	decoder->partial = partial || field->partial;
	if (field->type == FIELD_SECTION)
		decode_map(decoder, field, node, base);
	else if (field->type == FIELD_ITEMS)
		decode_items(decoder, field, node, base);
	else
		role_scalar_decode(decoder, field, node, base);
	decoder->partial = partial;
}

static const struct field *find_field(
	const struct field_section *section, const char *key)
{
	for (const struct field *field = section->fields; field->key; field++)
		if (strcmp(field->key, key) == 0)
			return field;
	return NULL;
}

/* The section beneath this one that knows the key, by the key of that section. */
static const char *find_home(const struct field_section *section, const char *key)
{
	for (const struct field *field = section->fields; field->key; field++) {
		const char *home;

		if (!field->section)
			continue;
		if (find_field(field->section, key))
			return field->key;
		home = find_home(field->section, key);
		if (home)
			return home;
	}
	return NULL;
}

static const char *nearest_key(const struct field_section *section, const char *key)
{
	unsigned int best = 3;
	const char *nearest = NULL;

	for (const struct field *field = section->fields; field->key; field++) {
		unsigned int distance = role_word_distance(key, field->key);

		/* Two slips at most, and not half of a short word. */
		if (distance < best && distance * 2 < strlen(field->key)) {
			best = distance;
			nearest = field->key;
		}
	}
	return nearest;
}

static void list_keys(const struct field_section *section, char *list, size_t size)
{
	size_t len = 0;

	list[0] = '\0';
	for (const struct field *field = section->fields; field->key && len < size;
		field++)
		len += (size_t)snprintf(
			list + len, size - len, "%s%s", len ? ", " : "", field->key);
}

static void refuse_key(struct role_decoder *decoder, const struct field_section *section,
	const struct tree_node *entry)
{
	const char *nearest = nearest_key(section, entry->key);
	const char *home = find_home(decoder->top, entry->key);
	struct role_shown shown = role_show(entry->key);
	char keys[160];

	if (strcmp(entry->key, "<<") == 0) {
		role_mistake_add(decoder->mistakes, entry->key_place,
			"merge key '<<': %s has none; write the keys out",
			decoder->document);
	} else if (nearest) {
		role_mistake_add(decoder->mistakes, entry->key_place,
			"unknown key '%s'; did you mean '%s'?", shown.text, nearest);
	} else if (find_field(decoder->top, entry->key)) {
		role_mistake_add(decoder->mistakes, entry->key_place,
			"unknown key '%s' here; it belongs to the top level", shown.text);
	} else if (home) {
		role_mistake_add(decoder->mistakes, entry->key_place,
			"unknown key '%s' here; it belongs into '%s'", shown.text, home);
	} else {
		list_keys(section, keys, sizeof(keys));
		role_mistake_add(decoder->mistakes, entry->key_place,
			"unknown key '%s'; known here: %s", shown.text, keys);
	}
}

static void refuse_missing(struct role_decoder *decoder, const struct field *field,
	const struct tree_node *map)
{
	struct role_shown shown = role_show(map->key ? map->key : "");

	if (map->key)
		role_mistake_add(decoder->mistakes, map->key_place,
			"'%s': '%s' is missing", shown.text, field->key);
	else
		role_mistake_add(
			decoder->mistakes, map->place, "'%s' is missing", field->key);
}

/* map is NULL when the section is absent: defaults only. */
static void decode_section(struct role_decoder *decoder,
	const struct field_section *section, const struct tree_node *map, char *base)
{
	const struct tree_node *entry = map ? map->first : NULL;

	for (; entry; entry = entry->next) {
		const struct field *field = find_field(section, entry->key);

		if (field)
			decode_field(decoder, field, entry, base);
		else
			refuse_key(decoder, section, entry);
	}
	for (const struct field *field = section->fields; field->key; field++) {
		if (tree_child(map, field->key))
			continue;
		if (map && field->required && !decoder->partial)
			refuse_missing(decoder, field, map);
		if (field->type == FIELD_SECTION)
			decode_section(decoder, field->section, NULL, at(base, field));
		else
			role_scalar_default(decoder, field, base);
	}
	if (map && section->has_present)
		*(bool *)(base + section->present) = true;
	if (map && section->not_empty && !map->count && !decoder->partial) {
		char keys[64];

		list_keys(section, keys, sizeof(keys));
		role_mistake_add(decoder->mistakes, map->place,
			"'%s': must have at least one of: %s", map->key, keys);
	}
}

int fields_decode(const struct fields_document *document, const struct tree_node *root,
	void *ret, struct role_mistakes *mistakes)
{
	struct role_decoder decoder = {
		.mistakes = mistakes, .top = document->top, .document = document->words};

	if (root->kind != TREE_MAP) {
		role_mistake_add(mistakes, root->place,
			"%s is a map; it begins with 'apiVersion: promenade/v1'",
			document->words);
		return 0;
	}
	decode_section(&decoder, document->top, root, ret);
	return decoder.out_of_memory ? -ENOMEM : 0;
}

int role_decode(
	const struct tree_node *root, struct role *ret, struct role_mistakes *mistakes)
{
	const struct fields_document document = {role_fields(), "a role"};

	return fields_decode(&document, root, ret, mistakes);
}

static void free_pairs(struct role_map *map)
{
	for (size_t i = 0; i < map->count; i++) {
		free(map->items[i].key);
		free(map->items[i].value);
	}
	free(map->items);
}

static void free_section(const struct field_section *section, char *base);

static void free_items(const struct field *field, char *base)
{
	char *items;
	size_t count;

	memcpy(&items, at(base, field), sizeof(items));
	memcpy(&count, (char *)at(base, field) + sizeof(items), sizeof(count));
	for (size_t i = 0; items && i < count; i++)
		free_section(field->section, items + i * field->section->item_size);
	free(items);
}

static void free_section(const struct field_section *section, char *base)
{
	for (const struct field *field = section->fields; field->key; field++) {
		if (field->type == FIELD_TEXT)
			free(*(char **)at(base, field));
		else if (field->type == FIELD_TEXTS)
			strlist_done(at(base, field));
		else if (field->type == FIELD_PAIRS)
			free_pairs(at(base, field));
		else if (field->type == FIELD_SECTION)
			free_section(field->section, at(base, field));
		else if (field->type == FIELD_ITEMS)
			free_items(field, base);
	}
}

void fields_free(const struct field_section *top, void *decoded)
{
	free_section(top, decoded);
}

void role_done(struct role *role)
{
	fields_free(role_fields(), role);
	*role = (struct role){0};
}
