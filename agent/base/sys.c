/* SPDX-License-Identifier: MIT */
/* The real table and the refusing one. No policy here: each real slot is its syscall. */
#include "base/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <unistd.h>

static int real_open_write(int dirfd, const char *path, const struct open_how *how)
{
	return (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
}

static int real_syncfs(int fd)
{
	return (int)syscall(SYS_syncfs, fd);
}

static int real_renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to,
	unsigned int flags)
{
	return (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, flags);
}

static int real_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static int real_init_module(const void *image, size_t len, const char *params)
{
	return (int)syscall(SYS_init_module, image, len, params);
}

static int real_finit_module(int fd, const char *params, int flags)
{
	return (int)syscall(SYS_finit_module, fd, params, flags);
}

/* cmdline_len counts the NUL (kexec_file_load(2)). */
static int real_kexec_file_load(
	int kernel_fd, int initrd_fd, const char *cmdline, unsigned long flags)
{
	return (int)syscall(SYS_kexec_file_load, kernel_fd, initrd_fd,
		(unsigned long)strlen(cmdline) + 1, cmdline, flags);
}

/* The raw call: libc's reboot() takes the magic away but cannot pass a command through
 * unchanged on every libc. linux/reboot.h LINUX_REBOOT_MAGIC1, MAGIC2. */
static int real_reboot(int command)
{
	return (int)syscall(SYS_reboot, 0xfee1dead, 672274793, command, NULL);
}

static int real_ioctl(int fd, unsigned long request, void *arg)
{
	/* musl's ioctl takes int; the kernel reads the low 32 bits only. */
	return (int)syscall(SYS_ioctl, fd, request, arg);
}

static ssize_t real_netlink_send(int fd, const void *message, size_t len)
{
	return send(fd, message, len, 0);
}

static const struct sys_ops real_ops = {
	.open_write = real_open_write,
	.write = write,
	.ftruncate = ftruncate,
	.fsync = fsync,
	.syncfs = real_syncfs,
	.fchmod = fchmod,
	.fchown = fchown,
	.mkdirat = mkdirat,
	.symlinkat = symlinkat,
	.linkat = linkat,
	.mknodat = mknodat,
	.renameat2 = real_renameat2,
	.unlinkat = unlinkat,
	.mount = mount,
	.umount2 = umount2,
	.pivot_root = real_pivot_root,
	.chroot = chroot,
	.swapoff = swapoff,
	.sethostname = sethostname,
	.clock_settime = clock_settime,
	.init_module = real_init_module,
	.finit_module = real_finit_module,
	.kexec_file_load = real_kexec_file_load,
	.reboot = real_reboot,
	.ioctl = real_ioctl,
	.netlink_send = real_netlink_send,
	.fork = fork,
	.execve = execve,
};

const struct sys_ops *sys_real(void)
{
	return &real_ops;
}

/* One refusing function per signature; the parameters are not looked at. */
static int refuse(void)
{
	errno = EROFS;
	return -1;
}

static int no_open(int a UNUSED, const char *b UNUSED, const struct open_how *c UNUSED)
{
	return refuse();
}

static ssize_t no_write(int a UNUSED, const void *b UNUSED, size_t c UNUSED)
{
	return refuse();
}

static int no_ftruncate(int a UNUSED, off_t b UNUSED)
{
	return refuse();
}

static int no_fd(int a UNUSED)
{
	return refuse();
}

static int no_fchmod(int a UNUSED, mode_t b UNUSED)
{
	return refuse();
}

static int no_fchown(int a UNUSED, uid_t b UNUSED, gid_t c UNUSED)
{
	return refuse();
}

static int no_mkdirat(int a UNUSED, const char *b UNUSED, mode_t c UNUSED)
{
	return refuse();
}

static int no_symlinkat(const char *a UNUSED, int b UNUSED, const char *c UNUSED)
{
	return refuse();
}

static int no_linkat(int a UNUSED, const char *b UNUSED, int c UNUSED,
	const char *d UNUSED, int e UNUSED)
{
	return refuse();
}

static int no_mknodat(int a UNUSED, const char *b UNUSED, mode_t c UNUSED, dev_t d UNUSED)
{
	return refuse();
}

static int no_renameat2(int a UNUSED, const char *b UNUSED, int c UNUSED,
	const char *d UNUSED, unsigned int e UNUSED)
{
	return refuse();
}

static int no_unlinkat(int a UNUSED, const char *b UNUSED, int c UNUSED)
{
	return refuse();
}

static int no_mount(const char *a UNUSED, const char *b UNUSED, const char *c UNUSED,
	unsigned long d UNUSED, const void *e UNUSED)
{
	return refuse();
}

static int no_path_flags(const char *a UNUSED, int b UNUSED)
{
	return refuse();
}

static int no_two_paths(const char *a UNUSED, const char *b UNUSED)
{
	return refuse();
}

static int no_path(const char *a UNUSED)
{
	return refuse();
}

static int no_sethostname(const char *a UNUSED, size_t b UNUSED)
{
	return refuse();
}

static int no_clock(clockid_t a UNUSED, const struct timespec *b UNUSED)
{
	return refuse();
}

static int no_init_module(const void *a UNUSED, size_t b UNUSED, const char *c UNUSED)
{
	return refuse();
}

static int no_finit_module(int a UNUSED, const char *b UNUSED, int c UNUSED)
{
	return refuse();
}

static int no_kexec(
	int a UNUSED, int b UNUSED, const char *c UNUSED, unsigned long d UNUSED)
{
	return refuse();
}

static int no_ioctl(int a UNUSED, unsigned long b UNUSED, void *c UNUSED)
{
	return refuse();
}

static pid_t no_fork(void)
{
	return refuse();
}

static int no_execve(const char *a UNUSED, char *const b[] UNUSED, char *const c[] UNUSED)
{
	return refuse();
}

static const struct sys_ops refusing_ops = {
	.open_write = no_open,
	.write = no_write,
	.ftruncate = no_ftruncate,
	.fsync = no_fd,
	.syncfs = no_fd,
	.fchmod = no_fchmod,
	.fchown = no_fchown,
	.mkdirat = no_mkdirat,
	.symlinkat = no_symlinkat,
	.linkat = no_linkat,
	.mknodat = no_mknodat,
	.renameat2 = no_renameat2,
	.unlinkat = no_unlinkat,
	.mount = no_mount,
	.umount2 = no_path_flags,
	.pivot_root = no_two_paths,
	.chroot = no_path,
	.swapoff = no_path,
	.sethostname = no_sethostname,
	.clock_settime = no_clock,
	.init_module = no_init_module,
	.finit_module = no_finit_module,
	.kexec_file_load = no_kexec,
	.reboot = no_fd,
	.ioctl = no_ioctl,
	.netlink_send = no_write,
	.fork = no_fork,
	.execve = no_execve,
};

const struct sys_ops *sys_refusing(void)
{
	return &refusing_ops;
}
