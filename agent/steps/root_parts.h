/* SPDX-License-Identifier: MIT */
/* The parts of step root, for root*.c and their tests alone. */
#ifndef PROMENADE_STEPS_ROOT_PARTS_H
#define PROMENADE_STEPS_ROOT_PARTS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "model/facts.h"
#include "model/fstab.h"

/* A run of step root. What is skipped is logged: a person must be able to see why. */
struct root_run {
	struct env *env;
	const struct facts *facts;
	bool fsck;
};

/* Directory, beneath the run root, for what is mounted or copied in passing. */
#define ROOT_SEARCH_DIR "run/promenade/search"
#define ROOT_KIT_DIR "run/promenade/fsck"

/* How mount(2) names the target: env->target_path, or ROOT_TARGET_DEFAULT before it is
 * known. */
const char *root_target_path(const struct env *env) MUST_USE;

/* Reads the target's /etc/fstab; one that is missing is empty. ret: caller
 * fstab_done()s. Errors: errno, E_TOO_BIG. */
int root_read_fstab(struct env *env, struct fstab *ret, struct err *err) MUST_USE;

/* The partition that an fstab spec names (UUID=, LABEL=, PARTUUID=, /dev/...,
 * /dev/disk/by-*), NULL when it is not there. Errors: E_ROOT when two have the same
 * name, when it is on LVM, md or LUKS, or when the spelling is not understood. */
int root_resolve_spec(const struct facts *facts, const char *spec,
	const struct fact_partition **ret, struct err *err) MUST_USE;

/* Mounts, read-only and parents first, every local file system that fstab mounts at boot
 * apart from the root. Logs what is skipped. Errors: E_ROOT when one that the OS needs
 * is missing or does not mount; errno. Blocks. */
int root_mount_others(
	struct root_run *run, const struct fstab *fstab, struct err *err) MUST_USE;

/* Checks and repairs an unmounted ext2, ext3 or ext4 whose superblock says that it needs
 * it, with the e2fsck that the root brings (root_kit_copy()); a clean one and other types
 * cost a read of 1 KiB. Errors: E_ROOT when damage is left that needs a person. Blocks.
 */
int root_check_filesystem(struct root_run *run, const struct fact_partition *partition,
	struct err *err) MUST_USE;

/* True when the ext superblock on the device says that the file system needs a check:
 * journal to be replayed, errors seen, or not cleanly unmounted. False for other types.
 */
bool root_needs_check(struct env *env, const struct fact_partition *partition) MUST_USE;

/* Copies e2fsck with its loader and libraries out of a mounted root (path "/sysroot")
 * into ROOT_KIT_DIR, so that it can run while the root is not mounted. Without one there,
 * says so and succeeds. Errors: errno of writing the copy. Blocks. */
int root_kit_copy(struct root_run *run, const char *root, struct err *err) MUST_USE;

/* Takes the copy away. */
void root_kit_remove(struct env *env);

#endif
