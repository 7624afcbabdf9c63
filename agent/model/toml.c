/* SPDX-License-Identifier: MIT */
#include "model/toml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/toml_scan.h"

/* True when path is above: a prefix that ends where a component ends. */
static bool is_beneath(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 && path[len] == TOML_SEP[0];
}

/* A path for people: plugins."io.containerd.grpc.v1.cri".cni.bin_dir */
static void path_text(const char *path, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	while (*path && used < size) {
		size_t len = strcspn(path, TOML_SEP);
		const char *quote = memchr(path, '.', len) ? "\"" : "";

		used += (size_t)snprintf(text + used, size - used, "%s%s%.*s%s",
			used ? "." : "", quote, (int)len, path, quote);
		path += len;
		path += *path ? 1 : 0;
	}
}

static const struct toml_statement *find_value(
	const struct toml_statements *all, const char *path)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].kind == TOML_VALUE && !all->items[i].in_array &&
			strcmp(all->items[i].path, path) == 0)
			return &all->items[i];
	return NULL;
}

static int by_path(const void *a, const void *b)
{
	const struct toml_statement *const *x = a, *const *y = b;
	int order = strcmp((*x)->path, (*y)->path);

	return order ? order : ((*x)->line > (*y)->line) - ((*x)->line < (*y)->line);
}

/* Keys in arrays of tables repeat by their nature and are not compared. */
static int refuse_twice(const struct toml_statements *all, struct err *err)
{
	const struct toml_statement **sorted = calloc(all->count + 1, sizeof(*sorted));
	size_t count = 0;
	char name[200];
	int rc = 0;

	if (!sorted)
		return err_errno(err, ENOMEM, "read TOML");
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].kind != TOML_ARRAY_TABLE && !all->items[i].in_array)
			sorted[count++] = &all->items[i];
	qsort(sorted, count, sizeof(*sorted), by_path);
	for (size_t i = 1; i < count && rc == 0; i++) {
		if (strcmp(sorted[i - 1]->path, sorted[i]->path) != 0)
			continue;
		path_text(sorted[i]->path, name, sizeof(name));
		rc = err_set(err, E_FORMAT,
			"line %u: '%s' is there twice, first in line %u: take one out",
			sorted[i]->line, name, sorted[i - 1]->line);
	}
	free(sorted);
	return rc;
}

static int scan_checked(
	const struct buf *text, struct toml_statements *ret, struct err *err)
{
	int rc = toml_scan(text, ret, err);

	if (rc == 0)
		rc = refuse_twice(ret, err);
	return rc;
}

int toml_check(const struct buf *text, struct err *err)
{
	struct toml_statements all CLEANUP(toml_statements_done) = {NULL, 0};

	return scan_checked(text, &all, err);
}

bool toml_get(const struct buf *text, const char *path, struct buf *ret)
{
	struct toml_statements all CLEANUP(toml_statements_done) = {NULL, 0};
	const struct toml_statement *found;

	if (scan_checked(text, &all, NULL) < 0)
		return false;
	found = find_value(&all, path);
	if (found && ret)
		return buf_add(ret, text->bytes + found->value_start,
			       found->value_end - found->value_start) == 0;
	return found != NULL;
}

bool toml_get_string(const struct buf *text, const char *path, char *ret, size_t size)
{
	struct buf raw CLEANUP(buf_done) = BUF_INIT;

	return toml_get(text, path, &raw) &&
	       toml_decode(buf_text(&raw), raw.len, ret, size);
}

int toml_get_strings(const struct buf *text, const char *path, struct strlist *ret)
{
	struct buf raw CLEANUP(buf_done) = BUF_INIT;

	if (!toml_get(text, path, &raw) || raw.bytes[0] != '[')
		return 0;
	for (size_t p = 1; p < raw.len; p++) {
		char value[512];
		size_t stop;

		if (raw.bytes[p] == '#')
			p += strcspn(raw.bytes + p, "\n");
		if (raw.bytes[p] != '"' && raw.bytes[p] != '\'')
			continue;
		stop = toml_string_end(raw.bytes, p, raw.len);
		if (!stop)
			return 0;
		if (toml_decode(raw.bytes + p, stop - p, value, sizeof(value)) &&
			strlist_add(ret, value) < 0)
			return -ENOMEM;
		p = stop - 1;
	}
	return 0;
}

