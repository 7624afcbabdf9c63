/* SPDX-License-Identifier: MIT */
#include "host/syslog.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

/* Facility daemon (RFC 5424 6.2.1). */
#define FACILITY 3
/* What every receiver must take whole (RFC 5424 6.1: 480, should 2048). */
#define MESSAGE_MAX 2048

struct address {
	char host[256];
	char port[8];
};

/* "host", "host:port", "[v6]" or "[v6]:port". */
static int split_address(const char *text, struct address *ret)
{
	bool v6 = *text == '[';
	const char *host = text + v6;
	size_t len = strcspn(host, v6 ? "]" : ":/");
	const char *rest = host + len + (v6 && host[len] == ']');
	uint64_t port = 514;

	if (!len || len >= sizeof(ret->host) || (v6 && host[len] != ']'))
		return -EINVAL;
	memcpy(ret->host, host, len);
	ret->host[len] = '\0';
	if (*rest == ':' && (!str_to_u64(rest + 1, 65535, &port) || !port))
		return -EINVAL;
	if (*rest && *rest != ':')
		return -EINVAL;
	(void)snprintf(ret->port, sizeof(ret->port), "%u", (unsigned int)port);
	return 0;
}

/* Connects within SYSLOG_CONNECT_MS; the socket stays non-blocking. */
static int connect_one(const struct addrinfo *info)
{
	int fd CLEANUP(fd_close) = socket(info->ai_family,
		info->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, info->ai_protocol);
	struct pollfd ready;
	int code = 0, kept;
	socklen_t len = sizeof(code);

	if (fd < 0)
		return -errno;
	if (connect(fd, info->ai_addr, info->ai_addrlen) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		ready = (struct pollfd){.fd = fd, .events = POLLOUT};
		if (poll(&ready, 1, SYSLOG_CONNECT_MS) != 1)
			return -ETIMEDOUT;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 || code)
			return code ? -code : -errno;
	}
	kept = fd;
	fd = -1;
	return kept;
}

static int connect_any(
	const struct address *address, bool stream, const char *url, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = stream ? SOCK_STREAM : SOCK_DGRAM};
	struct addrinfo *found = NULL;
	int rc = getaddrinfo(address->host, address->port, &hints, &found);
	int fd = -ENOENT;

	if (rc != 0)
		return err_set(err, E_NET, "syslog '%s': %s", url, gai_strerror(rc));
	for (const struct addrinfo *info = found; info && fd < 0; info = info->ai_next)
		fd = connect_one(info);
	freeaddrinfo(found);
	if (fd < 0)
		return err_set(err, E_NET, "syslog '%s': %s", url, strerror(-fd));
	return fd;
}

int syslog_open(struct syslog_sender *sender, const char *url, const char *hostname,
	struct err *err)
{
	bool stream = str_has_prefix(url, "tcp://");
	struct address address;
	int fd;

	if ((!stream && !str_has_prefix(url, "udp://")) ||
		split_address(url + strlen("udp://"), &address) < 0)
		return err_set(err, E_USAGE,
			"syslog '%s': must be udp://host:port or tcp://host:port", url);
	fd = connect_any(&address, stream, url, err);
	if (fd < 0)
		return fd;
	*sender = (struct syslog_sender){.fd = fd, .stream = stream};
	(void)str_copy(
		sender->hostname, sizeof(sender->hostname), *hostname ? hostname : "-");
	return 0;
}

size_t syslog_format(const struct syslog_sender *sender, enum log_level level,
	const struct timespec *when, const char *line, char *text, size_t size)
{
	struct tm utc;
	char stamp[32] = "-";
	int len;

	if (gmtime_r(&when->tv_sec, &utc))
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
	len = snprintf(text, size, "<%d>1 %s.%06ldZ %s promenade %d - - %s",
		FACILITY * 8 + (int)level, stamp, when->tv_nsec / 1000, sender->hostname,
		(int)getpid(), line);
	return len < 0 ? 0 : (size_t)len < size ? (size_t)len : size - 1;
}

static void write_line(void *context, enum log_level level, const char *line)
{
	struct syslog_sender *sender = context;
	char text[MESSAGE_MAX], framed[MESSAGE_MAX + 8];
	struct timespec now = {0, 0};
	size_t len;
	int framed_len;

	if (sender->fd < 0)
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	len = syslog_format(sender, level, &now, line, text, sizeof(text));
	if (!sender->stream) {
		(void)send(
			sender->fd, text, len, MSG_NOSIGNAL); /* dropped when not taken */
		return;
	}
	framed_len = snprintf(framed, sizeof(framed), "%zu %s", len, text);
	/* A stream that took a part is out of step for good. */
	if (framed_len > 0 &&
		send(sender->fd, framed, (size_t)framed_len, MSG_NOSIGNAL) !=
			framed_len &&
		errno != EAGAIN)
		fd_close(&sender->fd);
}

struct log_sink syslog_sink(struct syslog_sender *sender)
{
	return (struct log_sink){.write_line = write_line, .context = sender};
}

void syslog_close(struct syslog_sender *sender)
{
	fd_close(&sender->fd);
}
