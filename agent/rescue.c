/* SPDX-License-Identifier: MIT */
#include "rescue.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

#define SHELL "/bin/sh"

bool rescue_is_wanted(int root_fd)
{
	struct buf cmdline CLEANUP(buf_done) = BUF_INIT;
	char *rest;

	if (!fs_exists(root_fd, SHELL) ||
		fs_read(root_fd, "proc/cmdline", 65536, &cmdline, NULL) < 0)
		return false;
	rest = cmdline.bytes;
	for (char *word = rest ? strsep(&rest, " \n") : NULL; word;
		word = strsep(&rest, " \n"))
		if (strcmp(word, "promenade.rescue") == 0)
			return true;
	return false;
}

static NORETURN void shell(const struct sys_ops *sys)
{
	char *const argv[] = {(char[]){SHELL}, (char[]){"-l"}, NULL};
	char *const envp[] = {(char[]){"PATH=/bin:/sbin"}, (char[]){"TERM=linux"},
		(char[]){"HOME=/"}, (char[]){"PS1=rescue# "}, NULL};
	sigset_t none;
	int fd;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int sig = 1; sig < 32; sig++)
		(void)signal(sig, SIG_DFL);
	(void)setsid();
	fd = open("/dev/console", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		_exit(1);
	/* Without a controlling terminal there is no job control and no Ctrl-C. */
	(void)sys->ioctl(fd, TIOCSCTTY, NULL);
	for (int std = 0; std < 3; std++)
		(void)dup2(fd, std);
	(void)sys->execve(SHELL, argv, envp);
	_exit(1);
}

pid_t rescue_start(const struct sys_ops *sys)
{
	pid_t pid = sys->fork();

	if (pid == 0)
		shell(sys);
	return pid;
}
