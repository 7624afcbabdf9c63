/* SPDX-License-Identifier: MIT */
/*
 * host/artifact's stamps and publishing on a real directory, without a network: what a
 * check sees, and that every effect may fail without anything half-done becoming visible.
 * tests/http/run.py has the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/artifact.h"
#include "host/artifact_place.h"
#include "host/artifact_stamp.h"
#include "host/verify.h"

#define STAMP_OF_TOOL "/var/lib/promenade/artifacts/opt_tool"
#define NO_SHA "0000000000000000000000000000000000000000000000000000000000000000"

static char folder[] = "/tmp/test_artifact.XXXXXX";
static struct sys_ops table; /* counts, and fails the fail_at-th call */
static unsigned int calls, fail_at;

static int struck(void)
{
	if (++calls != fail_at)
		return 0;
	errno = EIO;
	return 1;
}

static int count_open_write(int dirfd, const char *path, const struct open_how *how)
{
	return struck() ? -1 : sys_real()->open_write(dirfd, path, how);
}

static ssize_t count_write(int fd, const void *bytes, size_t len)
{
	return struck() ? -1 : sys_real()->write(fd, bytes, len);
}

static int count_fsync(int fd)
{
	return struck() ? -1 : sys_real()->fsync(fd);
}

static int count_syncfs(int fd)
{
	(void)fd;
	return struck() ? -1
			: 0; /* the whole machine's disk is not this test's business */
}

static int count_fchmod(int fd, mode_t mode)
{
	return struck() ? -1 : sys_real()->fchmod(fd, mode);
}

static int count_mkdirat(int dirfd, const char *path, mode_t mode)
{
	return struck() ? -1 : sys_real()->mkdirat(dirfd, path, mode);
}

static int count_linkat(
	int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
	return struck() ? -1 : sys_real()->linkat(from_dirfd, from, to_dirfd, to, flags);
}

static int count_renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to,
	unsigned int flags)
{
	return struck() ? -1
			: sys_real()->renameat2(from_dirfd, from, to_dirfd, to, flags);
}

static int count_unlinkat(int dirfd, const char *path, int flags)
{
	return struck() ? -1 : sys_real()->unlinkat(dirfd, path, flags);
}

/* A target of its own for each test. */
static struct env make_env(void)
{
	struct err err = ERR_INIT;
	struct env env;
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/XXXXXX", folder);
	assert_non_null(mkdtemp(path));
	assert_int_equal(env_init(&env, &err), 0);
	assert_int_equal(env_set_target(&env, path, &err), 0);
	table = *sys_real();
	table.open_write = count_open_write;
	table.write = count_write;
	table.fsync = count_fsync;
	table.syncfs = count_syncfs;
	table.fchmod = count_fchmod;
	table.mkdirat = count_mkdirat;
	table.linkat = count_linkat;
	table.renameat2 = count_renameat2;
	table.unlinkat = count_unlinkat;
	env.sys = &table;
	calls = 0;
	fail_at = 0;
	return env;
}

static void put(const struct env *env, const char *path, const char *text)
{
	struct fs_content content = {text, strlen(text), 0755};

	assert_int_equal(fs_replace(sys_real(), env->target_fd, path, &content, NULL), 0);
}

static void assert_holds(const struct env *env, const char *path, const char *text)
{
	struct buf have CLEANUP(buf_done) = BUF_INIT;

	assert_int_equal(fs_read(env->target_fd, path, 1000, &have, NULL), 0);
	assert_string_equal(buf_text(&have), text);
}

/* sha256 of text, kept till the end. */
static const char *sha_of(const char *text)
{
	static char hex[8][65];
	static unsigned int next;

	next = (next + 1) % 8;
	assert_int_equal(verify_sha256_of(text, strlen(text), hex[next], NULL), 0);
	return hex[next];
}

static bool check(const struct env *env, const struct artifact *artifact)
{
	struct err err = ERR_INIT;
	char change[400];
	bool done = false;

	assert_int_equal(
		artifact_check(env, artifact, &done, change, sizeof(change), &err), 0);
	return done;
}

