/* SPDX-License-Identifier: MIT */
#include "host/report.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"

/* Events kept before the URL is known, and longest one sent. */
#define KEPT_MAX 128
#define EVENT_MAX 4096
#define POST_MS 5000
#define POST_TRIES 3

struct report {
	struct env *env;
	struct strlist kept;
	char node[700]; /* JSON object, "" until the facts are known */
	int fd;         /* SOCK_SEQPACKET to the child: one packet, one event */
	pid_t child;
	unsigned int lost;
};

int report_new(struct env *env, struct report **ret, struct err *err)
{
	struct report *report = calloc(1, sizeof(*report));

	if (!report)
		return err_errno(err, ENOMEM, "start the reporter");
	report->env = env;
	report->fd = -1;
	report->child = -1;
	*ret = report;
	return 0;
}

static const char *boot_mac(const struct facts *facts)
{
	for (size_t i = 0; i < facts->nic_count; i++)
		if (facts->nics[i].boot)
			return facts->nics[i].mac;
	return facts->lease.mac;
}

static int add_member(struct buf *json, const char *key, const char *value)
{
	if (!value[0])
		return 0;
	if (buf_printf(json, "%s\"%s\": \"", json->len > 1 ? ", " : "", key) < 0 ||
		buf_add_json(json, value) < 0)
		return -ENOMEM;
	return buf_add_str(json, "\"");
}

void report_set_facts(struct report *report, const struct facts *facts, const char *name)
{
	struct buf json CLEANUP(buf_done) = BUF_INIT;

	if (!report || buf_add_str(&json, "{") < 0 ||
		add_member(&json, "uuid", facts->uuid) < 0 ||
		add_member(&json, "serial", facts->serial) < 0 ||
		add_member(&json, "mac", boot_mac(facts)) < 0 ||
		add_member(&json, "hostname", name) < 0 ||
		add_member(&json, "ip", facts->lease.address) < 0 ||
		buf_add_str(&json, "}") < 0 || json.len >= sizeof(report->node))
		return; /* events go without the machine's identity */
	(void)str_copy(report->node, sizeof(report->node), json.bytes);
}

/* In the child: POSTs one event, a few tries. Returns whether a server took it. */
static bool post(
	struct env *env, struct fetch *fetch, const struct fetch_request *request)
{
	for (unsigned int i = 0; i < POST_TRIES; i++) {
		struct fetch_answer answer = {.status = 0};
		struct err err = ERR_INIT;
		int rc = fetch_small(fetch, request, &answer, &err);

		buf_done(&answer.body);
		if (rc == 0)
			return true;
		if (err_class(rc) != ERR_CLASS_RETRY)
			return false;
		env->sleep_ms(200U + env_jitter(env, 300U));
	}
	return false;
}

/* The child: until the other end closes. Exit status: events not accepted, at most 100.
 */
static NORETURN void child_main(struct report *report, const struct fetch_config *config,
	const char *url, bool allow_http)
{
	struct fetch_config mine = *config;
	struct fetch *fetch = NULL;
	char event[EVENT_MAX];
	unsigned int failed = 0;
	ssize_t len;

	mine.limits.small_ms = POST_MS;
	mine.limits.connect_ms = POST_MS;
	mine.idle = NULL; /* the parent's, which this child is not */
	if (fetch_new(report->env, &mine, &fetch, NULL) < 0)
		_exit(101);
	while ((len = recv(report->fd, event, sizeof(event), 0)) > 0) {
		struct fetch_request request = {.url = url,
			.limit = 65536,
			.allow_http = allow_http,
			.body_type = "application/json",
			.body_bytes = event,
			.body_len = (size_t)len};

		failed += post(report->env, fetch, &request) ? 0 : 1;
	}
	_exit(failed > 100 ? 100 : (int)failed);
}

