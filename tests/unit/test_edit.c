/* SPDX-License-Identifier: MIT */
/* steps/edit and steps/selinux on a real directory; every effect goes through a table
 * that counts and can fail the N-th call. */
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
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "steps/edit.h"
#include "steps/selinux.h"

static unsigned int calls, fail_at;

static bool fails(void)
{
	if (++calls != fail_at)
		return false;
	errno = EIO;
	return true;
}

static int count_open_write(int dirfd, const char *path, const struct open_how *how)
{
	return fails() ? -1 : sys_real()->open_write(dirfd, path, how);
}

static ssize_t count_write(int fd, const void *bytes, size_t len)
{
	return fails() ? -1 : sys_real()->write(fd, bytes, len);
}

static int count_fsync(int fd)
{
	return fails() ? -1 : sys_real()->fsync(fd);
}

static int count_fchmod(int fd, mode_t mode)
{
	return fails() ? -1 : sys_real()->fchmod(fd, mode);
}

static int count_mkdirat(int dirfd, const char *path, mode_t mode)
{
	return fails() ? -1 : sys_real()->mkdirat(dirfd, path, mode);
}

static int count_symlinkat(const char *target, int dirfd, const char *path)
{
	return fails() ? -1 : sys_real()->symlinkat(target, dirfd, path);
}

static int count_renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to,
	unsigned int flags)
{
	return fails() ? -1
		       : sys_real()->renameat2(from_dirfd, from, to_dirfd, to, flags);
}

static int count_unlinkat(int dirfd, const char *path, int flags)
{
	return fails() ? -1 : sys_real()->unlinkat(dirfd, path, flags);
}

