/* SPDX-License-Identifier: MIT */
/*
 * libyaml 0.2.5 looks at every open flow collection for each token and knows no limit of
 * depth: 128 KiB of '[' take it 16 s. Three bounds, each enough to stay linear: the
 * nesting of events; their number; and, before the parser sees them, the nesting of the
 * scanner, which runs up to 1024 characters ahead to find out whether a bracket begins a
 * key (measured). That one is watched from the read handler, which hands out 64 bytes at
 * a time: the scanner itself says how deep it is, where a scan of the bytes beforehand
 * would have to guess what is a quote, a comment or a block scalar.
 */
#include "model/role_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define READ_AHEAD 64U

struct builder {
	yaml_parser_t parser;
	const char *bytes;
	size_t len;
	size_t read;
	bool too_deep;
	unsigned int events;
	struct tree *tree;
	struct role_mistakes *mistakes;
	struct tree_node *open[ROLE_DEPTH_MAX];
	size_t depth;
	char *key; /* read, its value is awaited */
	struct role_place key_place;
};

static struct role_place place_of(const yaml_mark_t *mark)
{
	return (struct role_place){
		(unsigned int)mark->line + 1, (unsigned int)mark->column + 1};
}

static int hand_out(void *context, unsigned char *buffer, size_t size, size_t *ret_size)
{
	struct builder *builder = context;
	const yaml_parser_t *parser = &builder->parser;
	size_t count = builder->len - builder->read;

	if (parser->flow_level > (int)ROLE_DEPTH_MAX ||
		parser->indents.top - parser->indents.start > (ptrdiff_t)ROLE_DEPTH_MAX) {
		builder->too_deep = true;
		return 0;
	}
	if (count > READ_AHEAD)
		count = READ_AHEAD;
	if (count > size)
		count = size;
	if (count)
		memcpy(buffer, builder->bytes + builder->read, count);
	builder->read += count;
	*ret_size = count;
	return 1;
}

static int too_deep(struct builder *builder, struct role_place place)
{
	role_mistake_add(builder->mistakes, place,
		"nested deeper than %u levels; is a bracket or a quote missing above?",
		ROLE_DEPTH_MAX);
	return -E_TOO_BIG;
}

/* The reader's errors come with a byte offset only. */
static struct role_place place_of_offset(const char *bytes, size_t len, size_t offset)
{
	struct role_place place = {1, 1};

	for (size_t i = 0; i < offset && i < len; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (byte == '\n') {
			place.line++;
			place.column = 1;
		} else if ((byte & 0xc0) != 0x80) {
			place.column++;
		}
	}
	return place;
}

/* What was meant, for the problems that people meet. */
static const char *hint_for(const char *problem)
{
	static const struct {
		const char *problem;
		const char *hint;
	} hints[] = {
		{"found character that cannot start any token",
			"; indent with spaces, not tabs, and put a value that begins "
			"with "
			"@, % or ` in quotes"},
		{"mapping values are not allowed in this context",
			"; put a value that holds ': ' in quotes, and indent the keys of "
			"one "
			"map alike"},
		{"did not find expected key",
			"; are the keys of one map indented alike?"},
		{"could not find expected ':'",
			"; is a ':' missing, or the space behind it?"},
		{"found unexpected end of stream", "; is a quote missing?"},
		{"did not find expected ',' or ']'",
			"; is a comma or a bracket missing?"},
		{"did not find expected ',' or '}'", "; is a comma or a brace missing?"},
	};

	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (strcmp(hints[i].problem, problem) == 0)
			return hints[i].hint;
	return "";
}

static int syntax_mistake(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	const char *problem = parser->problem ? parser->problem : "not YAML";

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (builder->too_deep)
		return too_deep(builder, place_of(&parser->mark));
	if (parser->error == YAML_READER_ERROR)
		role_mistake_add(builder->mistakes,
			place_of_offset(
				builder->bytes, builder->len, parser->problem_offset),
			"%s; a role is UTF-8 text", problem);
	else if (parser->context &&
		 parser->context_mark.line != parser->problem_mark.line)
		role_mistake_add(builder->mistakes, place_of(&parser->problem_mark),
			"YAML: %s (%s that begins in line %zu)%s", problem,
			parser->context, parser->context_mark.line + 1,
			hint_for(problem));
	else
		role_mistake_add(builder->mistakes, place_of(&parser->problem_mark),
			"YAML: %s%s", problem, hint_for(problem));
	return -E_ROLE;
}

/* Code point of the first control character in valid UTF-8 text, -1 when there is none.
 * Tab and newline are none: whether a value may hold them is the business of its type. */
static int control_in(const yaml_char_t *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((text[i] < 0x20 && text[i] != '\t' && text[i] != '\n') ||
			text[i] == 0x7f)
			return text[i];
		/* U+0080 to U+009F are C2 80 to C2 9F */
		if (text[i] == 0xc2 && text[i + 1] < 0xa0)
			return text[i + 1];
	}
	return -1;
}

