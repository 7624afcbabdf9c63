/* SPDX-License-Identifier: MIT */
#include "model/fstab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

/* Columns: spec file type options freq passno. */
#define COLUMNS 6

struct column {
	size_t start;
	size_t end;
};

/* CR counts as white space here: in a CRLF file it would else stick to the last column.
 * The generators keep it there, so an edit leaves it where it is. */
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static size_t split(const char *text, size_t start, size_t end, struct column *columns)
{
	size_t count = 0, p = start;
	const char *nul = memchr(text + start, '\0', end - start);

	if (nul) /* where libc's line ends */
		end = (size_t)(nul - text);
	while (count < COLUMNS) {
		while (p < end && is_blank(text[p]))
			p++;
		if (p == end)
			break;
		columns[count].start = p;
		while (p < end && !is_blank(text[p]))
			p++;
		columns[count++].end = p;
	}
	return count;
}

static bool is_octal3(const char *p, size_t left)
{
	return left >= 3 && memcmp(p, "000", 3) != 0 && p[0] >= '0' && p[0] <= '3' &&
	       p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* getmntent(3): \040 space, \011 tab, \012 newline, \134 backslash; \\ too. */
static char *unescape(const char *text, struct column column)
{
	size_t len = column.end - column.start, out = 0;
	const char *p = text + column.start;
	char *ret = malloc(len + 1);

	if (!ret)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\\' && is_octal3(p + i + 1, len - i - 1)) {
			ret[out++] = (char)((p[i + 1] - '0') * 64 + (p[i + 2] - '0') * 8 +
					    (p[i + 3] - '0'));
			i += 3;
		} else if (p[i] == '\\' && i + 1 < len && p[i + 1] == '\\') {
			ret[out++] = '\\';
			i++;
		} else {
			ret[out++] = p[i];
		}
	}
	ret[out] = '\0';
	return ret;
}

static void entry_done(struct fstab_entry *entry)
{
	free(entry->spec);
	free(entry->file);
	free(entry->type);
	free(entry->options);
}

/* libmount also takes "UUID="x"" with quotes; they are taken off the value. */
static void unquote(char *spec)
{
	char *value = strchr(spec, '=');
	size_t len;

	if (!value || (value[1] != '"' && value[1] != '\''))
		return;
	len = strlen(value + 1);
	if (len < 2 || value[len] != value[1])
		return;
	memmove(value + 1, value + 2, len - 2);
	value[len - 1] = '\0';
}

static int entry_make(const char *text, const struct column *columns, size_t count,
	unsigned int line, struct fstab_entry *ret)
{
	size_t end = columns[2].end;
	struct column options = count > 3 ? columns[3] : (struct column){end, end};
	struct fstab_entry entry = {
		.line = line,
		.spec = unescape(text, columns[0]),
		.file = unescape(text, columns[1]),
		.type = unescape(text, columns[2]),
		.options = unescape(text, options),
		.options_start = options.start,
		.options_end = options.end,
	};

	if (!entry.spec || !entry.file || !entry.type || !entry.options) {
		entry_done(&entry);
		return -ENOMEM;
	}
	unquote(entry.spec);
	*ret = entry;
	return 0;
}

static int fstab_add(struct fstab *fstab, const struct fstab_entry *entry)
{
	struct fstab_entry *items =
		realloc(fstab->items, (fstab->count + 1) * sizeof(*items));

	if (!items)
		return -ENOMEM;
	fstab->items = items;
	fstab->items[fstab->count++] = *entry;
	return 0;
}

int fstab_parse(const char *text, size_t len, struct fstab *ret)
{
	struct fstab fstab CLEANUP(fstab_done) = {NULL, 0};
	unsigned int line = 0;

	for (size_t start = 0; start < len;) {
		const char *newline = memchr(text + start, '\n', len - start);
		size_t end = newline ? (size_t)(newline - text) : len;
		struct column columns[COLUMNS];
		size_t count = split(text, start, end, columns);
		struct fstab_entry entry;

		line++;
		start = end + 1;
		if (count < 3 || text[columns[0].start] == '#')
			continue;
		if (entry_make(text, columns, count, line, &entry) < 0)
			return -ENOMEM;
		if (fstab_add(&fstab, &entry) < 0) {
			entry_done(&entry);
			return -ENOMEM;
		}
	}
	*ret = fstab;
	fstab = (struct fstab){NULL, 0};
	return 0;
}

const struct fstab_entry *fstab_find(const struct fstab *fstab, const char *file)
{
	for (size_t i = fstab->count; i > 0; i--)
		if (strcmp(fstab->items[i - 1].file, file) == 0)
			return &fstab->items[i - 1];
	return NULL;
}

/* Length of the word at p, up to a comma outside double quotes (libmount's rule, for
 * context="a,b"). */
static size_t word_len(const char *p)
{
	bool quoted = false;
	size_t n = 0;

	for (; p[n] && (quoted || p[n] != ','); n++)
		if (p[n] == '"')
			quoted = !quoted;
	return n;
}

static bool word_is(const char *p, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(p, word, len) == 0;
}

bool fstab_has_option(const struct fstab_entry *entry, const char *word)
{
	for (const char *p = entry->options; *p;) {
		size_t n = word_len(p);

		if (word_is(p, n, word))
			return true;
		p += n + (p[n] ? 1 : 0);
	}
	return false;
}

bool fstab_is_noauto(const struct fstab_entry *entry)
{
	bool noauto = false;

	for (const char *p = entry->options; *p;) {
		size_t n = word_len(p);

		if (word_is(p, n, "noauto"))
			noauto = true;
		else if (word_is(p, n, "auto"))
			noauto = false;
		p += n + (p[n] ? 1 : 0);
	}
	return noauto;
}

