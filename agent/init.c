/* SPDX-License-Identifier: MIT */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/reboot.h>
#include <linux/watchdog.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "console.h"
#include "rescue.h"
#include "switch_root.h"

/* Longest time between two pings; the worker's longest blocking call does not matter,
 * only this loop does (node.md 6.4, Watchdog). */
#define PING_MS 10000
#define WATCHDOG_TIMEOUT_S 120

/* Pauses before the worker is started again after it failed (node.md 6.4): never a tight
 * loop, never a reboot. The last one repeats. */
static const unsigned int restart_pause_s[] = {2, 10, 60, 300};

struct init {
	const struct sys_ops *sys;
	int root_fd;
	int signal_fd;
	int watchdog_fd;
	pid_t worker;
	pid_t rescue; /* -1: none running; 0: none wanted */
	unsigned int failures;
};

struct api_mount {
	const char *source;
	const char *target;
	unsigned long flags;
	const char *data;
};

/* Flags as docs/INITRD_INTERFACE.md of systemd asks for /run. */
static const struct api_mount api_mounts[] = {
	{"proc", "/proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL},
	{"sysfs", "/sys", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL},
	{"devtmpfs", "/dev", MS_NOSUID, "mode=0755"},
	{"tmpfs", "/run", MS_NOSUID | MS_NODEV | MS_STRICTATIME, "mode=0755,size=20%"},
};

static bool is_mounted(const struct init *init, const char *path)
{
	struct stat root, st;

	return fstat(init->root_fd, &root) == 0 &&
	       fs_stat(init->root_fd, path, true, &st) == 0 && st.st_dev != root.st_dev;
}

/* What is mounted already stays: a container or a test namespace brought its own. A
 * failed mount is no reason to stop there either. */
static void mount_api(const struct init *init)
{
	for (size_t i = 0; i < ARRAY_LEN(api_mounts); i++) {
		const struct api_mount *m = &api_mounts[i];

		if (is_mounted(init, m->target))
			continue;
		(void)init->sys->mkdirat(init->root_fd, m->target + 1, 0755);
		(void)init->sys->mount(
			m->source, m->target, m->source, m->flags, m->data);
	}
	(void)init->sys->mkdirat(init->root_fd, "run/promenade", 0755);
}

/* The kernel drops what user space logs past 10 lines in 5 s (Documentation/admin-guide/
 * sysctl/kernel.rst, printk_devkmsg), which is less than we say. It gets its own rule
 * back before the pivot. A command line with printk.devkmsg= has decided; the write fails
 * then. */
static void set_log_rule(const struct init *init, const char *rule)
{
	struct open_how how = {.flags = O_WRONLY | O_CLOEXEC};
	int fd CLEANUP(fd_close) = init->sys->open_write(
		init->root_fd, "proc/sys/kernel/printk_devkmsg", &how);

	if (fd >= 0)
		IGNORE_RESULT(fs_write_all(init->sys, fd, rule, strlen(rule)));
}

/* A signal that PID 1 itself caused: the kernel would panic ("Attempted to kill init").
 * Say so and stay, so that the console shows it; the watchdog, if any, resets the
 * machine. Only async-signal-safe calls. */
static void crash_handler(int sig)
{
	static const char text[] =
		"<2>agent: state=crash msg=\"PID 1 crashed; the machine is "
		"held for a person: photograph this console, then reset\"";
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);

	(void)sig;
	if (fd >= 0 && write(fd, text, sizeof(text) - 1) < 0)
		(void)close(fd);
	for (;;)
		(void)pause();
}

static void install_crash_handlers(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGSYS};
	static char stack[16384];
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	struct sigaction action = {.sa_handler = crash_handler, .sa_flags = SA_ONSTACK};

	(void)sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < ARRAY_LEN(fatal); i++)
		(void)sigaction(fatal[i], &action, NULL);
}

static void open_signals(struct init *init)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGINT); /* Ctrl-Alt-Del once RB_DISABLE_CAD is set */
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGPWR);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	init->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	(void)init->sys->reboot(LINUX_REBOOT_CMD_CAD_OFF);
}

/* Value of promenade.watchdog= in seconds; 0 leaves the watchdog alone. */
static int watchdog_timeout(const struct init *init)
{
	struct buf cmdline CLEANUP(buf_done) = BUF_INIT;
	const char *word;

	if (fs_read(init->root_fd, "proc/cmdline", 65536, &cmdline, NULL) < 0)
		return WATCHDOG_TIMEOUT_S;
	word = strstr(buf_text(&cmdline), "promenade.watchdog=");
	return word ? (int)strtol(word + strlen("promenade.watchdog="), NULL, 10)
		    : WATCHDOG_TIMEOUT_S;
}

/* Opens the watchdog as soon as its module has made one; called on every turn. Once
 * opened it runs until it is closed with 'V' (watchdog-api.rst). */
static void watchdog_ping(struct init *init)
{
	int timeout;

	if (init->watchdog_fd < 0) {
		timeout = watchdog_timeout(init);
		if (timeout <= 0)
			return;
		init->watchdog_fd = fs_open(init->root_fd, "dev/watchdog0", O_WRONLY);
		if (init->watchdog_fd < 0)
			return;
		(void)init->sys->ioctl(init->watchdog_fd, WDIOC_SETTIMEOUT, &timeout);
		log_event(LOG_LEVEL_INFO, "init", "watchdog", "armed, %d s", timeout);
	}
	(void)init->sys->ioctl(init->watchdog_fd, WDIOC_KEEPALIVE, NULL);
}

