/* SPDX-License-Identifier: MIT */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"

#define PORT_NAME "org.promenade.agent"

/* console_loglevel when /proc/sys/kernel/printk cannot be read: the kernel prints nothing
 * of ours, so we print all of it. */
#define LOGLEVEL_UNKNOWN 0

/* The open descriptors; the log's sinks borrow them (one owner, see base/log.c). */
static struct {
	int fds[LOG_SINKS_MAX];
	int count;
	int kernel_prints_below;
} consoles = {.count = 0};

/* The kernel prints a kmsg record on its consoles when level < console_loglevel; then a
 * second copy from us would only confuse. */
static void write_console(void *context, enum log_level level, const char *line)
{
	struct log_sink plain = log_sink_fd((int)(intptr_t)context, false);

	if ((int)level >= consoles.kernel_prints_below)
		plain.write_line(plain.context, level, line);
}

static void add_fd(int fd, void (*write_line)(void *, enum log_level, const char *))
{
	struct log_sink sink = {
		.write_line = write_line, .context = (void *)(intptr_t)fd};

	if (fd < 0)
		return;
	if (consoles.count == LOG_SINKS_MAX || !log_add_sink(&sink)) {
		fd_close(&fd);
		return;
	}
	consoles.fds[consoles.count++] = fd;
}

static int open_device(int run_fd, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "dev/%s", name);
	return fs_open(run_fd, path, O_WRONLY | O_NOCTTY | O_NONBLOCK);
}

/* /sys/class/tty/console/active: "tty0 ttyS0" (Documentation/ABI/testing/sysfs-tty). */
static void add_active_consoles(int run_fd)
{
	char active[256], *rest = NULL;

	if (fs_read_line(run_fd, "sys/class/tty/console/active", active, sizeof(active)) <
		0) {
		add_fd(open_device(run_fd, "console"), write_console);
		return;
	}
	for (char *name = strtok_r(active, " ", &rest); name;
		name = strtok_r(NULL, " ", &rest))
		add_fd(open_device(run_fd, name), write_console);
}

static void write_port(void *context, enum log_level level, const char *line)
{
	struct log_sink plain = log_sink_fd((int)(intptr_t)context, false);

	plain.write_line(plain.context, level, line);
}

/* The rig's port by its name (Documentation/ABI/testing/sysfs-class-virtio-ports...
 * name). */
static void add_rig_port(int run_fd)
{
	struct strlist ports CLEANUP(strlist_done) = STRLIST_INIT;

	if (fs_list(run_fd, "sys/class/virtio-ports", &ports) < 0)
		return;
	for (size_t i = 0; i < ports.count; i++) {
		char path[300], name[64];

		(void)snprintf(path, sizeof(path), "sys/class/virtio-ports/%s/name",
			ports.items[i]);
		if (fs_read_line(run_fd, path, name, sizeof(name)) == 0 &&
			strcmp(name, PORT_NAME) == 0)
			add_fd(open_device(run_fd, ports.items[i]), write_port);
	}
}

static int kernel_loglevel(int run_fd)
{
	char line[64];

	if (fs_read_line(run_fd, "proc/sys/kernel/printk", line, sizeof(line)) < 0)
		return LOGLEVEL_UNKNOWN;
	return (int)strtol(line, NULL, 10);
}

void console_open(int run_fd)
{
	struct log_sink kmsg;
	int fd;

	console_close();
	fd = open_device(run_fd, "kmsg");
	kmsg = log_sink_fd(fd, true);
	consoles.kernel_prints_below =
		fd < 0 ? LOGLEVEL_UNKNOWN : kernel_loglevel(run_fd);
	add_fd(fd, kmsg.write_line);
	add_active_consoles(run_fd);
	add_rig_port(run_fd);
}

void console_close(void)
{
	log_reset();
	for (int i = 0; i < consoles.count; i++)
		fd_close(&consoles.fds[i]);
	consoles.count = 0;
}
