/* SPDX-License-Identifier: MIT */
/*
 * The installed OS's file systems: find, check, mount, make writable, hand over. A clean
 * disk gets no sector written by any of this as long as nobody asks for
 * root_make_writable() (the block device's own counter says so, tests/unit/test_root.c).
 */
#ifndef PROMENADE_STEPS_ROOT_H
#define PROMENADE_STEPS_ROOT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "model/facts.h"

/* Where the target is mounted when env->target_path does not say otherwise. */
#define ROOT_TARGET_DEFAULT "/sysroot"

/* What root_find_prepared() found. */
struct root_prepared {
	bool found;
	char device[64]; /* /dev/vda1 */
	struct buf role; /* bytes of /etc/promenade/role.yaml */
	uint64_t serial; /* last accepted; 0 when not recorded */
};

/* Looks on every ext4, xfs and btrfs partition of facts for a machine that was prepared
 * before. Mounts each read-only without journal replay, so that nothing is written, and
 * unmounts it. What does not mount or cannot be read is passed over, with a line in the
 * log. More than one prepared root is E_ROOT, naming both. 0 with found false when there
 * is none. ret: caller root_prepared_done()s. Blocks on the disks. Errors: E_ROOT, errno.
 */
int root_find_prepared(struct env *env, const struct facts *facts,
	struct root_prepared *ret, struct err *err) MUST_USE;

/* Frees the role text; takes a zeroed one. */
void root_prepared_done(struct root_prepared *prepared);

/* Remounts the target's file systems read-write, those apart that its fstab lists as ro;
 * sets env->target_writable. Outside the initramfs the running OS decides what is
 * writable and nothing is remounted. Errors: errno, naming the file system. Blocks on the
 * disk. */
int root_make_writable(struct env *env, struct err *err) MUST_USE;

/* Leaves the target as an OS expects it from an initramfs: only its root and /usr stay
 * mounted (systemd checks and mounts the others itself and never makes them writable
 * otherwise), and these two are read-only where the fstab lists them (systemd-remount-fs
 * makes them writable; one that fstab does not list would stay read-only for good and is
 * left writable). No file of the target may be open for writing, the journal included.
 * Clears env->target_writable. Errors: errno, naming the file system; EBUSY. Blocks. */
int root_make_read_only(struct env *env, struct err *err) MUST_USE;

/* Unmounts all of the target, its root too, and closes env->target_fd: before kexec and
 * reboot, where nobody else would do it. Errors: errno. Blocks. */
int root_unmount(struct env *env, struct err *err) MUST_USE;

#endif
