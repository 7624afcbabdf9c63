/* SPDX-License-Identifier: MIT */
/* The other file systems of the installed OS: which of its fstab are local and wanted,
 * where they are, and their change between read-only and read-write. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fs.h"
#include "base/log.h"
#include "host/mount.h"
#include "steps/root.h"
#include "steps/root_parts.h"

static const char *const local_types[] = {
	"ext4", "ext3", "ext2", "xfs", "btrfs", "vfat", "auto"};

static bool is_local_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(local_types); i++)
		if (strcmp(local_types[i], type) == 0)
			return true;
	return false;
}

static bool is_device_spec(const char *spec)
{
	return str_has_prefix(spec, "UUID=") || str_has_prefix(spec, "LABEL=") ||
	       str_has_prefix(spec, "PARTUUID=") || str_has_prefix(spec, "PARTLABEL=") ||
	       str_has_prefix(spec, "/dev/");
}

/* Where losing the mount loses nothing that a step writes: boot loaders and removable
 * media. The ESP often cannot be mounted here (vfat wants a code page module). */
static bool is_dispensable(const struct fstab_entry *entry)
{
	static const char *const places[] = {"/boot", "/efi", "/media", "/mnt"};

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		size_t len = strlen(places[i]);

		if (strncmp(entry->file, places[i], len) == 0 &&
			(entry->file[len] == '/' || entry->file[len] == '\0'))
			return true;
	}
	return fstab_has_option(entry, "nofail");
}

static bool is_wanted(const struct fstab_entry *entry)
{
	return entry->file[0] == '/' && strcmp(entry->file, "/") != 0 &&
	       is_device_spec(entry->spec) && !fstab_is_noauto(entry) &&
	       !fstab_has_option(entry, "bind") && !fstab_has_option(entry, "rbind") &&
	       !fstab_has_option(entry, "_netdev") && strcmp(entry->type, "swap") != 0;
}

static int skip_or_refuse(
	const struct fstab_entry *entry, const char *why, struct err *err)
{
	if (is_dispensable(entry)) {
		log_event(LOG_LEVEL_WARN, "root", "warn",
			"fstab line %u: '%s' not mounted: %s, ignoring", entry->line,
			entry->file, why);
		return 0;
	}
	return err_set(err, E_ROOT,
		"fstab line %u: '%s' (%s) cannot be mounted: %s; what is written there "
		"would "
		"be lost: mend the disk, or give the line nofail or noauto",
		entry->line, entry->file, entry->spec, why);
}

/* systemd makes a missing mount point; so does this, which needs the root writable for a
 * moment. Happens once in a machine's life. */
static int make_mount_point(struct env *env, const char *path, struct err *err)
{
	struct mount_points points CLEANUP(mount_points_done) = {NULL, 0};
	struct err late = ERR_INIT;
	int rc;

	if (fs_exists(env->target_fd, path))
		return 0;
	rc = mount_points_beneath(env, root_target_path(env), &points, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < points.count && rc == 0; i++)
		rc = mount_set_writable(env, &points.items[i], true, err);
	if (rc == 0)
		rc = fs_make_dirs(env->sys, env->target_fd, path, err);
	for (size_t i = points.count; i > 0; i--) {
		points.items[i - 1].writable = true;
		if (mount_set_writable(env, &points.items[i - 1], false, &late) < 0 &&
			rc == 0) {
			*err = late;
			rc = late.code;
		}
	}
	return rc;
}

static int mount_entry(struct root_run *run, const struct fstab_entry *entry,
	const struct fact_partition *partition, struct err *err)
{
	struct buf data CLEANUP(buf_done) = BUF_INIT;
	struct mount_wish wish = {.source = partition->path, .type = partition->type};
	int rc;

	if (fstab_mount_options(entry->options, &wish.flags, &data) < 0)
		return err_errno(err, ENOMEM, "read fstab line %u", entry->line);
	wish.flags |= MS_RDONLY;
	wish.data = data.len ? buf_text(&data) : NULL;
	rc = make_mount_point(run->env, entry->file, err);
	if (rc < 0)
		return rc;
	return mount_device(run->env, run->env->target_fd, entry->file, &wish, err);
}

static int mount_one(
	struct root_run *run, const struct fstab_entry *entry, struct err *err)
{
	const struct fact_partition *partition = NULL;
	struct err why = ERR_INIT;
	int rc = root_resolve_spec(run->facts, entry->spec, &partition, &why);

