/* SPDX-License-Identifier: MIT */
/*
 * containerd's config.toml is edited in place. A drop-in by way of `imports` would be
 * tidier and does not work: an imported file replaces a plugin's whole section and does
 * not merge into it (services/server/config/config.go mergeConfig; seen with 1.6, 1.7
 * and 2.1), so that the operator's other CRI settings would be lost.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "model/toml.h"
#include "steps/engine_parts.h"
#include "steps/exec_flags.h"

#define S TOML_SEP
#define CONFIG_DEFAULT "/etc/containerd/config.toml"
#define DATA_ROOT_DEFAULT "/var/lib/containerd"
#define CNI_CONF_DIR "/etc/cni/net.d"
#define RUNC_TYPE "io.containerd.runc.v2"

/* Where the keys are in configuration version 2 (containerd 1.3 to 1.7, and migrated
 * by 2.x) and 3 (2.x), containerd docs/cri/config.md. */
struct layout {
	const char *snapshotter;
	const char *sandbox;
	const char *cni;
	const char *runtimes;
	const char *default_runtime;
	const char *sections[2]; /* what an import must not replace */
};

#define CRI_2 "plugins" S "io.containerd.grpc.v1.cri"
#define RUNTIME_3 "plugins" S "io.containerd.cri.v1.runtime"
#define IMAGES_3 "plugins" S "io.containerd.cri.v1.images"

static const struct layout layout_2 = {
	.snapshotter = CRI_2 S "containerd" S "snapshotter",
	.sandbox = CRI_2 S "sandbox_image",
	.cni = CRI_2 S "cni",
	.runtimes = CRI_2 S "containerd" S "runtimes",
	.default_runtime = CRI_2 S "containerd" S "default_runtime_name",
	.sections = {CRI_2, CRI_2},
};

static const struct layout layout_3 = {
	.snapshotter = IMAGES_3 S "snapshotter",
	.sandbox = IMAGES_3 S "pinned_images" S "sandbox",
	.cni = RUNTIME_3 S "cni",
	.runtimes = RUNTIME_3 S "containerd" S "runtimes",
	.default_runtime = RUNTIME_3 S "containerd" S "default_runtime_name",
	.sections = {RUNTIME_3, IMAGES_3},
};

/* Names of the CRI plugins in disabled_plugins; the short one is version 1's, which
 * docker's own package of containerd ships. */
static const char *const cri_plugins[] = {"cri", "io.containerd.grpc.v1.cri",
	"io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"};

static const char *const packages[] = {"containerd", "containerd.io", NULL};

/* One edit of the text under way. changed lists the keys that got another value. */
struct work {
	struct step_context *context;
	const struct layout *layout;
	struct buf text;
	struct buf changed;
};

static void work_done(struct work *work)
{
	buf_done(&work->text);
	buf_done(&work->changed);
}

/* Keeps the name of what toml_*() changed; changed is its return value. */
static int note(struct work *work, int changed, const char *path, struct err *err)
{
	const char *name = strrchr(path, S[0]);

	if (changed > 0 &&
		buf_printf(&work->changed, "%s%s", work->changed.len ? ", " : "",
			name ? name + 1 : path) < 0)
		return err_errno(err, ENOMEM, "edit config.toml");
	return changed < 0 ? changed : 0;
}

static int set_string(
	struct work *work, const char *path, const char *value, struct err *err)
{
	return note(work, toml_set_string(&work->text, path, value, err), path, err);
}

static int set_raw(
	struct work *work, const char *path, const char *value, struct err *err)
{
	return note(work, toml_set(&work->text, path, value, err), path, err);
}

static int enable_cri(struct work *work, struct err *err)
{
	static const char path[] = "disabled_plugins";
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(cri_plugins) && rc == 0; i++)
		rc = note(work, toml_array_remove(&work->text, path, cri_plugins[i], err),
			path, err);
	return rc;
}

/* A text without "version" is version 1. Its plugin sections have other names; without
 * any it says the same in version 2, which then only needs saying. */
static int upgrade_version_1(struct work *work, struct err *err)
{
	struct strlist disabled CLEANUP(strlist_done) = STRLIST_INIT;

	if (toml_has_table(&work->text, "plugins"))
		return err_set(err, E_FORMAT,
			"it has no 'version', so its [plugins] are of configuration "
			"version "
			"1, which is not understood; run `containerd config migrate` on "
			"it "
			"or start from the package's file");
	if (toml_get_strings(&work->text, "disabled_plugins", &disabled) < 0)
		return err_errno(err, ENOMEM, "read disabled_plugins");
	for (size_t i = 0; i < disabled.count; i++)
		if (!str_has_prefix(disabled.items[i], "io.containerd."))
			return err_set(err, E_FORMAT,
				"disabled_plugins has '%s', a name of configuration "
				"version 1; "
				"write it as io.containerd.TYPE.vN.%s and set version = "
				"2",
				disabled.items[i], disabled.items[i]);
	return set_raw(work, "version", "2", err);
}