bool toml_has_table(const struct buf *text, const char *path)
{
	struct toml_statements all CLEANUP(toml_statements_done) = {NULL, 0};

	if (scan_checked(text, &all, NULL) < 0)
		return false;
	for (size_t i = 0; i < all.count; i++)
		if (strcmp(all.items[i].path, path) == 0 ||
			is_beneath(all.items[i].path, path))
			return true;
	return false;
}

/* What makes a path impossible to set by a line of its own. */
static int refuse_place(
	const struct toml_statements *all, const char *path, struct err *err)
{
	char name[200];

	path_text(path, name, sizeof(name));
	for (size_t i = 0; i < all->count; i++) {
		const struct toml_statement *s = &all->items[i];

		if (s->kind == TOML_VALUE && !s->in_array && is_beneath(path, s->path))
			return err_set(err, E_FORMAT,
				"line %u: '%s' is inside an inline table or value there; "
				"write it as a [table] of its own",
				s->line, name);
		if (s->kind == TOML_ARRAY_TABLE &&
			(is_beneath(path, s->path) || strcmp(path, s->path) == 0))
			return err_set(err, E_FORMAT,
				"line %u: '%s' is inside an array of tables there; that "
				"is "
				"not understood",
				s->line, name);
		if ((s->kind == TOML_TABLE && strcmp(s->path, path) == 0) ||
			(!s->in_array && is_beneath(s->path, path)))
			return err_set(err, E_FORMAT,
				"line %u: '%s' is a table there and not a value", s->line,
				name);
	}
	return 0;
}

/* Replaces [start, end) by middle. Returns 1, for "changed". */
static int splice(
	struct buf *text, size_t start, size_t end, const char *middle, struct err *err)
{
	struct buf out CLEANUP(buf_done) = BUF_INIT;

	if (buf_add(&out, buf_text(text), start) < 0 || buf_add_str(&out, middle) < 0 ||
		buf_add(&out, buf_text(text) + end, text->len - end) < 0)
		return err_errno(err, ENOMEM, "edit TOML");
	buf_done(text);
	*text = out;
	out = (struct buf)BUF_INIT;
	return 1;
}

/* Bytes before start back to the newline: the indentation of a statement. */
static size_t indent_of(const struct buf *text, size_t start)
{
	size_t n = 0;

	while (n < start &&
		(text->bytes[start - n - 1] == ' ' || text->bytes[start - n - 1] == '\t'))
		n++;
	return n;
}

/* The last statement of the table whose path is table (length table_len of path), whose
 * header or keys stand in the text; NULL when there is none. */
static const struct toml_statement *table_tail(
	const struct toml_statements *all, const char *table)
{
	const struct toml_statement *tail = NULL;

	for (size_t i = 0; i < all->count; i++) {
		const struct toml_statement *s = &all->items[i];

		if (s->kind == TOML_TABLE && !s->in_array && strcmp(s->path, table) == 0)
			tail = s;
		else if (s->kind == TOML_VALUE && !s->in_array &&
			 s->table_len == strlen(table) &&
			 strncmp(s->path, table, s->table_len) == 0)
			tail = s;
	}
	return tail;
}

/* Dotted keys in a parent ([a] b.c = 1) define the table a.b without a header, and TOML
 * forbids a header for it then: the last of them, for one more beside it. */
