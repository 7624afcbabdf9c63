/* SPDX-License-Identifier: MIT */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* /dev/kmsg takes at most LOG_LINE_MAX minus prefix bytes a record (kernel/printk:
 * PRINTKRB_RECORD_MAX 1024); longer writes fail with EINVAL. */
#define LINE_MAX_BYTES 960

/* The one file-scope state of the program, besides const tables (STYLE.md, NAMING). */
static struct {
	struct log_sink sinks[LOG_SINKS_MAX];
	size_t count;
	enum log_level level;
} state = {.level = LOG_LEVEL_INFO};

bool log_add_sink(const struct log_sink *sink)
{
	if (state.count == LOG_SINKS_MAX)
		return false;
	state.sinks[state.count++] = *sink;
	return true;
}

void log_reset(void)
{
	state.count = 0;
}

void log_set_level(enum log_level level)
{
	state.level = level;
}

static void write_stderr(
	void *context UNUSED, enum log_level level UNUSED, const char *line)
{
	(void)fprintf(stderr, "%s\n", line);
}

struct log_sink log_sink_stderr(void)
{
	return (struct log_sink){.write_line = write_stderr};
}

/* The fd travels in the pointer: no allocation, no lifetime to manage. */
static void write_fd(void *context, enum log_level level UNUSED, const char *line)
{
	char out[LINE_MAX_BYTES + 4];
	int len = snprintf(out, sizeof(out), "%s\n", line);

	/* A dead console must not stop the boot: short or failed writes are dropped. */
	if (len > 0 && write((int)(intptr_t)context, out, (size_t)len) < 0)
		return;
}

static void write_kmsg(void *context, enum log_level level, const char *line)
{
	char out[LINE_MAX_BYTES + 8];
	int len = snprintf(out, sizeof(out), "<%d>%s", (int)level, line);

	if (len > 0 && write((int)(intptr_t)context, out, (size_t)len) < 0)
		return; /* the kernel log is full or missing; consoles remain */
}

struct log_sink log_sink_fd(int fd, bool kmsg)
{
	return (struct log_sink){
		.write_line = kmsg ? write_kmsg : write_fd,
		.context = (void *)(intptr_t)fd,
	};
}

/* Appends text with quotes, backslashes and control bytes escaped; returns the new
 * length. */
static size_t add_escaped(char *out, size_t size, size_t len, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		char one[5];

		if (*p == '"' || *p == '\\')
			(void)snprintf(one, sizeof(one), "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			(void)snprintf(one, sizeof(one), "\\x%02x", *p);
		else
			(void)snprintf(one, sizeof(one), "%c", *p);
		if (len + strlen(one) >= size)
			break;
		memcpy(out + len, one, strlen(one) + 1);
		len += strlen(one);
	}
	return len;
}

static void emit(enum log_level level, const char *step, const char *step_state,
	const char *message)
{
	char line[LINE_MAX_BYTES];
	struct timespec now = {0, 0};
	size_t len;

	(void)clock_gettime(CLOCK_BOOTTIME, &now); /* cannot fail on Linux >= 2.6.39 */
	len = (size_t)snprintf(line, sizeof(line), "agent: %s%s%s%s%s%st=%lld.%ld msg=\"",
		step ? "step=" : "", step ? step : "", step ? " " : "",
		step_state ? "state=" : "", step_state ? step_state : "",
		step_state ? " " : "", (long long)now.tv_sec, now.tv_nsec / 100000000L);
	if (len >= sizeof(line) - 2)
		len = sizeof(line) - 3;
	len = add_escaped(line, sizeof(line) - 1, len, message);
	line[len] = '"';
	line[len + 1] = '\0';
	for (size_t i = 0; i < state.count; i++)
		state.sinks[i].write_line(state.sinks[i].context, level, line);
}

void log_event(enum log_level level, const char *step, const char *step_state,
	const char *fmt, ...)
{
	char message[LINE_MAX_BYTES];
	va_list args;
	int saved = errno;

	if (level > state.level)
		return;
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	emit(level, step, step_state, message);
	errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char message[LINE_MAX_BYTES];
	va_list args;
	int saved = errno;

	if (level > state.level)
		return;
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	emit(level, NULL, NULL, message);
	errno = saved;
}
