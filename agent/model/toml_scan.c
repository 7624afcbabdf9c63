/* SPDX-License-Identifier: MIT */
#include "model/toml_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/toml.h"

/* toml.io/en/v1.0.0. pos is the next byte; line counts from 1. */
struct scanner {
	const char *text;
	size_t len;
	size_t pos;
	unsigned int line;
	char table[TOML_PATH_MAX];
	bool in_array;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char peek(const struct scanner *s)
{
	return s->pos < s->len ? s->text[s->pos] : '\0';
}

static void skip_blanks(struct scanner *s)
{
	while (is_blank(peek(s)))
		s->pos++;
}

size_t toml_string_end(const char *text, size_t p, size_t end)
{
	char quote = text[p];
	bool multi = end - p >= 3 && text[p + 1] == quote && text[p + 2] == quote;

	for (p += multi ? 3 : 1; p < end; p++) {
		if (quote == '"' && text[p] == '\\') {
			p++;
		} else if (!multi && text[p] == '\n') {
			return 0;
		} else if (text[p] == quote) {
			size_t run = 1;

			if (!multi)
				return p + 1;
			while (p + run < end && text[p + run] == quote)
				run++;
			/* Up to two quotes may stand before the closing three. */
			if (run >= 3)
				return p + run;
			p += run - 1;
		}
	}
	return 0;
}

bool toml_decode(const char *raw, size_t len, char *ret, size_t size)
{
	size_t out = 0;

	if (len < 2 || (raw[0] != '"' && raw[0] != '\'') || raw[len - 1] != raw[0] ||
		(len >= 6 && raw[1] == raw[0] && raw[2] == raw[0]))
		return false;
	for (size_t i = 1; i < len - 1; i++) {
		char c = raw[i];

		if (c == '\\' && raw[0] == '"') {
			c = raw[++i];
			if (c == 't')
				c = '\t';
			else if (c != '"' && c != '\\')
				return false;
		}
		if (out + 1 >= size)
			return false;
		ret[out++] = c;
	}
	ret[out] = '\0';
	return true;
}

static bool is_bare(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* Appends one key to path. */
static bool add_key(const char *key, char *path)
{
	size_t used = strlen(path), len = strlen(key);

	if (strstr(key, TOML_SEP) || used + len + 2 > TOML_PATH_MAX)
		return false;
	if (used)
		path[used++] = TOML_SEP[0];
	memcpy(path + used, key, len + 1);
	return true;
}

/* a."b.c".'d', as in headers and before "=". */
static bool take_keys(struct scanner *s, char *path)
{
	for (;;) {
		char key[256];
		size_t start, end;

		skip_blanks(s);
		start = s->pos;
		if (peek(s) == '"' || peek(s) == '\'') {
			end = toml_string_end(s->text, start, s->len);
			if (!end || !toml_decode(s->text + start, end - start, key,
					    sizeof(key)))
				return false;
			s->pos = end;
		} else {
			while (is_bare(peek(s)))
				s->pos++;
			if (s->pos == start || s->pos - start >= sizeof(key))
				return false;
			memcpy(key, s->text + start, s->pos - start);
			key[s->pos - start] = '\0';
		}
		if (!add_key(key, path))
			return false;
		skip_blanks(s);
		if (peek(s) != '.')
			return true;
		s->pos++;
	}
}

static void skip_comment(struct scanner *s)
{
	while (s->pos < s->len && s->text[s->pos] != '\n')
		s->pos++;
}

/* An array or inline table: to its closing bracket, over strings, comments and lines. */
static bool skip_brackets(struct scanner *s)
{
	int depth = 0;

	while (s->pos < s->len) {
		char c = s->text[s->pos];

		if (c == '"' || c == '\'') {
			size_t end = toml_string_end(s->text, s->pos, s->len);

			if (!end)
				return false;
			s->pos = end;
			continue;
		}
		if (c == '#') {
			skip_comment(s);
			continue;
		}
		depth += c == '[' || c == '{';
		depth -= c == ']' || c == '}';
		s->pos++;
		if (depth == 0)
			return true;
	}
	return false;
}

/* Numbers, booleans, dates. A date-time may have a blank before its time. */
static void skip_bare_value(struct scanner *s)
{
	size_t start = s->pos;

	for (;;) {
		while (is_bare(peek(s)) || (peek(s) && strchr("+.:", peek(s))))
			s->pos++;
		if (s->pos - start != strlen("2026-11-22") || s->text[start + 4] != '-' ||
			peek(s) != ' ' || s->pos + 1 >= s->len ||
			s->text[s->pos + 1] < '0' || s->text[s->pos + 1] > '9')
			return;
		s->pos++;
	}
}

static bool take_value(struct scanner *s, struct toml_statement *ret)
{
	char c;

	skip_blanks(s);
	c = peek(s);
	ret->value_start = s->pos;
	if (c == '"' || c == '\'') {
		size_t end = toml_string_end(s->text, s->pos, s->len);

		if (!end)
			return false;
		s->pos = end;
	} else if (c == '[' || c == '{') {
		if (!skip_brackets(s))
			return false;
	} else {
		skip_bare_value(s);
	}
	ret->value_end = s->pos;
	return ret->value_end > ret->value_start;
}

/* Nothing but a comment may follow on the line. */
static bool take_line_end(struct scanner *s)
{
	skip_blanks(s);
	if (peek(s) == '#')
		skip_comment(s);
	if (peek(s) == '\r')
		s->pos++;
	if (s->pos == s->len)
		return true;
	if (s->text[s->pos] != '\n')
		return false;
	s->pos++;
	return true;
}

static bool take_header(struct scanner *s, struct toml_statement *ret)
{
	bool array = s->pos + 1 < s->len && s->text[s->pos + 1] == '[';

	ret->kind = array ? TOML_ARRAY_TABLE : TOML_TABLE;
	s->pos += array ? 2 : 1;
	if (!take_keys(s, ret->path) || peek(s) != ']')
		return false;
	s->pos++;
	if (array && peek(s) != ']')
		return false;
	s->pos += array ? 1 : 0;
	(void)str_copy(s->table, sizeof(s->table), ret->path);
	s->in_array = array;
	return true;
}

static bool take_statement(struct scanner *s, struct toml_statement *ret)
{
	if (peek(s) == '[')
		return take_header(s, ret);
	ret->kind = TOML_VALUE;
	ret->in_array = s->in_array;
	(void)str_copy(ret->path, sizeof(ret->path), s->table);
	ret->table_len = strlen(s->table);
	if (!take_keys(s, ret->path) || peek(s) != '=')
		return false;
	s->pos++;
	return take_value(s, ret);
}

/* [a.b] after [[a]] belongs to that element and may come again with the next one. */
static bool is_in_array(const struct toml_statements *all, const char *path)
{
	for (size_t i = 0; i < all->count; i++) {
		size_t len = strlen(all->items[i].path);

		if (all->items[i].kind == TOML_ARRAY_TABLE &&
			strncmp(path, all->items[i].path, len) == 0 &&
			path[len] == TOML_SEP[0])
			return true;
	}
	return false;
}

static int add(struct toml_statements *all, const struct toml_statement *statement)
{
	struct toml_statement *items;

	/* Grown by doubling: a full power of two means full. */
	if ((all->count & (all->count - 1)) == 0) {
		items = realloc(
			all->items, (all->count ? all->count * 2 : 1) * sizeof(*items));
		if (!items)
			return -ENOMEM;
		all->items = items;
	}
	all->items[all->count++] = *statement;
	return 0;
}

/* Skips empty lines and comments. */
static void skip_space(struct scanner *s)
{
	for (;;) {
		char c = peek(s);

		if (s->pos < s->len && (is_blank(c) || c == '\r' || c == '\n'))
			s->pos++;
		else if (c == '#')
			skip_comment(s);
		else
			return;
	}
}

static unsigned int count_lines(const char *text, size_t from, size_t to)
{
	unsigned int lines = 0;

	for (; from < to; from++)
		lines += text[from] == '\n';
	return lines;
}

int toml_scan(const struct buf *text, struct toml_statements *ret, struct err *err)
{
	struct toml_statements all CLEANUP(toml_statements_done) = {NULL, 0};
	struct scanner s = {.text = buf_text(text), .len = text->len, .line = 1};
	size_t counted = 0;

	for (;;) {
		struct toml_statement statement = {.kind = TOML_VALUE};

		skip_space(&s);
		s.line += count_lines(s.text, counted, s.pos);
		counted = s.pos;
		if (s.pos >= s.len)
			break;
		statement.line = s.line;
		statement.start = s.pos;
		if (!take_statement(&s, &statement) || !take_line_end(&s))
			return err_set(err, E_FORMAT,
				"line %u is not understood as TOML: mend it there",
				s.line);
		statement.end = s.pos;
		if (statement.kind == TOML_TABLE)
			statement.in_array = s.in_array =
				is_in_array(&all, statement.path);
		if (add(&all, &statement) < 0)
			return err_errno(err, ENOMEM, "read TOML");
	}
	*ret = all;
	all = (struct toml_statements){NULL, 0};
	return 0;
}

void toml_statements_done(struct toml_statements *statements)
{
	free(statements->items);
	*statements = (struct toml_statements){NULL, 0};
}
