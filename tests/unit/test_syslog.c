/* SPDX-License-Identifier: MIT */
/* host/syslog against sockets of the test's own, on loopback. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "host/syslog.h"

/* A bound socket of the type on a free port of 127.0.0.1; url gets its address. */
static int listen_on(int type, const char *scheme, char url[64])
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(url, 64, "%s://127.0.0.1:%u", scheme, ntohs(address.sin_port));
	return fd;
}

static void receive(int fd, char text[512])
{
	ssize_t len = recv(fd, text, 511, 0);

	assert_true(len > 0);
	text[len] = '\0';
}

static void test_format_is_rfc_5424(void **state UNUSED)
{
	struct syslog_sender sender = {.fd = -1, .hostname = "node-1"};
	struct timespec when = {.tv_sec = 1700000000, .tv_nsec = 123456789};
	char text[256], expected[256], small[20];

	assert_true(syslog_format(&sender, LOG_LEVEL_WARN, &when, "hello", text,
			    sizeof(text)) > 0);
	(void)snprintf(expected, sizeof(expected),
		"<28>1 2023-11-14T22:13:20.123456Z node-1 promenade %d - - hello",
		(int)getpid());
	assert_string_equal(text, expected);
	assert_int_equal(syslog_format(&sender, LOG_LEVEL_INFO, &when, "hello", small,
				 sizeof(small)),
		sizeof(small) - 1);
}

static void test_udp_is_one_message_a_datagram(void **state UNUSED)
{
	char url[64], text[512];
	int fd CLEANUP(fd_close) = listen_on(SOCK_DGRAM, "udp", url);
	struct syslog_sender sender;
	struct err err = ERR_INIT;
	struct log_sink sink;

	assert_int_equal(syslog_open(&sender, url, "", &err), 0);
	sink = syslog_sink(&sender);
	sink.write_line(sink.context, LOG_LEVEL_ERROR, "agent: one");
	sink.write_line(sink.context, LOG_LEVEL_INFO, "agent: two");
	receive(fd, text);
	assert_memory_equal(text, "<27>1 ", 6);
	assert_non_null(strstr(text, " - promenade "));
	assert_true(str_has_suffix(text, " - - agent: one"));
	receive(fd, text);
	assert_true(str_has_suffix(text, " - - agent: two"));
	syslog_close(&sender);
}

static void test_tcp_counts_octets(void **state UNUSED)
{
	char url[64], text[512];
	int fd CLEANUP(fd_close) = listen_on(SOCK_STREAM, "tcp", url);
	int peer CLEANUP(fd_close) = -1;
	struct syslog_sender sender;
	struct err err = ERR_INIT;
	struct log_sink sink;
	unsigned int count = 0;

	assert_int_equal(syslog_open(&sender, url, "node-1", &err), 0);
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	sink = syslog_sink(&sender);
	sink.write_line(sink.context, LOG_LEVEL_INFO, "agent: one");
	receive(peer, text);
	assert_int_equal(sscanf(text, "%u ", &count), 1);
	assert_int_equal(strlen(strchr(text, ' ') + 1), count);
	fd_close(&peer);
	/* A server that goes away is dropped, not waited for, and not a signal. */
	for (int i = 0; i < 3; i++)
		sink.write_line(sink.context, LOG_LEVEL_INFO, "agent: gone");
	syslog_close(&sender);
}

static void test_wrong_urls_are_named(void **state UNUSED)
{
	static const char *const wrong[] = {"http://x", "udp://", "udp://h:0",
		"udp://h:x", "udp://[::1", "tcp://h:70000", "udp://h/path", ""};
	struct syslog_sender sender = {.fd = -1};

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(syslog_open(&sender, wrong[i], "n", &err), -E_USAGE);
		assert_non_null(strstr(err.text, "must be udp://host:port"));
	}
}

static void test_nobody_there_is_an_error_of_the_net(void **state UNUSED)
{
	char url[64];
	int fd = listen_on(SOCK_STREAM, "tcp", url);
	struct syslog_sender sender = {.fd = -1};
	struct err err = ERR_INIT;

	fd_close(&fd);
	assert_int_equal(syslog_open(&sender, url, "n", &err), -E_NET);
	assert_non_null(strstr(err.text, url));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format_is_rfc_5424),
		cmocka_unit_test(test_udp_is_one_message_a_datagram),
		cmocka_unit_test(test_tcp_counts_octets),
		cmocka_unit_test(test_wrong_urls_are_named),
		cmocka_unit_test(test_nobody_there_is_an_error_of_the_net),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
