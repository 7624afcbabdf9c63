/* SPDX-License-Identifier: MIT */
/*
 * Drives agent/net/ for tests/net/run.py inside a network namespace. Everything is real
 * but the clock: setting it would set the host's, so clock_settime only prints.
 *
 *   nettool RUNDIR up [mac=MAC] [ip=VALUE] [timeout=MS] [grace=MS] [patience=MS] [ra=MS]
 *                     [keep=SECONDS]
 *   nettool RUNDIR down
 *   nettool RUNDIR sync FLOOR SERVER...
 *   nettool RUNDIR floor FLOOR
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "host/env.h"
#include "model/cmdline.h"
#include "net/clock.h"
#include "net/net.h"

struct tool {
	struct env env;
	struct net_request request;
	struct cmdline_ip ip;
	uint64_t keep_ms;
	unsigned int idle_calls;
};

static int print_settime(clockid_t clock, const struct timespec *time)
{
	printf("clock_settime=%d,%lld.%03ld\n", (int)clock, (long long)time->tv_sec,
		time->tv_nsec / 1000000L);
	return 0;
}

static void count_idle(void *context)
{
	struct tool *tool = context;

	tool->idle_calls++;
}

static bool read_number(const char *argument, const char *name, unsigned int *ret)
{
	uint64_t number;

	if (!str_has_prefix(argument, name) ||
		!str_to_u64(argument + strlen(name), UINT32_MAX, &number))
		return false;
	*ret = (unsigned int)number;
	return true;
}

static int read_argument(struct tool *tool, const char *argument, struct err *err)
{
	unsigned int keep_s;

	if (read_number(argument, "timeout=", &tool->request.timeout_ms) ||
		read_number(argument, "grace=", &tool->request.grace_ms) ||
		read_number(argument, "patience=", &tool->request.patience_ms) ||
		read_number(argument, "ra=", &tool->request.ra_ms))
		return 0;
	if (read_number(argument, "keep=", &keep_s)) {
		tool->keep_ms = keep_s * 1000ULL;
		return 0;
	}
	if (str_has_prefix(argument, "mac=") &&
		str_copy(tool->request.boot_mac, sizeof(tool->request.boot_mac),
			argument + 4))
		return 0;
	if (str_has_prefix(argument, "ip=")) {
		tool->request.ip = &tool->ip;
		return cmdline_ip_parse(argument + 3, &tool->ip, err);
	}
	return err_set(err, E_USAGE, "argument '%s'", argument);
}

static void print_list(const char *name, const struct strlist *list)
{
	printf("%s=", name);
	for (size_t i = 0; i < list->count; i++)
		printf("%s%s", i ? " " : "", list->items[i]);
	printf("\n");
}

static void print_lease(const struct tool *tool, struct fact_lease *lease)
{
	printf("known=%d\nlink=%s\nmac=%s\naddress=%s/%u\ngateway=%s\n", lease->known,
		lease->link, lease->mac, lease->address, lease->prefix_len,
		lease->gateway);
	printf("hostname=%s\ndomain=%s\nmtu=%u\nclient_id=%s\nidle_calls=%u\n",
		lease->hostname, lease->domain, lease->mtu, lease->client_id,
		tool->idle_calls);
	print_list("dns", &lease->dns);
	print_list("ntp", &lease->ntp);
	printf("up\n");
	fflush(stdout);
	strlist_done(&lease->dns);
	strlist_done(&lease->ntp);
}

/* Keeps the lease for keep_ms; goes back to net_up() when it is lost, as the agent does.
 */
static int keep(struct tool *tool, struct net *net, struct err *err)
{
	uint64_t end_ms = tool->env.now_ms() + tool->keep_ms;
	int code = 0;

	while (code == 0 && tool->env.now_ms() < end_ms) {
		struct err lost = ERR_INIT;
		struct fact_lease lease;

		tool->env.sleep_ms(100);
		if (net_keep(net, &lost) == 0)
			continue;
		printf("lost=%s\n", lost.text);
		fflush(stdout);
		code = net_up(net, &lease, err);
		if (code == 0)
			print_lease(tool, &lease);
	}
	return code;
}

static int run_up(struct tool *tool, char **arguments, struct err *err)
{
	struct fact_lease lease;
	struct net *net = NULL;
	int code = 0;

	tool->request = (struct net_request)NET_REQUEST_INIT;
	tool->request.idle = count_idle;
	tool->request.context = tool;
	for (; *arguments && code == 0; arguments++)
		code = read_argument(tool, *arguments, err);
	if (code == 0)
		code = net_new(&tool->env, &tool->request, &net, err);
	if (code == 0)
		code = net_up(net, &lease, err);
	if (code == 0) {
		print_lease(tool, &lease);
		code = keep(tool, net, err);
	}
	net_free(net);
	return code;
}

static int run_sync(struct tool *tool, char **arguments, struct err *err)
{
	struct strlist servers CLEANUP(strlist_done) = STRLIST_INIT;
	struct clock_result result;
	int64_t floor_s = strtoll(arguments[0], NULL, 10);
	int code = 0;

	for (arguments++; *arguments && code == 0; arguments++)
		code = strlist_add(&servers, *arguments);
	if (code == 0)
		code = clock_sync(&tool->env, &servers, floor_s, &result, err);
	if (code == 0)
		printf("server=%s\nstratum=%u\nskew_ms=%" PRId64 "\nstepped=%d\n",
			result.server, result.stratum, result.skew_ms, result.stepped);
	return code;
}

static int run_floor(struct tool *tool, char **arguments, struct err *err)
{
	enum clock_floor_change change = CLOCK_FLOOR_KEPT;
	int code = clock_apply_floor(
		&tool->env, strtoll(arguments[0], NULL, 10), &change, err);

	if (code == 0)
		printf("change=%d\n", (int)change);
	return code;
}

static int run(struct tool *tool, char **arguments, struct err *err)
{
	if (!strcmp(arguments[0], "up"))
		return run_up(tool, arguments + 1, err);
	if (!strcmp(arguments[0], "down"))
		return net_down(&tool->env, err);
	if (!strcmp(arguments[0], "sync") && arguments[1])
		return run_sync(tool, arguments + 1, err);
	if (!strcmp(arguments[0], "floor") && arguments[1])
		return run_floor(tool, arguments + 1, err);
	return err_set(err, E_USAGE, "command '%s'", arguments[0]);
}

int main(int argc, char **argv)
{
	struct tool tool = {0};
	struct err err = ERR_INIT;
	struct log_sink sink = log_sink_stderr();
	struct sys_ops sys = *sys_real();
	int code;

	if (argc < 3) {
		fprintf(stderr, "usage: see the head of nettool.c\n");
		return 2;
	}
	IGNORE_RESULT(log_add_sink(&sink));
	log_set_level(LOG_LEVEL_DEBUG);
	code = env_init(&tool.env, &err);
	sys.clock_settime = print_settime;
	tool.env.sys = &sys;
	if (code == 0) {
		fd_close(&tool.env.run_fd);
		tool.env.run_fd = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		code = tool.env.run_fd < 0 ? err_errno(&err, errno, "open '%s'", argv[1])
					   : run(&tool, argv + 2, &err);
	}
	if (code < 0)
		printf("error=%s %s\n", err_name(code), err.text);
	env_done(&tool.env);
	return code < 0 ? 1 : 0;
}
