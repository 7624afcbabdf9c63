/* SPDX-License-Identifier: MIT */
/*
 * Step root: the partition that the plan found becomes the target. Order: check the file
 * system when its superblock asks for it (with the root's own e2fsck), mount it
 * read-only, then every local file system of its fstab, read-only too.
 */
#include "steps/root.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#include "base/fs.h"
#include "base/log.h"
#include "host/mount.h"
#include "steps/ops.h"
#include "steps/root_parts.h"

int root_read_fstab(struct env *env, struct fstab *ret, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = fs_read(env->target_fd, "/etc/fstab", FS_TEXT_MAX, &text, err);

	if (rc == -ENOENT) {
		*ret = (struct fstab){NULL, 0};
		return 0;
	}
	if (rc < 0)
		return rc;
	if (fstab_parse(buf_text(&text), text.len, ret) < 0)
		return err_errno(err, ENOMEM, "read '/etc/fstab'");
	return 0;
}

const char *root_target_path(const struct env *env)
{
	return env->target_path[0] ? env->target_path : ROOT_TARGET_DEFAULT;
}

/* Mounts the root read-only with data ("" for none) and opens it as the target. */
static int mount_root(struct env *env, const struct fact_partition *root,
	unsigned long flags, const char *data, struct err *err)
{
	struct mount_wish wish = {.source = root->path,
		.type = root->type,
		.flags = flags | MS_RDONLY,
		.data = data[0] ? data : NULL};
	char path[sizeof(
		env->target_path)]; /* env_set_target() overwrites the other one */
	int rc;

	(void)str_copy(path, sizeof(path), root_target_path(env));
	rc = fs_make_dirs(env->sys, env->run_fd, path, err);
	if (rc == 0)
		rc = mount_device(env, env->run_fd, path, &wish, err);
	if (rc == 0)
		rc = env_set_target(env, path, err);
	return rc;
}

static int unmount_root(struct env *env, struct err *err)
{
	fd_close(&env->target_fd);
	return mount_remove(env, root_target_path(env), err);
}

static bool holds_os(const struct env *env, const char *subvolume)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s/etc/os-release", subvolume);
	if (fs_exists(env->target_fd, path))
		return true;
	(void)snprintf(path, sizeof(path), "%s/usr/lib/os-release", subvolume);
	return fs_exists(env->target_fd, path);
}

/* btrfs: installers put the root into a subvolume that is not the default one. Ubuntu and
 * Arch use @, Debian @rootfs, Fedora root. */
static const char *find_subvolume(const struct env *env)
{
	static const char *const names[] = {"@", "@rootfs", "root"};

	if (holds_os(env, ""))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (holds_os(env, names[i]))
			return names[i];
	return NULL;
}

static int enter_subvolume(
	struct env *env, const struct fact_partition *root, struct err *err)
{
	const char *name = find_subvolume(env);
	char data[64];
	int rc;

	if (!name)
		return 0;
	(void)snprintf(data, sizeof(data), "subvol=%s", name);
	rc = unmount_root(env, err);
	return rc < 0 ? rc : mount_root(env, root, 0, data, err);
}

/* True when the fstab's options of the root can be set by systemd-remount-fs later, so
 * that they are no reason to mount again. */
static bool is_remountable(unsigned long flags, const char *data)
{
	return (flags & ~(unsigned long)(MS_NOATIME | MS_RELATIME | MS_NODIRATIME |
					 MS_LAZYTIME)) == 0 &&
	       (data[0] == '\0' || strcmp(data, "errors=remount-ro") == 0);
}

/* Some options (data=, subvol=) cannot be changed by a remount; systemd-remount-fs would
 * fail on them in the installed OS. dracut's mount-root.sh mounts twice for that reason.
 * A root that does not mount so is left mounted without them: the OS must boot. */
