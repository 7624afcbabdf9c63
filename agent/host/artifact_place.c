/* SPDX-License-Identifier: MIT */
#include "host/artifact_place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

/* The kernel's limit (include/linux/namei.h MAXSYMLINKS). */
#define LINKS_MAX 40
/* Folders in folders that others made in a directory of ours. */
#define CARRY_DEPTH_MAX 16U

/* path with symlinks as its last component resolved inside the root dirfd. */
static int follow_last(int dirfd, const char *path, char *ret, size_t size)
{
	char target[4096], *slash;

	if (!str_copy(ret, size, path))
		return -ENAMETOOLONG;
	for (int i = 0; i < LINKS_MAX; i++) {
		size_t keep = 0;
		int rc = fs_read_link(dirfd, ret, target, sizeof(target));

		if (rc == -EINVAL || rc == -ENOENT)
			return 0; /* no link, or nothing there */
		if (rc < 0)
			return rc;
		slash = strrchr(ret, '/');
		if (target[0] != '/' && slash)
			keep = (size_t)(slash + 1 - ret);
		if (!str_copy(ret + keep, size - keep, target))
			return -ENAMETOOLONG;
	}
	return -ELOOP;
}

/* Makes the parents of path. */
static int make_parents(const struct env *env, char *path, struct err *err)
{
	char *slash = strrchr(path, '/');
	int rc;

	if (!slash || slash == path)
		return 0;
	*slash = '\0';
	rc = fs_make_dirs(env->sys, env->target_fd, path, err);
	*slash = '/';
	return rc;
}

int artifact_place_open(const struct env *env, const struct artifact *artifact, bool make,
	struct artifact_place *ret, struct err *err)
{
	struct artifact_place place = {.env = env, .artifact = artifact};
	char path[4096];
	const char *name;
	int rc = 0;

	if (artifact->kind == ARTIFACT_FILE)
		rc = str_copy(path, sizeof(path), artifact->path) ? 0 : -ENAMETOOLONG;
	else
		rc = follow_last(env->target_fd, artifact->path, path, sizeof(path));
	if (rc < 0)
		return err_errno(err, -rc, "open '%s'", artifact->path);
	if (make) {
		rc = make_parents(env, path, err);
		if (rc < 0)
			return rc;
	}
	place.parent_fd = fs_open_parent(env->target_fd, path, &name);
	if (place.parent_fd < 0)
		return err_errno(
			err, -place.parent_fd, "open the directory of '%s'", path);
	if (!name[0] || !str_copy(place.name, sizeof(place.name), name) ||
		strlen(name) + sizeof("..promenade-new") > 255) {
		fd_close(&place.parent_fd);
		return err_errno(err, EINVAL, "open '%s'", artifact->path);
	}
	(void)snprintf(place.staging, sizeof(place.staging), ".%s.promenade-new", name);
	*ret = place;
	return 0;
}

bool artifact_place_has_leftover(const struct artifact_place *place)
{
	struct stat st;

	return fs_stat(place->parent_fd, place->staging, false, &st) == 0;
}

int artifact_place_clean(const struct artifact_place *place, struct err *err)
{
	return fs_remove_tree(place->env->sys, place->parent_fd, place->staging, err);
}

static int stage_file(const struct artifact_place *place)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		.mode = 0600,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int fd = place->env->sys->open_write(place->parent_fd, place->staging, &how);

	return fd < 0 ? -errno : fd;
}