/* The layout that the text's version has. */
static int find_layout(struct work *work, struct err *err)
{
	struct buf version CLEANUP(buf_done) = BUF_INIT;
	int rc;

	if (!toml_get(&work->text, "version", &version)) {
		rc = upgrade_version_1(work, err);
		work->layout = &layout_2;
		return rc;
	}
	if (strcmp(buf_text(&version), "2") == 0)
		work->layout = &layout_2;
	else if (strcmp(buf_text(&version), "3") == 0)
		work->layout = &layout_3;
	else
		return err_set(err, E_FORMAT,
			"configuration version %s is not understood, 2 and 3 are",
			buf_text(&version));
	return 0;
}

/* Files of an import: DIR/NAME, or DIR/PATTERN with one '*'. */
static int list_imports(
	const struct env *env, const char *import, struct strlist *ret, struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	char dir[512], *slash, *star;
	size_t head;

	if (!str_copy(dir, sizeof(dir), import) || !(slash = strrchr(dir, '/')))
		return err_set(err, E_FORMAT, "import '%s' is no absolute path", import);
	*slash++ = '\0';
	star = strchr(slash, '*');
	if (!star)
		return strlist_add(ret, import) < 0 ? err_errno(err, ENOMEM, "imports")
						    : 0;
	head = (size_t)(star - slash);
	if (fs_list(env->target_fd, dir[0] ? dir : "/", &names) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++)
		if (strncmp(names.items[i], slash, head) == 0 &&
			strlen(names.items[i]) >= head + strlen(star + 1) &&
			str_has_suffix(names.items[i], star + 1) &&
			strlist_printf(ret, "%s/%s", dir, names.items[i]) < 0)
			return err_errno(err, ENOMEM, "imports");
	return 0;
}

/* An imported file that has one of our sections replaces what is written here. */
static int refuse_imports(struct work *work, struct err *err)
{
	struct strlist imports CLEANUP(strlist_done) = STRLIST_INIT;
	struct strlist files CLEANUP(strlist_done) = STRLIST_INIT;
	const struct env *env = work->context->env;
	int rc = 0;

	if (toml_get_strings(&work->text, "imports", &imports) < 0)
		return err_errno(err, ENOMEM, "read imports");
	for (size_t i = 0; i < imports.count && rc == 0; i++)
		rc = list_imports(env, imports.items[i], &files, err);
	for (size_t i = 0; i < files.count && rc == 0; i++) {
		struct buf text CLEANUP(buf_done) = BUF_INIT;

		if (fs_read(env->target_fd, files.items[i], FS_TEXT_MAX, &text, NULL) < 0)
			continue;
		for (size_t s = 0; s < ARRAY_LEN(work->layout->sections) && rc == 0; s++)
			if (toml_has_table(&text, work->layout->sections[s]))
				rc = err_set(err, E_FORMAT,
					"the imported '%s' has the CRI plugin's section "
					"and "
					"replaces the whole of it; move its keys into "
					"this "
					"file and remove it",
					files.items[i]);
	}
	return rc;
}

/* A table of ours for a runtime hides containerd's built-in one, its type too. */
static int set_runtime(struct work *work, const char *runtime, struct err *err)
{
	bool wanted = work->context->role->node.systemd_cgroup;
	char type[512], cgroup[512];
	int rc = 0;

	(void)snprintf(type, sizeof(type), "%s" S "%s" S "runtime_type",
		work->layout->runtimes, runtime);
	(void)snprintf(cgroup, sizeof(cgroup), "%s" S "%s" S "options" S "SystemdCgroup",
		work->layout->runtimes, runtime);
	if (!wanted && !toml_get(&work->text, cgroup, NULL))
		return 0; /* false is the default */
	if (!toml_get(&work->text, type, NULL))
		rc = set_string(work, type, RUNC_TYPE, err);
	return rc < 0 ? rc : set_raw(work, cgroup, wanted ? "true" : "false", err);
}

/* runc, and the default runtime when that is another one on runc's shim (nvidia). */
static int set_runtimes(struct work *work, struct err *err)
{
	char name[128], path[512], type[128];
	int rc = set_runtime(work, "runc", err);

	if (rc < 0 || !toml_get_string(&work->text, work->layout->default_runtime, name,
			      sizeof(name)))
		return rc;
	(void)snprintf(path, sizeof(path), "%s" S "%s" S "runtime_type",
		work->layout->runtimes, name);
	if (strcmp(name, "runc") == 0 ||
		!toml_get_string(&work->text, path, type, sizeof(type)) ||
		strcmp(type, RUNC_TYPE) != 0)
		return 0;
	return set_runtime(work, name, err);
}

/* containerd 2.1 renamed bin_dir to the list bin_dirs and refuses both at once when both
 * are set in the file; before, there was bin_dir alone. */
