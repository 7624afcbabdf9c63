/* SPDX-License-Identifier: MIT */
#include "cluster/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/secret.h"
#include "host/fetch.h"

/* A server's explanation; Status objects with causes are of some KiB. */
#define ERROR_BODY_MAX 65536U

/* A body that write takes: a snapshot of an 8 GiB etcd at 5 MB/s. */
#define STREAM_MS (30U * 60U * 1000U)

struct caller {
	struct env *env;
	struct call_config config;
	const char *server;
	call_judge judge;
	struct fetch *fetch;
	struct buf authorization;
	size_t current; /* the endpoint that answered last */
};

/* A call under way. */
struct run {
	struct caller *caller;
	const struct call *call;
	uint64_t started_ms;
	uint64_t deadline_ms; /* since started_ms */
	uint64_t refused_ms;  /* when the first 403 or 404 came, plus 1; 0: none */
	unsigned int attempts;
	unsigned int rounds;
	unsigned int retry_after_s;
	bool hopeful;    /* an endpoint of this round may answer in the next one */
	bool again_here; /* the server asked us to wait, not to go elsewhere */
	bool cut_short;  /* the last attempt timed out because the deadline is near:
			  * what was said before it tells more */
	bool judged;     /* the last answer was one of the server that was meant */
	struct err best; /* the failure of this round that says most */
};

/* What a header line may carry (RFC 6750 2.1 allows less). */
static bool is_token(const char *token)
{
	for (const char *p = token; *p; p++)
		if (*p <= 0x20 || *p > 0x7e)
			return false;
	return token[0] != '\0';
}

static int check_config(
	const struct call_config *config, const char *server, struct err *err)
{
	if (config->endpoints->count == 0)
		return err_set(err, E_USAGE,
			"no %s is named; give the cluster's endpoint in the role",
			server);
	if (config->token && !is_token(config->token))
		return err_set(err, E_USAGE,
			"the token has blanks or control characters, or is empty; "
			"deliver "
			"it as one line");
	return 0;
}

static int start_fetch(struct caller *caller, struct err *err)
{
	const struct call_config *config = &caller->config;
	struct fetch_config fetch = {
		.trust = FETCH_TRUST_CLUSTER,
		.ca_pem = config->unverified ? NULL : config->ca_pem,
		.ca_len = config->ca_pem ? strlen(config->ca_pem) : 0,
		.unverified = config->unverified,
		.client_cert_pem = config->client_cert_pem,
		.client_key_pem = config->client_key_pem,
		.user_agent = "promenade",
		.limits = FETCH_LIMITS_DEFAULT,
	};

	if (config->token) {
		if (buf_printf(&caller->authorization, "Bearer %s", config->token) < 0)
			return err_errno(err, ENOMEM, "call the %s", caller->server);
		fetch.authorization = caller->authorization.bytes;
	}
	fetch.limits.connect_ms = config->limits.connect_ms;
	fetch.limits.small_ms = config->limits.request_ms;
	/* streams alone: any other attempt ends by its own limit */
	fetch.limits.stall_s = config->limits.request_ms / 1000 + 1;
	return fetch_new(caller->env, &fetch, &caller->fetch, err);
}

int caller_new(struct env *env, const struct call_config *config, const char *server,
	call_judge judge, struct caller **ret, struct err *err)
{
	struct caller *caller CLEANUP(caller_free) = NULL;
	int rc = check_config(config, server, err);

	if (rc < 0)
		return rc;
	caller = calloc(1, sizeof(*caller));
	if (!caller)
		return err_errno(err, ENOMEM, "call the %s", server);
	caller->env = env;
	caller->config = *config;
	caller->server = server;
	caller->judge = judge;
	rc = start_fetch(caller, err);
	if (rc < 0)
		return rc;
	*ret = caller;
	caller = NULL;
	return 0;
}

void caller_free(struct caller **caller)
{
	if (!*caller)
		return;
	fetch_free(&(*caller)->fetch);
	secret_done(&(*caller)->authorization);
	free(*caller);
	*caller = NULL;
}

static void blank(struct buf *body, const char *secret)
{
	char *found = body->bytes;
	size_t len = strlen(secret);

	while (found && len && (found = strstr(found, secret)))
		memset(found, '*', len);
}

/* Servers and proxies that explain a refusal may quote the request. A bootstrap token is
 * ID.SECRET and both halves stand in objects. */
static void blank_secrets(const struct caller *caller, struct buf *body)
{
	const char *token = caller->config.token;

	for (size_t i = 0; i < body->len; i++)
		if (body->bytes[i] == '\0')
			body->bytes[i] = ' ';
	if (!token)
		return;
	blank(body, token);
	if (strchr(token, '.'))
		blank(body, strchr(token, '.') + 1);
}

static uint64_t elapsed_ms(const struct run *run)
{
	return run->caller->env->now_ms() - run->started_ms;
}

/* What is left for an attempt, at least a second: a deadline of 0 is one round. */
static unsigned int attempt_ms(const struct run *run)
{
	uint64_t longest = run->caller->config.limits.request_ms;
	uint64_t used = elapsed_ms(run);
	uint64_t left = used < run->deadline_ms ? run->deadline_ms - used : 0;

	if (run->call->write)
		longest = STREAM_MS;
	else if (run->deadline_ms && left < longest)
		longest = left;
	return longest < 1000 ? 1000 : (unsigned int)longest;
}

