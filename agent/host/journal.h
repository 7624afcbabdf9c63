/* SPDX-License-Identifier: MIT */
/*
 * What this boot did, a line per event:
 *
 *	boot=ID t=12.345 step=swap state=begin msg="..."
 *
 * In /run/promenade/journal always (the installed OS keeps /run), and in
 * /var/lib/promenade/journal of the target as soon as it is writable, so that a boot that
 * changes nothing writes nothing. "begin" is durable before a step's first effect: a
 *crash shows. The journal explains; it never decides what is done.
 */
#ifndef PROMENADE_HOST_JOURNAL_H
#define PROMENADE_HOST_JOURNAL_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

#define JOURNAL_RUN_PATH "run/promenade/journal"
#define JOURNAL_TARGET_PATH "/var/lib/promenade/journal"

/* Largest journal kept on the target; it is started anew (the old one renamed .1) past
 * it. */
#define JOURNAL_TARGET_MAX (256U * 1024U)

struct journal {
	struct env *env;
	char boot_id[40];
	int target_fd; /* -1 until journal_open_target() */
};

/* Starts the journal of this boot; never fails: without /run it keeps no run journal. */
void journal_init(struct journal *journal, struct env *env);

/* Also writes to the target from now on, beginning with all lines of this boot. Call when
 * the target has become writable. Errors: errno. Blocks on fsync. */
int journal_open_target(struct journal *journal, struct err *err) MUST_USE;

/* Stops writing to the target, before it is made read-only again. */
void journal_close_target(struct journal *journal);

/* Appends one line; step and state are single words, text one line without secrets.
 * Durable on the target when it is open. Failure to write is not an error of the step and
 * is ignored: the world decides, not the journal. */
void journal_add(
	struct journal *journal, const char *step, const char *state, const char *text);

#endif