static bool has_bin_dirs(struct work *work)
{
	char path[512], now[256];
	unsigned int version[2];

	if (work->layout != &layout_3)
		return false;
	(void)snprintf(path, sizeof(path), "%s" S "bin_dir", work->layout->cni);
	if (toml_get_string(&work->text, path, now, sizeof(now)) && now[0])
		return false;
	(void)snprintf(path, sizeof(path), "%s" S "bin_dirs", work->layout->cni);
	if (toml_get(&work->text, path, NULL))
		return true;
	return !engine_package_version(work->context->env, packages, version) ||
	       version[0] > 2 || (version[0] == 2 && version[1] >= 1);
}

/* Only where the role brings plugins or a configuration: otherwise the distribution's own
 * directories (Debian: /usr/lib/cni) are right. */
static int set_cni(struct work *work, struct err *err)
{
	const struct role_cni *cni = &work->context->role->cni;
	char path[512], list[600];
	int rc = 0;

	if (cni->plugins.url && has_bin_dirs(work)) {
		(void)snprintf(path, sizeof(path), "%s" S "bin_dirs", work->layout->cni);
		(void)snprintf(list, sizeof(list), "[\"%s\"]", cni->dir);
		rc = set_raw(work, path, list, err);
	} else if (cni->plugins.url) {
		(void)snprintf(path, sizeof(path), "%s" S "bin_dir", work->layout->cni);
		rc = set_string(work, path, cni->dir, err);
	}
	if (rc < 0 || (!cni->plugins.url && !cni->config_name))
		return rc;
	(void)snprintf(path, sizeof(path), "%s" S "conf_dir", work->layout->cni);
	return set_string(work, path, CNI_CONF_DIR, err);
}

static int edit_text(struct work *work, struct err *err)
{
	const struct role_node *node = &work->context->role->node;
	int rc = toml_check(&work->text, err);

	/* Before the version: version 2 does not take version 1's short name. */
	if (rc == 0)
		rc = enable_cri(work, err);
	if (rc == 0)
		rc = find_layout(work, err);
	if (rc == 0)
		rc = refuse_imports(work, err);
	if (rc == 0)
		rc = set_string(work, work->layout->snapshotter, node->snapshotter, err);
	if (rc == 0)
		rc = set_runtimes(work, err);
	if (rc == 0)
		rc = set_cni(work, err);
	if (rc == 0 && node->sandbox_image)
		rc = set_string(work, work->layout->sandbox, node->sandbox_image, err);
	return rc;
}

/* Version 2 is what 1.3 to 2.x read; 3 only when 2.x is what is installed. */
static int start_text(struct work *work, struct err *err)
{
	unsigned int version[2];
	bool is_2 = engine_package_version(work->context->env, packages, version) &&
		    version[0] >= 2;

	if (buf_printf(&work->text,
		    "# Written by promenade: /etc/containerd/config.toml was "
		    "not there.\nversion = %d\n",
		    is_2 ? 3 : 2) < 0)
		return err_errno(err, ENOMEM, "write config.toml");
	return 0;
}

static int edit_file(
	struct work *work, const char *path, struct engine_wish *ret, struct err *err)
{
	struct buf why CLEANUP(buf_done) = BUF_INIT;
	struct stat st = {.st_mode = 0644};
	int target_fd = work->context->env->target_fd;
	int rc = fs_read(target_fd, path, FS_TEXT_MAX, &work->text, err);

	if (rc == 0 && fs_stat(target_fd, path, true, &st) < 0)
		st.st_mode = 0644;
	if (rc == -ENOENT)
		rc = start_text(work, err);
	if (rc == 0)
		rc = edit_text(work, err);
	if (rc == 0 && work->changed.len &&
		(buf_printf(&why, "set %s", buf_text(&work->changed)) < 0 ||
			edits_add_file(&ret->edits, path, &work->text,
				(mode_t)(st.st_mode & 07777), buf_text(&why)) < 0))
		rc = err_errno(err, ENOMEM, "edit config.toml");
	return rc < 0 ? err_wrap(err, "'%s'", path) : 0;
}

int engine_containerd(
	struct step_context *context, struct engine_wish *ret, struct err *err)
{
	struct work work CLEANUP(work_done) = {.context = context};
	struct exec_flags flags CLEANUP(exec_flags_done) = {NULL, 0};
	const struct exec_flag *flag;
	int rc = exec_flags_read(context->env, "containerd.service", &flags, err);

	if (rc < 0)
		return rc;
	flag = exec_flags_find(&flags, "--config", "-c");
	rc = edit_file(&work,
		flag && flag->value[0] == '/' ? flag->value : CONFIG_DEFAULT, ret, err);
	if (rc < 0)
		return rc;
	flag = exec_flags_find(&flags, "--root", NULL);
	if (flag && flag->value[0] == '/')
		(void)str_copy(ret->data_root, sizeof(ret->data_root), flag->value);
	else if (!toml_get_string(
			 &work.text, "root", ret->data_root, sizeof(ret->data_root)))
		(void)str_copy(ret->data_root, sizeof(ret->data_root), DATA_ROOT_DEFAULT);
	ret->overlay = strcmp(context->role->node.snapshotter, "overlayfs") == 0;
	return 0;
}