/* One request to one endpoint. */
static int attempt(
	struct run *run, const char *endpoint, struct buf *ret, struct err *err)
{
	struct caller *caller = run->caller;
	const struct call *call = run->call;
	struct buf url CLEANUP(buf_done) = BUF_INIT;
	size_t len = strlen(endpoint);
	struct fetch_request request = {
		.limit = call->write ? SIZE_MAX : CALL_ANSWER_MAX,
		.stay = true,
		.accept = call->accept,
		.method = call->method,
		.body_type = call->type,
		.body_bytes = call->body,
		.body_len = call->len,
		.error_limit = ERROR_BODY_MAX,
		.max_ms = attempt_ms(run),
		.write = call->write,
		.context = call->context,
	};
	struct fetch_answer answer = {0, 0, BUF_INIT};
	char shown[200], where[240];
	int rc;

	while (len && endpoint[len - 1] == '/')
		len--;
	if (buf_printf(&url, "%.*s%s", (int)len, endpoint, call->path) < 0)
		return err_errno(err, ENOMEM, "call the %s", caller->server);
	request.url = url.bytes;
	rc = fetch_small(caller->fetch, &request, &answer, err);
	run->retry_after_s = answer.retry_after_s;
	run->cut_short =
		rc == -E_TIMEOUT && request.max_ms < caller->config.limits.request_ms;
	run->again_here = answer.status == 429;
	run->judged = rc < 0 && answer.status >= 400;
	if (run->judged) {
		fetch_url_printable(request.url, shown, sizeof(shown));
		(void)snprintf(where, sizeof(where), "%s '%s'", call->method, shown);
		blank_secrets(caller, &answer.body);
		rc = caller->judge(where, answer.status, &answer.body, err);
	}
	if (rc == 0 && ret) {
		*ret = answer.body;
		return 0;
	}
	buf_done(&answer.body);
	return rc;
}

/* Whether a refusal may pass: since the first one, because a server that starts refuses
 * connections for long before it refuses for want of roles. */
static bool is_settling(struct run *run)
{
	if (!run->refused_ms)
		run->refused_ms = elapsed_ms(run) + 1;
	return elapsed_ms(run) + 1 - run->refused_ms < run->call->settle_ms;
}

/* How much a failure tells, 0: it ends the call. What a server answered says more than
 * that another one is down. */
static unsigned int weight_of(struct run *run, int code)
{
	switch (-code) {
	case E_NET:
		return 1;
	case E_TIMEOUT:
		return 2;
	case E_TLS: /* another endpoint may be the cluster's */
	case E_HTTP:
		return run->judged ? 0 : 3;
	case E_NOT_YET:
		return 4;
	case E_FORBIDDEN:
	case E_NOT_FOUND:
		return is_settling(run) ? 5 : 0;
	default:
		return 0;
	}
}

/* One round over the endpoints: 0, 1 for "another round may do", or the code to end with.
 */
static int run_round(struct run *run, struct buf *ret, struct err *err)
{
	struct caller *caller = run->caller;
	const struct strlist *endpoints = caller->config.endpoints;
	size_t count = run->call->endpoint ? 1 : endpoints->count;
	unsigned int best = 0;

	run->hopeful = false;
	for (size_t i = 0; i < count; i++) {
		size_t which = (caller->current + i) % endpoints->count;
		const char *endpoint = run->call->endpoint ? run->call->endpoint
							   : endpoints->items[which];
		struct err why = ERR_INIT;
		int rc = attempt(run, endpoint, ret, &why);
		unsigned int weight = rc < 0 ? weight_of(run, rc) : 0;

		run->attempts++;
		if (weight == 0 && err && rc < 0)
			*err = why;
		if (weight == 0) {
			if (!run->call->endpoint)
				caller->current = which;
			return rc;
		}
		run->hopeful = run->hopeful || weight != 3;
		if (weight > best && (!run->cut_short || run->best.code == 0)) {
			run->best = why;
			best = weight;
		}
		if (run->again_here || run->call->once)
			break;
	}
	return 1;
}

static unsigned int back_off_ms(const struct run *run)
{
	const struct call_limits *limits = &run->caller->config.limits;
	uint64_t wait = limits->retry_base_ms, asked = 1000ULL * run->retry_after_s;

	for (unsigned int i = 1; i < run->rounds && wait < limits->retry_cap_ms; i++)
		wait *= 2;
	if (wait > limits->retry_cap_ms)
		wait = limits->retry_cap_ms;
	wait = wait / 2 + env_jitter(run->caller->env, (unsigned int)(wait / 2) + 1);
	return (unsigned int)(asked > wait ? asked : wait);
}

/* The end without an answer. */
static int give_up(struct run *run, struct err *err)
{
	const struct caller *caller = run->caller;
	size_t count = run->call->endpoint ? 1 : caller->config.endpoints->count;

	if (!err)
		return run->best.code;
	*err = run->best;
	if (run->attempts == 1)
		return err->code;
	if (count > 1)
		return err_wrap(err, "none of %zu %ss did it in %u attempts and %llu s",
			count, caller->server, run->attempts,
			(unsigned long long)elapsed_ms(run) / 1000);
	return err_wrap(err, "after %u attempts in %llu s", run->attempts,
		(unsigned long long)elapsed_ms(run) / 1000);
}

int caller_run(
	struct caller *caller, const struct call *call, struct buf *ret, struct err *err)
{
	struct run run = {
		.caller = caller,
		.call = call,
		.started_ms = caller->env->now_ms(),
		.deadline_ms = call->deadline_ms ? call->deadline_ms
						 : caller->config.limits.deadline_ms,
	};

	for (;;) {
		int rc = run_round(&run, ret, err);
		unsigned int wait;

		if (rc <= 0)
			return rc;
		run.rounds++;
		wait = back_off_ms(&run);
		if (!run.hopeful || call->once ||
			elapsed_ms(&run) + wait >= run.deadline_ms)
			return give_up(&run, err);
		caller->env->sleep_ms(wait);
	}
}
