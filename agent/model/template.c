/* SPDX-License-Identifier: MIT */
#include "model/template.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A parameter of the query that is being written: it is cut off again at start when it
 * turns out to need a value that is not known. */
struct expansion {
	const struct template_values *values;
	const char *template;
	struct buf url;
	size_t start; /* of the current parameter in url, its separator included */
	bool in_query;
	bool drop; /* the current parameter */
	bool had_parameter;
	char shown[128]; /* the template for messages, without its query: that may hold a
			    token */
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* RFC 3986 2.3 */
static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || (c && strchr("-._~", c));
}

static int add_encoded(struct buf *url, char c)
{
	if (is_unreserved(c))
		return buf_add(url, &c, 1);
	return buf_printf(url, "%%%02X", (unsigned int)(unsigned char)c);
}

struct variable {
	const char *name;
	const char *value;
	bool lower;
	char instead_of_colon;
};

static int add_value(struct buf *url, const struct variable *variable)
{
	for (const char *p = variable->value; *p; p++) {
		char c = variable->lower ? lower(*p) : *p;

		if (c == ':' && variable->instead_of_colon)
			c = variable->instead_of_colon;
		if (add_encoded(url, c) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int refuse_name(const char *name, size_t len, struct err *err)
{
	char shown[33];

	(void)snprintf(shown, sizeof(shown), "%.*s", (int)(len < 32 ? len : 32), name);
	str_make_printable(shown);
	return err_set(err, E_USAGE,
		"role URL: unknown variable '{%s}'; known: uuid, serial, mac, "
		"mac-hexhyp, "
		"hostname, asset, arch",
		shown);
}

static int add_variable(
	struct expansion *expansion, const char *name, size_t len, struct err *err)
{
	const struct template_values *values = expansion->values;
	const struct variable variables[] = {
		{"uuid", values->uuid, true, 0},
		{"serial", values->serial, false, 0},
		{"mac", values->mac, true, 0},
		{"mac-hexhyp", values->mac, true, '-'},
		{"hostname", values->hostname, false, 0},
		{"asset", values->asset, false, 0},
		{"arch", values->arch, false, 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const struct variable *variable = &variables[i];

		if (strlen(variable->name) != len ||
			strncasecmp(variable->name, name, len) != 0)
			continue;
		if (variable->value && *variable->value)
			return add_value(&expansion->url, variable) < 0
				       ? err_errno(err, ENOMEM, "expand the role URL")
				       : 0;
		if (!expansion->in_query)
			return err_set(err, ENODATA,
				"role URL '%s' needs {%s}, which this machine does not "
				"have",
				expansion->shown, variable->name);
		expansion->drop = true;
		return 0;
	}
	return refuse_name(name, len, err);
}

/* At the end of a parameter; the next one begins at the separator that follows. */
static void end_parameter(struct expansion *expansion)
{
	if (!expansion->in_query)
		return;
	if (expansion->drop) {
		expansion->url.len = expansion->start;
		expansion->url.bytes[expansion->url.len] = '\0';
	} else {
		expansion->had_parameter = true;
	}
	expansion->drop = false;
}

static int add_separator(struct expansion *expansion)
{
	end_parameter(expansion);
	expansion->in_query = true;
	expansion->start = expansion->url.len;
	return buf_add_str(&expansion->url, expansion->had_parameter ? "&" : "?");
}

/* Reads `{name}` or `${name}` at text; returns the bytes taken, or a negative code. */
static int take_variable(struct expansion *expansion, const char *text, struct err *err)
{
	size_t skip = *text == '$' ? 2 : 1;
	size_t len = strcspn(text + skip, "{}");
	int rc;

	if (text[skip + len] != '}')
		return err_set(
			err, E_USAGE, "role URL '%s': '{' without '}'", expansion->shown);
	rc = add_variable(expansion, text + skip, len, err);
	return rc < 0 ? rc : (int)(skip + len + 1);
}

/* One byte or one variable; returns the bytes taken, or a negative code. */
static int take_next(struct expansion *expansion, const char *text, struct err *err)
{
	int rc;

	if (text[0] == '{' || (text[0] == '$' && text[1] == '{'))
		return take_variable(expansion, text, err);
	if (text[0] == '}')
		return err_set(
			err, E_USAGE, "role URL '%s': '}' without '{'", expansion->shown);
	if (text[0] == '#')
		return err_set(err, E_USAGE,
			"role URL '%s': a fragment ('#') is never sent to the server",
			expansion->shown);
	if (expansion->in_query ? text[0] == '&' : text[0] == '?')
		rc = add_separator(expansion);
	else
		rc = buf_add(&expansion->url, text, 1);
	return rc < 0 ? err_errno(err, ENOMEM, "expand the role URL") : 1;
}

/* Scheme and host: the bytes up to the path; 0 where there is no host. Without the test
 * of the scheme a path with "://" somewhere in it would pass. */
static size_t authority_len(const char *template)
{
	size_t scheme = strcspn(template, ":/?#{"), host;

	if (!scheme || strncmp(template + scheme, "://", 3) != 0)
		return 0;
	host = strcspn(template + scheme + 3, "/?#");
	return host ? scheme + 3 + host : 0;
}

/* What the whole template must be, before any variable is looked at. A variable in the
 * host would let a name that DHCP or the firmware gave choose the server. */
static int check_template(struct expansion *expansion, struct err *err)
{
	const char *template = expansion->template, *shown = expansion->shown;
	size_t authority = authority_len(template);

	if (memchr(template, '@', authority))
		return err_set(err, E_USAGE,
			"role URL: a user name or password is in it, for all to read in "
			"/proc/cmdline; take it out");
	(void)snprintf(expansion->shown, sizeof(expansion->shown), "%.*s",
		(int)strcspn(template, "?"), template);
	str_make_printable(expansion->shown);
	if (!authority)
		return err_set(
			err, E_USAGE, "role URL '%s': not a URL with a host", shown);
	if (memchr(template, '{', authority) || memchr(template, '}', authority))
		return err_set(err, E_USAGE,
			"role URL '%s': variables belong into path and query, not the "
			"host",
			shown);
	if (strlen(template) > TEMPLATE_URL_MAX)
		return err_set(err, E_TOO_BIG, "role URL '%s': longer than %u bytes",
			shown, TEMPLATE_URL_MAX);
	for (const char *p = template; *p; p++)
		if (*p <= 0x20 || *p > 0x7e)
			return err_set(err, E_USAGE,
				"role URL '%s': holds a space or a byte that is not "
				"ASCII; "
				"write it as %%XX",
				shown);
	return 0;
}

/* A serial number ".." must not lead out of the directory that the operator named; %2E is
 * the same to whoever normalizes (RFC 3986 6.2.2). */
static bool has_dot_segment(const char *path)
{
	while (*path == '/') {
		size_t len = strcspn(++path, "/?"), dots = 0, at = 0;

		while (at < len) {
			if (path[at] == '.')
				at += 1;
			else if (strncasecmp(path + at, "%2e", 3) == 0)
				at += 3;
			else
				break;
			dots++;
		}
		if (at == len && (dots == 1 || dots == 2))
			return true;
		path += len;
	}
	return false;
}

static int expand(struct expansion *expansion, struct err *err)
{
	const char *text = expansion->template;
	size_t authority = authority_len(text);
	int rc = check_template(expansion, err);

	if (rc < 0)
		return rc;
	if (buf_add(&expansion->url, text, authority) < 0)
		return err_errno(err, ENOMEM, "expand the role URL");
	for (text += authority; *text; text += rc) {
		rc = take_next(expansion, text, err);
		if (rc < 0)
			return rc;
	}
	end_parameter(expansion);
	if (expansion->url.len > TEMPLATE_URL_MAX)
		return err_set(err, E_TOO_BIG, "role URL '%s': longer than %u bytes",
			expansion->shown, TEMPLATE_URL_MAX);
	if (has_dot_segment(expansion->url.bytes + authority))
		return err_set(err, E_USAGE,
			"role URL '%s': '.' or '..' becomes a part of the path",
			expansion->shown);
	return 0;
}

int template_expand(const char *template, const struct template_values *values,
	struct buf *ret, struct err *err)
{
	struct expansion expansion = {.values = values, .template = template};
	int rc = expand(&expansion, err);

	if (rc < 0)
		buf_done(&expansion.url);
	else
		*ret = expansion.url;
	return rc;
}
