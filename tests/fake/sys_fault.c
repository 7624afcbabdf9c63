/* SPDX-License-Identifier: MIT */
/*
 * The effects table of the fault runs, linked in place of base/sys_default.c: the real
 *calls, but the N-th fails or the process dies before it. Told by the environment, so
 *that the very same command line is run with and without:
 *
 *	FAULT_FAIL_AT=N    the N-th effect returns -1, errno FAULT_ERRNO (EIO)
 *	FAULT_KILL_AT=N    SIGKILL before the N-th effect
 *	FAULT_KILL_LINE=N  SIGKILL after the N-th line written to a file named "journal"
 *	FAULT_LOG=FILE     each effect's name, a line each, is appended there
 *	FAULT_EXE=FILE     what the agent takes for its own bytes (proc/self/exe): with
 *	                   sanitizers those are 12 MiB that every check would read
 *	FAULT_WHO=worker   counts in PID 1's first child instead; =init in PID 1
 *	FAULT_DISKS=DIR    a mount of /dev/NAME is a bind mount of DIR/NAME: a user
 *	                   namespace can mount no block device
 *
 * Without FAULT_WHO the process that began counts; what it forks has effects without
 * faults. /armed, removed by who takes it, lets only the first worker of a boot fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/str.h"
#include "base/sys.h"

static struct {
	bool ready;
	bool chosen; /* FAULT_WHO=worker: decided */
	pid_t process;
	long effects;
	long lines;
	long fail_at;
	long kill_at;
	long kill_line;
	int code;
	int log_fd;
} fault = {.log_fd = -1};

static long number(const char *name, long missing)
{
	const char *text = getenv(name);

	return text ? strtol(text, NULL, 10) : missing;
}

static void get_ready(void)
{
	const char *log = getenv("FAULT_LOG");

	fault.ready = true;
	fault.process = getpid();
	fault.fail_at = number("FAULT_FAIL_AT", -1);
	fault.kill_at = number("FAULT_KILL_AT", -1);
	fault.kill_line = number("FAULT_KILL_LINE", -1);
	fault.code = (int)number("FAULT_ERRNO", EIO);
	if (log)
		fault.log_fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* Is this PID 1's child, and the first? Asked once: what a worker forks inherits the
 * answer, and its confined child may not even ask for a parent's number. */
static void choose_worker(void)
{
	if (fault.chosen || getppid() != 1)
		return;
	fault.chosen = true;
	fault.process = unlink("/armed") == 0 ? getpid() : 0;
	fault.effects = 0;
}

/* True in the process whose effects count. */
static bool is_victim(void)
{
	const char *who = getenv("FAULT_WHO");

	if (who && strcmp(who, "worker") == 0)
		choose_worker();
	return getpid() == fault.process && (fault.chosen || !who || who[0] == 'i');
}

/* Counts one effect; true when it must fail, with errno set. */
static bool strike(const char *name)
{
	if (!fault.ready)
		get_ready();
	if (!is_victim())
		return false;
	fault.effects++;
	if (fault.log_fd >= 0 && dprintf(fault.log_fd, "%s\n", name) < 0)
		abort();
	if (fault.effects == fault.kill_at)
		(void)raise(SIGKILL);
	if (fault.effects != fault.fail_at)
		return false;
	errno = fault.code;
	return true;
}

static bool is_journal(int fd)
{
	char link[64], path[4096];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (len < 0)
		return false;
	path[len] = '\0';
	return str_has_suffix(path, "/journal");
}

static ssize_t fault_write(int fd, const void *bytes, size_t len)
{
	ssize_t n = strike("write") ? -1 : sys_real()->write(fd, bytes, len);

	if (fault.kill_line > 0 && n > 0 && is_victim() && is_journal(fd) &&
		++fault.lines == fault.kill_line)
		(void)raise(SIGKILL);
	return n;
}

static int fault_open_write(int dirfd, const char *path, const struct open_how *how)
{
	return strike("open_write") ? -1 : sys_real()->open_write(dirfd, path, how);
}

static int fault_ftruncate(int fd, off_t length)
{
	return strike("ftruncate") ? -1 : sys_real()->ftruncate(fd, length);
}

static int fault_fsync(int fd)
{
	return strike("fsync") ? -1 : sys_real()->fsync(fd);
}

static int fault_syncfs(int fd)
{
	return strike("syncfs") ? -1 : sys_real()->syncfs(fd);
}

static int fault_fchmod(int fd, mode_t mode)
{
	return strike("fchmod") ? -1 : sys_real()->fchmod(fd, mode);
}

static int fault_fchown(int fd, uid_t uid, gid_t gid)
{
	return strike("fchown") ? -1 : sys_real()->fchown(fd, uid, gid);
}

static int fault_mkdirat(int dirfd, const char *path, mode_t mode)
{
	return strike("mkdirat") ? -1 : sys_real()->mkdirat(dirfd, path, mode);
}

static int fault_symlinkat(const char *target, int dirfd, const char *path)
{
	return strike("symlinkat") ? -1 : sys_real()->symlinkat(target, dirfd, path);
}

static int fault_linkat(
	int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
	return strike("linkat")
		       ? -1
		       : sys_real()->linkat(from_dirfd, from, to_dirfd, to, flags);
}

static int fault_mknodat(int dirfd, const char *path, mode_t mode, dev_t dev)
{
	return strike("mknodat") ? -1 : sys_real()->mknodat(dirfd, path, mode, dev);
}

static int fault_renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to,
	unsigned int flags)
{
	return strike("renameat2")
		       ? -1
		       : sys_real()->renameat2(from_dirfd, from, to_dirfd, to, flags);
}