static int apply_fstab_options(struct root_run *run, const struct fact_partition *root,
	const struct fstab *fstab, struct err *err)
{
	const struct fstab_entry *entry = fstab_find(fstab, "/");
	struct buf data CLEANUP(buf_done) = BUF_INIT;
	unsigned long flags = 0;
	struct err why = ERR_INIT;
	int rc;

	if (!entry)
		return 0;
	if (fstab_mount_options(entry->options, &flags, &data) < 0)
		return err_errno(err, ENOMEM, "read the options of '/'");
	if (is_remountable(flags, buf_text(&data)))
		return 0;
	rc = unmount_root(run->env, err);
	if (rc < 0)
		return rc;
	if (mount_root(run->env, root, flags, buf_text(&data), &why) == 0)
		return 0;
	log_event(LOG_LEVEL_WARN, "root", "warn",
		"fstab's options of '/' do not mount: %s, ignoring them", why.text);
	rc = mount_root(run->env, root, 0, "", err);
	return rc < 0 ? rc : enter_subvolume(run->env, root, err);
}

/* Lets the root's own e2fsck run on it: the copy is taken from a mount without journal
 * replay, which writes nothing and needs no consistent journal. */
static int check_root(
	struct root_run *run, const struct fact_partition *root, struct err *err)
{
	int rc;

	if (!run->fsck || !root_needs_check(run->env, root))
		return 0;
	rc = mount_root(run->env, root, 0, "noload", err);
	if (rc < 0)
		return rc;
	rc = root_kit_copy(run, root_target_path(run->env), err);
	if (rc == 0)
		rc = unmount_root(run->env, err);
	return rc < 0 ? rc : root_check_filesystem(run, root, err);
}

static int bring_up(
	struct root_run *run, const struct fact_partition *root, struct err *err)
{
	struct fstab fstab CLEANUP(fstab_done) = {NULL, 0};
	int rc = check_root(run, root, err);

	if (rc == 0)
		rc = mount_root(run->env, root, 0, "", err);
	if (rc == 0 && strcmp(root->type, "btrfs") == 0)
		rc = enter_subvolume(run->env, root, err);
	if (rc == 0)
		rc = root_read_fstab(run->env, &fstab, err);
	if (rc == 0)
		rc = apply_fstab_options(run, root, &fstab, err);
	if (rc == 0)
		rc = root_mount_others(run, &fstab, err);
	return rc;
}

static int root_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct root_run run = {.env = context->env,
		.facts = context->facts,
		.fsck = context->role->os.fsck};
	struct err late = ERR_INIT;
	int rc;

	if (!step->root)
		return err_set(err, E_BUG, "step root without a partition");
	rc = root_unmount(context->env, err); /* what an earlier try left */
	if (rc == 0)
		rc = bring_up(&run, step->root, err);
	root_kit_remove(context->env);
	/* A half-mounted target would take writes that are lost beneath what is missing.
	 */
	if (rc < 0)
		IGNORE_RESULT(root_unmount(context->env, &late));
	return rc;
}

static int root_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct mount_points points CLEANUP(mount_points_done) = {NULL, 0};
	struct env *env = context->env;
	int rc = mount_points_beneath(env, root_target_path(env), &points, err);

	if (rc < 0)
		return rc;
	if (env->target_fd < 0 || points.count == 0) {
		step_report_set(ret, STEP_TODO, 0, "%s (%s) is not mounted",
			step->root ? step->root->path : "the root",
			step->root ? step->root->type : "?");
		if (strlist_printf(&ret->changes, "mount '%s' (%s) on '%s', read-only",
			    step->root ? step->root->path : "?",
			    step->root ? step->root->type : "?",
			    root_target_path(env)) < 0)
			return err_errno(err, ENOMEM, "list the changes");
		return 0;
	}
	step_report_set(ret, STEP_DONE, 0, "%s is mounted on '%s', %zu file system(s)",
		points.items[0].source, root_target_path(env), points.count);
	return 0;
}

const struct step_ops step_root_ops = {
	.name = "root",
	.check = root_check,
	.apply = root_apply,
};
