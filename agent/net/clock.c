/* SPDX-License-Identifier: MIT */
#include "net/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "build_info.h"
#include "net/sntp.h"

/* Below it a step costs more (timers, logs out of order) than it mends. */
#define STEP_MIN_MS 50

/* A server being asked. */
struct question {
	struct env *env;
	const char *server;
	int64_t floor_s;
	int fd;
	uint64_t nonce;
	uint64_t asked_ms;
};

int64_t clock_build_floor(void)
{
	return BUILD_EPOCH;
}

static int64_t realtime_ms(void)
{
	struct timespec now = {0, 0};

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail on Linux */
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int set_realtime(const struct env *env, int64_t unix_ms, struct err *err)
{
	struct timespec time = {.tv_sec = (time_t)(unix_ms / 1000),
		.tv_nsec = (long)(unix_ms % 1000) * 1000000L};

	if (env->sys->clock_settime(CLOCK_REALTIME, &time) < 0)
		return err_errno(err, errno, "set the system clock");
	return 0;
}

static bool is_credible(int64_t unix_ms, int64_t floor_s)
{
	return unix_ms >= floor_s * 1000 &&
	       unix_ms <= (floor_s + CLOCK_CREDIBLE_S) * 1000;
}

int clock_apply_floor(const struct env *env, int64_t floor_s,
	enum clock_floor_change *ret_change, struct err *err)
{
	int64_t now_ms = realtime_ms();
	enum clock_floor_change change = CLOCK_FLOOR_KEPT;
	int code = 0;

	if (!is_credible(now_ms, floor_s)) {
		change = now_ms < floor_s * 1000 ? CLOCK_FLOOR_RAISED
						 : CLOCK_FLOOR_LOWERED;
		code = set_realtime(env, floor_s * 1000, err);
	}
	if (code == 0)
		*ret_change = change;
	return code;
}

/* Unpredictable for who does not see the question. Where the entropy pool is not ready
 * yet it falls back to jitter: the boot must not hang here (node.md 8.6). */
static uint64_t make_nonce(struct env *env)
{
	uint64_t nonce;

	if (getrandom(&nonce, sizeof(nonce), GRND_NONBLOCK) == (ssize_t)sizeof(nonce))
		return nonce;
	nonce = env->now_ms();
	for (int i = 0; i < 4; i++)
		nonce = nonce << 16 ^ env_jitter(env, 65536);
	return nonce;
}

static void free_addresses(struct addrinfo **list)
{
	if (*list)
		freeaddrinfo(*list);
}

/* A connected socket, so that answers of anybody else are dropped by the kernel. */
static int connect_server(const char *server, struct err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_protocol = IPPROTO_UDP};
	struct addrinfo *list CLEANUP(free_addresses) = NULL;
	int fd CLEANUP(fd_close) = -1;
	int code = getaddrinfo(server, "123", &hints, &list);
	int ret;

	if (code != 0)
		return err_set(
			err, E_NET, "the name is not resolved (%s)", gai_strerror(code));
	fd = socket(
		list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_UDP);
	if (fd < 0 || connect(fd, list->ai_addr, list->ai_addrlen) < 0)
		return err_set(err, E_NET, "no way to it (%s)", strerror(errno));
	ret = fd;
	fd = -1;
	return ret;
}

static int judge_time(const struct question *question, const struct sntp_reply *reply,
	int64_t *ret_unix_ms, struct err *err)
{
	uint64_t round_trip_ms = question->env->now_ms() - question->asked_ms;
	int64_t unix_ms = sntp_now_ms(reply, round_trip_ms, question->floor_s);
	char text[32];
	time_t seconds = (time_t)(unix_ms / 1000);
	struct tm tm;

	if (is_credible(unix_ms, question->floor_s)) {
		*ret_unix_ms = unix_ms;
		return 0;
	}
	if (!gmtime_r(&seconds, &tm) || !strftime(text, sizeof(text), "%Y-%m-%d", &tm))
		(void)str_copy(text, sizeof(text), "a time");
	return err_set(err, E_FORMAT, "it says %s, which is not credible", text);
}

/* Awaits the answer to one try. -E_TIMEOUT: none came; -E_FORMAT, -E_NET: the answer is
 * no use, do not ask again. */
