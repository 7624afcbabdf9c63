/* SPDX-License-Identifier: MIT */
/*
 * Most steps on the installed OS come down to "these files shall be so". Such a step
 * computes a set of edits from the target and the role; check compares, apply writes what
 * differs, verify computes again. So every one of them is idempotent, crash-safe and
 * printable by the same code.
 */
#ifndef PROMENADE_STEPS_EDIT_H
#define PROMENADE_STEPS_EDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

enum edit_kind {
	EDIT_FILE,  /* exactly these bytes and this mode */
	EDIT_LINK,  /* a symlink to content */
	EDIT_DIR,   /* a directory; an existing one stays as it is */
	EDIT_ABSENT /* no file or link there */
};

struct edit {
	enum edit_kind kind;
	char *path; /* beneath the target root, starts with '/' */
	char *content;
	size_t len;
	mode_t mode;
	bool secret; /* content is never printed */
	/* FILE: a symlink at path is replaced, not followed: systemd's unit folders,
	 * where a link is an alias or a mask and what it names is the package's. Set
	 * after adding. */
	bool no_follow;
	char *why; /* for people: "fstab line 5: swap made noauto" */
};

struct edits {
	struct edit *items;
	size_t count;
	size_t cap;
};

#define EDITS_INIT                                                                       \
	{                                                                                \
		NULL, 0, 0                                                               \
	}

/* Adds "path shall hold these bytes with this mode". content is copied. A later edit of
 * the same path takes the place of the earlier one, here as in every edits_add_*(): two
 * that contradict each other would be written again at every boot. Errors: -ENOMEM. */
int edits_add_file(struct edits *edits, const char *path, const struct buf *content,
	mode_t mode, const char *why) MUST_USE;

/* As edits_add_file() for a constant text with mode 0644. Errors: -ENOMEM. */
int edits_add_text(struct edits *edits, const char *path, const char *text,
	const char *why) MUST_USE;

/* Adds "path shall be a symlink to target". Errors: -ENOMEM. */
int edits_add_link(struct edits *edits, const char *path, const char *target,
	const char *why) MUST_USE;

/* Adds "path shall be a directory", made with mode 0755 when missing. Errors: -ENOMEM. */
int edits_add_dir(struct edits *edits, const char *path, const char *why) MUST_USE;

/* Adds "nothing shall be at path". Errors: -ENOMEM. */
int edits_add_absent(struct edits *edits, const char *path, const char *why) MUST_USE;

/* Leaves in ret_changes one line per edit that is not so yet ("write '/etc/fstab': why").
 * Reads only. 0 with ret_changes empty means done. Errors: errno of reading. */
int edits_check(const struct env *env, const struct edits *edits,
	struct strlist *ret_changes, struct err *err) MUST_USE;

/* Makes every edit so, in order, each atomically; those already so are not touched. May
 * be killed at any instant. Errors: errno, with the path. Blocks on fsync. */
int edits_apply(
	const struct env *env, const struct edits *edits, struct err *err) MUST_USE;

/* The edit of exactly this path, or NULL. Borrowed. */
struct edit *edits_find(const struct edits *edits, const char *path) MUST_USE;

/* Appends to ret every path of the edits that is not an absence: what SELinux must label
 * (steps/selinux.h). Errors: -ENOMEM. */
int edits_paths(const struct edits *edits, struct strlist *ret) MUST_USE;

/* Frees all. */
void edits_done(struct edits *edits);

#endif
