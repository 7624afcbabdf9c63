/* SPDX-License-Identifier: MIT */
/*
 * The point of no return. check lists all that must be true in the new root; apply does
 * what the worker can do (clock into the RTC, links down, root read-only, kernel loaded)
 * and leaves the act itself to PID 1, which alone may replace itself.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "net/clock.h"
#include "net/net.h"
#include "steps/kexec.h"
#include "steps/ops.h"
#include "steps/root.h"
#include "steps/selinux.h"

#define PIVOT_FILE "run/promenade/pivot"
#define DISKSTAT_FILE "run/promenade/disk-writes"

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#error "add this architecture's ELF machine (elf.h)"
#endif

/* init may be a script; an ELF file must be for this machine. */
static int check_elf(int fd, const char *path, struct err *err)
{
	Elf64_Ehdr header;

	if (read(fd, &header, sizeof(header)) != (ssize_t)sizeof(header) ||
		memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
		return 0;
	if (header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == MACHINE)
		return 0;
	return err_set(err, E_ROOT,
		"init '%s' of the installed OS is for another machine (ELF machine %u); "
		"install the OS for this architecture",
		path, header.e_machine);
}

static int check_init(const struct env *env, const char *path, struct err *err)
{
	int fd CLEANUP(fd_close) = fs_open(env->target_fd, path, O_RDONLY);
	struct stat st;

	if (fd < 0)
		return err_set(err, E_ROOT,
			"init '%s' of the installed OS cannot be opened: %s; correct "
			"os.init, or the OS is not installed completely",
			path, strerror(-fd));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !(st.st_mode & 0111))
		return err_set(err, E_ROOT,
			"init '%s' of the installed OS is not an executable file", path);
	return check_elf(fd, path, err);
}

/* Empty directories that the API mounts move to. */
static int check_directories(const struct env *env, struct err *err)
{
	static const char *const needed[] = {"/dev", "/proc", "/sys", "/run"};

	for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
		struct stat st;

		if (fs_stat(env->target_fd, needed[i], true, &st) < 0 ||
			!S_ISDIR(st.st_mode))
			return err_set(err, E_ROOT,
				"the installed OS has no directory '%s'; make it, or the "
				"OS "
				"is not installed completely",
				needed[i]);
	}
	return 0;
}

static int check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct kexec_plan kexec;
	int rc = 0;

	if (step->pivot == ROLE_PIVOT_SWITCH_ROOT) {
		rc = check_directories(context->env, err);
		if (rc == 0)
			rc = check_init(context->env, context->role->os.init, err);
	} else if (step->pivot == ROLE_PIVOT_KEXEC) {
		rc = kexec_find(context, &kexec, err);
	}
	if (rc < 0)
		return rc;
	step_report_set(ret, STEP_TODO, 0, "%s", step->reason);
	return 0;
}

/* Files that the OS must label; a failure costs labels, not the boot. */
static void list_unlabelled(struct step_context *context, bool keeps_run)
{
	struct strlist paths CLEANUP(strlist_done) = STRLIST_INIT;
	struct strlist found CLEANUP(strlist_done) = STRLIST_INIT;
	struct err err = ERR_INIT;
	int rc = 0;

	if (!selinux_is_used(context->env))
		return;
	for (size_t i = 0; i < context->plan->count && rc == 0; i++) {
		const struct step *step = &context->plan->steps[i];
		const struct step_ops *ops = step_ops_of(step->kind);
		struct edits edits CLEANUP(edits_done) = EDITS_INIT;

		if (ops->compute)
			rc = ops->compute(context, step, &edits, &err);
		for (size_t e = 0; e < edits.count && rc == 0; e++)
			rc = strlist_add(&paths, edits.items[e].path);
	}
	for (size_t i = 0; i < context->role->artifact_count && rc == 0; i++)
		rc = strlist_add(&paths, context->role->artifacts[i].path);
	if (rc == 0 && context->role->cni.plugins.url)
		rc = strlist_add(&paths, context->role->cni.dir);
	if (rc == 0 && context->role->os.modules.url)
		rc = strlist_printf(&paths, "/lib/modules/%s", context->facts->kernel);
	if (rc == 0 && context->role->cluster.archive_count)
		rc = strlist_add(&paths, "/var/lib/promenade/images");
	if (rc == 0 && context->role->cluster.action != ROLE_CLUSTER_NONE)
		rc = strlist_add(&paths, "/etc/kubernetes");
	if (rc == 0 && context->role->cluster.action == ROLE_CLUSTER_BOOTSTRAP)
		rc = strlist_add(&paths, "/var/lib/etcd");
	if (rc == 0 && context->role->cluster.action != ROLE_CLUSTER_NONE)
		rc = strlist_add(&paths, "/var/lib/kubelet");
	if (rc == 0)
		rc = selinux_unlabelled(context->env, &paths, &found, &err);
	if (rc == 0 && found.count && !keeps_run && !context->env->target_writable)
		rc = root_make_writable(context->env, &err);
	if (rc == 0)
		rc = selinux_leave(context->env, &found, keeps_run, &err);
	if (rc < 0)
		log_event(LOG_LEVEL_WARN, "pivot", "warn",
			"SELinux labels of what was written: %s, ignoring; run "
			"restorecon",
			err.text);
}

