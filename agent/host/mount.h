/* SPDX-License-Identifier: MIT */
/* Mounts of block devices: make them, list them, change ro and rw, take them away.
 * Nothing is remembered; proc/self/mountinfo is asked each time. */
#ifndef PROMENADE_HOST_MOUNT_H
#define PROMENADE_HOST_MOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"

struct mount_point {
	char source[128]; /* /dev/vda1 */
	char path[512];   /* as mount(2) sees it: /sysroot/var */
	char type[32];
	unsigned long flags; /* MS_NOSUID and the like of this mount, without MS_RDONLY */
	bool writable;       /* the mount and its file system */
};

/* In the order in which they were mounted, so that a parent is before its children. */
struct mount_points {
	struct mount_point *items;
	size_t count;
};

/* What shall be mounted. type may not be "auto". data may be NULL. */
struct mount_wish {
	const char *source;
	const char *type;
	unsigned long flags;
	const char *data;
};

/* Mounts wish on path beneath dirfd (resolved inside it: a symlink in the installed OS
 * cannot lead the mount elsewhere). The file system's module is loaded when the kernel
 * does not know the type yet. Errors: errno; the message names device, place and cause.
 * Blocks on the disk. */
int mount_device(struct env *env, int dirfd, const char *path,
	const struct mount_wish *wish, struct err *err) MUST_USE;

/* The mounts of block devices at path and beneath it (path "/sysroot", without a slash at
 * its end). ret: caller mount_points_done()s. Errors: errno, ENOMEM. */
int mount_points_beneath(struct env *env, const char *path, struct mount_points *ret,
	struct err *err) MUST_USE;

/* The same, with those of no device too: what a probe that was killed left (overlay). */
int mount_points_all(struct env *env, const char *path, struct mount_points *ret,
	struct err *err) MUST_USE;

/* Makes a mounted file system writable or read-only; its other flags stay. One that is so
 * already is not touched (a remount to rw writes the superblock). Errors: errno (EROFS:
 * the disk is write-protected; EBUSY: a file is open for writing). Blocks on the disk. */
int mount_set_writable(struct env *env, const struct mount_point *point, bool writable,
	struct err *err) MUST_USE;

/* Unmounts. Errors: errno (EBUSY when something is still open there). Blocks. */
int mount_remove(struct env *env, const char *path, struct err *err) MUST_USE;

/* Frees all; takes an empty one. */
void mount_points_done(struct mount_points *points);

#endif