static bool refuse_control(struct builder *builder, const yaml_event_t *event)
{
	int code = control_in(event->data.scalar.value, event->data.scalar.length);

	if (code < 0)
		return false;
	role_mistake_add(builder->mistakes, place_of(&event->start_mark),
		"holds the control character U+%04X; a role is plain text",
		(unsigned int)code);
	return true;
}

/* Anchors and tags do no harm by themselves, so that reading goes on behind them. */
static void refuse_marks(struct builder *builder, const yaml_mark_t *mark,
	const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct role_shown shown;

	if (anchor) {
		shown = role_show((const char *)anchor);
		role_mistake_add(builder->mistakes, place_of(mark),
			"anchor '&%s': a role has no anchors; write the value where it "
			"is used",
			shown.text);
	}
	if (tag) {
		shown = role_show((const char *)tag);
		role_mistake_add(builder->mistakes, place_of(mark),
			"tag '%s': a role has no tags; its keys give each value its type",
			shown.text);
	}
}

const struct tree_node *tree_child(const struct tree_node *map, const char *key)
{
	if (!map || map->kind != TREE_MAP)
		return NULL;
	for (const struct tree_node *node = map->first; node; node = node->next)
		if (strcmp(node->key, key) == 0)
			return node;
	return NULL;
}

/* Hangs the node into the collection that is open; a duplicate stays outside. */
static int attach(struct builder *builder, struct tree_node *node)
{
	struct tree_node *parent =
		builder->depth ? builder->open[builder->depth - 1] : NULL;
	const struct tree_node *first;

	if (!parent) {
		builder->tree->root = node;
		return 0;
	}
	if (parent->count >= TREE_ENTRIES_MAX) {
		role_mistake_add(builder->mistakes, node->place,
			"more than %u entries in the one that begins in line %u",
			TREE_ENTRIES_MAX, parent->place.line);
		return -E_TOO_BIG;
	}
	first = node->key ? tree_child(parent, node->key) : NULL;
	if (first) {
		struct role_shown shown = role_show(node->key);

		role_mistake_add(builder->mistakes, node->key_place,
			"'%s' is given twice; the first is in line %u", shown.text,
			first->key_place.line);
		return 0;
	}
	if (parent->last)
		parent->last->next = node;
	else
		parent->first = node;
	parent->last = node;
	parent->count++;
	return 0;
}

/* A new node in its place in the tree; NULL and *ret_rc when that fails. */
static struct tree_node *grow(struct builder *builder, enum tree_kind kind,
	const yaml_event_t *event, int *ret_rc)
{
	struct tree_node *node = calloc(1, sizeof(*node));

	*ret_rc = -ENOMEM;
	if (!node)
		return NULL;
	node->kind = kind;
	node->place = place_of(&event->start_mark);
	node->key = builder->key;
	node->key_place = builder->key_place;
	builder->key = NULL;
	node->older = builder->tree->newest;
	builder->tree->newest = node;
	*ret_rc = attach(builder, node);
	return *ret_rc < 0 ? NULL : node;
}

static bool awaits_key(const struct builder *builder)
{
	return builder->depth && builder->open[builder->depth - 1]->kind == TREE_MAP &&
	       !builder->key;
}

static int complex_key(struct builder *builder, const yaml_event_t *event)
{
	role_mistake_add(builder->mistakes, place_of(&event->start_mark),
		"a key must be a single word, not a list, a map or an alias");
	return -E_ROLE;
}

static int take_key(struct builder *builder, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct role_place place = place_of(&event->start_mark);

	if (event->data.scalar.length > TREE_KEY_MAX) {
		role_mistake_add(builder->mistakes, place, "a key of more than %u bytes",
			TREE_KEY_MAX);
		return -E_TOO_BIG;
	}
	/* The key is kept up to a NUL then, but the document is refused anyway. */
	(void)refuse_control(builder, event);
	builder->key = strdup(text);
	builder->key_place = place;
	return builder->key ? 0 : -ENOMEM;
}

static int take_scalar(struct builder *builder, const yaml_event_t *event)
{
	struct tree_node *node;
	int rc;

	refuse_marks(builder, &event->start_mark, event->data.scalar.anchor,
		event->data.scalar.tag);
	if (awaits_key(builder))
		return take_key(builder, event);
	node = grow(builder, TREE_SCALAR, event, &rc);
	if (!node)
		return rc;
	if (refuse_control(builder, event)) {
		node->kind = TREE_REFUSED;
		return 0;
	}
	node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	node->text = strdup((const char *)event->data.scalar.value);
	return node->text ? 0 : -ENOMEM;
}