static int await_answer(const struct question *question, struct clock_result *result,
	int64_t *ret_unix_ms, struct err *err)
{
	struct pollfd poll_fd = {.fd = question->fd, .events = POLLIN};
	struct sntp_reply reply;

	for (;;) {
		uint8_t bytes[SNTP_PACKET_LEN * 4]; /* room for extension fields */
		uint64_t waited_ms = question->env->now_ms() - question->asked_ms;
		ssize_t len;

		if (waited_ms >= CLOCK_WAIT_MS)
			return err_set(err, E_TIMEOUT, "no answer");
		if (poll(&poll_fd, 1, (int)(CLOCK_WAIT_MS - waited_ms)) <= 0)
			continue; /* EINTR and the end: the clock decides */
		len = recv(question->fd, bytes, sizeof(bytes), 0);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (len < 0)
			return err_set(err, E_NET, "no way to it (%s)", strerror(errno));
		switch (sntp_parse(bytes, (size_t)len, question->nonce, &reply, err)) {
		case SNTP_IGNORE:
			continue;
		case SNTP_REFUSED:
			return -E_NET;
		case SNTP_TIME:
			result->stratum = reply.stratum;
			return judge_time(question, &reply, ret_unix_ms, err);
		}
	}
}

/* Asks one server up to CLOCK_TRIES times. */
static int ask_server(struct question *question, struct clock_result *result,
	int64_t *ret_unix_ms, struct err *err)
{
	int fd CLEANUP(fd_close) = connect_server(question->server, err);
	int code = fd;

	for (int try = 0; fd >= 0 && try < CLOCK_TRIES; try++) {
		uint8_t packet[SNTP_PACKET_LEN];

		question->fd = fd;
		question->nonce = make_nonce(question->env);
		question->asked_ms = question->env->now_ms();
		sntp_build(question->nonce, packet);
		if (question->env->sys->write(fd, packet, sizeof(packet)) < 0)
			return err_set(err, E_NET, "no way to it (%s)", strerror(errno));
		code = await_answer(question, result, ret_unix_ms, err);
		if (code != -E_TIMEOUT)
			break;
	}
	return code < 0 ? code : 0;
}

static int step_clock(
	struct env *env, int64_t unix_ms, struct clock_result *result, struct err *err)
{
	result->skew_ms = unix_ms - realtime_ms();
	result->stepped =
		result->skew_ms <= -STEP_MIN_MS || result->skew_ms >= STEP_MIN_MS;
	return result->stepped ? set_realtime(env, unix_ms, err) : 0;
}

int clock_sync(struct env *env, const struct strlist *servers, int64_t floor_s,
	struct clock_result *ret, struct err *err)
{
	struct err all = ERR_INIT;

	for (size_t i = 0; i < servers->count && i < CLOCK_SERVERS_MAX; i++) {
		struct question question = {.env = env,
			.server = servers->items[i],
			.floor_s = floor_s,
			.fd = -1};
		struct clock_result result = {0};
		struct err one = ERR_INIT, before;
		int64_t unix_ms = 0;
		int code = ask_server(&question, &result, &unix_ms, &one);

		if (code == 0) {
			(void)str_copy(
				result.server, sizeof(result.server), question.server);
			code = step_clock(env, unix_ms, &result, err);
			if (code == 0)
				*ret = result;
			return code;
		}
		before = all;
		err_set(&all, E_NET, "%s%s%s: %s", before.text, i ? "; " : "",
			question.server, one.text);
	}
	return err_set(err, E_NET,
		"no NTP server gave a usable time (%s); give one by DHCP option 42 or "
		"promenade.ntp=",
		servers->count ? all.text : "none is configured");
}

int clock_write_rtc(const struct env *env, struct err *err)
{
	int fd CLEANUP(fd_close) =
		fs_open(env->run_fd, "dev/rtc0", O_RDONLY | O_NONBLOCK);
	time_t now = time(NULL);
	struct rtc_time rtc;
	struct tm tm;

	if (fd < 0)
		return err_errno(err, -fd, "open '/dev/rtc0' to keep the time");
	if (!gmtime_r(&now, &tm))
		return err_errno(err, EOVERFLOW, "write the time into the RTC");
	rtc = (struct rtc_time){
		.tm_sec = tm.tm_sec,
		.tm_min = tm.tm_min,
		.tm_hour = tm.tm_hour,
		.tm_mday = tm.tm_mday,
		.tm_mon = tm.tm_mon,
		.tm_year = tm.tm_year,
	};
	if (env->sys->ioctl(fd, RTC_SET_TIME, &rtc) < 0)
		return err_errno(err, errno, "write the time into the RTC");
	return 0;
}
