/* SPDX-License-Identifier: MIT */
/*
 * The table of syscalls that change the world. Everything that has an effect outside this
 * process goes through it; reading does not. Three tables exist: sys_real(),
 * sys_refusing()
 * (`promenade plan`: every slot fails with EROFS) and, in tests only, the fault table of
 * tests/fake/sys_fault.c, which fails or kills at the N-th call. Each slot has the
 * contract of the libc call of its name: -1 and errno.
 *
 * The table lives in base (not in host) because base/fs and base/proc are its first
 * users.
 */
#ifndef PROMENADE_BASE_SYS_H
#define PROMENADE_BASE_SYS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/compiler.h"

struct open_how; /* linux/openat2.h */
struct sockaddr;
struct sys_spawn;

struct sys_ops {
	/* Opens for writing, truncating or creating; plain reads use openat2 directly. */
	int (*open_write)(int dirfd, const char *path, const struct open_how *how);
	ssize_t (*write)(int fd, const void *bytes, size_t len);
	int (*ftruncate)(int fd, off_t length);
	int (*fsync)(int fd);
	int (*syncfs)(int fd);
	int (*fchmod)(int fd, mode_t mode);
	int (*fchown)(int fd, uid_t uid, gid_t gid);
	int (*mkdirat)(int dirfd, const char *path, mode_t mode);
	int (*symlinkat)(const char *target, int dirfd, const char *path);
	int (*linkat)(int from_dirfd, const char *from, int to_dirfd, const char *to,
		int flags);
	int (*mknodat)(int dirfd, const char *path, mode_t mode, dev_t dev);
	int (*renameat2)(int from_dirfd, const char *from, int to_dirfd, const char *to,
		unsigned int flags);
	int (*unlinkat)(int dirfd, const char *path, int flags);
	int (*mount)(const char *source, const char *target, const char *type,
		unsigned long flags, const void *data);
	int (*umount2)(const char *target, int flags);
	int (*pivot_root)(const char *new_root, const char *put_old);
	int (*chroot)(const char *path);
	int (*swapoff)(const char *path);
	int (*sethostname)(const char *name, size_t len);
	int (*clock_settime)(clockid_t clock, const struct timespec *time);
	int (*init_module)(const void *image, size_t len, const char *params);
	int (*finit_module)(int fd, const char *params, int flags);
	int (*kexec_file_load)(
		int kernel_fd, int initrd_fd, const char *cmdline, unsigned long flags);
	int (*reboot)(int command);
	/* ioctl that changes a device: link flags, RTC, watchdog, partition re-read. */
	int (*ioctl)(int fd, unsigned long request, void *arg);
	/* One rtnetlink request that changes links, addresses or routes. */
	ssize_t (*netlink_send)(int fd, const void *message, size_t len);
	/* fork of a child that will have effects (fsck, unpack, containerized tools);
	 * returns as fork(2). */
	pid_t (*fork)(void);
	int (*execve)(const char *path, char *const argv[], char *const envp[]);
};

/* The kernel's own calls. Static storage. */
const struct sys_ops *sys_real(void) MUST_USE;

/* Every slot fails with EROFS and no effect. Static storage. */
const struct sys_ops *sys_refusing(void) MUST_USE;

/* The table that the program starts with: sys_real() in the agent; tests link another
 * definition (tests/fake/sys_fault.c) in its place. */
const struct sys_ops *sys_default(void) MUST_USE;

#endif
