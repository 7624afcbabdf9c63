/* SPDX-License-Identifier: MIT */
#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"

struct pipes {
	int input[2];
	int output[2];
	int failure[2]; /* O_CLOEXEC: carries errno of a failed exec, closes on success */
};

static void pipes_done(struct pipes *pipes)
{
	int *all = (int *)pipes;

	for (size_t i = 0; i < sizeof(*pipes) / sizeof(int); i++)
		fd_close(&all[i]);
}

static int pipes_open(struct pipes *pipes)
{
	*pipes = (struct pipes){{-1, -1}, {-1, -1}, {-1, -1}};
	if (pipe2(pipes->input, O_CLOEXEC) < 0 || pipe2(pipes->output, O_CLOEXEC) < 0 ||
		pipe2(pipes->failure, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static void reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL); /* SIGKILL and SIGSTOP refuse: fine */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Everything above the three standard fds, except the one that reports a failed exec. */
static void close_others(int keep)
{
	for (int fd = 3; fd < 1024; fd++)
		if (fd != keep)
			(void)close(fd);
}

/* In the child: never returns. */
static NORETURN void child_exec(const struct sys_ops *sys, const struct proc_spec *spec,
	struct pipes *pipes, pid_t parent)
{
	static const char *const default_env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		NULL};
	const char *const *envp = spec->envp ? spec->envp : default_env;
	int code;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127); /* the parent died before PDEATHSIG was armed */
	reset_signals();
	(void)umask(022);
	if (dup2(pipes->input[0], 0) < 0 || dup2(pipes->output[1], 1) < 0 ||
		dup2(pipes->output[1], 2) < 0)
		_exit(127);
	close_others(pipes->failure[1]);
	if (spec->chroot && (sys->chroot(spec->chroot) < 0 || chdir("/") < 0))
		goto failed;
	/* The casts: execve's prototype predates const (POSIX rationale). */
	(void)sys->execve(spec->argv[0], (char *const *)(const void *)spec->argv,
		(char *const *)(const void *)envp);
failed:
	code = errno;
	if (write(pipes->failure[1], &code, sizeof(code)) < 0)
		_exit(126);
	_exit(127);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Feeds the input and collects the output until the child closes it or time is up. */
static bool pump(const struct proc_spec *spec, struct pipes *pipes, struct buf *output)
{
	const char *input = spec->input ? spec->input : "";
	size_t left = strlen(input);
	int64_t deadline = spec->timeout_ms ? now_ms() + spec->timeout_ms : -1;

	for (;;) {
		struct pollfd fds[2] = {{.fd = pipes->output[0], .events = POLLIN},
			{.fd = left ? pipes->input[1] : -1, .events = POLLOUT}};
		int64_t wait = deadline < 0 ? -1 : deadline - now_ms();
		char chunk[4096];
		ssize_t n;

		if (!left)
			fd_close(&pipes->input[1]);
		if (deadline >= 0 && wait <= 0)
			return false;
		if (poll(fds, 2, (int)wait) <= 0)
			continue;
		if (fds[1].revents) {
			n = write(pipes->input[1], input, left);
			if (n < 0 && errno != EINTR && errno != EAGAIN)
				left = 0;
			else if (n > 0)
				input += n, left -= (size_t)n;
		}
		if (!fds[0].revents)
			continue;
		n = read(pipes->output[0], chunk, sizeof(chunk));
		if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
			return true;
		if (n > 0 && output->len + (size_t)n <= PROC_OUTPUT_MAX &&
			buf_add(output, chunk, (size_t)n) < 0)
			return true; /* out of memory: the tail of the output is lost */
	}
}

/* Reaps pid; after the deadline kills the group first. Returns exit code or -signal. */
static int reap(pid_t pid, bool in_time)
{
	int status = 0;

	if (!in_time)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 127;
	(void)kill(-pid, SIGKILL); /* grandchildren that kept running */
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int proc_run(const struct sys_ops *sys, const struct proc_spec *spec,
	struct proc_result *ret, struct err *err)
{
	struct pipes pipes CLEANUP(pipes_done) = {{-1, -1}, {-1, -1}, {-1, -1}};
	struct proc_result result = {0, false, BUF_INIT};
	pid_t parent = getpid(), pid;
	int code = 0, rc = pipes_open(&pipes);

	if (rc < 0)
		return err_errno(err, -rc, "run '%s'", spec->argv[0]);
	pid = sys->fork();
	if (pid < 0)
		return err_errno(err, errno, "run '%s'", spec->argv[0]);
	if (pid == 0)
		child_exec(sys, spec, &pipes, parent);
	fd_close(&pipes.input[0]);
	fd_close(&pipes.output[1]);
	fd_close(&pipes.failure[1]);
	(void)fcntl(pipes.input[1], F_SETFL, O_NONBLOCK);
	result.timed_out = !pump(spec, &pipes, &result.output);
	result.status = reap(pid, !result.timed_out);
	if (read(pipes.failure[0], &code, sizeof(code)) == (ssize_t)sizeof(code)) {
		buf_done(&result.output);
		return err_set(
			err, E_CHILD, "run '%s': %s", spec->argv[0], strerror(code));
	}
	*ret = result;
	return 0;
}

void proc_result_text(const struct proc_result *result, char *text, size_t size)
{
	if (result->timed_out)
		(void)snprintf(text, size, "timed out");
	else if (result->status < 0)
		(void)snprintf(text, size, "killed by signal %d (%s)", -result->status,
			strsignal(-result->status));
	else
		(void)snprintf(text, size, "exit status %d", result->status);
}

void proc_result_done(struct proc_result *result)
{
	buf_done(&result->output);
}