static void stamp_round(void **state)
{
	static const char *const paths[] = {
		"/opt/tool", "/opt/a_b", "/opt/a/b", "/opt/a%5Fb", "/opt/a%b"};
	struct env env = make_env();
	struct err err = ERR_INIT;
	struct stat st;

	(void)state;
	put(&env, "/file", "x");
	assert_int_equal(fs_stat(env.target_fd, "/file", false, &st), 0);
	/* each path its own stamp, whatever is escaped */
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct artifact_stamp stamp = {.count = 0};

		(void)str_copy(stamp.sha256, sizeof(stamp.sha256), sha_of(paths[i]));
		assert_int_equal(artifact_stamp_add(&stamp, "a name", &st), 0);
		assert_int_equal(artifact_stamp_add(&stamp, paths[i], &st), 0);
		assert_int_equal(artifact_stamp_write(&env, paths[i], &stamp, &err), 0);
		artifact_stamp_done(&stamp);
	}
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct artifact_stamp stamp = {.count = 0};

		assert_int_equal(artifact_stamp_read(&env, paths[i], &stamp), 0);
		assert_string_equal(stamp.sha256, sha_of(paths[i]));
		assert_int_equal(stamp.count, 2);
		assert_true(artifact_stamp_has(&stamp, "a name"));
		assert_true(artifact_stamp_has(&stamp, paths[i]));
		assert_false(artifact_stamp_has(&stamp, "other"));
		assert_true(artifact_stamp_fits(&stamp.files[0], &st));
		artifact_stamp_done(&stamp);
	}
	put(&env, "/file", "y");
	env_done(&env);
}

/* A stamp that something damaged is as none, and nothing is read beyond it. */
static void stamp_damaged(void **state)
{
	static const char *const texts[] = {"", "\n", "promenade artifact 1",
		"promenade artifact 2\nsha256 " NO_SHA "\n",
		"promenade artifact 1\nsha256\n",
		"promenade artifact 1\nsha256 " NO_SHA "0\n",
		"promenade artifact 1\nsha256 " NO_SHA "\nfile 1 2 3 x\n",
		"promenade artifact 1\nsha256 " NO_SHA "\nfile 1 2 3 4\n",
		"promenade artifact 1\nsha256 " NO_SHA "\nfile 1 2 3 4 \n",
		"promenade artifact 1\nsha256 " NO_SHA "\nfile -1 2 3 4 x\n",
		"promenade artifact 1\nsha256 " NO_SHA "\njunk\n"};
	struct env env = make_env();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct artifact_stamp stamp = {.count = 0};

		put(&env, STAMP_OF_TOOL, texts[i]);
		assert_int_equal(artifact_stamp_read(&env, "/opt/tool", &stamp), -ENOENT);
		artifact_stamp_done(&stamp);
	}
	env_done(&env);
}

/* Stages and publishes text as a file. */
static int publish_file(const struct env *env, const struct artifact *artifact,
	const char *text, struct err *err)
{
	struct artifact_place place CLEANUP(artifact_place_close) = {.parent_fd = -1};
	int fd CLEANUP(fd_close) = -1;
	int rc = artifact_place_open(env, artifact, true, &place, err);

	if (rc == 0)
		rc = artifact_place_clean(&place, err);
	if (rc < 0)
		return rc;
	fd = artifact_place_stage(&place, err);
	if (fd < 0)
		return fd;
	rc = fs_write_all(env->sys, fd, text, strlen(text));
	if (rc < 0)
		return err_errno(err, -rc, "write");
	return artifact_place_publish_file(&place, fd, err);
}

static struct artifact tool_of(const char *text)
{
	return (struct artifact){.kind = ARTIFACT_FILE,
		.url = "https://x/",
		.sha256 = sha_of(text),
		.path = "/opt/tool",
		.mode = 0755};
}

static void file_check(void **state)
{
	struct env env = make_env();
	struct artifact one = tool_of("one"), two = tool_of("two");
	struct err err = ERR_INIT;

	(void)state;
	assert_false(check(&env, &one));
	assert_int_equal(publish_file(&env, &one, "one", &err), 0);
	assert_true(check(&env, &one));
	assert_false(check(&env, &two));
	one.mode = 0700;
	assert_false(check(&env, &one));
	one.mode = 0755;
	/* without its stamp the file is hashed */
	assert_int_equal(fs_remove(sys_real(), env.target_fd, STAMP_OF_TOOL, &err), 0);
	assert_true(check(&env, &one));
	/* a stamp does not vouch for a file that was written since */
	assert_int_equal(publish_file(&env, &one, "one", &err), 0);
	put(&env, "/opt/tool", "two");
	assert_false(check(&env, &one));
	assert_true(check(&env, &two));
	assert_int_equal(fs_remove(sys_real(), env.target_fd, "/opt/tool", &err), 0);
	assert_false(check(&env, &one));
	env_done(&env);
}

/* Fails every effect of a publication in turn. */
static void file_faults(void **state)
{
	struct artifact two = tool_of("two");
	unsigned int next_fault = 1;

	(void)state;
	for (unsigned int n = 1; next_fault == n; n++) {
		struct env env = make_env();
		struct err err = ERR_INIT;
		struct buf have CLEANUP(buf_done) = BUF_INIT;

		put(&env, "/opt/tool", "one");
		fail_at = n;
		(void)!publish_file(&env, &two, "two", &err);
		next_fault = calls < n ? n : n + 1;
		assert_int_equal(
			fs_read(env.target_fd, "/opt/tool", 100, &have, NULL), 0);
		assert_true(strcmp(buf_text(&have), "one") == 0 ||
			    strcmp(buf_text(&have), "two") == 0);
		fail_at = 0;
		assert_int_equal(publish_file(&env, &two, "two", &err), 0);
		assert_true(check(&env, &two));
		assert_holds(&env, "/opt/tool", "two");
		env_done(&env);
	}
	assert_true(next_fault > 8);
}

