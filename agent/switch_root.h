/* SPDX-License-Identifier: MIT */
/*
 * The last act of PID 1 in the initramfs: the installed OS becomes "/" and its init is
 * executed. node.md 6 compares util-linux, systemd and busybox; this takes systemd's
 * order (try pivot_root, which newer kernels allow on the initramfs, else move the mount)
 * and busybox's checks. Nothing is deleted before the new root has proved usable.
 */
#ifndef PROMENADE_SWITCH_ROOT_H
#define PROMENADE_SWITCH_ROOT_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/sys.h"

/* Replaces this process by init_path of new_root, with /dev, /proc, /sys and /run moved
 * along and the initramfs freed. Only for PID 1. Returns only on failure; until "/" has
 * been switched the machine is as before (API mounts are moved back).
 * Errors: errno of the mount or of the exec, named. */
int switch_root(const struct sys_ops *sys, const char *new_root, const char *init_path,
	struct err *err) MUST_USE;

#endif
