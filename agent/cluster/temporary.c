/* SPDX-License-Identifier: MIT */
#include "cluster/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/fs.h"
#include "base/proc.h"
#include "cluster/temporary_child.h"

#define POLL_MS 100U
#define PROBE_PAUSE_MS 250U
#define TAIL_BYTES 8192
#define TAIL_TEXT 200

struct temporary {
	struct env *env;
	const char *name;
	pid_t pid;  /* 0: reaped */
	int status; /* exit code or -signal, once reaped */
	char log[128];
	off_t log_start; /* where this run begins */
};

int temporary_loopback_up(const struct env *env, struct err *err)
{
	int fd CLEANUP(fd_close) = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq link = {.ifr_name = "lo"};

	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &link) < 0)
		return err_errno(err, errno, "read the state of link 'lo'");
	if (link.ifr_flags & IFF_UP)
		return 0;
	link.ifr_flags |= IFF_UP;
	if (env->sys->ioctl(fd, SIOCSIFFLAGS, &link) < 0)
		return err_errno(err, errno, "bring link 'lo' up");
	return 0;
}

/* Appending: what an earlier attempt said stays readable. */
static int open_log(struct temporary *program, int *ret, struct err *err)
{
	const struct env *env = program->env;
	const struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
		.mode = 0640,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	int fd, rc = fs_make_dirs(env->sys, env->target_fd, TEMPORARY_LOG_DIR, err);

	for (size_t i = 0; temporary_mount_points[i] && rc == 0; i++)
		rc = fs_make_dirs(
			env->sys, env->target_fd, temporary_mount_points[i], err);
	if (rc < 0)
		return rc;
	(void)snprintf(program->log, sizeof(program->log), TEMPORARY_LOG_DIR "/%s.log",
		program->name);
	fd = env->sys->open_write(env->target_fd, program->log, &how);
	if (fd < 0)
		return err_errno(err, errno, "open '%s'", program->log);
	program->log_start = lseek(fd, 0, SEEK_END);
	*ret = fd;
	return 0;
}

/* Says whether the child became the program. */
static int await_exec(struct temporary *program, int fd, struct err *err)
{
	struct temporary_failure failure;
	ssize_t got;

	do
		got = read(fd, &failure, sizeof(failure));
	while (got < 0 && errno == EINTR);
	if (got != (ssize_t)sizeof(failure))
		return 0;
	failure.what[sizeof(failure.what) - 1] = '\0';
	return err_set(err, E_CHILD, "start %s: %s: %s", program->name, failure.what,
		strerror(failure.code));
}

static int spawn(
	struct temporary *program, const struct temporary_program *what, struct err *err)
{
	int pipes[2] = {-1, -1}, log CLEANUP(fd_close) = -1;
	int rc = open_log(program, &log, err);
	struct temporary_child child = {program->env, what, getpid(), log, -1};

	if (rc < 0)
		return rc;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return err_errno(err, errno, "start %s", what->name);
	child.failure_fd = pipes[1];
	program->pid = program->env->sys->fork();
	if (program->pid == 0)
		temporary_child_exec(&child);
	rc = program->pid < 0 ? err_errno(err, errno, "start %s", what->name) : 0;
	fd_close(&pipes[1]);
	if (rc == 0)
		rc = await_exec(program, pipes[0], err);
	fd_close(&pipes[0]);
	return rc;
}

int temporary_start(struct env *env, const struct temporary_program *what,
	struct temporary **ret, struct err *err)
{
	struct temporary *program CLEANUP(temporary_free) = calloc(1, sizeof(*program));
	int rc;

	if (!program)
		return err_errno(err, ENOMEM, "start %s", what->name);
	program->env = env;
	program->name = what->name;
	rc = spawn(program, what, err);
	if (rc < 0)
		return rc;
	*ret = program;
	program = NULL;
	return 0;
}

static bool tells_trouble(const char *line)
{
	return strstr(line, "rror") || strstr(line, "fatal") || strstr(line, "panic");
}

