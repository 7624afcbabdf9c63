/* SPDX-License-Identifier: MIT */
/*
 * One line per event: `agent: step=cni state=apply t=12.3 msg="..."` to the kernel log
 * and every console. Only init.c, agent.c, run.c and the waits of net/ log above debug;
 * all else returns err. Secrets never reach it: they have no printable form in any
 * struct.
 */
#ifndef PROMENADE_BASE_LOG_H
#define PROMENADE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Numbers are syslog severities (RFC 5424 6.2.1), as the kernel log uses them. */
enum log_level {
	LOG_LEVEL_ERROR = 3,
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_NOTICE = 5,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_DEBUG = 7
};

/* A sink takes one whole line without newline; it must not block. */
struct log_sink {
	void (*write_line)(void *context, enum log_level level, const char *line);
	void *context;
};

#define LOG_SINKS_MAX 8

/* Adds a sink (copied). False when LOG_SINKS_MAX are there. Process-wide. */
bool log_add_sink(const struct log_sink *sink);

/* Removes all sinks; before switch_root and between tests. */
void log_reset(void);

/* Lines above this level are dropped. Starts at LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);

/* The stderr sink, for the command line. */
struct log_sink log_sink_stderr(void) MUST_USE;

/* A sink that writes to an open fd (console; O_NONBLOCK is the caller's business). The fd
 * is borrowed. kmsg says whether to put "<level>" in front
 * (Documentation/ABI/testing/dev-kmsg) instead of a newline at the end. */
struct log_sink log_sink_fd(int fd, bool kmsg) MUST_USE;

/* Emits `agent: step=STEP state=STATE t=SECONDS msg="..."`. step and state are single
 * words; NULL leaves them out. t is seconds since boot (CLOCK_BOOTTIME). Quotes,
 * backslashes and control bytes of the message are escaped. */
void log_event(enum log_level level, const char *step, const char *state, const char *fmt,
	...) PRINTF(4, 5);

/* log_event() without step and state. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);

#endif