struct world {
	char dir[32];
	struct env env;
	struct sys_ops sys;
	struct edits edits;
	struct err err;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		return -1;
	(void)strcpy(world->dir, "/tmp/test_edit.XXXXXX");
	if (!mkdtemp(world->dir))
		return -1;
	world->sys = *sys_real();
	world->sys.open_write = count_open_write;
	world->sys.write = count_write;
	world->sys.fsync = count_fsync;
	world->sys.fchmod = count_fchmod;
	world->sys.mkdirat = count_mkdirat;
	world->sys.symlinkat = count_symlinkat;
	world->sys.renameat2 = count_renameat2;
	world->sys.unlinkat = count_unlinkat;
	world->env = (struct env){.run_fd = -1, .target_fd = -1, .sys = &world->sys};
	world->env.target_fd = open(world->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	calls = fail_at = 0;
	*state = world;
	return world->env.target_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	int root CLEANUP(fd_close) = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	edits_done(&world->edits);
	fd_close(&world->env.target_fd);
	rc = fs_remove_tree(sys_real(), root, world->dir, NULL);
	free(world);
	return rc;
}

static void make(struct world *world, const char *path, const char *text, mode_t mode)
{
	struct fs_content content = {.bytes = text, .len = strlen(text), .mode = mode};

	assert_int_equal(
		fs_replace(sys_real(), world->env.target_fd, path, &content, &world->err),
		0);
}

static void make_link(struct world *world, const char *path, const char *target)
{
	assert_int_equal(fs_replace_link(sys_real(), world->env.target_fd, path, target,
				 &world->err),
		0);
}

static void remove_tree(struct world *world, const char *path)
{
	assert_int_equal(
		fs_remove_tree(sys_real(), world->env.target_fd, path, &world->err), 0);
}

static void assert_text(struct world *world, const char *path, const char *text)
{
	struct buf buf CLEANUP(buf_done) = BUF_INIT;

	assert_int_equal(
		fs_read(world->env.target_fd, path, FS_TEXT_MAX, &buf, &world->err), 0);
	assert_string_equal(buf_text(&buf), text);
}

static void assert_link(struct world *world, const char *path, const char *target)
{
	char text[256];

	assert_int_equal(fs_read_link(world->env.target_fd, path, text, sizeof(text)), 0);
	assert_string_equal(text, target);
}

/* The changes, joined by newlines; caller frees. */
static char *changes(struct world *world)
{
	struct strlist list = STRLIST_INIT;
	struct buf text = BUF_INIT;

	if (edits_check(&world->env, &world->edits, &list, &world->err) < 0)
		fail_msg("%s", world->err.text);
	for (size_t i = 0; i < list.count; i++)
		assert_int_equal(buf_printf(&text, "%s\n", list.items[i]), 0);
	strlist_done(&list);
	return buf_steal(&text);
}

static void assert_changes(struct world *world, const char *expected)
{
	char *text CLEANUP(str_free) = changes(world);

	assert_string_equal(text, expected);
}

static void apply(struct world *world)
{
	if (edits_apply(&world->env, &world->edits, &world->err) < 0)
		fail_msg("%s", world->err.text);
}

static void add_all_kinds(struct world *world)
{
	struct buf secret = {.bytes = (char[]){"key\n"}, .len = 4};
	struct edits *edits = &world->edits;

	assert_int_equal(edits_add_text(edits, "/etc/a/b", "new\n", "words"), 0);
	assert_int_equal(edits_add_file(edits, "/etc/key", &secret, 0600, "a key"), 0);
	assert_int_equal(edits_add_link(edits, "/etc/l", "a/b", "by name"), 0);
	assert_int_equal(edits_add_dir(edits, "/srv/x/y", "room"), 0);
	assert_int_equal(edits_add_absent(edits, "/etc/old", "not wanted"), 0);
}

static void test_each_kind(void **state)
{
	struct world *world = *state;

	make(world, "/etc/old", "x", 0644);
	make(world, "/etc/key", "key\n", 0644);
	add_all_kinds(world);
	assert_changes(world, "write '/etc/a/b': words\n"
			      "write '/etc/key': a key\n"
			      "link '/etc/l' to 'a/b': by name\n"
			      "make directory '/srv/x/y': room\n"
			      "remove '/etc/old': not wanted\n");
	assert_int_equal(calls, 0); /* a check has no effect */
	apply(world);
	assert_changes(world, "");
	assert_text(world, "/etc/l", "new\n");
	calls = 0;
	apply(world);
	assert_int_equal(calls, 0); /* what is so is not touched */
}

static void test_mode_and_owner(void **state)
{
	struct world *world = *state;
	struct stat st;

	make(world, "/f", "same\n", 0640);
	assert_int_equal(edits_add_text(&world->edits, "/f", "same\n", "mode"), 0);
	assert_changes(world, "write '/f': mode\n");
	apply(world);
	assert_int_equal(fs_stat(world->env.target_fd, "/f", true, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	if (geteuid() != 0)
		skip();
	assert_int_equal(fchownat(world->env.target_fd, "f", 1, 1, 0), 0);
	assert_changes(world, "write '/f': mode\n");
	apply(world);
	assert_int_equal(fs_stat(world->env.target_fd, "/f", true, &st), 0);
	assert_int_equal(st.st_uid, 0);
}

static void test_links_are_followed_but_masks(void **state)
{
	struct world *world = *state;

	make(world, "/srv/real", "old\n", 0644);
	make(world, "/usr/unit", "vendor\n", 0644);
	make_link(world, "/etc/followed", "/srv/real");
	make_link(world, "/etc/mask", "/dev/null");
	make_link(world, "/etc/alias", "/usr/unit");
	assert_int_equal(edits_add_text(&world->edits, "/etc/followed", "new\n", ""), 0);
	assert_int_equal(edits_add_text(&world->edits, "/etc/mask", "unit\n", ""), 0);
	assert_int_equal(edits_add_text(&world->edits, "/etc/alias", "mine\n", ""), 0);
	edits_find(&world->edits, "/etc/alias")->no_follow = true;
	apply(world);
	assert_changes(world, "");
	assert_link(world, "/etc/followed", "/srv/real");
	assert_text(world, "/srv/real", "new\n");
	assert_text(world, "/etc/mask", "unit\n");
	assert_false(fs_exists(world->env.target_fd, "/dev/null"));
	assert_text(world, "/etc/alias", "mine\n");
	assert_text(world, "/usr/unit", "vendor\n");
}

static void test_later_edit_of_a_path_wins(void **state)
{
	struct world *world = *state;
	struct strlist paths = STRLIST_INIT;

	assert_int_equal(edits_add_text(&world->edits, "/f", "one\n", "first"), 0);
	assert_int_equal(edits_add_absent(&world->edits, "/g", "gone"), 0);
	assert_int_equal(edits_add_text(&world->edits, "/f", "two\n", "second"), 0);
	assert_int_equal(world->edits.count, 2);
	assert_changes(world, "write '/f': second\n");
	assert_int_equal(edits_paths(&world->edits, &paths), 0);
	assert_int_equal(paths.count, 1);
	assert_string_equal(paths.items[0], "/f");
	strlist_done(&paths);
	assert_null(edits_find(&world->edits, "/h"));
}

static void assert_refused(struct world *world, const char *text)
{
	struct strlist list = STRLIST_INIT;

	assert_true(edits_check(&world->env, &world->edits, &list, &world->err) < 0);
	assert_string_equal(world->err.text, text);
	assert_true(edits_apply(&world->env, &world->edits, &world->err) < 0);
	assert_string_equal(world->err.text, text);
	strlist_done(&list);
}

static void test_directory_in_the_way(void **state)
{
	struct world *world = *state;

	make(world, "/etc/app/keep", "x", 0644);
	assert_int_equal(edits_add_text(&world->edits, "/etc/app", "x", ""), 0);
	assert_refused(world, "write '/etc/app': Is a directory");
	assert_text(world, "/etc/app/keep", "x");
}

static void test_file_in_the_way_of_a_directory(void **state)
{
	struct world *world = *state;

	make(world, "/srv", "x", 0644);
	assert_int_equal(edits_add_dir(&world->edits, "/srv", ""), 0);
	assert_refused(world, "make directory '/srv': Not a directory");
}

/* The agent itself is larger than a text may be. */
static void test_big_file(void **state)
{
	struct world *world = *state;
	size_t len = FS_TEXT_MAX * 3;
	struct buf big = {.bytes = malloc(len), .len = len};

	assert_non_null(big.bytes);
	memset(big.bytes, 'x', len);
	assert_int_equal(edits_add_file(&world->edits, "/big", &big, 0755, "big"), 0);
	apply(world);
	assert_changes(world, "");
	big.bytes[len - 1] = 'y';
	assert_int_equal(edits_add_file(&world->edits, "/big", &big, 0755, "big"), 0);
	assert_changes(world, "write '/big': big\n");
	free(big.bytes);
}

/* Old or new, never a part, and the next run ends where an unbroken one does. */
static void test_each_call_fails_once(void **state)
{
	struct world *world = *state;
	unsigned int n = 0;
	int rc;

	add_all_kinds(world);
	do {
		struct buf text CLEANUP(buf_done) = BUF_INIT;

		remove_tree(world, "/etc");
		remove_tree(world, "/srv");
		make(world, "/etc/a/b", "old\n", 0644);
		make(world, "/etc/old", "x", 0644);
		calls = 0;
		fail_at = ++n;
		world->err = (struct err)ERR_INIT;
		rc = edits_apply(&world->env, &world->edits, &world->err);
		fail_at = 0;
		if (rc < 0)
			assert_non_null(strchr(world->err.text, '\''));
		assert_int_equal(
			fs_read(world->env.target_fd, "/etc/a/b", 64, &text, &world->err),
			0);
		if (strcmp(buf_text(&text), "old\n") != 0)
			assert_string_equal(buf_text(&text), "new\n");
		apply(world);
		assert_changes(world, "");
	} while (calls >= n || rc < 0);
	assert_true(n > 20);
}

static void test_selinux_used(void **state)
{
	struct world *world = *state;

	assert_false(selinux_is_used(&world->env));
	make(world, "/etc/selinux/config", "# x\nSELINUX=disabled\n", 0644);
	assert_false(selinux_is_used(&world->env));
	make(world, "/etc/selinux/config", "#SELINUX=disabled\n SELINUX=enforcing\n",
		0644);
	assert_true(selinux_is_used(&world->env));
	make(world, "/etc/selinux/config", "SELINUXTYPE=targeted\n", 0644);
	assert_false(selinux_is_used(&world->env));
}

static void test_selinux_leave(void **state)
{
	struct world *world = *state;
	struct strlist paths CLEANUP(strlist_done) = STRLIST_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(selinux_leave(&world->env, &paths, false, &err), 0);
	assert_false(fs_exists(world->env.target_fd, "/.autorelabel"));
	assert_int_equal(strlist_add(&paths, "/etc/motd"), 0);
	for (int twice = 0; twice < 2; twice++) {
		assert_int_equal(selinux_leave(&world->env, &paths, false, &err), 0);
		assert_true(fs_exists(world->env.target_fd, "/.autorelabel"));
	}
}

static void test_selinux_unlabelled(void **state)
{
	struct world *world = *state;
	struct strlist paths = STRLIST_INIT, found = STRLIST_INIT;
	char path[64];

	make(world, "/etc/new/file", "x", 0644);
	make(world, "/etc/labelled", "x", 0644);
	make_link(world, "/etc/link", "labelled");
	(void)snprintf(path, sizeof(path), "%s/etc/labelled", world->dir);
	if (setxattr(path, "security.selinux", "l", 1, 0) < 0)
		skip(); /* not root, or a file system without */
	(void)snprintf(path, sizeof(path), "%s/etc", world->dir);
	assert_int_equal(setxattr(path, "security.selinux", "l", 1, 0), 0);
	assert_int_equal(strlist_add(&paths, "/etc/new/file"), 0);
	assert_int_equal(strlist_add(&paths, "/etc/labelled"), 0);
	assert_int_equal(strlist_add(&paths, "/etc/link"), 0);
	assert_int_equal(strlist_add(&paths, "/etc/not/there"), 0);
	assert_int_equal(selinux_unlabelled(&world->env, &paths, &found, &world->err), 0);
	assert_int_equal(found.count, 3);
	assert_string_equal(found.items[0], "/etc/link");
	assert_string_equal(found.items[1], "/etc/new");
	assert_string_equal(found.items[2], "/etc/new/file");
	strlist_done(&paths);
	strlist_done(&found);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_each_kind, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_mode_and_owner, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_links_are_followed_but_masks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_later_edit_of_a_path_wins, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_directory_in_the_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_file_in_the_way_of_a_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_big_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_each_call_fails_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_selinux_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_selinux_leave, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_selinux_unlabelled, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
