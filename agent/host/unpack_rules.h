/* SPDX-License-Identifier: MIT */
/* What an archive may hold: names, types, sizes. Pure, so that it is fuzzed alone. */
#ifndef PROMENADE_HOST_UNPACK_RULES_H
#define PROMENADE_HOST_UNPACK_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"

struct unpack_limits {
	unsigned int depth;      /* components of a name: 1 is a flat directory */
	uint64_t entries;        /* files and directories */
	uint64_t file_bytes;     /* one file */
	uint64_t total_bytes;    /* all files */
	unsigned int ratio;      /* unpacked to packed, beyond the first 10 MiB */
	unsigned int memory_mib; /* what the decompressor may allocate */
};

/* CNI plugins: a flat directory of programs. */
#define UNPACK_LIMITS_PLUGINS                                                            \
	{                                                                                \
		.depth = 1, .entries = 4096, .file_bytes = 256ULL << 20,                 \
		.total_bytes = 1ULL << 30, .ratio = 200, .memory_mib = 192               \
	}

/* A tree: kernel modules (6000 files) or what a role's artifact unpacks. */
#define UNPACK_LIMITS_TREE                                                               \
	{                                                                                \
		.depth = 24, .entries = 65536, .file_bytes = 4ULL << 30,                 \
		.total_bytes = 8ULL << 30, .ratio = 200, .memory_mib = 192               \
	}

/* An entry as the reader of the format found it. */
struct unpack_entry {
	const char *name; /* NULL when it has no form in ASCII */
	mode_t mode;      /* type and permission bits */
	uint64_t size;
	bool hardlink;
	bool sparse;
	bool attributes; /* extended attributes, ACLs or file flags */
};

/* Running totals against the limits. Zeroed at the start. */
struct unpack_totals {
	uint64_t entries;
	uint64_t bytes;
};

/* The name as path beneath the staging directory: "./" in front, "." components and
 * doubled or trailing slashes taken out; "" for the top itself. At most size-1 bytes.
 * Errors: E_ARCHIVE for absolute names, "..", bytes that are not printable ASCII, too
 * long or too deep ones; the text begins "entry 'NAME': ". */
int unpack_name(const char *name, unsigned int depth, char *path, size_t size,
	struct err *err) MUST_USE;

/* Refuses every type but regular files and directories, hardlinks, sparse files, extended
 * attributes, setuid and setgid files, and sizes and counts beyond the limits; totals are
 * advanced. Errors: E_ARCHIVE, E_TOO_BIG; the text begins "entry 'NAME': ". */
int unpack_entry_check(const struct unpack_entry *entry,
	const struct unpack_limits *limits, struct unpack_totals *totals,
	struct err *err) MUST_USE;

/* The mode that a file gets: 0755 when any execute bit is set, else 0644. */
mode_t unpack_file_mode(mode_t mode) MUST_USE;

#endif
