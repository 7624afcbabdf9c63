/* SPDX-License-Identifier: MIT */
/* steps/engine: whether overlay works, asked on real file systems. The configuration
 * files are tests/golden/steps/engine-*. Needs root; without it the test is skipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "steps/ops.h"

struct world {
	char image[64];
	char dir[64];
	struct env env;
	struct facts facts;
	struct role role;
	struct step step;
	struct step_context context;
	struct sys_ops sys;
};

static char overlayfs[] = "overlayfs", native[] = "native";
static unsigned int mounts_made;
static int mount_errno;

static int counting_mount(const char *source, const char *target, const char *type,
	unsigned long flags, const void *data)
{
	mounts_made++;
	if (mount_errno) {
		errno = mount_errno;
		return -1;
	}
	return mount(source, target, type, flags, data);
}

static void tool(const char *const *argv)
{
	struct proc_spec spec = {.argv = argv, .timeout_ms = 60000};
	struct proc_result result = {0};
	struct err err = ERR_INIT;

	if (proc_run(sys_real(), &spec, &result, &err) < 0)
		fail_msg("%s", err.text);
	if (result.status != 0)
		fail_msg("%s: %s", argv[0], buf_text(&result.output));
	proc_result_done(&result);
}

#define TOOL(...) tool((const char *const[]){__VA_ARGS__, NULL})

/* An ext4 with these features as the target. */
static void make_target(struct world *w, const char *features)
{
	char path[128];

	TOOL("/bin/truncate", "-s", "64M", w->image);
	TOOL("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-O", features, w->image);
	TOOL("/bin/mount", "-o", "loop", w->image, w->dir);
	(void)snprintf(path, sizeof(path), "%s/var", w->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/var/lib", w->dir);
	assert_int_equal(mkdir(path, 0755), 0);
	w->env.target_fd = open(w->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->env.target_fd >= 0);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	if (!w || env_init(&w->env, &err) < 0)
		return -1;
	(void)snprintf(w->image, sizeof(w->image), "/tmp/test_engine.image.XXXXXX");
	(void)snprintf(w->dir, sizeof(w->dir), "/tmp/test_engine.XXXXXX");
	close(mkstemp(w->image));
	if (!mkdtemp(w->dir))
		return -1;
	w->sys = *sys_real();
	w->sys.mount = counting_mount;
	w->env.sys = &w->sys;
	w->env.initramfs = true;
	w->role.node.engine = ROLE_ENGINE_CONTAINERD;
	w->role.node.snapshotter = overlayfs;
	w->role.node.systemd_cgroup = true;
	w->context = (struct step_context){
		.env = &w->env, .facts = &w->facts, .role = &w->role};
	mounts_made = 0;
	mount_errno = 0;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	env_done(&w->env);
	(void)umount2(w->dir, MNT_DETACH);
	(void)rmdir(w->dir);
	(void)unlink(w->image);
	free(w);
	return 0;
}

static enum step_state check(struct world *w)
{
	struct step_report report = {.state = STEP_DONE};
	struct err err = ERR_INIT;
	enum step_state state;

	if (step_engine_ops.check(&w->context, &w->step, &report, &err) < 0)
		fail_msg("%s", err.text);
	state = report.state;
	step_report_done(&report);
	return state;
}

static int apply(struct world *w, struct err *err)
{
	return step_engine_ops.apply(&w->context, &w->step, err);
}

static bool has(struct world *w, const char *path)
{
	return fs_exists(w->env.target_fd, path);
}

static void test_overlay(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	make_target(w, "filetype");
	assert_int_equal(check(w), STEP_TODO);
	assert_int_equal(mounts_made, 0); /* a check mounts nothing */
	if (apply(w, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(mounts_made, 1);
	assert_true(has(w, "/etc/containerd/config.toml"));
	assert_false(has(w, "/var/lib/containerd")); /* containerd's to make */
	assert_false(has(w, "/var/lib/.promenade-overlay"));
	assert_int_equal(check(w), STEP_DONE);
	assert_int_equal(mounts_made, 1); /* no proof on a boot that changes nothing */
}

/* What a test that was killed left is taken away first. */
static void test_leftover(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;
	char path[128];

	make_target(w, "filetype");
	assert_int_equal(fs_make_dirs(sys_real(), w->env.target_fd,
				 "/var/lib/.promenade-overlay/merged", &err),
		0);
	(void)snprintf(
		path, sizeof(path), "%s/var/lib/.promenade-overlay/merged", w->dir);
	assert_int_equal(mount("none", path, "tmpfs", 0, NULL), 0);
	if (apply(w, &err) < 0)
		fail_msg("%s", err.text);
	assert_false(has(w, "/var/lib/.promenade-overlay"));
}

static void test_mount_fails(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	make_target(w, "filetype");
	mount_errno = EINVAL;
	assert_int_equal(apply(w, &err), -E_CHECK);
	if (!strstr(err.text,
		    "'/var/lib/containerd': an overlay cannot be mounted: Invalid"))
		fail_msg("%s", err.text);
	assert_false(has(w, "/etc/containerd/config.toml"));
	assert_false(has(w, "/var/lib/.promenade-overlay"));
}

static void test_no_dtype(void **state)
{
	struct world *w = *state;
	struct step_report report = {.state = STEP_DONE};
	struct err err = ERR_INIT;

	make_target(w, "^filetype");
	assert_int_equal(
		step_engine_ops.check(&w->context, &w->step, &report, &err), -E_CHECK);
	assert_non_null(strstr(err.text, "reports no d_type"));
	step_report_done(&report);
	/* A snapshotter without overlay does not care. */
	w->role.node.snapshotter = native;
	assert_int_equal(check(w), STEP_TODO);
}

/* With --root DIR this kernel is not the node's. */
static void test_other_kernel(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	make_target(w, "filetype");
	w->env.initramfs = false;
	assert_int_equal(apply(w, &err), 0);
	assert_int_equal(mounts_made, 0);
	assert_int_equal(check(w), STEP_DONE);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_overlay),
		TEST(test_leftover),
		TEST(test_mount_fails),
		TEST(test_no_dtype),
		TEST(test_other_kernel),
	};

	if (geteuid() != 0) {
		print_message("needs root for mount(2)\n[  SKIPPED ] 5 test(s).\n");
		return 0;
	}
	if (unshare(CLONE_NEWNS) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
