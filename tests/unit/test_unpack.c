/* SPDX-License-Identifier: MIT */
/* host/unpack_rules as tables, and host/unpack's dealings with a child that ends in ways
 * that archives cannot bring about. tests/hostile has the archives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/unpack.h"
#include "host/unpack_rules.h"

static const struct unpack_limits tree = UNPACK_LIMITS_TREE;

static void names(void **state)
{
	static const struct {
		const char *name;
		unsigned int depth;
		const char *path; /* NULL: refused */
		const char *says;
	} cases[] = {
		{"a", 1, "a", NULL},
		{"./a", 1, "a", NULL},
		{".//./a/", 1, "a", NULL},
		{"./", 1, "", NULL},
		{".", 1, "", NULL},
		{"a/b", 2, "a/b", NULL},
		{"...", 1, "...", NULL},
		{"..a", 1, "..a", NULL},
		{"a..", 1, "a..", NULL},
		{"a/b", 1, NULL, "files must be at the top"},
		{"a/b/c", 2, NULL, "deeper than 2"},
		{"..", 9, NULL, "'..': escapes the target"},
		{"a/..", 9, NULL, "'a/..': escapes"},
		{"a/../b", 9, NULL, "escapes"},
		{"./..", 9, NULL, "escapes"},
		{"/a", 9, NULL, "an absolute name"},
		{"", 9, NULL, "an empty name"},
		{NULL, 9, NULL, "not printable ASCII"},
		{"a\nb", 9, NULL, "'a?b': its name is not printable"},
		{"a\x7f", 9, NULL, "not printable"},
		{"\xc3\xa9", 9, NULL, "not printable"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;
		char path[64];
		int rc = unpack_name(
			cases[i].name, cases[i].depth, path, sizeof(path), &err);

		if (cases[i].path) {
			assert_int_equal(rc, 0);
			assert_string_equal(path, cases[i].path);
		} else {
			assert_int_equal(rc, -E_ARCHIVE);
			if (!strstr(err.text, cases[i].says))
				print_error("%s\n", err.text);
			assert_non_null(strstr(err.text, cases[i].says));
		}
	}
}

static void name_too_long(void **state)
{
	char name[300], path[16];
	struct err err = ERR_INIT;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[15] = '\0';
	assert_int_equal(unpack_name(name, 1, path, sizeof(path), &err), -E_ARCHIVE);
	name[14] = '\0';
	assert_int_equal(unpack_name(name, 1, path, sizeof(path), &err), 0);
}