static void send_event(struct report *report, const char *event)
{
	if (send(report->fd, event, strlen(event), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		report->lost++;
}

int report_open(struct report *report, const struct fetch_config *config, const char *url,
	bool allow_http, struct err *err)
{
	int pair[2];
	pid_t parent = getpid();

	if (report->child > 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(err, errno, "start the reporter");
	report->child = report->env->sys->fork();
	if (report->child == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(101);
		fd_close(&pair[0]);
		report->fd = pair[1];
		child_main(report, config, url, allow_http);
	}
	fd_close(&pair[1]);
	if (report->child < 0) {
		int code = errno;

		fd_close(&pair[0]);
		return err_errno(err, code, "start the reporter");
	}
	report->fd = pair[0];
	for (size_t i = 0; i < report->kept.count; i++)
		send_event(report, report->kept.items[i]);
	strlist_done(&report->kept);
	return 0;
}

bool report_is_open(const struct report *report)
{
	return report && report->child > 0;
}

/* Byte-compatible with cloudinit/reporting/events.py, plus "node" (consumers ignore keys
 * that they do not know; servers.md 6.4). */
static int format_event(const struct report *report, struct buf *json, const char *step,
	const char *description, const char *result)
{
	struct timespec now = {0, 0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (buf_printf(json, "{\"name\": \"promenade/%s\", \"description\": \"", step) <
			0 ||
		buf_add_json(json, description) < 0 ||
		buf_printf(json,
			"\", \"event_type\": \"%s\", \"origin\": \"promenade\", "
			"\"timestamp\": %lld.%06ld",
			result ? "finish" : "start", (long long)now.tv_sec,
			now.tv_nsec / 1000) < 0)
		return -ENOMEM;
	if (result && buf_printf(json, ", \"result\": \"%s\"", result) < 0)
		return -ENOMEM;
	if (report->node[0] && buf_printf(json, ", \"node\": %s", report->node) < 0)
		return -ENOMEM;
	return buf_add_str(json, "}");
}

static void add_event(struct report *report, const char *step, const char *description,
	const char *result)
{
	struct buf json CLEANUP(buf_done) = BUF_INIT;

	if (!report)
		return;
	if (format_event(report, &json, step, description, result) < 0 ||
		json.len > EVENT_MAX) {
		report->lost++;
		return;
	}
	if (report->fd >= 0)
		send_event(report, json.bytes);
	else if (report->kept.count >= KEPT_MAX ||
		 strlist_add(&report->kept, json.bytes) < 0)
		report->lost++;
}

void report_start(struct report *report, const char *step, const char *description)
{
	add_event(report, step, description, NULL);
}

void report_finish(struct report *report, const char *step, enum report_result result,
	const char *description)
{
	static const char *const words[] = {[REPORT_SUCCESS] = "SUCCESS",
		[REPORT_WARN] = "WARN",
		[REPORT_FAIL] = "FAIL"};

	add_event(report, step, description, words[result]);
}

/* Waits for the child in small steps; past the deadline it is killed. */
static int wait_child(struct report *report, unsigned int timeout_ms)
{
	uint64_t deadline = report->env->now_ms() + timeout_ms;
	int status = 0;

	for (;;) {
		pid_t pid = waitpid(report->child, &status, WNOHANG);

		if (pid == report->child || (pid < 0 && errno != EINTR))
			return status;
		if (report->env->now_ms() >= deadline)
			break;
		report->env->sleep_ms(10);
	}
	(void)kill(report->child, SIGKILL);
	(void)waitpid(report->child, &status, 0);
	return status;
}

void report_close(struct report *report, unsigned int timeout_ms, unsigned int *ret_lost)
{
	int status;

	*ret_lost = 0;
	if (!report || report->child <= 0)
		return;
	fd_close(&report->fd);
	status = wait_child(report, timeout_ms);
	report->child = -1;
	report->lost += WIFEXITED(status) ? (unsigned int)WEXITSTATUS(status) : 1;
	*ret_lost = report->lost;
	report->lost = 0;
}

void report_free(struct report **report)
{
	unsigned int lost;

	if (!*report)
		return;
	report_close(*report, 0, &lost);
	strlist_done(&(*report)->kept);
	fd_close(&(*report)->fd);
	free(*report);
	*report = NULL;
}
