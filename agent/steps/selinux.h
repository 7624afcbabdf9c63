/* SPDX-License-Identifier: MIT */
/*
 * Files written before the installed OS has loaded its policy get no SELinux label, and
 * what has none is refused to confined services. PID 1 of the OS labels what a list in
 * /run/systemd/relabel-extra.d names (node.md 6.3); which paths those are is read from
 * the file system itself, so that nothing is forgotten over a crash between write and
 * pivot.
 */
#ifndef PROMENADE_STEPS_SELINUX_H
#define PROMENADE_STEPS_SELINUX_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

/* True when the installed OS labels files: SELINUX= in /etc/selinux/config is there and
 * is not "disabled". */
bool selinux_is_used(const struct env *env) MUST_USE;

/* Appends to ret, sorted and each once, those of paths (beneath the target, starting with
 * '/') and of their parent directories that carry no label. Missing paths and file
 * systems without labels are left out; systemd relabels each recursively. Reads only.
 * Errors: errno of reading, -ENOMEM. */
int selinux_unlabelled(const struct env *env, const struct strlist *paths,
	struct strlist *ret, struct err *err) MUST_USE;

/* Tells the installed OS to label paths: by the list in /run where it inherits that (run
 * is true: switch_root), else by /.autorelabel in its root, which labels all of it and
 * reboots once (selinux-autorelabel(8)). No path: nothing is written. The root must be
 * writable for the second. Errors: errno of writing. */
int selinux_leave(const struct env *env, const struct strlist *paths, bool run,
	struct err *err) MUST_USE;

#endif
