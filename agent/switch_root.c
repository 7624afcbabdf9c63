/* SPDX-License-Identifier: MIT */
#include "switch_root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"

static const char *const api_mounts[] = {"/dev", "/proc", "/sys", "/run"};

/* Moves the API mounts to or back from the new root. A root without the directory loses
 * that mount (systemd makes its own). */
static void move_api_mounts(const struct sys_ops *sys, const char *new_root, bool back)
{
	for (size_t i = 0; i < ARRAY_LEN(api_mounts); i++) {
		char inside[300];
		const char *from = api_mounts[i], *to = inside;

		(void)snprintf(inside, sizeof(inside), "%s%s", new_root, api_mounts[i]);
		if (back) {
			from = inside;
			to = api_mounts[i];
		}
		if (sys->mount(from, to, NULL, MS_MOVE, NULL) < 0 && !back) {
			log_line(LOG_LEVEL_WARN, "move mount '%s' to '%s': %s, ignoring",
				from, to, strerror(errno));
			(void)sys->umount2(from, MNT_DETACH); /* nothing left to try */
		}
	}
}

/* True when fd is on a memory file system, whose content may be freed: never delete what
 * could be a disk (busybox's check; linux/magic.h). */
static bool is_memory_fs(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 &&
	       (st.f_type == RAMFS_MAGIC || st.f_type == TMPFS_MAGIC);
}

static void free_initramfs(const struct sys_ops *sys, int old_root)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;

	if (!is_memory_fs(old_root) || fs_list(old_root, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.count; i++)
		/* Mount points of the new root are another device and stay (EXDEV). */
		IGNORE_RESULT(fs_remove_tree(sys, old_root, names.items[i], NULL));
}

/* The new root is the current directory. pivot_root works where the initramfs has a
 * parent mount (nullfs_rootfs, containers, test namespaces), else EINVAL (node.md 6.2).
 */
static int enter_new_root(const struct sys_ops *sys, int old_root, struct err *err)
{
	if (sys->pivot_root(".", ".") == 0) {
		/* "." is now the old root, stacked on the new one. */
		if (sys->umount2(".", MNT_DETACH) < 0)
			log_line(LOG_LEVEL_WARN, "detach the initramfs: %s, ignoring",
				strerror(errno)); /* costs its memory */
	} else {
		if (sys->mount(".", "/", NULL, MS_MOVE, NULL) < 0)
			return err_errno(
				err, errno, "switch_root: move the root mount to '/'");
		/* pivot_root(2) did this for us; after a move "/" is still beneath. */
		if (sys->chroot(".") < 0)
			return err_errno(err, errno, "switch_root: enter the new root");
		free_initramfs(sys, old_root);
	}
	if (chdir("/") < 0)
		return err_errno(err, errno, "switch_root: enter the new root");
	return 0;
}

/* As init expects it: default signals, no mask, console on 0-2, plain environment. */
static void prepare_process(void)
{
	sigset_t none;
	int fd;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)umask(022);
	fd = open("/dev/console", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	for (int std = 0; std < 3; std++)
		(void)dup2(fd, std);
	fd_close(&fd);
}

/* The kernel's own order of fall-backs after the one asked for (init/main.c kernel_init,
 * systemd's name in between). */
static int exec_init(const struct sys_ops *sys, const char *init_path, struct err *err)
{
	static const char *const fallbacks[] = {"/sbin/init", "/usr/lib/systemd/systemd",
		"/etc/init", "/bin/init", "/bin/sh"};
	char *const envp[] = {(char[]){"HOME=/"}, (char[]){"TERM=linux"},
		(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/"
			 "bin"},
		NULL};
	char path[256];
	char *const argv[] = {path, NULL};
	int code;

	(void)str_copy(path, sizeof(path), init_path);
	(void)sys->execve(path, argv, envp);
	code = errno;
	for (size_t i = 0; i < ARRAY_LEN(fallbacks); i++) {
		(void)str_copy(path, sizeof(path), fallbacks[i]);
		(void)sys->execve(path, argv, envp);
	}
	return err_errno(err, code, "switch_root: execute '%s'", init_path);
}

int switch_root(const struct sys_ops *sys, const char *new_root, const char *init_path,
	struct err *err)
{
	int old_root CLEANUP(fd_close) = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat old_st, new_st;
	int rc;

	if (old_root < 0 || fstat(old_root, &old_st) < 0 || stat(new_root, &new_st) < 0)
		return err_errno(err, errno, "switch_root: open '/' and '%s'", new_root);
	if (old_st.st_dev == new_st.st_dev)
		return err_set(err, E_ROOT,
			"switch_root: '%s' is not a mounted file system", new_root);
	/* The kernel refuses MS_MOVE below a shared mount (systemd rhbz 847418). */
	if (sys->mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_errno(err, errno, "switch_root: make '/' private");
	move_api_mounts(sys, new_root, false);
	if (chdir(new_root) < 0) {
		rc = err_errno(err, errno, "switch_root: enter '%s'", new_root);
		move_api_mounts(sys, new_root, true);
		return rc;
	}
	rc = enter_new_root(sys, old_root, err);
	if (rc < 0)
		return rc;
	prepare_process();
	return exec_init(sys, init_path, err);
}
