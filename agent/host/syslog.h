/* SPDX-License-Identifier: MIT */
/*
 * The log to a syslog server (RFC 5424), where a role asks for it: one message per line
 * over UDP (RFC 5426), or over TCP with octet counting (RFC 6587 3.4.1). Never in the
 * boot's way: what the socket does not take at once is dropped.
 */
#ifndef PROMENADE_HOST_SYSLOG_H
#define PROMENADE_HOST_SYSLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/log.h"

struct syslog_sender {
	int fd; /* -1: closed */
	bool stream;
	char hostname[256]; /* of this machine, "-" when not known */
};

/* Connects to url (udp://host:port or tcp://host:port, port 514 when left out; IPv6 in
 * brackets) for the machine called hostname. Blocks on the name and, for TCP, at most
 * SYSLOG_CONNECT_MS on the connection. Errors: E_USAGE for a URL of another form, E_NET.
 */
int syslog_open(struct syslog_sender *sender, const char *url, const char *hostname,
	struct err *err) MUST_USE;

#define SYSLOG_CONNECT_MS 3000

/* A sink for log_add_sink(); sender is borrowed and must outlive it. */
struct log_sink syslog_sink(struct syslog_sender *sender) MUST_USE;

/* Formats one message into text[size] as RFC 5424 6 has it, for the time given. Returns
 * its length, cut to what fits. */
size_t syslog_format(const struct syslog_sender *sender, enum log_level level,
	const struct timespec *when, const char *line, char *text, size_t size) MUST_USE;

/* Closes; takes a closed one. */
void syslog_close(struct syslog_sender *sender);

#endif
