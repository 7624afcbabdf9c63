/* SPDX-License-Identifier: MIT */
/* The sources of swap beside fstab. Each function reads the target and adds an edit only
 * for what is there, so that a system without it stays as it is. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "steps/swap_parts.h"
#include "steps/unit_file.h"

#define SAVED_SUFFIX ".promenade-saved"

static const char *const unit_dirs[] = {"/etc/systemd/system", "/usr/lib/systemd/system",
	"/lib/systemd/system", "/usr/local/lib/systemd/system"};

/* Services that make swap (their packages: zram-tools, zram-config, dphys-swapfile,
 * rpi-swap, swapspace, systemd-swap, util-linux's init script). */
static const char *const services[] = {"zramswap.service", "zram-config.service",
	"dphys-swapfile.service", "rpi-zram-writeback.timer",
	"rpi-resize-swap-file.service", "swapspace.service", "systemd-swap.service",
	"zram-swap.service"};

static const char *const zram_dirs[] = {
	"/etc/systemd", "/usr/lib/systemd", "/lib/systemd", "/usr/local/lib/systemd"};

/* path becomes a link to /dev/null. An operator's own file there is kept beside it: first
 * the copy, then the link, so that a crash loses nothing. */
static int mask_path(
	const struct env *env, const char *path, const char *why, struct edits *edits)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct stat st;
	char saved[600];
	int rc = fs_stat(env->target_fd, path, false, &st);

	if (rc == 0 && S_ISREG(st.st_mode) && st.st_size > 0) {
		(void)snprintf(saved, sizeof(saved), "%s" SAVED_SUFFIX, path);
		rc = fs_read(env->target_fd, path, FS_TEXT_MAX, &text, NULL);
		if (rc == 0)
			rc = edits_add_file(edits, saved, &text,
				(mode_t)(st.st_mode & 07777), "what is masked, kept");
		if (rc < 0)
			return rc;
	}
	return edits_add_link(edits, path, "/dev/null", why);
}

static int mask_unit(
	const struct env *env, const char *name, const char *why, struct edits *edits)
{
	char path[UNIT_PATH_MAX];

	(void)snprintf(path, sizeof(path), UNIT_DIR "/%s", name);
	return mask_path(env, path, why, edits);
}

static bool is_masked(const struct env *env, const char *path)
{
	char target[64];

	return fs_read_link(env->target_fd, path, target, sizeof(target)) == 0 &&
	       strcmp(target, "/dev/null") == 0;
}

static int edit_swap_units(const struct env *env, struct edits *edits)
{
	int rc = 0;

	for (size_t d = 0; d < ARRAY_LEN(unit_dirs); d++) {
		struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;

		if (fs_list(env->target_fd, unit_dirs[d], &names) < 0)
			continue;
		for (size_t i = 0; i < names.count && rc == 0; i++) {
			char path[UNIT_PATH_MAX];

			(void)snprintf(path, sizeof(path), "%s/%s", unit_dirs[d],
				names.items[i]);
			if (str_has_suffix(names.items[i], ".swap") &&
				!is_masked(env, path))
				rc = mask_unit(
					env, names.items[i], "swap unit masked", edits);
		}
	}
	return rc;
}

/* sysinit.target only wants swap.target (systemd units/sysinit.target), so the boot goes
 * on without it. */
static int edit_units(const struct env *env, struct edits *edits)
{
	char path[UNIT_PATH_MAX];
	int rc = edit_swap_units(env, edits);

	if (rc == 0 && unit_find(env, "swap.target", path))
		rc = mask_unit(env, "swap.target", "swap.target masked", edits);
	for (size_t i = 0; i < ARRAY_LEN(services) && rc == 0; i++) {
		char script[UNIT_PATH_MAX];

		/* A start script of the same name becomes a unit by
		 * systemd-sysv-generator. */
		(void)snprintf(script, sizeof(script), "/etc/init.d/%.*s",
			(int)strcspn(services[i], "."), services[i]);
		if (unit_find(env, services[i], path) ||
			fs_exists(env->target_fd, script))
			rc = mask_unit(env, services[i], "makes swap: masked", edits);
	}
	return rc;
}

static bool has_zram_generator(const struct env *env)
{
	static const char *const programs[] = {
		"/usr/lib/systemd/system-generators/zram-generator",
		"/lib/systemd/system-generators/zram-generator",
		"/usr/local/lib/systemd/system-generators/zram-generator"};

	for (size_t i = 0; i < ARRAY_LEN(programs); i++)
		if (fs_exists(env->target_fd, programs[i]))
			return true;
	return false;
}

static int edit_zram_dropins(const struct env *env, const char *dir, struct edits *edits)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	char path[600];
	int rc = 0;

	(void)snprintf(path, sizeof(path), "%s/zram-generator.conf.d", dir);
	if (fs_list(env->target_fd, path, &names) < 0)
		return 0;
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		if (!str_has_suffix(names.items[i], ".conf"))
			continue;
		(void)snprintf(path, sizeof(path),
			"/etc/systemd/zram-generator.conf.d/%s", names.items[i]);
		rc = mask_path(env, path, "zram-generator drop-in masked", edits);
	}
	return rc;
}