/* How many sectors this boot wrote to each disk (Documentation/block/stat.rst, field 7),
 * for people and tests who want to see 0. */
static void keep_disk_writes(const struct step_context *context)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct env *env = context->env;

	for (size_t i = 0; i < context->facts->disk_count; i++) {
		const char *name = strrchr(context->facts->disks[i].path, '/');
		char path[128], line[256];
		unsigned long long sectors = 0;

		if (!name)
			continue;
		(void)snprintf(path, sizeof(path), "sys/class/block%s/stat", name);
		if (fs_read_line(env->run_fd, path, line, sizeof(line)) < 0 ||
			sscanf(line, "%*u %*u %*u %*u %*u %*u %llu", &sectors) != 1 ||
			buf_printf(&text, "%s %llu\n", name + 1, sectors) < 0)
			continue;
		log_event(LOG_LEVEL_INFO, "pivot", "disk", "%s: %llu sectors written",
			name + 1, sectors);
	}
	if (text.len) {
		struct fs_content content = {text.bytes, text.len, 0644};

		IGNORE_RESULT(
			fs_replace(env->sys, env->run_fd, DISKSTAT_FILE, &content, NULL));
	}
}

/* The order matters: the clock while the device is ours, data to the disk, counters after
 * the last write, links last because reports are out by now. */
static int leave_machine_clean(
	struct step_context *context, enum role_pivot pivot, struct err *err)
{
	struct env *env = context->env;
	struct err minor = ERR_INIT;
	int rc;

	/* /run does not outlive kexec and reboot. */
	list_unlabelled(context, pivot == ROLE_PIVOT_SWITCH_ROOT);
	if (clock_write_rtc(env, &minor) < 0)
		log_event(LOG_LEVEL_WARN, "pivot", "warn", "%s, ignoring", minor.text);
	rc = pivot == ROLE_PIVOT_SWITCH_ROOT ? root_make_read_only(env, err)
					     : root_unmount(env, err);
	if (rc < 0)
		return rc;
	keep_disk_writes(context);
	if (net_down(env, &minor) < 0)
		log_event(LOG_LEVEL_WARN, "pivot", "warn", "%s, ignoring", minor.text);
	return 0;
}

static int leave_request(const struct step_context *context, struct err *err)
{
	const struct env *env = context->env;
	char text[600];
	struct fs_content content = {text, 0, 0600};

	content.len = (size_t)snprintf(
		text, sizeof(text), "%s\n%s\n", env->target_path, context->role->os.init);
	if (content.len >= sizeof(text))
		return err_errno(err, ENAMETOOLONG, "write '%s'", PIVOT_FILE);
	return fs_replace(env->sys, env->run_fd, PIVOT_FILE, &content, err);
}

static int apply(struct step_context *context, const struct step *step, struct err *err)
{
	struct kexec_plan kexec;
	int rc = 0;

	if (step->pivot == ROLE_PIVOT_KEXEC) {
		rc = kexec_find(context, &kexec, err);
		if (rc == 0)
			rc = kexec_load(context, &kexec, err);
	} else if (step->pivot == ROLE_PIVOT_SWITCH_ROOT) {
		rc = leave_request(context, err);
	}
	if (rc < 0)
		return rc;
	return leave_machine_clean(context, step->pivot, err);
}

const struct step_ops step_pivot_ops = {
	.name = "pivot",
	.check = check,
	.apply = apply,
};
