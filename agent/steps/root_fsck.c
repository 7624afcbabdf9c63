/* SPDX-License-Identifier: MIT */
/*
 * The file-system check of step root: only ext2, ext3 and ext4, only when the superblock
 * asks for it, only with the e2fsck that the installed OS brings. XFS and btrfs have
 * nothing to run before a mount: their kernel code replays the log itself.
 *
 * e2fsck does not run on the mounted root: it is copied out first and runs on the
 * unmounted device. Running it beneath a read-only mount, as sysvinit did, leaves the
 * kernel with cached blocks that the repair has changed; e2fsck asks for a reboot then
 * (exit status 2).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/proc.h"
#include "host/borrow.h"
#include "steps/root_parts.h"

/* The ext superblock (Documentation/filesystems/ext4/super.rst), little-endian:
 *	1024 + 0x38  s_magic, le16
 *	1024 + 0x3a  s_state, le16
 *	1024 + 0x60  s_feature_incompat, le32 */
#define SUPER_OFFSET 1024
#define SUPER_MAGIC 0xef53U
#define STATE_CLEAN 0x1U
#define STATE_ERRORS 0x2U
#define INCOMPAT_RECOVER 0x4U

#define E2FSCK "/sbin/e2fsck"

/* e2fsck(8), exit status bits. */
#define E2FSCK_CORRECTED 1
#define E2FSCK_UNCORRECTED 4

static uint32_t le16(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const unsigned char *p)
{
	return le16(p) | le16(p + 2) << 16;
}

static bool is_ext(const struct fact_partition *partition)
{
	return strcmp(partition->type, "ext4") == 0 ||
	       strcmp(partition->type, "ext3") == 0 ||
	       strcmp(partition->type, "ext2") == 0;
}

bool root_needs_check(struct env *env, const struct fact_partition *partition)
{
	unsigned char super[1024];
	int fd CLEANUP(fd_close) = -1;
	uint32_t state;

	if (!is_ext(partition))
		return false;
	fd = fs_open(env->run_fd, partition->path, O_RDONLY);
	if (fd < 0 || pread(fd, super, sizeof(super), SUPER_OFFSET) != sizeof(super) ||
		le16(super + 0x38) != SUPER_MAGIC)
		return false; /* the mount will say what is wrong */
	state = le16(super + 0x3a);
	return !(state & STATE_CLEAN) || (state & STATE_ERRORS) ||
	       (le32(super + 0x60) & INCOMPAT_RECOVER);
}

int root_kit_copy(struct root_run *run, const char *root, struct err *err)
{
	struct borrow borrow = {.root = root, .root_fd = -1, .dest = ROOT_KIT_DIR};
	struct err why = ERR_INIT;
	int rc = fs_make_dirs(run->env->sys, run->env->run_fd, ROOT_KIT_DIR, err);

	if (rc < 0 || fs_exists(run->env->run_fd, ROOT_KIT_DIR E2FSCK))
		return rc;
	int fd CLEANUP(fd_close) = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open '%s'", root);
	borrow.root_fd = fd;
	if (borrow_program(run->env, &borrow, E2FSCK, &why) < 0) {
		log_event(LOG_LEVEL_WARN, "root", "warn",
			"no file-system check, the installed OS has no usable e2fsck: "
			"%s, "
			"ignoring",
			why.text);
		root_kit_remove(run->env);
	}
	return 0;
}

/* e2fsck looks into /proc/mounts and opens the device in /dev. */
static int bind_api(struct env *env, const char *name, struct err *err)
{
	char from[32], to[128];
	int rc;

	(void)snprintf(from, sizeof(from), "/%s", name);
	(void)snprintf(to, sizeof(to), "/%s/%s", ROOT_KIT_DIR, name);
	rc = fs_make_dirs(env->sys, env->run_fd, to, err);
	if (rc < 0)
		return rc;
	if (env->sys->mount(from, to, NULL, MS_BIND, NULL) < 0)
		return err_errno(err, errno, "bind '%s' to '%s'", from, to);
	return 0;
}

static void unbind_api(struct env *env)
{
	/* Not there: nothing was bound. */
	IGNORE_RESULT(env->sys->umount2("/" ROOT_KIT_DIR "/proc", MNT_DETACH));
	IGNORE_RESULT(env->sys->umount2("/" ROOT_KIT_DIR "/dev", MNT_DETACH));
}

/* The end of e2fsck's words, which says what it came to, as one line. */
static void output_tail(const struct buf *output, char *text, size_t size)
{
	const char *from = buf_text(output);
	size_t len = strlen(from);

	if (len > size - 1)
		from += len - (size - 1);
	(void)str_copy(text, size, from);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	str_make_printable(text);
}

static int judge(const struct fact_partition *partition, const struct proc_result *result,
	struct err *err)
{
	char status[80], output[240];
	bool fine = result->status == 0 || result->status == E2FSCK_CORRECTED;

	proc_result_text(result, status, sizeof(status));
	output_tail(&result->output, output, sizeof(output));
	if (result->status > 0 && (result->status & E2FSCK_UNCORRECTED))
		return err_set(err, E_ROOT,
			"'%s' is damaged and e2fsck -p cannot mend it (%s: %s); run "
			"e2fsck "
			"by hand, or reinstall the OS",
			partition->path, status, output);
	log_event(fine ? LOG_LEVEL_NOTICE : LOG_LEVEL_WARN, "root", "fsck",
		"e2fsck -p '%s': %s: %s", partition->path, status, output);
	return 0;
}

/* No deadline: a repair that is killed half-way is worse than a long boot. */
int root_check_filesystem(
	struct root_run *run, const struct fact_partition *partition, struct err *err)
{
	const char *const argv[] = {E2FSCK, "-p", partition->path, NULL};
	struct proc_spec spec = {.argv = argv, .chroot = "/" ROOT_KIT_DIR};
	struct proc_result result = {0};
	int rc;

	if (!root_needs_check(run->env, partition) ||
		!fs_exists(run->env->run_fd, ROOT_KIT_DIR E2FSCK))
		return 0;
	rc = bind_api(run->env, "dev", err);
	if (rc == 0)
		rc = bind_api(run->env, "proc", err);
	if (rc == 0) {
		log_event(LOG_LEVEL_NOTICE, "root", "fsck", "checking '%s'",
			partition->path);
		rc = proc_run(run->env->sys, &spec, &result, err);
	}
	unbind_api(run->env);
	if (rc == 0)
		rc = judge(partition, &result, err);
	proc_result_done(&result);
	return rc;
}

void root_kit_remove(struct env *env)
{
	struct err err = ERR_INIT;

	unbind_api(env);
	/* Memory of the initramfs only; what stays is gone with it. remove_tree does not
	 * cross into a mount that is still there. */
	if (fs_remove_tree(env->sys, env->run_fd, ROOT_KIT_DIR, &err) < 0)
		log_event(LOG_LEVEL_DEBUG, "root", "fsck", "%s, ignoring", err.text);
}
