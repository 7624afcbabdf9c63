/* SPDX-License-Identifier: MIT */
/*
 * One HTTP exchange: a request, its redirects, its answer. Inside of fetch*.c only; both
 * the small answers and the streams are made of it.
 */
#ifndef PROMENADE_HOST_FETCH_EXCHANGE_H
#define PROMENADE_HOST_FETCH_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "host/fetch.h"
#include "host/fetch_head.h"

struct fetch {
	struct env *env;
	struct fetch_config config;
	CURLM *multi;
};

/* The first block is the caller's. body takes bytes of a 2xx answer and returns 0,
 * -EAGAIN (pause; none taken) or a negative code with exchange->err set. */
struct fetch_exchange {
	struct fetch *fetch;
	struct fetch_request request; /* limit is not used here */
	struct strlist headers;       /* of this exchange, sent after redirects too */
	uint64_t max_ms;
	int (*body)(struct fetch_exchange *exchange, const void *bytes, size_t len);
	void *owner;

	CURL *easy;
	struct curl_slist *list;
	char *url;    /* after redirects */
	bool foreign; /* url has another origin than request.url */
	unsigned int redirects;
	uint64_t started_ms;
	struct fetch_head head;
	size_t ignored;   /* bytes of a body that is not 2xx */
	struct buf error; /* the first of them, up to request.error_limit */
	bool paused;
	struct err err;
	char text[CURL_ERROR_SIZE];
};

/* Starts the exchange; fetch->multi does the work from then on. Errors: E_USAGE, E_TLS
 * for HTTPS without any CA, -ENOMEM, E_BUG. */
int fetch_exchange_start(struct fetch_exchange *exchange, struct err *err) MUST_USE;

/* After libcurl has ended it with result: 0 for a complete 2xx answer, 1 when a redirect
 * was followed and the exchange goes on, else the negative code of what went wrong. */
int fetch_exchange_end(
	struct fetch_exchange *exchange, CURLcode result, struct err *err) MUST_USE;

/* Stops and frees what start made; a stopped one can be started again. */
void fetch_exchange_stop(struct fetch_exchange *exchange);

/* Words and code for what libcurl reports, TLS causes with what to do about them. */
int fetch_error_curl(
	const struct fetch_exchange *exchange, CURLcode result, struct err *err);

/* Words and code for an HTTP status that is no success. */
int fetch_error_status(const struct fetch_exchange *exchange, struct err *err);

#endif