static int take_start(struct builder *builder, const yaml_event_t *event)
{
	bool map = event->type == YAML_MAPPING_START_EVENT;
	struct tree_node *node;
	int rc;

	if (map)
		refuse_marks(builder, &event->start_mark,
			event->data.mapping_start.anchor, event->data.mapping_start.tag);
	else
		refuse_marks(builder, &event->start_mark,
			event->data.sequence_start.anchor,
			event->data.sequence_start.tag);
	if (awaits_key(builder))
		return complex_key(builder, event);
	if (builder->depth == ROLE_DEPTH_MAX)
		return too_deep(builder, place_of(&event->start_mark));
	node = grow(builder, map ? TREE_MAP : TREE_LIST, event, &rc);
	if (!node)
		return rc;
	builder->open[builder->depth++] = node;
	return 0;
}

static int take_alias(struct builder *builder, const yaml_event_t *event)
{
	struct role_shown shown = role_show((const char *)event->data.alias.anchor);
	int rc;

	if (awaits_key(builder))
		return complex_key(builder, event);
	role_mistake_add(builder->mistakes, place_of(&event->start_mark),
		"alias '*%s': a role has no aliases; write the value out", shown.text);
	return grow(builder, TREE_REFUSED, event, &rc) ? 0 : rc;
}

/* 1 to stop: a second document begins, which is a mistake whatever it holds. */
static int take_document(struct builder *builder, const yaml_event_t *event)
{
	if (builder->tree->root) {
		role_mistake_add(builder->mistakes, place_of(&event->start_mark),
			"a second document begins; a file holds one role");
		return 1;
	}
	if (event->data.document_start.version_directive ||
		event->data.document_start.tag_directives.start !=
			event->data.document_start.tag_directives.end)
		role_mistake_add(builder->mistakes, place_of(&event->start_mark),
			"a role has no %%YAML or %%TAG directives; take them out");
	return 0;
}

/* 0 to go on, 1 at the end of the document. */
static int take_event(struct builder *builder, const yaml_event_t *event)
{
	if (++builder->events > TREE_EVENTS_MAX) {
		role_mistake_add(builder->mistakes, place_of(&event->start_mark),
			"more than %u values and brackets so far", TREE_EVENTS_MAX);
		return -E_TOO_BIG;
	}
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		return take_document(builder, event);
	case YAML_SCALAR_EVENT:
		return take_scalar(builder, event);
	case YAML_ALIAS_EVENT:
		return take_alias(builder, event);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return take_start(builder, event);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		builder->depth--;
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return -E_BUG;
}

static int read_events(struct builder *builder)
{
	int rc = 0;

	while (rc == 0) {
		yaml_event_t event;

		if (!yaml_parser_parse(&builder->parser, &event))
			return syntax_mistake(builder);
		rc = take_event(builder, &event);
		yaml_event_delete(&event);
	}
	if (rc < 0)
		return rc;
	if (builder->tree->root)
		return 0;
	role_mistake_add(builder->mistakes, (struct role_place){1, 1},
		"the document is empty; a role begins with 'apiVersion: promenade/v1'");
	return -E_ROLE;
}

/* Other encodings never reach libyaml, which would follow a byte order mark. */
static int check_bytes(const char *bytes, size_t len, struct role_mistakes *mistakes)
{
	struct role_place start = {1, 1};
	const char *nul;

	if (len > ROLE_BYTES_MAX) {
		role_mistake_add(mistakes, start, "%zu bytes; a role has at most %u", len,
			ROLE_BYTES_MAX);
		return -E_TOO_BIG;
	}
	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		role_mistake_add(mistakes, start,
			"begins with a byte order mark; save it as UTF-8 without one");
		return -E_ROLE;
	}
	nul = len ? memchr(bytes, 0, len) : NULL;
	if (nul) {
		role_mistake_add(mistakes,
			place_of_offset(bytes, len, (size_t)(nul - bytes)),
			"holds a NUL byte (UTF-16 or not text at all); save it as UTF-8");
		return -E_ROLE;
	}
	return 0;
}

int tree_read(
	const char *bytes, size_t len, struct tree *ret, struct role_mistakes *mistakes)
{
	struct builder builder = {.bytes = bytes, .len = len, .tree = ret};
	int rc;

	*ret = (struct tree){NULL, NULL};
	rc = check_bytes(bytes, len, mistakes);
	if (rc < 0)
		return rc;
	builder.mistakes = mistakes;
	if (!yaml_parser_initialize(&builder.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&builder.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input(&builder.parser, hand_out, &builder);
	rc = read_events(&builder);
	yaml_parser_delete(&builder.parser);
	free(builder.key);
	return rc;
}

void tree_done(struct tree *tree)
{
	struct tree_node *node = tree->newest;

	while (node) {
		struct tree_node *older = node->older;

		free(node->text);
		free(node->key);
		free(node);
		node = older;
	}
	*tree = (struct tree){NULL, NULL};
}