static int fault_unlinkat(int dirfd, const char *path, int flags)
{
	return strike("unlinkat") ? -1 : sys_real()->unlinkat(dirfd, path, flags);
}

/* Changes flags of a mount, which a user namespace may; of a superblock it may not. */
static int remount_bind(const char *target, unsigned long flags)
{
	return sys_real()->mount(NULL, target, NULL, flags | MS_BIND, NULL);
}

/* A copy of the directory's mount with the flags, put at target: by fd, because target
 * is /proc/self/fd/N and names the place beneath once something is mounted on it. */
static int bind_directory(const char *folder, const char *target, unsigned long flags)
{
	struct mount_attr attr = {
		.attr_set = flags & (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)};
	int rc, fd = (int)syscall(SYS_open_tree, AT_FDCWD, folder, 1 /* CLONE */);

	rc = fd < 0 ? -1
		    : (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
			      sizeof(attr));
	if (rc == 0) /* MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS */
		rc = (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, target, 0x14);
	if (fd >= 0)
		(void)close(fd);
	return rc;
}

static int fault_mount(const char *source, const char *target, const char *type,
	unsigned long flags, const void *data)
{
	const char *disks = getenv("FAULT_DISKS");
	char folder[300];

	if (strike("mount"))
		return -1;
	if (!disks || !source || !str_has_prefix(source, "/dev/"))
		return sys_real()->mount(source, target, type, flags, data);
	(void)snprintf(folder, sizeof(folder), "%s/%s", disks, source + strlen("/dev/"));
	return flags & MS_REMOUNT ? remount_bind(target, flags)
				  : bind_directory(folder, target, flags);
}

static int fault_umount2(const char *target, int flags)
{
	return strike("umount2") ? -1 : sys_real()->umount2(target, flags);
}

static int fault_pivot_root(const char *new_root, const char *put_old)
{
	return strike("pivot_root") ? -1 : sys_real()->pivot_root(new_root, put_old);
}

static int fault_chroot(const char *path)
{
	return strike("chroot") ? -1 : sys_real()->chroot(path);
}

static int fault_swapoff(const char *path)
{
	return strike("swapoff") ? -1 : sys_real()->swapoff(path);
}

static int fault_sethostname(const char *name, size_t len)
{
	return strike("sethostname") ? -1 : sys_real()->sethostname(name, len);
}

static int fault_clock_settime(clockid_t clock, const struct timespec *time)
{
	return strike("clock_settime") ? -1 : sys_real()->clock_settime(clock, time);
}

static int fault_init_module(const void *image, size_t len, const char *params)
{
	return strike("init_module") ? -1 : sys_real()->init_module(image, len, params);
}

static int fault_finit_module(int fd, const char *params, int flags)
{
	return strike("finit_module") ? -1 : sys_real()->finit_module(fd, params, flags);
}

static int fault_kexec_file_load(
	int kernel_fd, int initrd_fd, const char *cmdline, unsigned long flags)
{
	return strike("kexec_file_load") ? -1
					 : sys_real()->kexec_file_load(
						   kernel_fd, initrd_fd, cmdline, flags);
}

static int fault_reboot(int command)
{
	return strike("reboot") ? -1 : sys_real()->reboot(command);
}

static int fault_ioctl(int fd, unsigned long request, void *arg)
{
	return strike("ioctl") ? -1 : sys_real()->ioctl(fd, request, arg);
}

static ssize_t fault_netlink_send(int fd, const void *message, size_t len)
{
	return strike("netlink_send") ? -1 : sys_real()->netlink_send(fd, message, len);
}

static pid_t fault_fork(void)
{
	return strike("fork") ? -1 : sys_real()->fork();
}

static int fault_execve(const char *path, char *const argv[], char *const envp[])
{
	return strike("execve") ? -1 : sys_real()->execve(path, argv, envp);
}

int __real_openat(int dirfd, const char *path, int flags);
int __wrap_openat(int dirfd, const char *path, int flags);
int __wrap_openat(int dirfd, const char *path, int flags)
{
	const char *stand_in = getenv("FAULT_EXE");

	if (stand_in && strcmp(path, "proc/self/exe") == 0)
		return open(stand_in, flags);
	return __real_openat(dirfd, path, flags);
}

static const struct sys_ops fault_ops = {
	.write = fault_write,
	.open_write = fault_open_write,
	.ftruncate = fault_ftruncate,
	.fsync = fault_fsync,
	.syncfs = fault_syncfs,
	.fchmod = fault_fchmod,
	.fchown = fault_fchown,
	.mkdirat = fault_mkdirat,
	.symlinkat = fault_symlinkat,
	.linkat = fault_linkat,
	.mknodat = fault_mknodat,
	.renameat2 = fault_renameat2,
	.unlinkat = fault_unlinkat,
	.mount = fault_mount,
	.umount2 = fault_umount2,
	.pivot_root = fault_pivot_root,
	.chroot = fault_chroot,
	.swapoff = fault_swapoff,
	.sethostname = fault_sethostname,
	.clock_settime = fault_clock_settime,
	.init_module = fault_init_module,
	.finit_module = fault_finit_module,
	.kexec_file_load = fault_kexec_file_load,
	.reboot = fault_reboot,
	.ioctl = fault_ioctl,
	.netlink_send = fault_netlink_send,
	.fork = fault_fork,
	.execve = fault_execve,
};

const struct sys_ops *sys_default(void)
{
	return &fault_ops;
}
