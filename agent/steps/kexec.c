/* SPDX-License-Identifier: MIT */
#include "steps/kexec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"

/* Where distributions put a kernel of release %s: Debian and Ubuntu, Fedora and RHEL,
 * kernel-install's copy. */
static const char *const kernel_paths[] = {
	"/boot/vmlinuz-%s", "/usr/lib/modules/%s/vmlinuz", "/lib/modules/%s/vmlinuz"};
static const char *const initrd_paths[] = {
	"/boot/initrd.img-%s", "/boot/initramfs-%s.img", "/boot/initrd-%s"};

static bool find_path(const struct env *env, const char *const *patterns, size_t count,
	const char *release, char ret[256])
{
	for (size_t i = 0; i < count; i++) {
		const char *mark = strstr(patterns[i], "%s");

		(void)snprintf(ret, 256, "%.*s%s%s", (int)(mark - patterns[i]),
			patterns[i], release, mark + 2);
		if (fs_exists(env->target_fd, ret))
			return true;
	}
	ret[0] = '\0';
	return false;
}

/* Refusals that the kernel would only give as EPERM. */
static int check_allowed(const struct env *env, struct err *err)
{
	char line[128];

	if (fs_read_line(env->run_fd, "proc/sys/kernel/kexec_load_disabled", line,
		    sizeof(line)) == 0 &&
		strcmp(line, "1") == 0)
		return err_set(err, E_KERNEL,
			"kexec: switched off (kernel.kexec_load_disabled=1); use "
			"os.pivot "
			"switch-root or reboot");
	return 0;
}

int kexec_find(
	const struct step_context *context, struct kexec_plan *ret, struct err *err)
{
	const char *release = context->facts->target.newest_kernel;
	int rc = check_allowed(context->env, err);

	if (rc < 0)
		return rc;
	if (!release[0] || !find_path(context->env, kernel_paths, ARRAY_LEN(kernel_paths),
				   release, ret->kernel))
		return err_set(err, E_KERNEL,
			"kexec: no kernel image for '%s' in /boot of the installed OS; "
			"install a kernel package there",
			release);
	(void)find_path(context->env, initrd_paths, ARRAY_LEN(initrd_paths), release,
		ret->initrd);
	/* The parser asks for os.cmdline with pivot kexec (model/role_decode.c). */
	if (!context->role->os.cmdline ||
		!str_copy(ret->cmdline, sizeof(ret->cmdline), context->role->os.cmdline))
		return err_set(err, E_KERNEL, "kexec: os.cmdline is missing or too long");
	return 0;
}

int kexec_load(const struct step_context *context, const struct kexec_plan *plan,
	struct err *err)
{
	struct env *env = context->env;
	int kernel CLEANUP(fd_close) = fs_open(env->target_fd, plan->kernel, O_RDONLY);
	int initrd CLEANUP(fd_close) = -1;
	unsigned long flags = 0;

	if (kernel < 0)
		return err_errno(err, -kernel, "kexec: open '%s'", plan->kernel);
	if (plan->initrd[0]) {
		initrd = fs_open(env->target_fd, plan->initrd, O_RDONLY);
		if (initrd < 0)
			return err_errno(err, -initrd, "kexec: open '%s'", plan->initrd);
	} else {
		flags = KEXEC_FILE_NO_INITRAMFS;
	}
	if (env->sys->kexec_file_load(kernel, initrd, plan->cmdline, flags) == 0)
		return 0;
	if (errno == EPERM)
		return err_set(err, E_KERNEL,
			"kexec: the kernel refuses '%s' (lockdown or a missing "
			"signature); "
			"use os.pivot switch-root or reboot",
			plan->kernel);
	return err_errno(err, errno, "kexec: load '%s'", plan->kernel);
}
