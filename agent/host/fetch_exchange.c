/* SPDX-License-Identifier: MIT */
/* Redirects are followed here and not by libcurl, because libcurl sends headers of our
 * own to every host that a redirect names (node.md 8.3). */
#include "host/fetch_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define REDIRECTS_MAX 5
/* The body of an error page is read, to keep the connection, up to this. */
#define IGNORED_MAX 65536U

/* Slower than this for limits.stall_s seconds is stalled; bytes a second. */
#define STALL_BYTES 100L

struct curl_option {
	CURLoption option;
	long value;
};

static const struct curl_option fixed_options[] = {
	{CURLOPT_NOSIGNAL, 1},
	{CURLOPT_FOLLOWLOCATION, 0},
	{CURLOPT_DISALLOW_USERNAME_IN_URL, 1},
	{CURLOPT_SSL_VERIFYPEER, 1},
	{CURLOPT_SSL_VERIFYHOST, 2},
	{CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
	{CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
	{CURLOPT_LOW_SPEED_LIMIT, STALL_BYTES},
	{CURLOPT_TCP_KEEPALIVE, 1},
};

/* Refused by a libcurl that was built without the feature, which is as good as off. */
static const struct curl_option off_options[] = {
	{CURLOPT_NETRC, CURL_NETRC_IGNORED},
};

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
	struct fetch_exchange *exchange = context;

	if (fetch_head_line(&exchange->head, bytes, size * count))
		return size * count;
	(void)err_set(&exchange->err, E_HTTP,
		"the head of the answer is longer than %u bytes", FETCH_HEAD_MAX);
	return 0;
}

static bool is_success(const struct fetch_exchange *exchange)
{
	return exchange->head.status >= 200 && exchange->head.status < 300;
}

/* What a server says about its refusal helps and is not needed: out of memory, it is left
 * out. */
static void keep_error(struct fetch_exchange *exchange, const void *bytes, size_t len)
{
	size_t room = exchange->request.error_limit - exchange->error.len;

	if (room)
		IGNORE_RESULT(buf_add(&exchange->error, bytes, len < room ? len : room));
}

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
	struct fetch_exchange *exchange = context;
	size_t len = size * count;
	int rc;

	if (!is_success(exchange)) {
		exchange->ignored += len;
		keep_error(exchange, bytes, len);
		return exchange->ignored <= IGNORED_MAX ? len : 0;
	}
	rc = exchange->body(exchange, bytes, len);
	exchange->paused = rc == -EAGAIN;
	if (exchange->paused)
		return CURL_WRITEFUNC_PAUSE;
	return rc < 0 ? 0 : len;
}

/* Scheme, host and port of a URL; false when it is no URL of ours. */
static bool url_origin(const char *url, struct buf *ret)
{
	static const CURLUPart parts[] = {
		CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT};
	CURLU *parsed = curl_url();
	bool ok = parsed && curl_url_set(parsed, CURLUPART_URL, url,
				    CURLU_DISALLOW_USER) == CURLUE_OK;

	for (size_t i = 0; ok && i < ARRAY_LEN(parts); i++) {
		char *text = NULL;

		ok = curl_url_get(parsed, parts[i], &text, CURLU_DEFAULT_PORT) ==
			     CURLUE_OK &&
		     buf_printf(ret, "%s ", text) == 0;
		curl_free(text);
	}
	curl_url_cleanup(parsed);
	return ok;
}

static bool same_origin(const char *a, const char *b)
{
	struct buf left CLEANUP(buf_done) = BUF_INIT;
	struct buf right CLEANUP(buf_done) = BUF_INIT;

	return url_origin(a, &left) && url_origin(b, &right) &&
	       strcasecmp(buf_text(&left), buf_text(&right)) == 0;
}

static int url_check(const struct fetch_exchange *exchange, struct err *err)
{
	const struct fetch_config *config = &exchange->fetch->config;
	struct buf origin CLEANUP(buf_done) = BUF_INIT;
	char text[200];

	fetch_url_printable(exchange->url, text, sizeof(text));
	if (!url_origin(exchange->url, &origin))
		return err_set(err, E_USAGE,
			"'%s': not a URL that is taken; https://HOST/PATH without a user "
			"name is needed",
			text);
	if (str_has_prefix(buf_text(&origin), "https ")) {
		if (!config->ca_pem && !config->unverified)
			return err_set(err, E_TLS,
				"'%s': the policy of the image holds no CA, so no HTTPS "
				"server is trusted; add its CA",
				text);
		return 0;
	}
	if (!str_has_prefix(buf_text(&origin), "http "))
		return err_set(
			err, E_USAGE, "'%s': only https:// and http:// are spoken", text);
	if (!exchange->request.allow_http || exchange->redirects || config->authorization)
		return err_set(err, E_TRUST,
			"'%s': plain HTTP is not allowed here; use https://", text);
	return 0;
}

/* A header may hold a token. */
static void list_free(struct fetch_exchange *exchange)
{
	for (struct curl_slist *item = exchange->list; item; item = item->next)
		explicit_bzero(item->data, strlen(item->data));
	curl_slist_free_all(exchange->list);
	exchange->list = NULL;
}

