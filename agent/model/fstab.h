/* SPDX-License-Identifier: MIT */
/*
 * fstab(5): parse, and turn swap lines off without touching another byte. Pure. Fields
 * are split and unescaped as getmntent(3) does it, because systemd-fstab-generator reads
 * the file that way; the type column decides what is swap, not the mount point.
 */
#ifndef PROMENADE_MODEL_FSTAB_H
#define PROMENADE_MODEL_FSTAB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/str.h"

/* One entry, unescaped. All strings are owned and never NULL ("" when the column is
 * missing). */
struct fstab_entry {
	unsigned int line; /* from 1 */
	char *spec; /* UUID=..., LABEL=..., PARTUUID=..., PARTLABEL=..., /dev/... */
	char *file; /* mount point, or "none" */
	char *type;
	char *options;
	/* Where the raw columns stand in the text, for an edit of this line alone. */
	size_t options_start; /* equal to options_end when the column is missing */
	size_t options_end;
};

struct fstab {
	struct fstab_entry *items;
	size_t count;
};

/* Parses len bytes; comments, empty lines and lines with fewer than three columns are no
 * entries, as in libc. On success *ret owns its strings (fstab_done()). Errors: -ENOMEM.
 */
int fstab_parse(const char *text, size_t len, struct fstab *ret) MUST_USE;

/* The last entry of that mount point (the later line wins at boot), or NULL. */
const struct fstab_entry *fstab_find(
	const struct fstab *fstab, const char *file) MUST_USE;

/* True when the option list has this word ("ro", "nofail"). */
bool fstab_has_option(const struct fstab_entry *entry, const char *word) MUST_USE;

/* True when nothing mounts or activates the entry by itself: of noauto and auto the later
 * word wins, as in systemd's fstab-generator and libmount. */
bool fstab_is_noauto(const struct fstab_entry *entry) MUST_USE;

/* The text with every swap entry that is not noauto made "noauto,nofail"; its other
 * options (pri=, discard) follow. Other bytes are the same: comments, tabs, CRLF, a
 * missing last newline. One line per change is added to changes ("line 5: swap on
 * 'UUID=...' made noauto"). ret: caller buf_done()s. Errors: -ENOMEM. */
int fstab_disable_swap(
	const char *text, size_t len, struct buf *ret, struct strlist *changes) MUST_USE;

/* Splits a mount option list into MS_ flags and the words that are the file system's own.
 * Words for user space alone (noauto, nofail, x-..., _netdev, user) are dropped, and so
 * are ro and rw, which the caller decides. ret_data: caller buf_done()s. Errors: -ENOMEM.
 */
int fstab_mount_options(
	const char *options, unsigned long *ret_flags, struct buf *ret_data) MUST_USE;

/* Frees all; takes a zeroed one. */
void fstab_done(struct fstab *fstab);

#endif