/* The installed OS arms its own watchdog if it wants one; ours must not reset it. */
static void watchdog_disarm(struct init *init)
{
	if (init->watchdog_fd < 0)
		return;
	if (init->sys->write(init->watchdog_fd, "V", 1) != 1)
		log_line(LOG_LEVEL_WARN, "disarm the watchdog: %s, ignoring",
			strerror(errno));
	fd_close(&init->watchdog_fd);
}

static void worker_start(struct init *init, int (*worker)(void))
{
	pid_t pid = init->sys->fork();

	if (pid < 0) {
		log_event(LOG_LEVEL_ERROR, "init", "failed", "start the worker: %s",
			strerror(errno));
		return;
	}
	if (pid == 0) {
		sigset_t none;

		(void)sigemptyset(&none);
		(void)sigprocmask(SIG_SETMASK, &none, NULL);
		for (int sig = 1; sig < 32; sig++)
			(void)signal(sig, SIG_DFL);
		(void)signal(SIGPIPE, SIG_IGN);
		fd_close(&init->watchdog_fd);
		fd_close(&init->signal_fd);
		_exit(worker());
	}
	init->worker = pid;
}

static void status_text(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		(void)snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		(void)snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}

/* Reaps all children that have ended. True with *ret when the worker was among them. */
static bool reap(struct init *init, int *ret)
{
	bool worker_ended = false;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == init->rescue)
			init->rescue = -1; /* left by exit: a new one starts */
		if (pid != init->worker)
			continue;
		init->worker = -1;
		*ret = status;
		worker_ended = true;
	}
	return worker_ended;
}

/* One turn of waiting: a signal, or time to ping. Ctrl-Alt-Del and power failure sync and
 * restart: a person at the console asked for it. */
static void wait_for_event(struct init *init)
{
	struct pollfd fd = {.fd = init->signal_fd, .events = POLLIN};
	struct signalfd_siginfo info;

	watchdog_ping(init);
	if (poll(&fd, 1, PING_MS) <= 0)
		return;
	while (read(init->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGCHLD)
			continue;
		log_event(LOG_LEVEL_WARN, "init", "reboot", "asked for by %s",
			strsignal((int)info.ssi_signo));
		sync();
		(void)init->sys->reboot(LINUX_REBOOT_CMD_RESTART);
	}
}

static void pause_seconds(struct init *init, unsigned int seconds)
{
	for (unsigned int waited = 0; waited < seconds; waited++) {
		int status;

		watchdog_ping(init);
		(void)sleep(1);
		(void)reap(init, &status);
	}
}

static void pivot(struct init *init)
{
	struct buf request CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	char *newline;

	if (fs_read(init->root_fd, INIT_PIVOT_FILE, 1024, &request, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "pivot", "failed", "%s", err.text);
		return;
	}
	newline = strchr(request.bytes, '\n');
	if (!newline) {
		log_event(LOG_LEVEL_ERROR, "pivot", "failed", "'%s' has no second line",
			INIT_PIVOT_FILE);
		return;
	}
	*newline = '\0';
	newline[1 + strcspn(newline + 1, "\n")] = '\0';
	(void)kill(-1, SIGKILL); /* what the worker left; kernel threads are immune */
	while (waitpid(-1, NULL, 0) > 0)
		continue;
	log_event(LOG_LEVEL_NOTICE, "pivot", "switch", "switch_root to '%s', init '%s'",
		request.bytes, newline + 1);
	watchdog_disarm(init);
	set_log_rule(init, "ratelimit\n");
	fd_close(&init->signal_fd);
	console_close();
	IGNORE_RESULT(switch_root(
		init->sys, request.bytes, newline + 1, &err)); /* said below */
	console_open(init->root_fd);
	log_event(LOG_LEVEL_ERROR, "pivot", "failed", "%s", err.text);
	open_signals(init);
}

static void restart_machine(struct init *init, int command)
{
	sync();
	watchdog_disarm(init);
	if (init->sys->reboot(command) < 0)
		log_event(
			LOG_LEVEL_ERROR, "init", "failed", "reboot: %s", strerror(errno));
}

/* What the worker asked for, or its failure. Returns when the worker must start again. */
static void worker_ended(struct init *init, int status)
{
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	unsigned int pause;
	char text[80];

	if (code == INIT_EXIT_SWITCH_ROOT)
		pivot(init);
	else if (code == INIT_EXIT_KEXEC)
		restart_machine(init, LINUX_REBOOT_CMD_KEXEC);
	else if (code == INIT_EXIT_REBOOT)
		restart_machine(init, LINUX_REBOOT_CMD_RESTART);
	pause = restart_pause_s[init->failures < ARRAY_LEN(restart_pause_s)
					? init->failures
					: ARRAY_LEN(restart_pause_s) - 1];
	init->failures++;
	status_text(status, text, sizeof(text));
	log_event(LOG_LEVEL_ERROR, "init", "worker",
		"the worker ended: %s (failure %u); it starts again in %u s", text,
		init->failures, pause);
	pause_seconds(init, pause);
}

void init_main(int (*worker)(void))
{
	struct init init = {.sys = sys_default(),
		.root_fd = -1,
		.signal_fd = -1,
		.watchdog_fd = -1,
		.worker = -1};
	int status = 0;

	install_crash_handlers();
	init.root_fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mount_api(&init);
	set_log_rule(&init, "on\n");
	console_open(init.root_fd);
	open_signals(&init);
	init.rescue = rescue_is_wanted(init.root_fd) ? -1 : 0;
	for (;;) {
		if (init.worker < 0)
			worker_start(&init, worker);
		if (init.rescue < 0)
			init.rescue = rescue_start(init.sys);
		wait_for_event(&init);
		if (reap(&init, &status))
			worker_ended(&init, status);
	}
}