static int stage_directory(const struct artifact_place *place)
{
	if (place->env->sys->mkdirat(place->parent_fd, place->staging, 0700) < 0)
		return -errno;
	return fs_open(
		place->parent_fd, place->staging, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

int artifact_place_stage(const struct artifact_place *place, struct err *err)
{
	int fd = place->artifact->kind == ARTIFACT_FILE ? stage_file(place)
							: stage_directory(place);

	if (fd < 0)
		return err_errno(err, -fd, "make '%s' beside '%s'", place->staging,
			place->artifact->path);
	return fd;
}

static int publish_error(const struct artifact_place *place, int code, struct err *err)
{
	const char *path = place->artifact->path;

	if (code == EBUSY)
		return err_set(err, code,
			"put '%s' in place: it is a mount point; unmount it or choose a "
			"folder in it",
			path);
	if (code == EINVAL)
		return err_set(err, E_UNSUPPORTED,
			"put '%s' in place: its file system cannot exchange two names in "
			"one step; use ext4, xfs or btrfs",
			path);
	return err_errno(err, code, "put '%s' in place", path);
}

int artifact_place_publish_file(
	const struct artifact_place *place, int fd, struct err *err)
{
	const struct sys_ops *sys = place->env->sys;
	struct artifact_stamp stamp CLEANUP(artifact_stamp_done) = {.count = 0};
	struct stat st;

	if (sys->fchmod(fd, place->artifact->mode) < 0 || sys->fsync(fd) < 0 ||
		sys->renameat2(place->parent_fd, place->staging, place->parent_fd,
			place->name, 0) < 0 ||
		sys->fsync(place->parent_fd) < 0)
		return publish_error(place, errno, err);
	/* after the rename, which changes ctime */
	if (fstat(fd, &st) < 0)
		return publish_error(place, errno, err);
	(void)str_copy(stamp.sha256, sizeof(stamp.sha256), place->artifact->sha256);
	if (artifact_stamp_add(&stamp, ".", &st) < 0)
		return publish_error(place, ENOMEM, err);
	return artifact_stamp_write(place->env, place->artifact->path, &stamp, err);
}

struct carry {
	const struct sys_ops *sys;
	const struct artifact_stamp *old;
	unsigned int depth; /* folders that may still be entered */
};

static int carry_over(
	const struct carry *carry, int from_fd, int to_fd, const char *prefix);

/* path ends with a slash. */
static int carry_directory(const struct carry *carry, int from_fd, int to_fd,
	const char *name, const char *path)
{
	struct carry deeper = *carry;
	struct stat st;

	int from CLEANUP(fd_close) = -1, to CLEANUP(fd_close) = -1;

	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (carry->sys->mkdirat(to_fd, name, st.st_mode & 0777) < 0 && errno != EEXIST)
		return -errno;
	from = fs_open(from_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	to = fs_open(to_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	if (from < 0 || to < 0)
		return from < 0 ? from : to;
	deeper.depth--;
	return carry_over(&deeper, from, to, path);
}

/* Links into to_fd what is in from_fd, is not in to_fd, and was not made by us: plugins
 * that an operator or another network put there. */
static int carry_over(
	const struct carry *carry, int from_fd, int to_fd, const char *prefix)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = carry->depth ? fs_list(from_fd, ".", &names) : -ELOOP;

	for (size_t i = 0; rc == 0 && i < names.count; i++) {
		struct buf path CLEANUP(buf_done) = BUF_INIT;
		const char *name = names.items[i];
		struct stat st, there;

		rc = buf_printf(&path, "%s%s", prefix, name);
		if (rc == 0)
			rc = fs_stat(from_fd, name, false, &st);
		if (rc < 0)
			break;
		if (S_ISDIR(st.st_mode)) {
			rc = buf_add_str(&path, "/");
			if (rc == 0)
				rc = carry_directory(
					carry, from_fd, to_fd, name, buf_text(&path));
			continue;
		}
		if (fs_stat(to_fd, name, false, &there) == 0 ||
			artifact_stamp_has(carry->old, buf_text(&path)))
			continue;
		if (carry->sys->linkat(from_fd, name, to_fd, name, 0) < 0)
			rc = -errno;
	}
	return rc;
}

static int carry_all(const struct artifact_place *place, int fd,
	const struct artifact_stamp *old, struct err *err)
{
	struct carry carry = {
		.sys = place->env->sys, .old = old, .depth = CARRY_DEPTH_MAX};
	int from CLEANUP(fd_close) = fs_open(
		place->parent_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	int rc = from == -ENOENT ? 0 : from;

	if (from >= 0)
		rc = carry_over(&carry, from, fd, "");
	if (rc < 0)
		return err_errno(err, -rc, "keep what others put into '%s'",
			place->artifact->path);
	return 0;
}

/* Where archives of kernel modules have them, from the folder itself to the whole path.
 */
static const char *const module_prefixes[] = {
	"", "%s", "lib/modules/%s", "usr/lib/modules/%s"};

/* Path, beneath the staged directory fd, of the folder that holds the modules. */
static int find_modules(const struct artifact_place *place, int fd, char *ret,
	size_t size, struct err *err)
{
	const char *release = place->artifact->release;
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	char probe[1024];

	for (size_t i = 0; i < ARRAY_LEN(module_prefixes); i++) {
		const char *percent = strchr(module_prefixes[i], '%');
		int fixed = (int)(percent ? percent - module_prefixes[i] : 0);

		(void)snprintf(ret, size, "%.*s%s", fixed, module_prefixes[i],
			percent ? release : "");
		(void)snprintf(probe, sizeof(probe), "%s/modules.dep", ret);
		if (fs_exists(fd, probe))
			return 0;
	}
	if (fs_list(fd, ".", &names) < 0)
		names = (struct strlist)STRLIST_INIT; /* only for the message */
	return err_set(err, E_ARCHIVE,
		"holds no modules.dep of kernel %s (at its top is '%.80s'); pack "
		"/lib/modules/%s of that kernel, after depmod",
		release, names.count ? names.items[0] : "nothing", release);
}

/* The one step in which the new directory becomes visible. */
static int swap(const struct artifact_place *place, const char *source)
{
	const struct sys_ops *sys = place->env->sys;
	struct stat st;
	bool exists = fs_stat(place->parent_fd, place->name, false, &st) == 0;

	if (sys->renameat2(place->parent_fd, source, place->parent_fd, place->name,
		    exists ? RENAME_EXCHANGE : RENAME_NOREPLACE) < 0)
		return -errno;
	return sys->fsync(place->parent_fd) < 0 ? -errno : 0;
}

/* Notes what is now at the name. Modules need none: modules.dep says that they are whole.
 */
static int stamp_tree(const struct artifact_place *place, int fd,
	const struct artifact_stamp *ours, struct err *err)
{
	struct artifact_stamp stamp CLEANUP(artifact_stamp_done) = {.count = 0};
	int rc = 0;

	if (place->artifact->kind == ARTIFACT_MODULES)
		return 0;
	(void)str_copy(stamp.sha256, sizeof(stamp.sha256), place->artifact->sha256);
	for (size_t i = 0; rc == 0 && i < ours->count; i++) {
		struct stat st;

		rc = fs_stat(fd, ours->files[i].name, false, &st);
		if (rc == 0)
			rc = artifact_stamp_add(&stamp, ours->files[i].name, &st);
	}
	if (rc < 0)
		return err_errno(
			err, -rc, "note what was put at '%s'", place->artifact->path);
	return artifact_stamp_write(place->env, place->artifact->path, &stamp, err);
}

/* A first stamp, before the directory is there: after a kill between the two the next run
 * must know that the directory is ours to replace. */
static int claim(const struct artifact_place *place, const struct artifact_stamp *old,
	struct err *err)
{
	struct artifact_stamp none = {.sha256 = "none yet"};

	if (place->artifact->kind != ARTIFACT_TREE || old->sha256[0])
		return 0;
	return artifact_stamp_write(place->env, place->artifact->path, &none, err);
}

int artifact_place_publish_tree(const struct artifact_place *place, int fd,
	const struct artifact_stamp *old, struct err *err)
{
	const struct sys_ops *sys = place->env->sys;
	struct artifact_stamp ours CLEANUP(artifact_stamp_done) = {.count = 0};
	char source[1024] = "", folder[512] = "";
	int rc = artifact_stamp_add_tree(&ours, fd); /* before others' files come in */

	if (rc < 0)
		return publish_error(place, -rc, err);
	if (place->artifact->kind == ARTIFACT_MODULES)
		rc = find_modules(place, fd, folder, sizeof(folder), err);
	if (place->artifact->kind == ARTIFACT_PLUGINS)
		rc = carry_all(place, fd, old, err);
	if (rc < 0)
		return rc;
	(void)snprintf(source, sizeof(source), "%s%s%s", place->staging,
		folder[0] ? "/" : "", folder);
	if (sys->fchmod(fd, 0755) < 0 || sys->syncfs(fd) < 0)
		return publish_error(place, errno, err);
	rc = claim(place, old, err);
	if (rc < 0)
		return rc;
	rc = swap(place, source);
	if (rc < 0)
		return publish_error(place, -rc, err);
	rc = stamp_tree(place, fd, &ours, err);
	if (rc < 0)
		return rc;
	return artifact_place_clean(place, err);
}

void artifact_place_close(struct artifact_place *place)
{
	fd_close(&place->parent_fd);
}