static const struct toml_statement *dotted_definition(
	const struct toml_statements *all, const char *table)
{
	const struct toml_statement *last = NULL;

	for (size_t i = 0; i < all->count; i++) {
		const struct toml_statement *s = &all->items[i];

		if (s->kind == TOML_VALUE && !s->in_array && is_beneath(s->path, table) &&
			s->table_len < strlen(table))
			last = s;
	}
	return last;
}

static int add_key_text(const char *key, struct buf *ret)
{
	bool bare = *key != '\0';

	for (const char *p = key; *p; p++)
		bare = bare &&
		       (strchr("_-", *p) || (*p >= '0' && *p <= '9') ||
			       (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z'));
	if (bare)
		return buf_add_str(ret, key);
	return buf_printf(ret, strchr(key, '"') ? "'%s'" : "\"%s\"", key);
}

/* a."b.c".d */
static int add_path_text(const char *path, struct buf *ret)
{
	char copy[TOML_PATH_MAX], *save = NULL;
	bool first = true;

	(void)str_copy(copy, sizeof(copy), path);
	for (char *key = strtok_r(copy, TOML_SEP, &save); key;
		key = strtok_r(NULL, TOML_SEP, &save)) {
		if ((!first && buf_add_str(ret, ".") < 0) || add_key_text(key, ret) < 0)
			return -ENOMEM;
		first = false;
	}
	return 0;
}

/* A line after the table's last one, indented like it (a step deeper than a header). key
 * is relative to the table that tail is in. */
static int insert_after(struct buf *text, const struct toml_statement *tail,
	const char *key, const char *value, struct err *err)
{
	struct buf line CLEANUP(buf_done) = BUF_INIT;
	size_t indent = indent_of(text, tail->start);
	bool no_newline = tail->end > 0 && text->bytes[tail->end - 1] != '\n';

	if ((no_newline && buf_add_str(&line, "\n") < 0) ||
		buf_add(&line, text->bytes + tail->start - indent, indent) < 0 ||
		(tail->kind == TOML_TABLE && buf_add_str(&line, "  ") < 0) ||
		add_path_text(key, &line) < 0 || buf_printf(&line, " = %s\n", value) < 0)
		return err_errno(err, ENOMEM, "edit TOML");
	return splice(text, tail->end, tail->end, buf_text(&line), err);
}

static int append_table(struct buf *text, const char *table, const char *key,
	const char *value, struct err *err)
{
	struct buf lines CLEANUP(buf_done) = BUF_INIT;
	bool no_newline = text->len && text->bytes[text->len - 1] != '\n';

	if ((no_newline && buf_add_str(&lines, "\n") < 0) ||
		(text->len && buf_add_str(&lines, "\n") < 0) ||
		buf_add_str(&lines, "[") < 0 || add_path_text(table, &lines) < 0 ||
		buf_add_str(&lines, "]\n  ") < 0 || add_key_text(key, &lines) < 0 ||
		buf_printf(&lines, " = %s\n", value) < 0)
		return err_errno(err, ENOMEM, "edit TOML");
	return splice(text, text->len, text->len, buf_text(&lines), err);
}

/* A key of the top level goes before the first header. */
static int insert_top(
	struct buf *text, const char *key, const char *value, struct err *err)
{
	struct buf line CLEANUP(buf_done) = BUF_INIT;

	if (add_key_text(key, &line) < 0 || buf_printf(&line, " = %s\n", value) < 0)
		return err_errno(err, ENOMEM, "edit TOML");
	return splice(text, 0, 0, buf_text(&line), err);
}

static int add_new(struct buf *text, const struct toml_statements *all, const char *path,
	const char *value, struct err *err)
{
	const struct toml_statement *tail, *dotted;
	const char *last = strrchr(path, TOML_SEP[0]);
	char table[TOML_PATH_MAX];

	(void)snprintf(table, sizeof(table), "%.*s", (int)(last ? last - path : 0), path);
	tail = table_tail(all, table);
	if (tail)
		return insert_after(text, tail, last ? last + 1 : path, value, err);
	if (!last)
		return insert_top(text, path, value, err);
	dotted = dotted_definition(all, table);
	if (dotted)
		return insert_after(text, dotted,
			path + dotted->table_len + (dotted->table_len ? 1 : 0), value,
			err);
	return append_table(text, table, last + 1, value, err);
}

int toml_set(struct buf *text, const char *path, const char *value, struct err *err)
{
	struct toml_statements all CLEANUP(toml_statements_done) = {NULL, 0};
	const struct toml_statement *found;
	int rc = scan_checked(text, &all, err);

	if (rc < 0)
		return rc;
	found = find_value(&all, path);
	if (found) {
		size_t len = found->value_end - found->value_start;

		if (len == strlen(value) &&
			memcmp(text->bytes + found->value_start, value, len) == 0)
			return 0;
		return splice(text, found->value_start, found->value_end, value, err);
	}
	rc = refuse_place(&all, path, err);
	return rc < 0 ? rc : add_new(text, &all, path, value, err);
}

int toml_set_string(
	struct buf *text, const char *path, const char *value, struct err *err)
{
	struct buf raw CLEANUP(buf_done) = BUF_INIT;
	char now[1024];

	/* The other kind of quotes is no difference. */
	if (toml_get_string(text, path, now, sizeof(now)) && strcmp(now, value) == 0)
		return 0;
	if (strpbrk(value, "\"\\\n") || buf_printf(&raw, "\"%s\"", value) < 0)
		return err_set(
			err, E_FORMAT, "'%s' cannot be written as a TOML string", value);
	return toml_set(text, path, buf_text(&raw), err);
}

/* An item alone on its line takes the line with it. */
static void take_whole_line(const char *text, size_t span[2])
{
	size_t start = span[0];

	while (start > 0 && (text[start - 1] == ' ' || text[start - 1] == '\t'))
		start--;
	if (start > 0 && text[start - 1] == '\n' && text[span[1]] == '\n') {
		span[0] = start;
		span[1]++;
	}
}

/* The place of item in the array text[start, end), with the comma that goes with it. */
static bool find_item(
	const char *text, size_t start, size_t end, const char *item, size_t ret_span[2])
{
	size_t after_comma = 0;

	for (size_t p = start + 1; p < end; p++) {
		char value[512];
		size_t stop;

		if (text[p] == ',')
			after_comma = p;
		if (text[p] == '#')
			p += strcspn(text + p, "\n");
		if (text[p] != '"' && text[p] != '\'')
			continue;
		stop = toml_string_end(text, p, end);
		if (!stop)
			return false;
		if (toml_decode(text + p, stop - p, value, sizeof(value)) &&
			strcmp(value, item) == 0) {
			size_t next = stop + strspn(text + stop, " \t\r\n");

			ret_span[0] = p;
			ret_span[1] = stop;
			if (text[next] == ',')
				ret_span[1] = next + 1 + strspn(text + next + 1, " ");
			else if (after_comma)
				ret_span[0] = after_comma;
			take_whole_line(text, ret_span);
			return true;
		}
		p = stop - 1;
	}
	return false;
}

int toml_array_remove(
	struct buf *text, const char *path, const char *item, struct err *err)
{
	struct toml_statements all CLEANUP(toml_statements_done) = {NULL, 0};
	const struct toml_statement *found;
	size_t span[2];
	int rc = scan_checked(text, &all, err);

	if (rc < 0)
		return rc;
	found = find_value(&all, path);
	if (!found)
		return 0;
	if (text->bytes[found->value_start] != '[')
		return err_set(err, E_FORMAT, "line %u: not an array", found->line);
	if (!find_item(text->bytes, found->value_start, found->value_end, item, span))
		return 0;
	rc = splice(text, span[0], span[1], "", err);
	if (rc < 0)
		return rc;
	/* Once more, should it be there twice; each call makes the text shorter. */
	rc = toml_array_remove(text, path, item, err);
	return rc < 0 ? rc : 1;
}