static void entries(void **state)
{
	static const struct {
		struct unpack_entry entry;
		const char *says; /* NULL: taken */
	} cases[] = {
		{{.name = "x", .mode = S_IFREG | 0755, .size = 10}, NULL},
		{{.name = "x", .mode = S_IFDIR | S_ISGID | 0755}, NULL},
		{{.name = "x", .mode = S_IFLNK | 0777}, "a symbolic link"},
		{{.name = "x", .mode = S_IFCHR}, "a character device"},
		{{.name = "x", .mode = S_IFBLK}, "a block device"},
		{{.name = "x", .mode = S_IFIFO}, "a FIFO"},
		{{.name = "x", .mode = S_IFSOCK}, "a socket"},
		{{.name = "x", .mode = 0644}, "neither"},
		{{.name = "x", .mode = S_IFREG | S_ISUID}, "setuid"},
		{{.name = "x", .mode = S_IFREG | S_ISGID}, "setuid or setgid"},
		{{.name = "x", .mode = S_IFREG, .hardlink = true}, "a hard link"},
		{{.name = "x", .mode = S_IFREG, .sparse = true}, "a sparse file"},
		{{.name = "x", .mode = S_IFREG, .attributes = true},
			"extended attributes"},
		{{.name = "x", .mode = S_IFREG, .size = 5ULL << 30},
			"more than the 4096"},
		{{.name = "x", .mode = S_IFREG, .size = UINT64_MAX},
			"more than the 4096"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct unpack_totals totals = {0, 0};
		struct err err = ERR_INIT;
		int rc = unpack_entry_check(&cases[i].entry, &tree, &totals, &err);

		assert_int_equal(totals.entries, rc == 0);
		if (!cases[i].says) {
			assert_int_equal(rc, 0);
			continue;
		}
		assert_true(rc == -E_ARCHIVE || rc == -E_TOO_BIG);
		assert_true(strncmp(err.text, "entry 'x': ", 11) == 0);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

static void totals_are_kept(void **state)
{
	const struct unpack_limits limits = {
		.depth = 1, .entries = 3, .file_bytes = 10, .total_bytes = 15};
	struct unpack_entry entry = {.name = "x", .mode = S_IFREG | 0644, .size = 10};
	struct unpack_totals totals = {0, 0};
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(unpack_entry_check(&entry, &limits, &totals, &err), 0);
	assert_int_equal(unpack_entry_check(&entry, &limits, &totals, &err), -E_TOO_BIG);
	entry.size = 5;
	assert_int_equal(unpack_entry_check(&entry, &limits, &totals, &err), 0);
	entry.size = 0;
	assert_int_equal(unpack_entry_check(&entry, &limits, &totals, &err), 0);
	assert_int_equal(unpack_entry_check(&entry, &limits, &totals, &err), -E_TOO_BIG);
	assert_non_null(strstr(err.text, "more than 3 entries"));
}

static void modes(void **state)
{
	(void)state;
	assert_int_equal(unpack_file_mode(S_IFREG | 0100), 0755);
	assert_int_equal(unpack_file_mode(S_IFREG | 0001), 0755);
	assert_int_equal(unpack_file_mode(S_IFREG | 0666), 0644);
	assert_int_equal(unpack_file_mode(S_IFREG), 0644);
}

static char folder[] = "/tmp/test_unpack.XXXXXX";

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

/* A fresh directory. */
static int staging(void)
{
	char path[64];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/XXXXXX", folder);
	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void wait_for(const struct unpack *unpack)
{
	struct pollfd ready = {.fd = -1};

	ready.fd = unpack_poll_fd(unpack, &ready.events);
	assert_true(poll(&ready, 1, 20000) == 1);
}

static int finish(struct unpack *unpack, struct err *err)
{
	struct unpack_result result;
	int rc;

	while ((rc = unpack_finish(unpack, &result, err)) == -EAGAIN)
		wait_for(unpack);
	return rc;
}

static void end_without_bytes(void **state)
{
	int fd CLEANUP(fd_close) = staging();
	struct unpack *unpack CLEANUP(unpack_free) = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(unpack_new(sys_real(), fd, &tree, &unpack, &err), 0);
	assert_int_equal(finish(unpack, &err), -E_ARCHIVE);
	assert_string_equal(err.text, "is empty");
}

/* A refusal is told in the midst of the stream, and bytes after it do no harm. */
static void refused_midway(void **state)
{
	static const char junk[65536];
	int fd CLEANUP(fd_close) = staging();
	struct unpack *unpack CLEANUP(unpack_free) = NULL;
	struct err err = ERR_INIT;
	int rc = 0;

	(void)state;
	assert_int_equal(unpack_new(sys_real(), fd, &tree, &unpack, &err), 0);
	assert_int_equal(unpack_write(unpack, "<html>", 6, &err), 0);
	while (rc == 0 || rc == -EAGAIN) {
		rc = unpack_write(unpack, junk, sizeof(junk), &err);
		if (rc == -EAGAIN)
			wait_for(unpack);
	}
	assert_int_equal(rc, -E_ARCHIVE);
	assert_non_null(strstr(err.text, "is no tar archive"));
	unpack_free(&unpack);
	unpack_free(&unpack); /* takes NULL */
}

/* A child that waits for bytes is killed and reaped, at once. */
static void given_up(void **state)
{
	int fd CLEANUP(fd_close) = staging();
	struct unpack *unpack = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(unpack_new(sys_real(), fd, &tree, &unpack, &err), 0);
	unpack_free(&unpack);
	assert_null(unpack);
}

static pid_t no_fork(void)
{
	errno = EAGAIN;
	return -1;
}

static void fork_fails(void **state)
{
	int fd CLEANUP(fd_close) = staging();
	struct sys_ops sys = *sys_real();
	struct unpack *unpack = NULL;
	struct err err = ERR_INIT;

	(void)state;
	sys.fork = no_fork;
	assert_int_equal(unpack_new(&sys, fd, &tree, &unpack, &err), -EAGAIN);
	assert_null(unpack);
	assert_non_null(strstr(err.text, "start the child that unpacks"));
}

/* What the child does in its last call instead of syncfs. */
static int leave_list(int fd)
{
	/* dup is not on the list: killed before it returns */
	return dup(fd);
}

static int be_killed(int fd)
{
	(void)fd;
	__builtin_trap();
}

static int fail_to_sync(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

/* A tar that is taken; syncfs, the child's last call, is where it misbehaves. */
static int unpack_with(int (*deed)(int fd), struct err *err)
{
	static char tar[2048];
	int fd CLEANUP(fd_close) = staging();
	struct unpack *unpack CLEANUP(unpack_free) = NULL;
	struct sys_ops sys = *sys_real();
	unsigned int sum = 0;

	memset(tar, 0, sizeof(tar));
	(void)snprintf(tar, 100, "file");
	(void)snprintf(tar + 100, 8, "0000644");
	(void)snprintf(tar + 108, 8, "0000000");
	(void)snprintf(tar + 116, 8, "0000000");
	(void)snprintf(tar + 124, 12, "00000000004");
	(void)snprintf(tar + 136, 12, "00000000000");
	memcpy(tar + 148, "        0", 9);
	memcpy(tar + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += (unsigned char)tar[i];
	(void)snprintf(tar + 148, 8, "%06o", sum);
	memcpy(tar + 512, "data", 4);
	if (deed)
		sys.syncfs = deed;
	assert_int_equal(unpack_new(&sys, fd, &tree, &unpack, err), 0);
	assert_int_equal(unpack_write(unpack, tar, sizeof(tar), err), 0);
	return finish(unpack, err);
}

static void misdeeds(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(unpack_with(NULL, &err), 0);
	assert_int_equal(unpack_with(leave_list, &err), -E_CHILD);
	assert_non_null(strstr(err.text, "killed by signal 31"));
	assert_int_equal(unpack_with(be_killed, &err), -E_CHILD);
	assert_non_null(strstr(err.text, "killed by signal"));
	assert_int_equal(unpack_with(fail_to_sync, &err), -EIO);
	assert_string_equal(err.text, "write to the disk: Input/output error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(name_too_long),
		cmocka_unit_test(entries),
		cmocka_unit_test(totals_are_kept),
		cmocka_unit_test(modes),
		cmocka_unit_test(end_without_bytes),
		cmocka_unit_test(refused_midway),
		cmocka_unit_test(given_up),
		cmocka_unit_test(fork_fails),
		cmocka_unit_test(misdeeds),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
