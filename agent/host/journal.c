/* SPDX-License-Identifier: MIT */
#include "host/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

static int open_append(struct env *env, int dirfd, const char *path)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
		.mode = 0644,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd = env->sys->open_write(dirfd, path, &how);

	return fd < 0 ? -errno : fd;
}

void journal_init(struct journal *journal, struct env *env)
{
	*journal = (struct journal){.env = env, .target_fd = -1};
	if (fs_read_line(env->run_fd, "proc/sys/kernel/random/boot_id", journal->boot_id,
		    sizeof(journal->boot_id)) < 0)
		(void)str_copy(journal->boot_id, sizeof(journal->boot_id), "unknown");
}

/* Lines of earlier boots stay until the file is too big: the last failures are what
 * people ask for. */
static int rotate(struct env *env, struct err *err)
{
	struct stat st;
	const char *name;

	if (fs_stat(env->target_fd, JOURNAL_TARGET_PATH, false, &st) < 0 ||
		st.st_size <= (off_t)JOURNAL_TARGET_MAX)
		return 0;
	int fd CLEANUP(fd_close) =
		fs_open_parent(env->target_fd, JOURNAL_TARGET_PATH, &name);

	if (fd < 0)
		return err_errno(err, -fd, "open '%s'", JOURNAL_TARGET_PATH);
	if (env->sys->renameat2(fd, name, fd, "journal.1", 0) < 0)
		return err_errno(err, errno, "rename '%s'", JOURNAL_TARGET_PATH);
	return 0;
}

/* A crash may have left half a line; what follows must not be glued to it. */
static int end_torn_line(struct env *env, int fd)
{
	int reader CLEANUP(fd_close) =
		fs_open(env->target_fd, JOURNAL_TARGET_PATH, O_RDONLY);
	struct stat st;
	char last = '\n';

	if (reader < 0 || fstat(reader, &st) < 0 || st.st_size == 0 ||
		pread(reader, &last, 1, st.st_size - 1) != 1 || last == '\n')
		return 0;
	return fs_write_all(env->sys, fd, "\n", 1);
}

int journal_open_target(struct journal *journal, struct err *err)
{
	struct env *env = journal->env;
	struct buf lines CLEANUP(buf_done) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;
	int rc = fs_make_dirs(env->sys, env->target_fd, "/var/lib/promenade", err);

	if (rc == 0)
		rc = rotate(env, err);
	if (rc < 0)
		return rc;
	fd = open_append(env, env->target_fd, JOURNAL_TARGET_PATH);
	if (fd < 0)
		return err_errno(err, -fd, "open '%s'", JOURNAL_TARGET_PATH);
	rc = end_torn_line(env, fd);
	if (rc < 0)
		return err_errno(err, -rc, "write '%s'", JOURNAL_TARGET_PATH);
	if (fs_read(env->run_fd, JOURNAL_RUN_PATH, JOURNAL_TARGET_MAX, &lines, NULL) ==
		0) {
		rc = fs_write_all(env->sys, fd, lines.bytes, lines.len);
		if (rc < 0)
			return err_errno(err, -rc, "write '%s'", JOURNAL_TARGET_PATH);
	}
	if (env->sys->fsync(fd) < 0)
		return err_errno(err, errno, "write '%s'", JOURNAL_TARGET_PATH);
	fd_close(&journal->target_fd);
	journal->target_fd = fd;
	fd = -1;
	return 0;
}

void journal_close_target(struct journal *journal)
{
	fd_close(&journal->target_fd);
}

/* Quotes and line breaks would make a line unreadable for `promenade status`. */
static int format_line(struct journal *journal, const char *step, const char *state,
	const char *text, struct buf *ret)
{
	uint64_t ms = journal->env->now_ms();

	if (buf_printf(ret, "boot=%s t=%llu.%03u step=%s state=%s msg=\"",
		    journal->boot_id, (unsigned long long)(ms / 1000),
		    (unsigned int)(ms % 1000), step, state) < 0)
		return -ENOMEM;
	for (const char *p = text; *p; p++) {
		char c = *p == '"' ? '\'' : (unsigned char)*p < 0x20 ? ' ' : *p;

		if (buf_add(ret, &c, 1) < 0)
			return -ENOMEM;
	}
	return buf_add_str(ret, "\"\n");
}

void journal_add(
	struct journal *journal, const char *step, const char *state, const char *text)
{
	struct env *env = journal->env;
	struct buf line CLEANUP(buf_done) = BUF_INIT;
	int fd CLEANUP(fd_close) = -1;

	if (format_line(journal, step, state, text, &line) < 0)
		return;
	fd = open_append(env, env->run_fd, JOURNAL_RUN_PATH);
	if (fd >= 0)
		IGNORE_RESULT(fs_write_all(env->sys, fd, line.bytes, line.len));
	if (journal->target_fd < 0)
		return;
	if (fs_write_all(env->sys, journal->target_fd, line.bytes, line.len) == 0)
		(void)env->sys->fsync(
			journal->target_fd); /* see journal_add()'s contract */
}
