/* SPDX-License-Identifier: MIT */
#include "host/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fs.h"
#include "base/str.h"
#include "host/module.h"
#include "model/fstab.h"

static bool kernel_knows(struct env *env, const char *type)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	size_t len = strlen(type);

	if (fs_read(env->run_fd, "proc/filesystems", FS_TEXT_MAX, &text, NULL) < 0)
		return false;
	for (const char *p = buf_text(&text); (p = strstr(p, type)); p += len)
		if (p > text.bytes && p[-1] == '\t' && p[len] == '\n')
			return true;
	return false;
}

/* FAT asks the kernel for its code page and character set by name, and the kernel for a
 * modprobe that is not here; Debian's kernel wants these two (CONFIG_FAT_DEFAULT_CODEPAGE
 * and _IOCHARSET). Where they are built in or others are wanted, the mount will tell. */
static void load_code_pages(struct env *env)
{
	IGNORE_RESULT(module_load(env, "nls_cp437", NULL));
	IGNORE_RESULT(module_load(env, "nls_ascii", NULL));
}

/* Why a mount failed, where errno alone would send a person the wrong way. */
static const char *mount_hint(int code)
{
	switch (code) {
	case ENODEV:
		return "; the kernel has no such file system: pack its module into the "
		       "initramfs";
	case EINVAL:
		return "; the superblock or a mount option is not valid: look at the "
		       "kernel "
		       "log";
	case EUCLEAN: /* XFS and ext4 name corruption so */
	case EIO:
		return "; the file system or the disk is damaged: check it before the "
		       "next "
		       "boot";
	default:
		return "";
	}
}

int mount_device(struct env *env, int dirfd, const char *path,
	const struct mount_wish *wish, struct err *err)
{
	char place[64];
	int rc, fd CLEANUP(fd_close) = fs_open(dirfd, path, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return err_errno(err, -fd, "mount '%s' (%s) on '%s': open the directory",
			wish->source, wish->type, path);
	if (!kernel_knows(env, wish->type)) {
		rc = module_load(env, wish->type, err);
		if (rc < 0)
			return err_wrap(err, "mount '%s' on '%s'", wish->source, path);
	}
	if (strcmp(wish->type, "vfat") == 0)
		load_code_pages(env);
	(void)snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	if (env->sys->mount(wish->source, place, wish->type, wish->flags, wish->data) <
		0) {
		int code = errno;

		return err_set(err, code, "mount '%s' (%s) on '%s': %s%s", wish->source,
			wish->type, path, strerror(code), mount_hint(code));
	}
	return 0;
}

/* Octal escapes of mountinfo (fs/proc_namespace.c mangle: blank, tab, newline, '\\'). */
static void unescape(char *text)
{
	char *out = text;

	while (*text) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*out++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 +
					(text[3] - '0'));
			text += 4;
		} else {
			*out++ = *text++;
		}
	}
	*out = '\0';
}

static bool is_beneath(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* True when the comma list begins with "rw" or has it as a word. */
static bool is_rw(const char *options)
{
	return strcmp(options, "rw") == 0 || str_has_prefix(options, "rw,");
}

/* proc_pid_mountinfo(5):
 * 36 35 98:0 /sub /sysroot/var rw,noatime master:1 - ext4 /dev/root rw,errors=continue
 * (1)(2)(3)  (4)  (5)          (6)        (7)     (8)(9)  (10)      (11) */
static int parse_line(char *line, const char *top, struct mount_point *ret)
{
	char *tail = strstr(line, " - "), path[512], options[512], super[512];
	struct mount_point point = {0};
	struct buf data CLEANUP(buf_done) = BUF_INIT;

	if (!tail)
		return 0;
	*tail = '\0';
	if (sscanf(line, "%*u %*u %*u:%*u %*s %511s %511s", path, options) != 2 ||
		sscanf(tail + 3, "%31s %127s %511s", point.type, point.source, super) !=
			3)
		return 0;
	unescape(path);
	unescape(point.source);
	if (!is_beneath(path, top))
		return 0;
	(void)str_copy(point.path, sizeof(point.path), path);
	point.writable = is_rw(options) && is_rw(super);
	if (fstab_mount_options(options, &point.flags, &data) < 0)
		return -ENOMEM;
	*ret = point;
	return 1;
}

static int add_point(struct mount_points *points, const struct mount_point *point)
{
	struct mount_point *all =
		realloc(points->items, (points->count + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	points->items = all;
	points->items[points->count++] = *point;
	return 0;
}

static bool is_any(const struct mount_point *point)
{
	(void)point;
	return true;
}

static bool is_device(const struct mount_point *point)
{
	return str_has_prefix(point->source, "/dev/");
}

static int list_points(struct env *env, const char *path,
	bool (*wanted)(const struct mount_point *point), struct mount_points *ret,
	struct err *err)
{
	struct mount_points points CLEANUP(mount_points_done) = {NULL, 0};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	char *save = NULL;
	int rc = fs_read(env->run_fd, "proc/self/mountinfo", 8 * FS_TEXT_MAX, &text, err);

	if (rc < 0)
		return rc;
	for (char *line = text.len ? strtok_r(text.bytes, "\n", &save) : NULL; line;
		line = strtok_r(NULL, "\n", &save)) {
		struct mount_point point;

		rc = parse_line(line, path, &point);
		if (rc > 0 && wanted(&point))
			rc = add_point(&points, &point);
		if (rc < 0)
			return err_errno(err, ENOMEM, "list the mounts of '%s'", path);
	}
	*ret = points;
	points = (struct mount_points){NULL, 0};
	return 0;
}

int mount_points_beneath(
	struct env *env, const char *path, struct mount_points *ret, struct err *err)
{
	return list_points(env, path, is_device, ret, err);
}

int mount_points_all(
	struct env *env, const char *path, struct mount_points *ret, struct err *err)
{
	return list_points(env, path, is_any, ret, err);
}

int mount_set_writable(
	struct env *env, const struct mount_point *point, bool writable, struct err *err)
{
	unsigned long flags =
		point->flags | MS_REMOUNT | (writable ? 0UL : (unsigned long)MS_RDONLY);

	if (point->writable == writable)
		return 0;
	if (env->sys->mount(point->source, point->path, NULL, flags, NULL) < 0)
		return err_errno(err, errno, "remount '%s' (%s) %s", point->path,
			point->source, writable ? "read-write" : "read-only");
	return 0;
}

int mount_remove(struct env *env, const char *path, struct err *err)
{
	if (env->sys->umount2(path, UMOUNT_NOFOLLOW) < 0)
		return err_errno(err, errno, "unmount '%s'", path);
	return 0;
}

void mount_points_done(struct mount_points *points)
{
	free(points->items);
	*points = (struct mount_points){NULL, 0};
}
