/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "model/daemon_json.h"
#include "steps/engine_parts.h"
#include "steps/exec_flags.h"

#define CONFIG_DEFAULT "/etc/docker/daemon.json"
#define DATA_ROOT_DEFAULT "/var/lib/docker"

/* moby daemon/graphdriver/driver.go checkRemoved. */
static const char *const removed_drivers[] = {"aufs", "devicemapper", "overlay"};

/* Keys that the merge may write, and the flags that name the same setting. dockerd stops
 * when it finds both (daemon/config/config.go findConfigurationConflicts). */
static const struct {
	const char *key;
	const char *flag;
	const char *short_flag;
} conflicts[] = {
	{"storage-driver", "--storage-driver", "-s"},
	{"storage-opts", "--storage-opt", NULL},
	{"exec-opts", "--exec-opt", NULL},
	{"features", "--feature", NULL},
};

static int refuse_removed(const char *driver, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(removed_drivers); i++)
		if (strcmp(driver, removed_drivers[i]) == 0)
			return err_set(err, E_UNSUPPORTED,
				"storageDriver '%s' was removed from docker; use "
				"overlay2 in "
				"node.engine.storageDriver of the role",
				driver);
	return 0;
}

static int refuse_flags(
	const struct exec_flags *flags, const struct buf *text, struct err *err)
{
	for (size_t i = 0; i < ARRAY_LEN(conflicts); i++) {
		const struct exec_flag *flag = exec_flags_find(
			flags, conflicts[i].flag, conflicts[i].short_flag);

		if (flag && daemon_json_has(text, conflicts[i].key))
			return err_set(err, E_CHECK,
				"'%s' line %u: dockerd is started with %s, and refuses "
				"to "
				"start when daemon.json has '%s' too; take the flag out "
				"there",
				flag->file, flag->line, flag->name, conflicts[i].key);
	}
	return 0;
}

/* Images and containers of a driver that is gone cannot be read by a newer docker;
 * starting afresh beside them would look like data loss. */
static int refuse_old_data(const struct env *env, const char *data_root, struct err *err)
{
	static const char *const drivers[] = {"aufs", "devicemapper"};

	for (size_t i = 0; i < ARRAY_LEN(drivers); i++) {
		struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
		char path[320];

		(void)snprintf(path, sizeof(path), "%s/%s", data_root, drivers[i]);
		if (fs_list(env->target_fd, path, &names) == 0 && names.count)
			return err_set(err, E_CHECK,
				"'%s' holds data of the removed storage driver %s: save "
				"what "
				"is needed with an old docker (docker save), then remove "
				"'%s'",
				path, drivers[i], path);
	}
	return 0;
}

static int find_data_root(const struct exec_flags *flags, const struct buf *text,
	struct engine_wish *ret, struct err *err)
{
	const struct exec_flag *flag = exec_flags_find(flags, "--data-root", "-g");
	struct daemon_json_facts facts;
	int rc = daemon_json_read(text, &facts, err);

	if (rc < 0)
		return rc;
	if (!flag)
		flag = exec_flags_find(flags, "--graph", NULL);
	(void)str_copy(ret->data_root, sizeof(ret->data_root),
		flag                 ? flag->value
		: facts.data_root[0] ? facts.data_root
				     : DATA_ROOT_DEFAULT);
	return 0;
}

static const char *config_path(const struct exec_flags *flags)
{
	const struct exec_flag *flag = exec_flags_find(flags, "--config-file", NULL);

	return flag && flag->value[0] == '/' ? flag->value : CONFIG_DEFAULT;
}

static int add_edit(struct edits *edits, const char *path, const struct buf *text,
	mode_t mode, const struct strlist *changes)
{
	struct buf why CLEANUP(buf_done) = BUF_INIT;

	for (size_t i = 0; i < changes->count; i++)
		if (buf_printf(&why, "%s%s", i ? "; " : "", changes->items[i]) < 0)
			return -ENOMEM;
	return edits_add_file(edits, path, text, mode, buf_text(&why));
}

static int merge(struct step_context *context, const struct exec_flags *flags,
	struct engine_wish *ret, struct err *err)
{
	const struct role_node *node = &context->role->node;
	struct daemon_json_wish wish = {.storage_driver = node->storage_driver,
		.systemd_cgroup = node->systemd_cgroup};
	struct buf text CLEANUP(buf_done) = BUF_INIT, merged CLEANUP(buf_done) = BUF_INIT;
	struct strlist changes CLEANUP(strlist_done) = STRLIST_INIT;
	const char *path = config_path(flags);
	struct stat st = {.st_mode = 0644};
	int rc = fs_read(context->env->target_fd, path, FS_TEXT_MAX, &text, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && fs_stat(context->env->target_fd, path, true, &st) < 0)
		st.st_mode = 0644;
	rc = daemon_json_merge(&text, &wish, &merged, &changes, err);
	if (rc == 0)
		rc = find_data_root(flags, &text, ret, err);
	if (rc < 0)
		return err_wrap(err, "'%s'", path);
	rc = refuse_flags(flags, &merged, err);
	if (rc == 0 && changes.count &&
		add_edit(&ret->edits, path, &merged, (mode_t)(st.st_mode & 07777),
			&changes) < 0)
		rc = err_errno(err, ENOMEM, "edit '%s'", path);
	return rc;
}

int engine_docker(struct step_context *context, struct engine_wish *ret, struct err *err)
{
	const char *driver = context->role->node.storage_driver;
	struct exec_flags flags CLEANUP(exec_flags_done) = {NULL, 0};
	int rc = refuse_removed(driver, err);

	if (rc == 0)
		rc = exec_flags_read(context->env, "docker.service", &flags, err);
	if (rc == 0)
		rc = merge(context, &flags, ret, err);
	if (rc == 0)
		rc = refuse_old_data(context->env, ret->data_root, err);
	ret->overlay = str_has_prefix(driver, "overlay");
	return rc;
}
