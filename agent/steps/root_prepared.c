/* SPDX-License-Identifier: MIT */
/* Was this machine prepared before? Asked before anything is known about its role, so
 * every file system is looked at, and none may be changed by the look. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fs.h"
#include "base/log.h"
#include "host/mount.h"
#include "model/role.h"
#include "steps/root.h"
#include "steps/root_parts.h"

/* A read-only mount still replays a journal, which writes, unless told not to
 * (Documentation/admin-guide/ext4.rst noload, xfs.rst norecovery, btrfs rescue=). */
static const struct {
	const char *type;
	const char *data;
} look_options[] = {
	{"ext4", "noload"},
	{"ext3", "noload"},
	{"xfs", "norecovery"},
	{"btrfs", "rescue=nologreplay"},
};

/* Where the root of an OS is within a file system (btrfs subvolumes of installers). */
static const char *const places[] = {"", "@/", "@rootfs/", "root/"};

static const char *look_data(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(look_options); i++)
		if (strcmp(look_options[i].type, type) == 0)
			return look_options[i].data;
	return NULL;
}

static int read_prepared(int fd, struct root_prepared *ret, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char path[100], line[32];
		int rc;

		(void)snprintf(
			path, sizeof(path), "%setc/promenade/role.yaml", places[i]);
		rc = fs_read(fd, path, ROLE_BYTES_MAX, &ret->role, err);
		if (rc == -ENOENT || rc == -ENOTDIR)
			continue;
		if (rc < 0)
			return rc;
		ret->found = true;
		(void)snprintf(path, sizeof(path), "%setc/promenade/serial", places[i]);
		if (fs_read_line(fd, path, line, sizeof(line)) < 0 ||
			!str_to_u64(line, UINT64_MAX, &ret->serial))
			ret->serial = 0;
		return 0;
	}
	return 0;
}

/* One partition: mount, look, unmount. */
static int look(struct env *env, const struct fact_partition *partition,
	struct root_prepared *ret, struct err *err)
{
	struct mount_wish wish = {.source = partition->path,
		.type = partition->type,
		.flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		.data = look_data(partition->type)};
	struct err why = ERR_INIT;
	char place[64];
	int rc, fd;

	if (mount_device(env, env->run_fd, ROOT_SEARCH_DIR, &wish, &why) < 0) {
		log_event(LOG_LEVEL_DEBUG, "root", "search", "%s, ignoring", why.text);
		return 0;
	}
	fd = fs_open(env->run_fd, ROOT_SEARCH_DIR, O_RDONLY | O_DIRECTORY);
	rc = fd < 0 ? err_errno(err, -fd, "look at '%s'", partition->path)
		    : read_prepared(fd, ret, err);
	fd_close(&fd);
	/* By way of an O_PATH fd, as it was mounted: the run root need not be "/". */
	fd = fs_open(env->run_fd, ROOT_SEARCH_DIR, O_PATH | O_DIRECTORY);
	(void)snprintf(place, sizeof(place), "/proc/self/fd/%d", fd);
	/* MNT_DETACH: the fd itself keeps the mount busy. */
	if (fd >= 0 && env->sys->umount2(place, MNT_DETACH) < 0 && rc == 0)
		rc = err_errno(err, errno, "unmount '%s'", partition->path);
	fd_close(&fd);
	return rc < 0 ? err_wrap(err, "look for a prepared root on '%s'", partition->path)
		      : 0;
}

static int look_at(struct env *env, const struct fact_partition *partition,
	struct root_prepared *ret, struct err *err)
{
	struct root_prepared here = {.found = false};
	struct err why = ERR_INIT;
	int rc = 0;

	if (look_data(partition->type) && look(env, partition, &here, &why) < 0)
		log_event(LOG_LEVEL_WARN, "root", "search", "%s, ignoring", why.text);
	if (here.found && ret->found)
		rc = err_set(err, E_ROOT,
			"both %s and %s hold a root that was prepared by promenade: "
			"remove "
			"one disk, or /etc/promenade on the one that is not this "
			"machine's",
			ret->device, partition->path);
	if (rc == 0 && here.found) {
		(void)str_copy(here.device, sizeof(here.device), partition->path);
		*ret = here;
		return 0;
	}
	root_prepared_done(&here);
	return rc;
}

/* A worker that was killed while it looked left a mount without journal; the root's own
 * mount would share it (one superblock a device). */
static int clear_search_dir(struct env *env, struct err *err)
{
	struct mount_points points CLEANUP(mount_points_done) = {NULL, 0};
	int rc = mount_points_beneath(env, "/" ROOT_SEARCH_DIR, &points, err);

	for (size_t i = points.count; i > 0 && rc == 0; i--)
		rc = mount_remove(env, points.items[i - 1].path, err);
	return rc;
}

int root_find_prepared(struct env *env, const struct facts *facts,
	struct root_prepared *ret, struct err *err)
{
	struct root_prepared found CLEANUP(root_prepared_done) = {.found = false};
	int rc = clear_search_dir(env, err);

	if (rc == 0)
		rc = fs_make_dirs(env->sys, env->run_fd, ROOT_SEARCH_DIR, err);
	for (size_t d = 0; d < facts->disk_count && rc == 0; d++)
		for (size_t p = 0; p < facts->disks[d].partition_count && rc == 0; p++)
			rc = look_at(env, &facts->disks[d].partitions[p], &found, err);
	if (rc < 0)
		return rc;
	*ret = found;
	found = (struct root_prepared){.found = false};
	return 0;
}

void root_prepared_done(struct root_prepared *prepared)
{
	buf_done(&prepared->role);
	prepared->found = false;
}