/* zram-generator.conf(5): a link to /dev/null in /etc masks the file of that name in
 * every directory, for the main file and for each drop-in. */
static int edit_zram(const struct env *env, struct edits *edits)
{
	static const char main_file[] = "/etc/systemd/zram-generator.conf";
	bool found = has_zram_generator(env);
	char path[600];
	int rc = 0;

	for (size_t d = 0; d < ARRAY_LEN(zram_dirs) && rc == 0; d++) {
		(void)snprintf(
			path, sizeof(path), "%s/zram-generator.conf", zram_dirs[d]);
		found = found || fs_exists(env->target_fd, path);
		rc = edit_zram_dropins(env, zram_dirs[d], edits);
	}
	if (rc == 0 && found)
		rc = mask_path(env, main_file, "zram-generator masked", edits);
	return rc;
}

/* cloud-init's cc_mounts makes /swap.img when told a size by image, vendor or user data;
 * a size of 0 is "no need to setup swap" (cloudinit/config/cc_mounts.py handle_swapcfg).
 */
static int edit_cloud_init(const struct env *env, struct edits *edits)
{
	if (!fs_exists(env->target_fd, "/etc/cloud/cloud.cfg"))
		return 0;
	return edits_add_text(edits, "/etc/cloud/cloud.cfg.d/99-promenade-noswap.cfg",
		"# Written by promenade: this node runs without swap.\n"
		"swap:\n  size: 0\n",
		"cloud-init makes no swap file");
}

/* RESUME= lines of a shell fragment become RESUME=none; without one, one is added. */
static int resume_none(const char *text, struct buf *ret)
{
	bool found = false;

	while (*text) {
		size_t len = strcspn(text, "\n");
		size_t blank = strspn(text, " \t");
		bool is_it = strncmp(text + blank, "RESUME=", 7) == 0;

		found = found || is_it;
		if ((is_it ? buf_add_str(ret, "RESUME=none") : buf_add(ret, text, len)) <
			0)
			return -ENOMEM;
		text += len;
		if (*text == '\n')
			text++;
		if (buf_add(ret, "\n", 1) < 0)
			return -ENOMEM;
	}
	return found ? 0 : buf_add_str(ret, "RESUME=none\n");
}

/* Debian's initramfs waits for the swap partition that it may resume from. */
static int edit_resume(const struct env *env, struct edits *edits)
{
	static const char path[] = "/etc/initramfs-tools/conf.d/resume";
	struct buf before CLEANUP(buf_done) = BUF_INIT,
			  after CLEANUP(buf_done) = BUF_INIT;
	int rc;

	if (!fs_exists(env->target_fd, "/etc/initramfs-tools"))
		return 0;
	rc = fs_read(env->target_fd, path, FS_TEXT_MAX, &before, NULL);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (resume_none(buf_text(&before), &after) < 0)
		return -ENOMEM;
	return edits_add_file(edits, path, &after, 0644, "no resume from swap");
}

int swap_edit_sources(struct env *env, struct edits *edits, struct err *err)
{
	int rc = edit_units(env, edits);

	if (rc == 0)
		rc = edit_zram(env, edits);
	if (rc == 0)
		rc = edit_cloud_init(env, edits);
	if (rc == 0)
		rc = edit_resume(env, edits);
	return rc < 0 ? err_errno(err, -rc, "look for sources of swap") : 0;
}

static int warn_file(struct env *env, const char *path, struct strlist *ret)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	if (fs_read(env->target_fd, path, FS_TEXT_MAX, &text, NULL) < 0 ||
		!strstr(buf_text(&text), "systemd.swap-extra="))
		return 0;
	return strlist_printf(ret,
		"'%s' has systemd.swap-extra= on a kernel command line, which turns swap "
		"on: "
		"take it out there",
		path);
}

int swap_list_warnings(
	struct env *env, const struct facts *facts, struct strlist *ret, struct err *err)
{
	static const char *const files[] = {"/etc/default/grub", "/boot/grub/grub.cfg",
		"/boot/grub2/grub.cfg", "/etc/kernel/cmdline",
		"/boot/extlinux/extlinux.conf", "/boot/firmware/cmdline.txt"};
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = 0;

	if (strstr(facts->cmdline, "systemd.swap-extra="))
		rc = strlist_add(ret,
			"the running kernel's command line has systemd.swap-extra=, "
			"which "
			"turns swap on: take it out of the boot server's script");
	for (size_t i = 0; i < ARRAY_LEN(files) && rc == 0; i++)
		rc = warn_file(env, files[i], ret);
	if (rc == 0 && fs_list(env->target_fd, "/boot/loader/entries", &names) == -ENOMEM)
		rc = -ENOMEM;
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		char path[400];

		(void)snprintf(
			path, sizeof(path), "/boot/loader/entries/%s", names.items[i]);
		rc = warn_file(env, path, ret);
	}
	return rc < 0 ? err_errno(err, -rc, "look at kernel command lines") : 0;
}