static int list_add(struct fetch_exchange *exchange, const char *line)
{
	struct curl_slist *list = curl_slist_append(exchange->list, line);

	if (!list)
		return -ENOMEM;
	exchange->list = list;
	return 0;
}

static int list_printf(
	struct fetch_exchange *exchange, const char *name, const char *value)
{
	struct buf line CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_printf(&line, "%s: %s", name, value);

	if (rc == 0)
		rc = list_add(exchange, buf_text(&line));
	if (line.bytes)
		explicit_bzero(line.bytes, line.cap);
	return rc;
}

/* Headers of this hop. What identifies the machine goes to the first origin only. */
static int build_headers(struct fetch_exchange *exchange)
{
	const struct strlist *identity = exchange->fetch->config.headers;
	const char *authorization = exchange->fetch->config.authorization;
	const struct fetch_request *request = &exchange->request;
	int rc = 0;

	list_free(exchange);
	if (request->accept)
		rc = list_printf(exchange, "Accept", request->accept);
	/* "Name:" takes a header of libcurl's away: no wait for 100 Continue. */
	if (rc == 0 && request->body_type)
		rc = list_add(exchange, "Expect:");
	if (rc == 0 && request->body_type)
		rc = list_printf(exchange, "Content-Type", request->body_type);
	if (rc == 0 && authorization && !exchange->foreign)
		rc = list_printf(exchange, "Authorization", authorization);
	for (size_t i = 0; rc == 0 && i < exchange->headers.count; i++)
		rc = list_add(exchange, exchange->headers.items[i]);
	for (size_t i = 0;
		rc == 0 && identity && !exchange->foreign && i < identity->count; i++)
		rc = list_add(exchange, identity->items[i]);
	return rc;
}

static CURLcode set_fixed(CURL *easy)
{
	CURLcode rc = CURLE_OK;

	for (size_t i = 0; rc == CURLE_OK && i < ARRAY_LEN(fixed_options); i++)
		rc = curl_easy_setopt(
			easy, fixed_options[i].option, fixed_options[i].value);
	for (size_t i = 0; rc == CURLE_OK && i < ARRAY_LEN(off_options); i++) {
		rc = curl_easy_setopt(easy, off_options[i].option, off_options[i].value);
		if (rc == CURLE_UNKNOWN_OPTION || rc == CURLE_NOT_BUILT_IN)
			rc = CURLE_OK;
	}
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_PROXY, "");
	if (rc == CURLE_UNKNOWN_OPTION)
		rc = CURLE_OK;
	return rc;
}

static CURLcode set_blob(CURL *easy, CURLoption option, const void *bytes, size_t len)
{
	/* NOCOPY: the configuration outlives every exchange */
	struct curl_blob blob = {(void *)(uintptr_t)bytes, len, CURL_BLOB_NOCOPY};

	return curl_easy_setopt(easy, option, &blob);
}

static CURLcode set_trust(CURL *easy, const struct fetch_config *config)
{
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	if (rc == CURLE_OK && config->unverified)
		rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
	if (rc == CURLE_OK && config->unverified)
		rc = curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	if (config->ca_pem)
		rc = set_blob(easy, CURLOPT_CAINFO_BLOB, config->ca_pem, config->ca_len);
	if (rc != CURLE_OK || !config->client_cert_pem)
		return rc;
	rc = set_blob(easy, CURLOPT_SSLCERT_BLOB, config->client_cert_pem,
		strlen(config->client_cert_pem));
	if (rc == CURLE_OK) /* with the NUL: mbedTLS reads a key as PEM only then */
		rc = set_blob(easy, CURLOPT_SSLKEY_BLOB, config->client_key_pem,
			strlen(config->client_key_pem) + 1);
	return rc;
}

static CURLcode set_callbacks(struct fetch_exchange *exchange)
{
	CURL *easy = exchange->easy;
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, exchange->text);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange);
	return rc;
}

/* POSTFIELDS makes it a POST, whatever the method is then called. */
static CURLcode set_method(struct fetch_exchange *exchange)
{
	const struct fetch_request *request = &exchange->request;
	CURL *easy = exchange->easy;
	CURLcode rc = CURLE_OK;

	if (request->body_type)
		rc = curl_easy_setopt(
			easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
	if (rc == CURLE_OK && request->body_type)
		rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body_bytes);
	if (rc == CURLE_OK && request->method)
		rc = curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
	return rc;
}

/* What differs from hop to hop: URL, headers, the time that is left. */
static CURLcode set_hop(struct fetch_exchange *exchange)
{
	const struct fetch_config *config = &exchange->fetch->config;
	uint64_t used = exchange->fetch->env->now_ms() - exchange->started_ms;
	long left = used < exchange->max_ms ? (long)(exchange->max_ms - used) : 1;
	CURL *easy = exchange->easy;
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_URL, exchange->url);

	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_HTTPHEADER, exchange->list);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_USERAGENT, config->user_agent);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, left);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(
			easy, CURLOPT_CONNECTTIMEOUT_MS, (long)config->limits.connect_ms);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(
			easy, CURLOPT_LOW_SPEED_TIME, (long)config->limits.stall_s);
	return rc;
}

