/* SPDX-License-Identifier: MIT */
/* host/report against a server of the test's own, on loopback. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include <jansson.h>

#include "host/report.h"
#include "temp_root.h"

static struct env env;
static struct fetch_config config = {
	.user_agent = "test", .limits = FETCH_LIMITS_DEFAULT};

static int listen_on(char url[64])
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(url, 64, "http://127.0.0.1:%u/e", ntohs(address.sin_port));
	return fd;
}

/* Takes one POST, answers it and gives its body as JSON; the body must be ASCII. */
static json_t *serve(int fd, const char *status)
{
	struct timeval limit = {.tv_sec = 10};
	char text[8192] = "", *body = NULL;
	size_t len = 0;
	json_t *json;
	int peer;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	peer = accept(fd, NULL, NULL);
	assert_true(peer >= 0);
	while (!body || !strchr(body, '}') || text[len - 1] != '}') {
		ssize_t got = recv(peer, text + len, sizeof(text) - 1 - len, 0);

		assert_true(got > 0);
		len += (size_t)got;
		text[len] = '\0';
		body = strstr(text, "\r\n\r\n");
	}
	assert_memory_equal(text, "POST /e ", 8);
	for (const char *p = body + 4; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
	json = json_loads(body + 4, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	assert_true(dprintf(peer,
			    "HTTP/1.1 %s\r\nContent-Length: 0\r\n"
			    "Connection: close\r\n\r\n",
			    status) > 0);
	(void)close(peer);
	return json;
}

static void assert_member(const json_t *json, const char *key, const char *value)
{
	const char *text = json_string_value(json_object_get(json, key));

	assert_non_null(text);
	assert_string_equal(text, value);
}

static struct report *new_report(void)
{
	struct report *report = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(report_new(&env, &report, &err), 0);
	return report;
}

static void test_kept_events_are_sent_in_order(void **state UNUSED)
{
	static const char text[] =
		"\"q\" \\ \t\n\x01 gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\xa7";
	char url[64];
	int fd CLEANUP(fd_close) = listen_on(url);
	struct report *report CLEANUP(report_free) = new_report();
	struct err err = ERR_INIT;
	unsigned int lost = 9;
	json_t *json;

	report_start(report, "root", text);
	assert_false(report_is_open(report));
	assert_int_equal(report_open(report, &config, url, true, &err), 0);
	assert_true(report_is_open(report));
	report_finish(report, "root", REPORT_FAIL, "no");
	json = serve(fd, "200 OK");
	assert_member(json, "name", "promenade/root");
	assert_member(json, "event_type", "start");
	assert_member(json, "description", text);
	assert_null(json_object_get(json, "result"));
	json_decref(json);
	json = serve(fd, "204 No Content");
	assert_member(json, "event_type", "finish");
	assert_member(json, "result", "FAIL");
	json_decref(json);
	report_close(report, 5000, &lost);
	assert_int_equal(lost, 0);
	assert_false(report_is_open(report));
}

static void test_refused_events_are_counted(void **state UNUSED)
{
	char url[64];
	int fd CLEANUP(fd_close) = listen_on(url);
	struct report *report CLEANUP(report_free) = new_report();
	struct err err = ERR_INIT;
	unsigned int lost = 0;

	assert_int_equal(report_open(report, &config, url, true, &err), 0);
	report_start(report, "a", "");
	report_start(report, "b", "");
	json_decref(serve(fd, "403 Forbidden"));
	json_decref(serve(fd, "403 Forbidden"));
	report_close(report, 5000, &lost);
	assert_int_equal(lost, 2);
}

/* A server that takes the connection and says nothing costs the deadline, no more. */
static void test_deadline_ends_a_hanging_sender(void **state UNUSED)
{
	char url[64];
	int fd CLEANUP(fd_close) UNUSED = listen_on(url);
	struct report *report CLEANUP(report_free) = new_report();
	struct err err = ERR_INIT;
	unsigned int lost = 0;
	uint64_t start;

	assert_int_equal(report_open(report, &config, url, true, &err), 0);
	report_start(report, "a", "");
	start = env.now_ms();
	report_close(report, 200, &lost);
	assert_in_range(env.now_ms() - start, 200, 3000);
	assert_true(lost >= 1);
	assert_false(report_is_open(report));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kept_events_are_sent_in_order),
		cmocka_unit_test(test_refused_events_are_counted),
		cmocka_unit_test(test_deadline_ends_a_hanging_sender),
	};
	int failed;

	if (env_init(&env, NULL) < 0)
		return 1;
	env.sys = sys_real();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	env_done(&env);
	return failed;
}