/* Stages a directory with one file "new" and publishes it. */
static int publish_tree(
	const struct env *env, const struct artifact *artifact, struct err *err)
{
	struct artifact_place place CLEANUP(artifact_place_close) = {.parent_fd = -1};
	struct artifact_stamp old CLEANUP(artifact_stamp_done) = {.count = 0};
	struct fs_content content = {"new", 3, 0755};
	int fd CLEANUP(fd_close) = -1;
	int rc = artifact_stamp_read(env, artifact->path, &old);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	rc = artifact_place_open(env, artifact, true, &place, err);
	if (rc == 0)
		rc = artifact_place_clean(&place, err);
	if (rc < 0)
		return rc;
	fd = artifact_place_stage(&place, err);
	if (fd < 0)
		return fd;
	rc = fs_replace(sys_real(), fd, "new", &content, err);
	if (rc < 0)
		return rc;
	return artifact_place_publish_tree(&place, fd, &old, err);
}

static const struct artifact plugins = {.kind = ARTIFACT_PLUGINS,
	.url = "https://x/",
	.sha256 = NO_SHA,
	.path = "/opt/cni/bin"};

static void tree_faults(void **state)
{
	unsigned int next_fault = 1;

	(void)state;
	for (unsigned int n = 1; next_fault == n; n++) {
		struct env env = make_env();
		struct err err = ERR_INIT;

		put(&env, "/opt/cni/bin/theirs", "theirs");
		put(&env, "/opt/cni/bin/deep/er", "theirs too");
		fail_at = n;
		(void)!publish_tree(&env, &plugins, &err);
		next_fault = calls < n ? n : n + 1;
		assert_holds(&env, "/opt/cni/bin/theirs", "theirs");
		assert_holds(&env, "/opt/cni/bin/deep/er", "theirs too");
		fail_at = 0;
		assert_int_equal(publish_tree(&env, &plugins, &err), 0);
		assert_true(check(&env, &plugins));
		assert_holds(&env, "/opt/cni/bin/theirs", "theirs");
		assert_holds(&env, "/opt/cni/bin/deep/er", "theirs too");
		assert_holds(&env, "/opt/cni/bin/new", "new");
		env_done(&env);
	}
	assert_true(next_fault > 12);
}

/* A tree replaces no directory of others, its own at any time, also after a failure in
 * the midst of the first publication. */
static void tree_ownership(void **state)
{
	struct artifact tree = plugins;
	unsigned int next_fault = 1;

	(void)state;
	tree.kind = ARTIFACT_TREE;
	for (unsigned int n = 1; next_fault == n; n++) {
		struct env env = make_env();
		struct err err = ERR_INIT;
		char change[400];
		bool done;

		fail_at = n;
		(void)!publish_tree(&env, &tree, &err);
		next_fault = calls < n ? n : n + 1;
		fail_at = 0;
		assert_int_equal(
			artifact_check(&env, &tree, &done, change, sizeof(change), &err),
			0);
		assert_int_equal(publish_tree(&env, &tree, &err), 0);
		assert_true(check(&env, &tree));
		put(&env, "/usr/local/theirs", "x");
		tree.path = "/usr/local";
		assert_int_equal(
			artifact_check(&env, &tree, &done, change, sizeof(change), &err),
			-EEXIST);
		tree.path = plugins.path;
		env_done(&env);
	}
}

static void leftovers(void **state)
{
	struct env env = make_env();
	struct artifact one = tool_of("one");
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(publish_file(&env, &one, "one", &err), 0);
	put(&env, "/opt/.tool.promenade-new", "half");
	assert_false(check(&env, &one));
	assert_int_equal(artifacts_apply(&env, NULL, &one, 1, NULL, &err), 0);
	assert_true(check(&env, &one));
	assert_false(fs_exists(env.target_fd, "/opt/.tool.promenade-new"));
	env_done(&env);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	struct err err = ERR_INIT;
	int fd CLEANUP(fd_close) = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	return fs_remove_tree(sys_real(), fd, folder + strlen("/tmp/"), &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamp_round),
		cmocka_unit_test(stamp_damaged),
		cmocka_unit_test(file_check),
		cmocka_unit_test(file_faults),
		cmocka_unit_test(tree_faults),
		cmocka_unit_test(tree_ownership),
		cmocka_unit_test(leftovers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