/* Hands one hop to the multi handle. */
static int start_hop(struct fetch_exchange *exchange, struct err *err)
{
	CURLcode rc;
	int code = url_check(exchange, err);

	if (code < 0)
		return code;
	if (build_headers(exchange) < 0)
		return err_errno(err, ENOMEM, "fetch");
	memset(&exchange->head, 0, sizeof(exchange->head));
	exchange->text[0] = '\0';
	exchange->ignored = 0;
	buf_done(&exchange->error);
	exchange->paused = false;
	rc = set_hop(exchange);
	if (rc != CURLE_OK)
		return err_set(err, E_BUG, "fetch: %s", curl_easy_strerror(rc));
	if (curl_multi_add_handle(exchange->fetch->multi, exchange->easy) != CURLM_OK)
		return err_errno(err, ENOMEM, "fetch");
	return 0;
}

int fetch_exchange_start(struct fetch_exchange *exchange, struct err *err)
{
	CURLcode rc;

	fetch_exchange_stop(exchange);
	exchange->easy = curl_easy_init();
	exchange->url = strdup(exchange->request.url);
	exchange->foreign = false;
	exchange->redirects = 0;
	exchange->err = (struct err)ERR_INIT;
	exchange->started_ms = exchange->fetch->env->now_ms();
	if (!exchange->easy || !exchange->url)
		return err_errno(err, ENOMEM, "fetch");
	rc = set_fixed(exchange->easy);
	if (rc == CURLE_OK)
		rc = set_trust(exchange->easy, &exchange->fetch->config);
	if (rc == CURLE_OK)
		rc = set_callbacks(exchange);
	if (rc == CURLE_OK)
		rc = set_method(exchange);
	if (rc != CURLE_OK)
		return err_set(err, E_BUG, "fetch: %s", curl_easy_strerror(rc));
	return start_hop(exchange, err);
}

static bool is_redirect(const struct fetch_exchange *exchange)
{
	switch (exchange->head.status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308:
		return true;
	default:
		return false;
	}
}

/* Goes on at the place that the answer names. Returns 1 or a negative code. */
static int follow(struct fetch_exchange *exchange, struct err *err)
{
	char from[200], to[200];
	char *next = NULL, *copy;
	int rc;

	fetch_url_printable(exchange->url, from, sizeof(from));
	if (curl_easy_getinfo(exchange->easy, CURLINFO_REDIRECT_URL, &next) != CURLE_OK ||
		!next)
		return err_set(err, E_HTTP, "'%s': HTTP status %ld without a place to go",
			from, exchange->head.status);
	fetch_url_printable(next, to, sizeof(to));
	if (exchange->request.body_type)
		return err_set(err, E_HTTP,
			"'%s': redirects to '%s'; give that URL, a body is not sent on",
			from, to);
	if (exchange->request.stay)
		return err_set(err, E_HTTP,
			"'%s': redirects to '%s', which is not followed; is this the "
			"server that was meant?",
			from, to);
	if (exchange->redirects++ >= REDIRECTS_MAX)
		return err_set(err, E_HTTP,
			"'%s': more than %d redirects, the last to '%s'", from,
			REDIRECTS_MAX, to);
	if (strncasecmp(next, "https://", 8) != 0)
		return err_set(err, E_HTTP,
			"'%s': redirects to '%s'; only https:// is followed", from, to);
	copy = strdup(next);
	if (!copy)
		return err_errno(err, ENOMEM, "fetch '%s'", from);
	(void)curl_multi_remove_handle(exchange->fetch->multi, exchange->easy);
	free(exchange->url);
	exchange->url = copy;
	if (!same_origin(exchange->request.url, copy))
		exchange->foreign =
			true; /* for good: the way back is the other's choice */
	rc = start_hop(exchange, err);
	return rc < 0 ? rc : 1;
}

int fetch_exchange_end(struct fetch_exchange *exchange, CURLcode result, struct err *err)
{
	char url[200];

	if (exchange->err.code < 0) {
		fetch_url_printable(exchange->url, url, sizeof(url));
		if (err)
			*err = exchange->err;
		return err_wrap(err, "'%s'", url);
	}
	/* libcurl takes a connection that closes within the head for an empty answer */
	if (result == CURLE_OK && !exchange->head.complete)
		result = CURLE_GOT_NOTHING;
	if (exchange->head.complete && is_redirect(exchange))
		return follow(exchange, err);
	if (exchange->head.complete && !is_success(exchange))
		return fetch_error_status(exchange, err);
	if (result != CURLE_OK)
		return fetch_error_curl(exchange, result, err);
	return 0;
}

void fetch_exchange_stop(struct fetch_exchange *exchange)
{
	if (exchange->easy) {
		/* not added yet is no error here */
		(void)curl_multi_remove_handle(exchange->fetch->multi, exchange->easy);
		curl_easy_cleanup(exchange->easy);
	}
	list_free(exchange);
	free(exchange->url);
	buf_done(&exchange->error);
	exchange->easy = NULL;
	exchange->url = NULL;
}
