/* SPDX-License-Identifier: MIT */
/*
 * Names, types and sizes of archive entries. The first bytes of the input are the
 * numbers, the rest is the name.
 *
 * Links: host/unpack_rules base/err base/str
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "host/unpack_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(int holds)
{
	if (!holds)
		abort();
}

/* What must hold of every name that is taken. */
static void check_path(const char *path, unsigned int depth)
{
	unsigned int components = path[0] ? 1 : 0;
	const char *part = path;

	demand(path[0] != '/');
	for (const char *p = path; *p; p++)
		demand(*p >= 0x20 && *p <= 0x7e);
	while (*part) {
		size_t used = strcspn(part, "/");

		demand(used > 0 && used <= 255);
		demand(!(used == 1 && part[0] == '.'));
		demand(!(used == 2 && part[0] == '.' && part[1] == '.'));
		part += used;
		demand(*part != '/' || part[1]); /* no slash at the end */
		components += *part == '/';
		part += *part == '/';
	}
	demand(components <= depth);
}

static void check_entry(const uint8_t numbers[12], const char *name)
{
	const struct unpack_limits limits = UNPACK_LIMITS_PLUGINS;
	struct unpack_totals totals = {.entries = numbers[8]}, before = totals;
	struct unpack_entry entry = {
		.name = name,
		.mode = (mode_t)(numbers[0] << 8 | numbers[1]),
		.hardlink = numbers[10] & 1,
		.sparse = numbers[10] & 2,
		.attributes = numbers[10] & 4,
	};
	struct err err = ERR_INIT;

	for (int i = 2; i < 8; i++)
		entry.size = entry.size << 8 | numbers[i];
	if (unpack_entry_check(&entry, &limits, &totals, &err) < 0) {
		demand(err.code == -E_ARCHIVE || err.code == -E_TOO_BIG);
		demand(strncmp(err.text, "entry '", 7) == 0);
		return;
	}
	demand(S_ISREG(entry.mode) || S_ISDIR(entry.mode));
	demand(!entry.hardlink && !entry.sparse && !entry.attributes);
	demand(!S_ISREG(entry.mode) || !(entry.mode & (S_ISUID | S_ISGID)));
	demand(totals.entries == before.entries + 1);
	demand(totals.bytes <= limits.total_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct err err = ERR_INIT;
	char *name, path[4096];

	if (len < 12)
		return 0;
	name = strndup((const char *)bytes + 12, len - 12);
	if (!name)
		return 0;
	if (unpack_name(name, bytes[11], path, sizeof(path), &err) == 0) {
		check_path(path, bytes[11]);
	} else {
		demand(err.code == -E_ARCHIVE);
		for (const char *p = err.text; *p; p++)
			demand(*p >= 0x20 && *p <= 0x7e);
	}
	check_entry(bytes, name);
	free(name);
	return 0;
}
