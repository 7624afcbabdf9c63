/* SPDX-License-Identifier: MIT */
#include "cluster/delivery.h"

#include <errno.h>
#include <stdio.h>

#include "base/fs.h"
#include "base/log.h"
#include "cluster/secret.h"
#include "host/credential.h"

#define PAUSE_MS 2000U
#define PAUSE_MAX_MS 30000U

/* 1: nothing was injected. */
static int from_machine(const struct delivery *delivery, struct buf *ret, char *from,
	size_t size, struct err *err)
{
	char name[64];
	int rc;

	(void)snprintf(name, sizeof(name), "promenade/%s", delivery->what);
	rc = fs_read(delivery->env->run_fd, name, delivery->max, ret, err);
	if (rc == 0)
		(void)snprintf(from, size, "/%s", name);
	if (rc != -ENOENT)
		return rc;
	(void)snprintf(name, sizeof(name), "promenade.%s", delivery->what);
	rc = credential_read(delivery->env, name, delivery->max, ret, err);
	if (rc == 0)
		(void)snprintf(from, size, "the systemd credential %s", name);
	return rc;
}

static int fetch_once(const struct delivery *delivery, const char *from, struct buf *ret,
	struct err *err)
{
	struct fetch_request request = {.url = delivery->url, .limit = delivery->max};
	struct fetch_answer answer = {.status = 0};
	int rc = fetch_small(delivery->fetch, &request, &answer, err);

	if (rc == 0) {
		*ret = answer.body;
		return 0;
	}
	secret_done(&answer.body);
	if (rc == -E_HTTP)
		return err_set(err, E_HTTP,
			"get the %s from %s: HTTP %ld; where the URL works once only, it "
			"was used already: make a new %s there",
			delivery->what, from, answer.status, delivery->what);
	return err_wrap(err, "get the %s", delivery->what);
}

static bool may_pass(int rc)
{
	return rc == -E_NOT_YET || rc == -E_NET || rc == -E_TIMEOUT;
}

static int from_server(const struct delivery *delivery, const char *from, struct buf *ret,
	struct err *err)
{
	struct env *env = delivery->env;
	uint64_t end = env->now_ms() + 1000ULL * delivery->timeout_s;
	unsigned int pause = PAUSE_MS;
	int rc;

	while (may_pass(rc = fetch_once(delivery, from, ret, err)) &&
		env->now_ms() + pause < end) {
		log_event(LOG_LEVEL_DEBUG, "cluster", "wait", "%s", err->text);
		env->sleep_ms(pause + env_jitter(env, pause / 4));
		pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
	}
	return rc;
}

int delivery_get(const struct delivery *delivery, struct buf *ret, char *from,
	size_t size, struct err *err)
{
	int rc = from_machine(delivery, ret, from, size, err);

	if (rc <= 0)
		return rc;
	if (!delivery->url)
		return err_set(err, E_ROLE,
			"the role names no URL of a %s, and none was injected; add "
			"cluster.%s, the file /promenade/%s or the systemd credential "
			"promenade.%s",
			delivery->what, delivery->what, delivery->what, delivery->what);
	fetch_url_printable(delivery->url, from, size);
	if (!delivery->fetch)
		return err_set(err, E_NET,
			"get the %s from %s: there is no network; bring the link up",
			delivery->what, from);
	return from_server(delivery, from, ret, err);
}