	if (rc == 0 && !partition)
		rc = err_set(&why, E_ROOT, "no disk has it");
	if (rc == 0 && (!is_local_type(entry->type) || !is_local_type(partition->type)))
		rc = err_set(&why, E_ROOT,
			"file system '%s' is not one of ext2-4, xfs, btrfs, vfat",
			partition->type[0] ? partition->type : entry->type);
	if (rc < 0)
		return skip_or_refuse(entry, why.text, err);
	if (run->fsck && root_needs_check(run->env, partition)) {
		rc = root_kit_copy(run, root_target_path(run->env), err);
		if (rc == 0)
			rc = root_check_filesystem(run, partition, &why);
		if (rc < 0 && why.code == 0)
			return rc;
	}
	if (rc == 0)
		rc = mount_entry(run, entry, partition, &why);
	return rc < 0 ? skip_or_refuse(entry, why.text, err) : 0;
}

/* "/var" sorts before "/var/lib": a parent before its children. */
static int by_path(const void *a, const void *b)
{
	const struct fstab_entry *const *x = a, *const *y = b;

	return strcmp((*x)->file, (*y)->file);
}

int root_mount_others(struct root_run *run, const struct fstab *fstab, struct err *err)
{
	const struct fstab_entry **wanted;
	size_t count = 0;
	int rc = 0;

	if (!fstab->count)
		return 0;
	wanted = calloc(fstab->count, sizeof(*wanted));
	if (!wanted)
		return err_errno(err, ENOMEM, "read '/etc/fstab'");
	for (size_t i = 0; i < fstab->count; i++)
		/* Of two lines with one mount point the last counts. */
		if (is_wanted(&fstab->items[i]) &&
			fstab_find(fstab, fstab->items[i].file) == &fstab->items[i])
			wanted[count++] = &fstab->items[i];
	qsort(wanted, count, sizeof(*wanted), by_path);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = mount_one(run, wanted[i], err);
	free(wanted);
	return rc;
}

/* The fstab line of a mount of the target, or NULL. */
static const struct fstab_entry *entry_of(
	const struct env *env, const struct fstab *fstab, const struct mount_point *point)
{
	const char *path = point->path + strlen(root_target_path(env));

	return fstab_find(fstab, *path ? path : "/");
}

int root_make_writable(struct env *env, struct err *err)
{
	struct mount_points points CLEANUP(mount_points_done) = {NULL, 0};
	struct fstab fstab CLEANUP(fstab_done) = {NULL, 0};
	int rc;

	if (!env->initramfs) {
		env->target_writable = true;
		return 0;
	}
	rc = root_read_fstab(env, &fstab, err);
	if (rc == 0)
		rc = mount_points_beneath(env, root_target_path(env), &points, err);
	for (size_t i = 0; i < points.count && rc == 0; i++) {
		const struct fstab_entry *entry = entry_of(env, &fstab, &points.items[i]);

		if (i > 0 && entry && fstab_has_option(entry, "ro"))
			continue;
		rc = mount_set_writable(env, &points.items[i], true, err);
	}
	if (rc == 0)
		env->target_writable = true;
	return rc;
}

static int hand_over_point(struct env *env, const struct fstab *fstab,
	const struct mount_point *point, struct err *err)
{
	const char *path = point->path + strlen(root_target_path(env));

	if (*path && strcmp(path, "/usr") != 0)
		return mount_remove(env, point->path, err);
	return mount_set_writable(env, point, !entry_of(env, fstab, point), err);
}

int root_make_read_only(struct env *env, struct err *err)
{
	struct mount_points points CLEANUP(mount_points_done) = {NULL, 0};
	struct fstab fstab CLEANUP(fstab_done) = {NULL, 0};
	int rc;

	if (!env->initramfs)
		return 0;
	rc = root_read_fstab(env, &fstab, err);
	if (rc == 0)
		rc = mount_points_beneath(env, root_target_path(env), &points, err);
	for (size_t i = points.count; i > 0 && rc == 0; i--)
		rc = hand_over_point(env, &fstab, &points.items[i - 1], err);
	if (rc == 0)
		env->target_writable = false;
	return rc;
}

int root_unmount(struct env *env, struct err *err)
{
	struct mount_points points CLEANUP(mount_points_done) = {NULL, 0};
	int rc;

	if (!env->initramfs)
		return 0;
	rc = mount_points_all(env, root_target_path(env), &points, err);
	fd_close(&env->target_fd);
	for (size_t i = points.count; i > 0 && rc == 0; i--)
		rc = mount_remove(env, points.items[i - 1].path, err);
	if (rc == 0)
		env->target_writable = false;
	return rc;
}
