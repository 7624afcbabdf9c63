/* SPDX-License-Identifier: MIT */
/* The client and the small answers. Streams are in fetch_stream.c, one exchange with its
 * redirects in fetch_exchange.c, words for failures in fetch_error.c. */
#include "host/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/fetch_exchange.h"
#include "model/facts.h"

/* The longest wait in one go; libcurl's own timers shorten it. */
#define POLL_MS 1000

int fetch_new(struct env *env, const struct fetch_config *config, struct fetch **ret,
	struct err *err)
{
	struct fetch *fetch;

	if (config->unverified && (config->authorization || config->client_key_pem))
		return err_set(err, E_BUG, "a secret for a server that is not verified");
	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return err_errno(err, ENOMEM, "start the HTTP client");
	fetch->env = env;
	fetch->config = *config;
	if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK ||
		!(fetch->multi = curl_multi_init())) {
		free(fetch);
		return err_set(err, E_BUG, "start the HTTP client: libcurl refuses");
	}
	*ret = fetch;
	return 0;
}

void fetch_free(struct fetch **fetch)
{
	if (*fetch) {
		(void)curl_multi_cleanup(
			(*fetch)->multi); /* fails only for a bad handle */
		curl_global_cleanup();
	}
	free(*fetch);
	*fetch = NULL;
}

static int add_mac(struct strlist *list, unsigned int number, const struct fact_nic *nic)
{
	int rc = strlist_printf(
		list, "X-RHN-Provisioning-MAC-%u: %s %s", number, nic->name, nic->mac);

	if (rc == 0)
		str_make_printable(list->items[list->count - 1]);
	return rc;
}

int fetch_identity_headers(const struct facts *facts, struct strlist *ret)
{
	unsigned int number = 0;
	int rc = 0;

	for (int boot = 1; boot >= 0; boot--) {
		for (size_t i = 0; rc == 0 && i < facts->nic_count; i++) {
			const struct fact_nic *nic = &facts->nics[i];

			if (nic->boot == (boot == 1) && nic->name[0] && nic->mac[0])
				rc = add_mac(ret, number++, nic);
		}
	}
	if (rc == 0 && facts->serial[0]) {
		rc = strlist_printf(ret, "X-System-Serial-Number: %s", facts->serial);
		if (rc == 0)
			str_make_printable(ret->items[ret->count - 1]);
	}
	return rc;
}

struct small {
	const struct fetch_request *request;
	size_t taken; /* bytes that request->write has */
	struct buf body;
};

static int small_body(struct fetch_exchange *exchange, const void *bytes, size_t len)
{
	struct small *small = exchange->owner;
	const struct fetch_request *request = small->request;

	if (len > request->limit - small->body.len - small->taken)
		return err_set(&exchange->err, E_TOO_BIG,
			"the answer is larger than the %zu bytes allowed",
			request->limit);
	if (request->write) {
		small->taken += len;
		return request->write(request->context, bytes, len, &exchange->err);
	}
	if (buf_add(&small->body, bytes, len) < 0)
		return err_errno(&exchange->err, ENOMEM, "keep the answer");
	return 0;
}

/* A server that takes its time is no reason for the machine to look dead. */
static void small_idle(const struct fetch_exchange *exchange, uint64_t started_ms)
{
	const struct fetch_config *config = &exchange->fetch->config;
	char url[200];

	if (!config->idle)
		return;
	fetch_url_printable(exchange->request.url, url, sizeof(url));
	config->idle(
		config->idle_context, url, exchange->fetch->env->now_ms() - started_ms);
}

/* Drives the multi handle until its one exchange has ended. */
static int small_run(struct fetch_exchange *exchange, struct err *err)
{
	CURLM *multi = exchange->fetch->multi;
	const CURLMsg *message;
	uint64_t started_ms = exchange->fetch->env->now_ms();
	int running, left, rc = 1;

	while (rc == 1) {
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			return err_set(err, E_BUG, "fetch: libcurl refuses");
		message = curl_multi_info_read(multi, &left);
		if (message && message->msg == CURLMSG_DONE)
			rc = fetch_exchange_end(exchange, message->data.result, err);
		else if (curl_multi_poll(multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)
			return err_set(err, E_BUG, "fetch: libcurl cannot wait");
		else
			small_idle(exchange, started_ms);
	}
	return rc;
}

int fetch_small(struct fetch *fetch, const struct fetch_request *request,
	struct fetch_answer *ret, struct err *err)
{
	struct small small = {.request = request, .body = BUF_INIT};
	struct fetch_exchange exchange = {
		.fetch = fetch,
		.request = *request,
		.max_ms =
			request->max_ms ? request->max_ms : fetch->config.limits.small_ms,
		.body = small_body,
		.owner = &small,
	};
	int rc = fetch_exchange_start(&exchange, err);

	if (rc == 0)
		rc = small_run(&exchange, err);
	ret->status = exchange.head.status;
	ret->retry_after_s = fetch_head_retry_after(&exchange.head);
	if (rc < 0) {
		buf_done(&small.body);
		small.body = exchange.error;
		exchange.error = (struct buf)BUF_INIT;
	}
	ret->body = small.body;
	fetch_exchange_stop(&exchange);
	return rc;
}
