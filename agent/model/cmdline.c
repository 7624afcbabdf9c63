/* SPDX-License-Identifier: MIT */
#include "model/cmdline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the kernel's isspace() takes for white space in ASCII. */
#define SPACE " \t\n\v\f\r"

#define HEX "0123456789abcdefABCDEF"

/* Ends the word that begins at p, its name at start; *ret_equals is the '=' behind the
 * name, or NULL. Quotes toggle anywhere in the word and stay in it. Returns what follows.
 */
static char *end_word(char *p, const char *start, char **ret_equals)
{
	bool in_quotes = false;

	*ret_equals = NULL;
	for (; *p && (in_quotes || !strchr(SPACE, *p)); p++) {
		if (*p == '"')
			in_quotes = !in_quotes;
		else if (*p == '=' && p != start && !*ret_equals)
			*ret_equals = p;
	}
	if (*p)
		*p++ = '\0';
	return p;
}

static void cut_last_quote(char *text)
{
	size_t len = strlen(text);

	if (len && text[len - 1] == '"')
		text[len - 1] = '\0';
}

/* One word of next_arg(): quotes are cut off at the two ends of the word ("a b=c") and of
 * the value (a="b c"), and nowhere else. Returns what follows. */
static char *take_word(char *p, struct cmdline_word *ret)
{
	char *start = *p == '"' ? p + 1 : p, *equals;
	char *next = end_word(p, start, &equals);

	ret->name = start;
	ret->value = NULL;
	if (start != p)
		cut_last_quote(start);
	if (!equals)
		return next;
	*equals++ = '\0';
	if (*equals == '"') {
		equals++;
		cut_last_quote(equals);
	}
	ret->value = equals;
	return next;
}

static size_t count_words(const char *text)
{
	size_t count = 0;

	while (*(text += strspn(text, SPACE))) {
		count++;
		text += strcspn(text, SPACE);
	}
	return count;
}

int cmdline_parse(const char *text, struct cmdline *ret, struct err *err)
{
	struct cmdline cmdline CLEANUP(cmdline_done) = {NULL, NULL, 0};
	char *p;

	if (strlen(text) > CMDLINE_BYTES_MAX)
		return err_set(err, E_TOO_BIG,
			"kernel command line: longer than %u bytes", CMDLINE_BYTES_MAX);
	cmdline.text = strdup(text);
	/* Quotes only join words, so that this is enough; one more, as 0 may give NULL.
	 */
	cmdline.words = calloc(count_words(text) + 1, sizeof(*cmdline.words));
	if (!cmdline.text || !cmdline.words)
		return err_errno(err, ENOMEM, "split the kernel command line");
	p = cmdline.text + strspn(cmdline.text, SPACE);
	while (*p) {
		p = take_word(p, &cmdline.words[cmdline.count++]);
		p += strspn(p, SPACE);
	}
	*ret = cmdline;
	cmdline = (struct cmdline){NULL, NULL, 0};
	return 0;
}

/* The kernel's parameq(): '-' and '_' are the same. */
static bool is_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
			return false;
	return *a == *b;
}

const char *cmdline_last(const struct cmdline *cmdline, const char *name)
{
	for (size_t i = cmdline->count; i-- > 0;)
		if (is_name(cmdline->words[i].name, name))
			return cmdline->words[i].value ? cmdline->words[i].value : "";
	return NULL;
}

int cmdline_all(const struct cmdline *cmdline, const char *name, struct strlist *ret)
{
	struct strlist list CLEANUP(strlist_done) = STRLIST_INIT;

	for (size_t i = 0; i < cmdline->count; i++) {
		const struct cmdline_word *word = &cmdline->words[i];

		if (word->value && is_name(word->name, name) &&
			strlist_add(&list, word->value) < 0)
			return -ENOMEM;
	}
	*ret = list;
	list = (struct strlist)STRLIST_INIT;
	return 0;
}

/* Twelve hex digits, in pairs that a hyphen or a colon may part. */
static bool read_mac(const char *text, char ret[18])
{
	char separator = strlen(text) == 17 ? text[2] : '\0';
	char mac[18];

	if (separator ? separator != ':' && separator != '-' : strlen(text) != 12)
		return false;
	for (size_t i = 0; i < 6; i++) {
		if (strspn(text, HEX) < 2)
			return false;
		for (size_t k = 0; k < 2; k++)
			mac[i * 3 + k] = text[k] >= 'A' && text[k] <= 'F'
						 ? (char)(text[k] - 'A' + 'a')
						 : text[k];
		mac[i * 3 + 2] = i < 5 ? ':' : '\0';
		text += 2;
		if (separator && i < 5 && *text++ != separator)
			return false;
	}
	/* A group address is no NIC's own: 01-52-54-00-ab-cd lacks its last pair. */
	if (strcmp(mac, "00:00:00:00:00:00") == 0 || strchr("13579bdf", mac[1]))
		return false;
	memcpy(ret, mac, sizeof(mac));
	return true;
}

/* BOOTIF: 01 is the hardware type of Ethernet (RFC 1700), with the separator of the rest.
 */
static bool read_bootif(const char *text, char ret[18])
{
	size_t len = strlen(text);

	if (len == 20 && str_has_prefix(text, "01") && text[2] == text[5])
		return read_mac(text + 3, ret);
	if (len == 14 && str_has_prefix(text, "01"))
		return read_mac(text + 2, ret);
	return read_mac(text, ret);
}

static int refuse_mac(const char *name, const char *value, struct err *err)
{
	char shown[48];

	(void)str_copy(shown, sizeof(shown), value);
	str_make_printable(shown);
	return err_set(err, E_USAGE,
		"kernel command line: %s=%s is not a MAC address like "
		"01-52-54-00-12-34-56",
		name, shown);
}

int cmdline_boot_mac(const struct cmdline *cmdline, char ret[18], struct err *err)
{
	const char *bootif = cmdline_last(cmdline, "BOOTIF");
	const char *hw_addr = cmdline_last(cmdline, "hw_addr");

	if (bootif)
		return read_bootif(bootif, ret) ? 0 : refuse_mac("BOOTIF", bootif, err);
	if (hw_addr)
		return read_mac(hw_addr, ret) ? 0 : refuse_mac("hw_addr", hw_addr, err);
	return err_set(err, ENOENT,
		"kernel command line: neither BOOTIF= nor hw_addr= names the boot NIC");
}

void cmdline_done(struct cmdline *cmdline)
{
	free(cmdline->text);
	free(cmdline->words);
	*cmdline = (struct cmdline){NULL, NULL, 0};
}
