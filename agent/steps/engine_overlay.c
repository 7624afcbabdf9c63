/* SPDX-License-Identifier: MIT */
/* Does overlay work where the engine's layers will be? Asked as the engines ask: d_type
 * by readdir, and a mount with two lower directories (containerd
 * plugins/snapshots/overlay/overlayutils/check.go, moby daemon/graphdriver/overlay2). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fs.h"
#include "host/module.h"
#include "host/probe.h"
#include "steps/engine_parts.h"

#define TRY_DIR ".promenade-overlay"

/* Cuts the last component off; false at the root. */
static bool go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!path[0])
		return false;
	*(slash ? slash : path) = '\0';
	return true;
}

/* Opens the nearest directory on the way to path that exists, and cuts path to it: the
 * same file system, unless path itself is a mount, and then it exists. */
static int open_nearest(struct env *env, char *path)
{
	int fd;

	do {
		fd = fs_open(
			env->target_fd, path[0] ? path : "/", O_RDONLY | O_DIRECTORY);
	} while (fd == -ENOENT && go_up(path));
	return fd;
}

/* 1 with d_type, 0 without, -1 when there is nothing to see it by. "." and ".." have a
 * type of their own on some file systems and prove nothing. */
static int dtype_of(int fd)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir CLEANUP(dir_close) = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry->d_type != DT_UNKNOWN;
	if (!dir)
		fd_close(&copy);
	return -1;
}

/* An empty directory says nothing: the ones above are asked, on the same file system. */
static int dtype_above(struct env *env, char *path, int *ret)
{
	dev_t dev = 0;
	bool first = true;

	*ret = -1;
	do {
		struct stat st;
		int fd CLEANUP(fd_close) = open_nearest(env, path);

		if (fd < 0)
			return fd;
		if (fstat(fd, &st) < 0)
			return -errno;
		if (!first && st.st_dev != dev)
			break;
		dev = st.st_dev;
		first = false;
		*ret = dtype_of(fd);
	} while (*ret < 0 && go_up(path));
	return 0;
}

int engine_check_dtype(struct env *env, const char *data_root, struct err *err)
{
	char path[256];
	int rc, dtype;

	(void)str_copy(path, sizeof(path), data_root);
	rc = dtype_above(env, path, &dtype);
	if (rc < 0)
		return err_errno(err, -rc, "look at '%s'", data_root);
	if (dtype == 0)
		return err_set(err, E_CHECK,
			"the file system of '%s' reports no d_type, overlay loses files "
			"there: XFS must be made with ftype=1, ext4 with filetype; make "
			"it "
			"anew and reinstall, or put the data root elsewhere",
			data_root);
	return 0;
}

/* Paths by way of the fd: what a symlink in the installed OS says does not matter. */
static int mount_overlay(struct env *env, int fd, struct err *err)
{
	char data[256], place[64];
	int code;

	(void)snprintf(place, sizeof(place), "/proc/self/fd/%d/merged", fd);
	(void)snprintf(data, sizeof(data),
		"lowerdir=/proc/self/fd/%d/lower2:/proc/self/fd/%d/lower1,"
		"upperdir=/proc/self/fd/%d/upper,workdir=/proc/self/fd/%d/work",
		fd, fd, fd, fd);
	if (env->sys->mount("overlay", place, "overlay", 0, data) == 0) {
		if (env->sys->umount2(place, MNT_DETACH) < 0)
			return err_errno(err, errno, "unmount the overlay of the test");
		return 0;
	}
	code = errno;
	return err_set(err, E_CHECK,
		"an overlay cannot be mounted: %s; the kernel log says why in a line "
		"'overlayfs: ...'; ext4, xfs and btrfs are known to work",
		strerror(code));
}

static int make_dirs(struct env *env, int fd, struct err *err)
{
	static const char *const names[] = {TRY_DIR "/lower1", TRY_DIR "/lower2",
		TRY_DIR "/upper", TRY_DIR "/work", TRY_DIR "/merged"};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(names) && rc == 0; i++)
		rc = fs_make_dirs(env->sys, fd, names[i], err);
	return rc;
}

/* A test that was killed half-way left its directory, at worst with the mount. */
static int remove_dirs(struct env *env, int fd, struct err *err)
{
	char place[80];

	(void)snprintf(place, sizeof(place), "/proc/self/fd/%d/" TRY_DIR "/merged", fd);
	IGNORE_RESULT(env->sys->umount2(place, MNT_DETACH)); /* EINVAL: not mounted */
	return fs_remove_tree(env->sys, fd, TRY_DIR, err);
}

int engine_try_overlay(struct env *env, const char *data_root, struct err *err)
{
	struct err late = ERR_INIT;
	char path[256];
	int rc, fd CLEANUP(fd_close) = -1;

	if (!probe_is_own_kernel(env))
		return 0;
	(void)str_copy(path, sizeof(path), data_root);
	fd = open_nearest(env, path);
	if (fd < 0)
		return err_errno(err, -fd, "look at '%s'", data_root);
	rc = remove_dirs(env, fd, err);
	if (rc == 0)
		rc = make_dirs(env, fd, err);
	if (rc == 0) {
		int dir CLEANUP(fd_close) = fs_open(fd, TRY_DIR, O_RDONLY | O_DIRECTORY);

		/* The kernel's own loader cannot run in the initramfs; a failure shows
		 * below. */
		IGNORE_RESULT(module_load(env, "overlay", &late));
		rc = dir < 0 ? err_errno(err, -dir, "open '" TRY_DIR "'")
			     : mount_overlay(env, dir, err);
	}
	if (remove_dirs(env, fd, &late) < 0 && rc == 0) {
		*err = late;
		rc = late.code;
	}
	return rc < 0 ? err_wrap(err, "overlay on the file system of '%s'", data_root)
		      : 0;
}
