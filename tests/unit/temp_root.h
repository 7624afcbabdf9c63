/* SPDX-License-Identifier: MIT */
/* A temporary folder as env->run_fd, for the tests of code that reads files alone. */
#ifndef PROMENADE_TESTS_TEMP_ROOT_H
#define PROMENADE_TESTS_TEMP_ROOT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/str.h"
#include "host/env.h"

struct temp_root {
	char path[32];
	struct env env;
};

static inline void temp_root_open(struct temp_root *root)
{
	struct err err = ERR_INIT;

	(void)str_copy(root->path, sizeof(root->path), "/tmp/test_root.XXXXXX");
	assert_non_null(mkdtemp(root->path));
	assert_int_equal(env_init(&root->env, &err), 0);
	fd_close(&root->env.run_fd);
	root->env.sys = sys_real();
	root->env.run_fd = open(root->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root->env.run_fd >= 0);
}

static inline void temp_root_close(struct temp_root *root)
{
	struct err err = ERR_INIT;
	int fd CLEANUP(fd_close) = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	env_done(&root->env);
	assert_int_equal(
		fs_remove_tree(sys_real(), fd, root->path + strlen("/tmp/"), &err), 0);
}

/* A file of these bytes beneath the folder, its parents too. */
static inline void temp_root_put(
	struct temp_root *root, const char *path, const void *bytes, size_t len)
{
	char parent[512];
	struct err err = ERR_INIT;
	int fd CLEANUP(fd_close) = -1;

	assert_true(str_copy(parent, sizeof(parent), path));
	if (strrchr(parent, '/')) {
		*strrchr(parent, '/') = '\0';
		assert_int_equal(
			fs_make_dirs(sys_real(), root->env.run_fd, parent, &err), 0);
	}
	fd = openat(
		root->env.run_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(fs_write_all(sys_real(), fd, bytes, len), 0);
}

static inline void temp_root_text(
	struct temp_root *root, const char *path, const char *text)
{
	temp_root_put(root, path, text, strlen(text));
}

/* Runs a shell line in the folder; it must succeed. */
static inline void temp_root_shell(struct temp_root *root, const char *line)
{
	struct buf script CLEANUP(buf_done) = BUF_INIT;
	const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
	struct proc_spec spec = {.argv = argv, .timeout_ms = 30000};
	struct proc_result result;
	struct err err = ERR_INIT;

	assert_int_equal(buf_printf(&script, "cd %s && %s", root->path, line), 0);
	argv[2] = script.bytes;
	assert_int_equal(proc_run(sys_real(), &spec, &result, &err), 0);
	if (result.status != 0)
		fail_msg("%s: %s", line, buf_text(&result.output));
	proc_result_done(&result);
}

#endif
