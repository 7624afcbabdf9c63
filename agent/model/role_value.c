/* SPDX-License-Identifier: MIT */
#include "model/role_value.h"

#include <string.h>

#include "base/str.h"

#define DIGITS "0123456789"
#define HEX DIGITS "abcdefABCDEF"
#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define ALNUM DIGITS LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* All of text is of these bytes, and it is min to max bytes long. */
static bool is_made_of(const char *text, const char *bytes, size_t min, size_t max)
{
	size_t len = strlen(text);

	return len >= min && len <= max && strspn(text, bytes) == len;
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(text, *words) == 0)
			return true;
	return false;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *text)
{
	size_t whole;

	if (*text == '-' || *text == '+')
		text++;
	whole = strspn(text, DIGITS);
	text += whole;
	if (*text == '.') {
		size_t fraction = strspn(text + 1, DIGITS);

		if (!whole && !fraction)
			return false;
		text += 1 + fraction;
	} else if (!whole) {
		return false;
	}
	if (*text == 'e' || *text == 'E') {
		text++;
		if (*text == '-' || *text == '+')
			text++;
		if (!*text)
			return false;
		text += strspn(text, DIGITS);
	}
	return !*text;
}

static bool is_special_float(const char *text)
{
	static const char *const nan[] = {".nan", ".NaN", ".NAN", NULL};
	static const char *const inf[] = {".inf", ".Inf", ".INF", NULL};

	if (is_one_of(text, nan))
		return true;
	return is_one_of(text + (*text == '-' || *text == '+'), inf);
}

static bool is_int(const char *text)
{
	if (str_has_prefix(text, "0x"))
		return is_made_of(text + 2, HEX, 1, SIZE_MAX);
	if (str_has_prefix(text, "0o"))
		return is_made_of(text + 2, "01234567", 1, SIZE_MAX);
	return is_made_of(text + (*text == '-' || *text == '+'), DIGITS, 1, SIZE_MAX);
}

enum value_kind value_kind_of(const char *text)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
	static const char *const bools[] = {
		"true", "True", "TRUE", "false", "False", "FALSE", NULL};

	if (is_one_of(text, nulls))
		return VALUE_NULL;
	if (is_one_of(text, bools))
		return VALUE_BOOL;
	if (is_int(text))
		return VALUE_INT;
	return is_float(text) || is_special_float(text) ? VALUE_FLOAT : VALUE_TEXT;
}

bool value_parse_mode(const char *text, unsigned int *ret)
{
	if (text[0] != '0' || !is_made_of(text, "01234567", 4, 4))
		return false;
	*ret = (unsigned int)((text[1] - '0') * 64 + (text[2] - '0') * 8 +
			      (text[3] - '0'));
	return true;
}

/* Proleptic Gregorian day number since 1970-01-01; the year begins in March, so that the
 * leap day is its last. */
