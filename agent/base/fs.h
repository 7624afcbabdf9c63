/* SPDX-License-Identifier: MIT */
/*
 * Files beneath a directory fd. Every path is resolved by openat2(2) with RESOLVE_IN_ROOT
 * and RESOLVE_NO_MAGICLINKS: "/etc/fstab" and "etc/fstab" are the same, absolute symlinks
 * and ".." stay beneath the directory, so that a hostile or absolute link in the
 * installed OS cannot lead out of it. Reading needs no table; every change goes through
 * struct sys_ops.
 */
#ifndef PROMENADE_BASE_FS_H
#define PROMENADE_BASE_FS_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "base/sys.h"

/* Largest configuration file that is read whole. */
#define FS_TEXT_MAX (1024U * 1024U)

/* Bytes that a file shall hold. bytes is borrowed; mode is the permission bits. */
struct fs_content {
	const void *bytes;
	size_t len;
	mode_t mode;
};

/* Opens path beneath dirfd read-only (flags may add O_DIRECTORY, O_PATH, O_NONBLOCK,
 * O_NOFOLLOW). Returns the fd, O_CLOEXEC, or -errno; sets no message because absence is
 * often an answer. */
int fs_open(int dirfd, const char *path, int flags) MUST_USE;

/* stat of path beneath dirfd; follow says whether a last symlink is followed inside the
 * root. Returns 0 or -errno. */
int fs_stat(int dirfd, const char *path, bool follow, struct stat *ret) MUST_USE;

/* True when path exists beneath dirfd (links followed inside the root). */
bool fs_exists(int dirfd, const char *path) MUST_USE;

/* Reads the whole file, at most max bytes, into ret (caller buf_done()s; untouched on
 * failure). Works on /proc and /sys files, whose size is 0. Returns 0 or negative.
 * Errors: errno of open and read, E_TOO_BIG. err may be NULL. */
int fs_read(int dirfd, const char *path, size_t max, struct buf *ret,
	struct err *err) MUST_USE;

/* As fs_read() but takes an open fd and does not close it; name is for the message. */
int fs_read_fd(
	int fd, const char *name, size_t max, struct buf *ret, struct err *err) MUST_USE;

/* Reads one short line, white space trimmed, into line[size]. Returns 0 or -errno
 * (-ENOSPC when it does not fit). For sysfs attributes. */
int fs_read_line(int dirfd, const char *path, char *line, size_t size) MUST_USE;

/* Target of the symlink at path (last component not followed) into target[size].
 * Returns 0 or -errno. */
int fs_read_link(int dirfd, const char *path, char *target, size_t size) MUST_USE;

/* Names in a directory, sorted, without "." and "..". ret: caller strlist_done()s.
 * Returns 0 or -errno. */
int fs_list(int dirfd, const char *path, struct strlist *ret) MUST_USE;

/* Makes path and its missing parents as directories with mode 0755 (existing ones are
 * left as they are), and makes each created level durable. Errors: errno. Blocks on
 * fsync. */
int fs_make_dirs(
	const struct sys_ops *sys, int dirfd, const char *path, struct err *err) MUST_USE;

/* fd (O_DIRECTORY|O_PATH is not used: it can be fsynced) of the parent of path; *ret_name
 * points at the last component inside path. Parents are not made. Returns fd or -errno.
 */
int fs_open_parent(int dirfd, const char *path, const char **ret_name) MUST_USE;

/* After success the file holds exactly these bytes with this mode, owner root, and is
 * durable; a reader or a crash sees the old or the new file, never a part. A symlink at
 * path is followed inside the root, so that a linked configuration file stays a link.
 * Missing parents are made. Order: temporary, write, fchmod, fsync, rename, fsync of
 * the directory (node.md 7.1). Errors: errno. */
int fs_replace(const struct sys_ops *sys, int dirfd, const char *path,
	const struct fs_content *content, struct err *err) MUST_USE;

/* After success path is a symlink to target, replaced atomically whatever it was (a
 * directory there is EISDIR). Missing parents are made. Errors: errno. */
int fs_replace_link(const struct sys_ops *sys, int dirfd, const char *path,
	const char *target, struct err *err) MUST_USE;

/* After success no file or symlink is at path (the last component is not followed); a
 * missing one is success; a directory is EISDIR. Durable. Errors: errno. */
int fs_remove(
	const struct sys_ops *sys, int dirfd, const char *path, struct err *err) MUST_USE;

/* Removes path and all beneath it on the same file system, without following links or
 * entering mounts (EXDEV; also when path itself is a mount point); a missing one is
 * success. Errors: errno of the first failure, the rest is still tried. */
int fs_remove_tree(
	const struct sys_ops *sys, int dirfd, const char *path, struct err *err) MUST_USE;

/* Writes all bytes through sys->write. Returns 0 or -errno. */
int fs_write_all(
	const struct sys_ops *sys, int fd, const void *bytes, size_t len) MUST_USE;

/* Closes *fd when >= 0, sets -1, preserves errno; for CLEANUP on an int. */
void fd_close(int *fd);

/* closedir for CLEANUP; takes NULL, preserves errno. */
void dir_close(DIR **dir);

#endif
