/* SPDX-License-Identifier: MIT */
/* Runs between fork and exec, in one thread: it may allocate nothing that matters and
 * returns to nobody. */
#include "cluster/temporary_child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/fs.h"

const char *const temporary_mount_points[] = {"/proc", "/dev", "/run", "/tmp", NULL};

static const struct {
	const char *type, *point;
	unsigned long flags;
	const char *data;
} mounts[] = {
	{"proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL},
	{"tmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k"},
	{"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=755,size=16m"},
	{"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777,size=64m"},
};

/* Documentation/admin-guide/devices.txt, major 1. */
static const struct {
	const char *path;
	unsigned int minor;
} devices[] = {{"/dev/null", 3}, {"/dev/zero", 5}, {"/dev/full", 7}, {"/dev/random", 8},
	{"/dev/urandom", 9}};

static NORETURN PRINTF(2, 3) void fail(
	const struct temporary_child *child, const char *fmt, ...)
{
	struct temporary_failure failure = {.code = errno};
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(failure.what, sizeof(failure.what), fmt, args);
	va_end(args);
	if (write(child->failure_fd, &failure, sizeof(failure)) < 0)
		_exit(126);
	_exit(127);
}

static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL); /* SIGKILL and SIGSTOP refuse: fine */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Ends with the agent, in a group that a kill can name. */
static void join_fate(const struct temporary_child *child)
{
	struct rlimit files = {TEMPORARY_FILES, TEMPORARY_FILES};

	(void)setpgid(0, 0);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(child, "arm PR_SET_PDEATHSIG");
	if (getppid() != child->parent)
		_exit(127); /* the agent died before that was armed */
	reset_signals();
	(void)umask(022);
	if (setrlimit(RLIMIT_NOFILE, &files) == 0)
		return;
	/* In a container, which may not raise it: as far as it goes. */
	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		fail(child, "read the limit of open files");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		fail(child, "allow %llu open files", (unsigned long long)files.rlim_max);
}

static void take_standard_fds(const struct temporary_child *child)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0)
		fail(child, "open '/dev/null'");
	if (dup2(child->log_fd, 1) < 0 || dup2(child->log_fd, 2) < 0)
		fail(child, "use its log");
	for (int fd = 3; fd < 1024; fd++)
		if (fd != child->failure_fd)
			(void)close(fd);
}

/* The working directory follows into the new namespace and an fd would not, so the target
 * is entered before. */
static void enter_target(const struct temporary_child *child)
{
	const struct sys_ops *sys = child->env->sys;
	const char *node = child->program->node;

	if (fchdir(child->env->target_fd) < 0)
		fail(child, "enter '%s'", child->env->target_path);
	if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0)
		fail(child, "make a mount namespace");
	if (sys->mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		fail(child, "make the mounts private");
	if (sys->sethostname(node, strlen(node)) < 0)
		fail(child, "set the host name '%s'", node);
	if (sys->chroot(".") < 0 || chdir("/") < 0)
		fail(child, "chroot to '%s'", child->env->target_path);
}

static void mount_all(const struct temporary_child *child)
{
	const struct sys_ops *sys = child->env->sys;

	for (size_t i = 0; i < ARRAY_LEN(mounts); i++)
		if (sys->mount(mounts[i].type, mounts[i].point, mounts[i].type,
			    mounts[i].flags, mounts[i].data) < 0)
			fail(child, "mount '%s'", mounts[i].point);
	(void)umask(0);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++)
		if (sys->mknodat(AT_FDCWD, devices[i].path, S_IFCHR | 0666,
			    makedev(1, devices[i].minor)) < 0)
			fail(child, "make '%s'", devices[i].path);
	(void)umask(022);
}

/* Puts a text in the place of a file of the target, for this process alone. What is not
 * there, or is a link into the /run that is hidden, needs no hiding. */
static void hide(const struct temporary_child *child, const char *path, const char *text)
{
	const struct sys_ops *sys = child->env->sys;
	const struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, .mode = 0644};
	char own[64];
	int fd;

	if (access(path, F_OK) < 0)
		return;
	(void)snprintf(own, sizeof(own), "/run%s", strrchr(path, '/'));
	fd = sys->open_write(AT_FDCWD, own, &how);
	if (fd < 0 || fs_write_all(sys, fd, text, strlen(text)) < 0)
		fail(child, "write '%s'", own);
	(void)close(fd);
	if (sys->mount(own, path, NULL, MS_BIND, NULL) < 0)
		fail(child, "mount '%s'", path);
}

static void hide_names(const struct temporary_child *child)
{
	char hosts[512];

	(void)snprintf(hosts, sizeof(hosts),
		"127.0.0.1 localhost\n::1 localhost\n%s %s\n", child->program->address,
		child->program->node);
	hide(child, "/etc/hosts", hosts);
	/* A name server that does not answer would hold every look-up for 10 s. */
	hide(child, "/etc/resolv.conf", "options timeout:1 attempts:1\n");
}

void temporary_child_exec(const struct temporary_child *child)
{
	static char path[] =
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char home[] = "HOME=/tmp";
	static char *const envp[] = {path, home, NULL};
	const struct strlist *command = child->program->command;
	char **argv = calloc(command->count + 1, sizeof(*argv));

	if (!argv)
		fail(child, "make its arguments");
	for (size_t i = 0; i < command->count; i++)
		argv[i] = command->items[i];
	join_fate(child);
	enter_target(child);
	mount_all(child);
	hide_names(child);
	take_standard_fds(child);
	(void)child->env->sys->execve(child->program->path, argv, envp);
	fail(child, "execute '%s'", child->program->path);
}