/* The line of this run's log that tells most: the last that speaks of trouble, or the
 * last. */
static void read_tail(const struct temporary *program, char text[TAIL_TEXT])
{
	int fd CLEANUP(fd_close) =
		fs_open(program->env->target_fd, program->log, O_RDONLY);
	char bytes[TAIL_BYTES + 1];
	const char *found = "nothing";
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	off_t start = end - TAIL_BYTES;
	ssize_t got;
	bool trouble = false;

	if (start < program->log_start)
		start = program->log_start;
	got = fd < 0 ? 0 : pread(fd, bytes, TAIL_BYTES, start);
	bytes[got > 0 ? got : 0] = '\0';
	for (char *save, *line = strtok_r(bytes, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		if (trouble && !tells_trouble(line))
			continue;
		trouble = tells_trouble(line);
		found = line;
	}
	(void)str_copy(text, TAIL_TEXT, found);
	str_make_printable(text);
}

/* True when it has ended; reaps it. */
static bool has_ended(struct temporary *program)
{
	int status;
	pid_t pid;

	if (program->pid <= 0)
		return true;
	pid = waitpid(program->pid, &status, WNOHANG);
	if (pid == 0 || (pid < 0 && errno == EINTR))
		return false;
	program->status = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
	(void)kill(-program->pid, SIGKILL); /* what it may have left behind */
	program->pid = 0;
	return true;
}

int temporary_check(struct temporary *program, struct err *err)
{
	struct proc_result result = {.status = 0};
	char how[64], tail[TAIL_TEXT];

	if (!has_ended(program))
		return 0;
	result.status = program->status;
	proc_result_text(&result, how, sizeof(how));
	read_tail(program, tail);
	return err_set(err, E_CHILD, "%s ended by itself (%s); its log '%s' says: %s",
		program->name, how, program->log, tail);
}

int temporary_wait(
	struct temporary *program, const struct temporary_probe *probe, struct err *err)
{
	struct env *env = program->env;
	uint64_t end = env->now_ms() + 1000ULL * probe->timeout_s;
	struct err said = ERR_INIT;
	char tail[TAIL_TEXT];
	int rc;

	for (;;) {
		rc = temporary_check(program, err);
		if (rc < 0 || probe->ready(probe->context, &said) == 0)
			return rc;
		if (env->now_ms() >= end)
			break;
		env->sleep_ms(PROBE_PAUSE_MS);
	}
	read_tail(program, tail);
	return err_set(err, E_TIMEOUT,
		"%s is not ready after %u s (%.150s); a slow machine needs more in "
		"cluster.timeouts; its log '%s' says: %s",
		program->name, probe->timeout_s, said.text, program->log, tail);
}

int temporary_stop(struct temporary **pointer, unsigned int timeout_s, struct err *err)
{
	struct temporary *program CLEANUP(temporary_free) = *pointer;
	uint64_t end;
	int rc;

	*pointer = NULL;
	if (!program)
		return 0;
	rc = temporary_check(program, err);
	if (rc < 0)
		return rc;
	(void)kill(program->pid, SIGTERM);
	end = program->env->now_ms() + 1000ULL * timeout_s;
	while (!has_ended(program)) {
		if (program->env->now_ms() >= end)
			return err_set(err, E_TIMEOUT,
				"%s did not end within %u s and was killed; its log is "
				"'%s'",
				program->name, timeout_s, program->log);
		program->env->sleep_ms(POLL_MS);
	}
	return 0;
}

void temporary_free(struct temporary **pointer)
{
	struct temporary *program = *pointer;
	int status;

	*pointer = NULL;
	if (!program)
		return;
	if (program->pid > 0) {
		(void)kill(-program->pid, SIGKILL);
		(void)kill(program->pid, SIGKILL); /* it may have no group yet */
		while (waitpid(program->pid, &status, 0) < 0 && errno == EINTR)
			;
	}
	free(program);
}
