/* SPDX-License-Identifier: MIT */
/*
 * The agent's PID 1 with a worker that follows a script, so that every way in which a
 *worker can end is seen by the real supervisor. Built from the release objects. Each
 *start of the worker takes the next line of /script:
 *
 *	exit N | signal N | orphans N | zombies | pivot ROOT INIT | hang
 *
 * As "/sbin/init" of the new root the same program writes what it finds to /out/found, or
 *to the console where the new root has no such folder.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/sys.h"
#include "init.h"

static int no_pivot_root(const char *new_root UNUSED, const char *put_old UNUSED)
{
	errno = EINVAL; /* what a kernel without nullfs_rootfs says on its initramfs */
	return -1;
}

/* The real effects; with /no-pivot-root there, the kernel of that kind. Restarts after a
 * failure wait 2, 10, 60, 300 s: the test cannot, so sleep() below is cut short instead.
 */
const struct sys_ops *sys_default(void)
{
	static struct sys_ops ops;

	ops = *sys_real();
	if (access("/no-pivot-root", F_OK) == 0)
		ops.pivot_root = no_pivot_root;
	return &ops;
}

unsigned int __wrap_sleep(unsigned int seconds);
unsigned int __wrap_sleep(unsigned int seconds)
{
	(void)usleep(seconds * 2000U); /* the pauses keep their order, 500 times faster */
	return 0;
}

static void write_pivot(const char *root, const char *init)
{
	FILE *file = fopen("/" INIT_PIVOT_FILE, "w");

	if (!file || fprintf(file, "%s\n%s\n", root, init) < 0 || fclose(file) != 0)
		_exit(99);
}

/* Children whose parent goes away: PID 1 must reap them. */
static int leave_orphans(int count)
{
	for (int i = 0; i < count; i++) {
		if (fork() == 0) {
			if (fork() == 0)
				_exit(0);
			_exit(0);
		}
	}
	(void)usleep(50000);
	return 7;
}

/* Exit status 20 and as many more as there are dead processes that nobody reaped. */
static int count_zombies(void)
{
	int count = 20;
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[300], state = '?';
		FILE *file;

		(void)snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
		file = atoi(entry->d_name) > 0 ? fopen(path, "r") : NULL;
		if (!file)
			continue;
		if (fscanf(file, "%*d (%*[^)]) %c", &state) == 1 && state == 'Z')
			count++;
		(void)fclose(file);
	}
	return count;
}

static int follow(char *line)
{
	char word[16] = "", a[128] = "", b[128] = "";

	(void)sscanf(line, "%15s %127s %127s", word, a, b);
	if (strcmp(word, "exit") == 0)
		return atoi(a);
	if (strcmp(word, "signal") == 0)
		return raise(atoi(a));
	if (strcmp(word, "orphans") == 0)
		return leave_orphans(atoi(a));
	if (strcmp(word, "zombies") == 0)
		return count_zombies();
	if (strcmp(word, "pivot") == 0) {
		write_pivot(a, b);
		return INIT_EXIT_SWITCH_ROOT;
	}
	for (;;)
		(void)pause();
}

/* Takes the line at the number kept in /turn. */
static int worker(void)
{
	char line[256] = "";
	int turn = 0;
	FILE *file = fopen("/turn", "r");

	if (file) {
		(void)fscanf(file, "%d", &turn);
		(void)fclose(file);
	}
	file = fopen("/turn", "w");
	if (!file || fprintf(file, "%d\n", turn + 1) < 0 || fclose(file) != 0)
		return 98;
	file = fopen("/script", "r");
	for (int i = 0; file && i <= turn; i++)
		if (!fgets(line, sizeof(line), file))
			return 97;
	return follow(line);
}

static int count_entries(const char *path)
{
	DIR *dir = opendir(path);
	int count = 0;

	while (dir && readdir(dir))
		count++;
	return dir ? count - 2 : -1;
}

static void copy_lines(FILE *out, const char *path, const char *key)
{
	FILE *in = fopen(path, "r");
	char line[1024];

	while (in && fgets(line, sizeof(line), in))
		(void)fprintf(out, "%s %s", key, line);
	if (in)
		(void)fclose(in);
}

/* In the new root: what the hand-over left. */
static int found(char **envp)
{
	FILE *file = fopen("/out/found", "w");
	bool to_console = !file;
	struct statfs fs;
	sigset_t mask;
	struct sigaction child;
	char cwd[256] = "?";

	if (to_console)
		file = fdopen(dup(STDOUT_FILENO), "w");
	if (!file || statfs("/run", &fs) < 0 ||
		sigprocmask(SIG_SETMASK, NULL, &mask) < 0 ||
		sigaction(SIGCHLD, NULL, &child) < 0 || !getcwd(cwd, sizeof(cwd)))
		return 96;
	if (to_console)
		(void)fprintf(file, "verdict begin\n");
	(void)fprintf(file, "pid %d\ncwd %s\nrun-type %lx\n", (int)getpid(), cwd,
		(unsigned long)fs.f_type);
	(void)fprintf(
		file, "fds %d\n", count_entries("/proc/self/fd") - 2 /* file, dir */);
	(void)fprintf(file, "sigchld-blocked %d\nsigchld-default %d\n",
		sigismember(&mask, SIGCHLD), child.sa_handler == SIG_DFL);
	(void)fprintf(file, "old-root %d\n", access("/init", F_OK) == 0);
	for (; *envp; envp++)
		(void)fprintf(file, "env %s\n", *envp);
	if (to_console) {
		copy_lines(file, "/proc/self/mountinfo", "mount");
		copy_lines(file, "/run/promenade/disk-writes", "writes");
		copy_lines(file, "/run/systemd/relabel-extra.d/promenade.relabel",
			"relabel");
		copy_lines(file, "/etc/hostname", "hostname");
		copy_lines(file, "/etc/motd", "motd");
		copy_lines(file, "/sys/class/net/eth0/flags", "eth0");
		(void)fprintf(file, "verdict end\n");
	}
	return fclose(file) == 0 ? 0 : 95;
}

/* As the rescue shell: a mark, and away. */
static int shell(void)
{
	FILE *file = fopen("/disk/shell", "a");

	(void)usleep(300000);
	return file && fprintf(file, "shell\n") > 0 && fclose(file) == 0 ? 0 : 93;
}

int main(int argc UNUSED, char **argv, char **envp)
{
	if (strcmp(argv[0], "/bin/sh") == 0)
		return shell();
	if (strcmp(argv[0], "/sbin/init") == 0)
		return found(envp);
	if (getpid() != 1)
		return 94;
	init_main(worker);
}
