/* SPDX-License-Identifier: MIT */
/*
 * Stamps: what was published, so that a prepared machine need not hash it again. Text,
 * one file a line, for people too:
 *
 *   promenade artifact 1
 *   sha256 HEX
 *   file SIZE MTIME_NS CTIME_NS INODE NAME       (NAME beneath the directory; "." for a
 * file)
 *
 * ctime and inode change with every write, rename or replacement, and cannot be set back.
 */
#ifndef PROMENADE_HOST_ARTIFACT_STAMP_H
#define PROMENADE_HOST_ARTIFACT_STAMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"

struct artifact_stamp_file {
	char *name;
	uint64_t size;
	uint64_t mtime_ns;
	uint64_t ctime_ns;
	uint64_t inode;
};

struct artifact_stamp {
	char sha256[65];
	struct artifact_stamp_file *files;
	size_t count;
	size_t cap;
};

/* Reads the stamp of what is at path in the target. -ENOENT when there is none, or none
 * that parses (it is written anew then). Caller artifact_stamp_done()s. Errors: -ENOENT,
 * -ENOMEM, errno of reading. */
int artifact_stamp_read(
	const struct env *env, const char *path, struct artifact_stamp *ret) MUST_USE;

/* Writes the stamp of path, durably. Errors: errno. */
int artifact_stamp_write(const struct env *env, const char *path,
	const struct artifact_stamp *stamp, struct err *err) MUST_USE;

/* Adds a file as stat found it. Errors: -ENOMEM. */
int artifact_stamp_add(
	struct artifact_stamp *stamp, const char *name, const struct stat *st) MUST_USE;

/* Adds every regular file beneath fd. Errors: -ENOMEM, errno of reading. */
int artifact_stamp_add_tree(struct artifact_stamp *stamp, int fd) MUST_USE;

/* True when the file is as the stamp has it. */
bool artifact_stamp_fits(
	const struct artifact_stamp_file *file, const struct stat *st) MUST_USE;

/* True when every file of the stamp is beneath fd as it was. */
bool artifact_stamp_fits_tree(const struct artifact_stamp *stamp, int fd) MUST_USE;

/* True when the stamp lists name. Linear. */
bool artifact_stamp_has(const struct artifact_stamp *stamp, const char *name) MUST_USE;

/* Frees; takes a zeroed one. */
void artifact_stamp_done(struct artifact_stamp *stamp);

#endif
