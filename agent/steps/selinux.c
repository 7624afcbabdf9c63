/* SPDX-License-Identifier: MIT */
#include "steps/selinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/fs.h"

#define RELABEL_FILE "run/systemd/relabel-extra.d/promenade.relabel"
#define AUTORELABEL_FILE "/.autorelabel"

bool selinux_is_used(const struct env *env)
{
	struct buf buf CLEANUP(buf_done) = BUF_INIT;
	char *save = NULL;

	if (fs_read(env->target_fd, "/etc/selinux/config", FS_TEXT_MAX, &buf, NULL) < 0)
		return false;
	if (buf_add(&buf, "", 0) < 0)
		return true; /* out of memory: one list too many does no harm */
	for (char *line = strtok_r(buf.bytes, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		line = str_trim(line);
		if (str_has_prefix(line, "SELINUX="))
			return strcmp(line + strlen("SELINUX="), "disabled") != 0;
	}
	return false;
}

/* 1 when path has no label, 0 when it has one or can have none, or -errno. */
static int is_unlabelled(const struct env *env, const char *path)
{
	char proc[64];
	int fd CLEANUP(fd_close) = fs_open(env->target_fd, path, O_PATH | O_NOFOLLOW);

	if (fd == -ENOENT || fd == -ENOTDIR)
		return 0;
	if (fd < 0)
		return fd;
	/* fgetxattr(2) refuses O_PATH; this name leads to the file or link itself. */
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (getxattr(proc, "security.selinux", NULL, 0) >= 0 || errno == ENOTSUP)
		return 0;
	return errno == ENODATA ? 1 : -errno;
}

static int add_if_unlabelled(
	const struct env *env, const char *path, struct strlist *ret, struct err *err)
{
	int rc;

	if (strlist_has(ret, path))
		return 0;
	rc = is_unlabelled(env, path);
	if (rc == 1)
		rc = strlist_add(ret, path);
	return rc < 0 ? err_errno(err, -rc, "read the SELinux label of '%s'", path) : 0;
}

/* path, then each parent up to but without the root. */
static int add_with_parents(
	const struct env *env, const char *path, struct strlist *ret, struct err *err)
{
	char prefix[4096], *slash;

	if (!str_copy(prefix, sizeof(prefix), path))
		return err_errno(err, ENAMETOOLONG, "label '%s'", path);
	do {
		int rc = add_if_unlabelled(env, prefix, ret, err);

		if (rc < 0)
			return rc;
		slash = strrchr(prefix, '/');
		if (slash)
			*slash = '\0';
	} while (slash && slash != prefix);
	return 0;
}

int selinux_unlabelled(const struct env *env, const struct strlist *paths,
	struct strlist *ret, struct err *err)
{
	for (size_t i = 0; i < paths->count; i++) {
		int rc = add_with_parents(env, paths->items[i], ret, err);

		if (rc < 0)
			return rc;
	}
	strlist_sort(ret);
	return 0;
}

int selinux_leave(
	const struct env *env, const struct strlist *paths, bool run, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct fs_content content = {"", 0, 0644};

	if (!paths->count)
		return 0;
	if (!run)
		return fs_exists(env->target_fd, AUTORELABEL_FILE)
			       ? 0
			       : fs_replace(env->sys, env->target_fd, AUTORELABEL_FILE,
					 &content, err);
	for (size_t i = 0; i < paths->count; i++)
		if (buf_printf(&text, "%s\n", paths->items[i]) < 0)
			return err_errno(err, ENOMEM, "list what to label");
	content.bytes = text.bytes;
	content.len = text.len;
	return fs_replace(env->sys, env->run_fd, RELABEL_FILE, &content, err);
}