/* True for words that would take noauto back, or say nothing. An escaped word
 * ("\\141uto") is what it decodes to. */
static bool is_dropped(const char *raw, size_t len)
{
	static const char *const words[] = {
		"auto", "noauto", "nofail", "fail", "defaults", "sw", ""};
	char *word CLEANUP(str_free) = unescape(raw, (struct column){0, len});

	for (size_t i = 0; word && i < ARRAY_LEN(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return word && strchr(word, ',');
}

/* noauto stands first: what a stray CR sticks to must not be it. */
static int add_noauto_options(const char *raw, size_t len, struct buf *ret)
{
	const char *end = raw + len;

	if (buf_add_str(ret, "noauto,nofail") < 0)
		return -ENOMEM;
	for (const char *p = raw; p < end;) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		size_t n = comma ? (size_t)(comma - p) : (size_t)(end - p);

		if (!is_dropped(p, n) &&
			(buf_add(ret, ",", 1) < 0 || buf_add(ret, p, n) < 0))
			return -ENOMEM;
		p += n + 1;
	}
	return 0;
}

int fstab_disable_swap(
	const char *text, size_t len, struct buf *ret, struct strlist *changes)
{
	struct fstab fstab CLEANUP(fstab_done) = {NULL, 0};
	struct buf out CLEANUP(buf_done) = BUF_INIT;
	size_t done = 0;

	if (fstab_parse(text, len, &fstab) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < fstab.count; i++) {
		const struct fstab_entry *e = &fstab.items[i];
		bool missing = e->options_start == e->options_end;

		if (strcmp(e->type, "swap") != 0 || fstab_is_noauto(e))
			continue;
		if (buf_add(&out, text + done, e->options_start - done) < 0 ||
			(missing && buf_add(&out, " ", 1) < 0) ||
			add_noauto_options(text + e->options_start,
				e->options_end - e->options_start, &out) < 0 ||
			strlist_printf(changes, "line %u: swap on '%s' made noauto",
				e->line, e->spec) < 0)
			return -ENOMEM;
		done = e->options_end;
	}
	if (buf_add(&out, text + done, len - done) < 0)
		return -ENOMEM;
	*ret = out;
	out = (struct buf)BUF_INIT;
	return 0;
}

/* Words that mount(8) turns into flags (util-linux libmount/src/optmap.c). */
static const struct {
	const char *word;
	unsigned long set;
	unsigned long clear;
} flag_words[] = {
	{"nosuid", MS_NOSUID, 0},
	{"suid", 0, MS_NOSUID},
	{"nodev", MS_NODEV, 0},
	{"dev", 0, MS_NODEV},
	{"noexec", MS_NOEXEC, 0},
	{"exec", 0, MS_NOEXEC},
	{"sync", MS_SYNCHRONOUS, 0},
	{"async", 0, MS_SYNCHRONOUS},
	{"dirsync", MS_DIRSYNC, 0},
	{"noatime", MS_NOATIME, 0},
	{"atime", 0, MS_NOATIME},
	{"nodiratime", MS_NODIRATIME, 0},
	{"relatime", MS_RELATIME, 0},
	{"norelatime", 0, MS_RELATIME},
	{"strictatime", MS_STRICTATIME, 0},
	{"lazytime", MS_LAZYTIME, 0},
	{"nosymfollow", 256 /* MS_NOSYMFOLLOW, linux/mount.h */, 0},
};

/* Words and prefixes for user space alone (mount(8), systemd.mount(5)). */
static const char *const user_words[] = {"defaults", "noauto", "auto", "nofail", "fail",
	"_netdev", "user", "nouser", "users", "owner", "group", "loud", "silent", "ro",
	"rw", "bootwait", "nobootwait"};
static const char *const user_prefixes[] = {
	"x-", "X-", "comment=", "uhelper=", "helper="};

static bool is_user_word(const char *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(user_words); i++)
		if (word_is(p, n, user_words[i]))
			return true;
	for (size_t i = 0; i < ARRAY_LEN(user_prefixes); i++)
		if (n >= strlen(user_prefixes[i]) && str_has_prefix(p, user_prefixes[i]))
			return true;
	return n == 0;
}

static bool apply_flag_word(const char *p, size_t n, unsigned long *flags)
{
	for (size_t i = 0; i < ARRAY_LEN(flag_words); i++)
		if (word_is(p, n, flag_words[i].word)) {
			*flags |= flag_words[i].set;
			*flags &= ~flag_words[i].clear;
			return true;
		}
	return false;
}

int fstab_mount_options(
	const char *options, unsigned long *ret_flags, struct buf *ret_data)
{
	struct buf data CLEANUP(buf_done) = BUF_INIT;
	unsigned long flags = 0;

	for (const char *p = options; *p;) {
		size_t n = word_len(p);

		if (!is_user_word(p, n) && !apply_flag_word(p, n, &flags))
			if ((data.len && buf_add(&data, ",", 1) < 0) ||
				buf_add(&data, p, n) < 0)
				return -ENOMEM;
		p += n + (p[n] ? 1 : 0);
	}
	*ret_flags = flags;
	*ret_data = data;
	data = (struct buf)BUF_INIT;
	return 0;
}

void fstab_done(struct fstab *fstab)
{
	for (size_t i = 0; i < fstab->count; i++)
		entry_done(&fstab->items[i]);
	free(fstab->items);
	*fstab = (struct fstab){NULL, 0};
}
