/* SPDX-License-Identifier: MIT */
/* Which version of an engine is installed: the program cannot be run from here, the
 * package database can be read. */
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "steps/engine_parts.h"

#define DPKG_STATUS "/var/lib/dpkg/status"
#define DPKG_STATUS_MAX (32U * 1024U * 1024U)

/* Value of a field in one paragraph (deb-control(5)); "" when it is not there. */
static void field(
	const char *paragraph, size_t len, const char *name, char *value, size_t size)
{
	size_t name_len = strlen(name);

	value[0] = '\0';
	for (const char *p = paragraph; p < paragraph + len;) {
		size_t line = strcspn(p, "\n");

		if (line > name_len && strncmp(p, name, name_len) == 0 &&
			p[name_len] == ':') {
			p += name_len + 1;
			line -= name_len + 1;
			(void)snprintf(value, size, "%.*s", (int)(line - strspn(p, " ")),
				p + strspn(p, " "));
			return;
		}
		p += line + 1;
	}
}

/* "5:29.0.1-1~debian.13~trixie": the epoch is dropped. */
static bool parse_version(const char *text, unsigned int ret[2])
{
	const char *colon = strchr(text, ':');

	ret[1] = 0;
	return sscanf(colon ? colon + 1 : text, "%u.%u", &ret[0], &ret[1]) >= 1;
}

static bool find_package(const char *status, const char *package, unsigned int ret[2])
{
	for (const char *p = status; *p;) {
		const char *end = strstr(p, "\n\n");
		size_t len = end ? (size_t)(end - p) : strlen(p);
		char value[128];

		field(p, len, "Package", value, sizeof(value));
		if (strcmp(value, package) == 0) {
			field(p, len, "Status", value, sizeof(value));
			if (!str_has_suffix(value, " installed"))
				return false;
			field(p, len, "Version", value, sizeof(value));
			return parse_version(value, ret);
		}
		p += len;
		p += strspn(p, "\n");
	}
	return false;
}

bool engine_package_version(
	const struct env *env, const char *const *packages, unsigned int ret[2])
{
	struct buf status CLEANUP(buf_done) = BUF_INIT;

	if (fs_read(env->target_fd, DPKG_STATUS, DPKG_STATUS_MAX, &status, NULL) < 0)
		return false;
	for (; *packages; packages++)
		if (find_package(buf_text(&status), *packages, ret))
			return true;
	return false;
}