static int64_t days_since_epoch(unsigned int year, unsigned int month, unsigned int day)
{
	unsigned int y = month > 2 ? year : year - 1;
	unsigned int day_of_year =
		(153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (int64_t)y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static unsigned int days_of_month(unsigned int year, unsigned int month)
{
	static const unsigned char days[] = {
		31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap ? 1U : 0U);
}

bool value_parse_time(const char *text, int64_t *ret)
{
	static const char form[] = "dddd-dd-ddTdd:dd:ddZ";
	unsigned int part[6] = {0};
	size_t at = 0;

	if (strlen(text) != sizeof(form) - 1)
		return false;
	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		if (form[i] != 'd' ? text[i] != form[i] : text[i] < '0' || text[i] > '9')
			return false;
		if (form[i] == 'd')
			part[at] = part[at] * 10 + (unsigned int)(text[i] - '0');
		else
			at++;
		if (at == ARRAY_LEN(part))
			break;
	}
	if (part[0] < 1970 || part[1] < 1 || part[1] > 12 || part[2] < 1 ||
		part[2] > days_of_month(part[0], part[1]) || part[3] > 23 ||
		part[4] > 59 || part[5] > 59)
		return false;
	*ret = days_since_epoch(part[0], part[1], part[2]) * 86400 + part[3] * 3600 +
	       part[4] * 60 + part[5];
	return true;
}

const char *value_uuid(const char *text)
{
	static const char form[] = "hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh";
	bool fits = strlen(text) == sizeof(form) - 1;

	for (size_t i = 0; fits && i < sizeof(form) - 1; i++)
		fits = form[i] == '-' ? text[i] == '-' : strchr(HEX, text[i]) != NULL;
	return fits ? NULL : "a UUID like 4c4c4544-0042-3510-8052-b4c04f4a4d31";
}

const char *value_sha256(const char *text)
{
	return is_made_of(text, HEX, 64, 64)
		       ? NULL
		       : "a SHA-256: 64 hex digits, as sha256sum prints";
}

const char *value_ca_hash(const char *text)
{
	if (str_has_prefix(text, "sha256:") && !value_sha256(text + 7))
		return NULL;
	return "'sha256:' and 64 hex digits, as kubeadm prints it";
}

const char *value_fs_id(const char *text)
{
	return is_made_of(text, HEX "-", 1, 36)
		       ? NULL
		       : "hex digits and hyphens, as blkid prints";
}

/* Printable ASCII without space. */
static bool is_graphic(const char *text, size_t max)
{
	size_t len = strlen(text);

	for (const char *p = text; *p; p++)
		if (*p <= 0x20 || *p > 0x7e)
			return false;
	return len && len <= max;
}

const char *value_disk_id(const char *text)
{
	return is_graphic(text, 79) ? NULL
				    : "1 to 79 printable ASCII characters, no space";
}

const char *value_by_path(const char *text)
{
	if (is_made_of(text, ALNUM "._:+@,-", 1, 127))
		return NULL;
	return "a name in /dev/disk/by-path, without the directory";
}

/* Behind 1 to 5 digits, or NULL. */
static const char *skip_number(const char *text)
{
	size_t len = text ? strspn(text, DIGITS) : 0;

	return len && len <= 5 ? text + len : NULL;
}

const char *value_version(const char *text)
{
	const char *rest = skip_number(text);

	rest = rest && *rest == '.' ? skip_number(rest + 1) : NULL;
	if (rest && *rest == '.')
		rest = skip_number(rest + 1);
	if (rest && str_has_prefix(rest, "-rc"))
		rest = skip_number(rest + 3);
	return rest && !*rest
		       ? NULL
		       : "a kernel version like \"4.8\", \"6.12.1\" or \"6.8-rc3\"";
}

static bool is_beneath(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && (!path[len] || path[len] == '/');
}

/* Components are not empty, not . or .., and at most 255 bytes (NAME_MAX). */
static bool is_normalized(const char *path)
{
	while (*path == '/') {
		size_t len = strcspn(path + 1, "/");
		const char *name = path + 1;

		if (!len || len > 255 || (len == 1 && name[0] == '.') ||
			(len == 2 && name[0] == '.' && name[1] == '.'))
			return false;
		path += 1 + len;
	}
	return !*path;
}

const char *value_path(const char *text)
{
	static const char *const volatile_dirs[] = {
		"/proc", "/sys", "/dev", "/run", "/var/run"};

	if (strlen(text) > 1023)
		return "a path of at most 1023 bytes";
	if (*text != '/' || !is_normalized(text))
		return "an absolute path of the installed OS, without '//', '.', '..' "
		       "and a "
		       "'/' at the end";
	for (size_t i = 0; i < ARRAY_LEN(volatile_dirs); i++)
		if (is_beneath(text, volatile_dirs[i]))
			return "a path on disk: /proc, /sys, /dev, /run and /var/run do "
			       "not "
			       "last";
	return NULL;
}

const char *value_unit(const char *text)
{
	static const char *const types[] = {".service", ".socket", ".timer", ".path",
		".mount", ".automount", ".swap", ".target", ".slice"};
	size_t len = strlen(text);

	if (is_made_of(text, ALNUM ":_.\\@-", 1, 255) && *text != '.' && *text != '@')
		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			if (len > strlen(types[i]) && str_has_suffix(text, types[i]))
				return NULL;
	return "a systemd unit: NAME.service, .socket, .timer, .path, .mount, "
	       ".automount, "
	       ".swap, .target or .slice";
}

/* sysctl.d(5): dots or slashes between the parts. At least two parts. */
const char *value_sysctl_key(const char *text)
{
	size_t parts = 0;

	if (strlen(text) <= 255) {
		const char *p = text;

		while (true) {
			size_t len = strspn(p, ALNUM "_-");

			if (!len)
				break;
			parts++;
			p += len;
			if (!*p && parts > 1)
				return NULL;
			if (*p != '.' && *p != '/')
				break;
			p++;
		}
	}
	return "a sysctl like net.ipv4.ip_forward";
}

const char *value_module(const char *text)
{
	return is_made_of(text, ALNUM "_-", 1, 55) ? NULL : "the name of a kernel module";
}

const char *value_cmdline(const char *text)
{
	size_t len = strlen(text);

	for (const char *p = text; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			return "one line of printable ASCII";
	/* COMMAND_LINE_SIZE of x86 and arm64, with the NUL */
	return len && len <= 2047 ? NULL : "1 to 2047 bytes";
}

const char *value_word(const char *text)
{
	if (is_made_of(text, LOWER DIGITS "-", 1, 63) && *text != '-')
		return NULL;
	return "a name of a-z, 0-9 and hyphens";
}

const char *value_image(const char *text)
{
	if (is_made_of(text, ALNUM "._:/@-", 1, 255) && strchr(ALNUM, *text))
		return NULL;
	return "an image reference like registry.k8s.io/pause:3.10";
}

const char *value_text(const char *text)
{
	size_t len = strlen(text);

	return len && len <= 255 ? NULL : "1 to 255 bytes long";
}

const char *value_line(const char *text)
{
	return strlen(text) <= 4095 ? NULL : "at most 4095 bytes long";
}

/* PEM labels, RFC 7468 10 and 11, and OpenSSL's and OpenSSH's own. */
const char *value_content(const char *text)
{
	for (const char *p = text; (p = strstr(p, "-----BEGIN ")) != NULL; p++) {
		size_t len = strspn(p + 11, ALNUM " ");

		if (len >= 11 && strncmp(p + 11 + len - 11, "PRIVATE KEY", 11) == 0 &&
			str_has_prefix(p + 11 + len, "-----"))
			return "free of private keys; secrets do not belong into a role, "
			       "deliver them as cluster.credential does";
	}
	return NULL;
}
