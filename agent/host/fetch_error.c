/* SPDX-License-Identifier: MIT */
/* From what libcurl and servers report to our codes and words. A TLS failure that a
 * person must mend says which of the few causes it is; one that heals by waiting is
 * E_NET. */
#include "host/fetch_exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define URL_TEXT_MAX 200

void fetch_url_printable(const char *url, char *text, size_t size)
{
	const char *scheme = strstr(url, "://");
	const char *authority = scheme ? scheme + 3 : url;
	const char *at = strchr(authority, '@');
	size_t path = strcspn(authority, "/?#");
	size_t secret;

	if (at && (size_t)(at - authority) < path)
		(void)snprintf(text, size, "%.*s...%s", (int)(authority - url), url, at);
	else
		(void)str_copy(text, size, url); /* a message may be cut */
	secret = strcspn(text, "?#");
	if (text[secret])
		(void)snprintf(text + secret, size - secret, "?...");
	str_make_printable(text);
}

/* How mbedTLS's verify callback words a cause (mbedtls_x509_crt_verify_info); libcurl
 * passes it on. In the order in which one cause hides another. clock: the cause depends
 * on our clock. */
struct certificate_cause {
	const char *sign;
	const char *cause;
	const char *remedy;
	bool clock;
};

static const struct certificate_cause certificate_causes[] = {
	{"starts in the future", "is not valid yet",
		"set this machine's clock (promenade.ntp=ADDRESS, DHCP option 42) or "
		"issue "
		"the certificate anew",
		true},
	{"validity has expired", "has expired",
		"renew it, or mend this machine's clock if that is wrong", true},
	{"not match with the expected CN", "is for another name than the URL's",
		"use a name that the certificate holds, or issue it for this one", false},
	{"not correctly signed by the trusted CA", "is by no CA of the policy",
		"put the server's CA into the policy of the image, or give the server a "
		"certificate by that CA",
		false},
	{"unacceptable hash", "is signed with a digest that is refused",
		"issue it anew with SHA-256", false},
	{"unacceptable key", "has a key that is refused", "issue it anew with P-256",
		false},
	{"has been revoked", "is revoked", "issue a new one", false},
};

/* In place of the row above with the same sign, where the CA came with a credential. */
static const struct certificate_cause cluster_cause = {
	"not correctly signed by the trusted CA", "is not by the cluster's CA",
	"is it the server of this cluster? Compare its CA with the role's caCertHashes "
	"and "
	"the credential",
	false};

/* What is between an operator and a TLS connection that works. */
static const struct {
	const char *unparsed; /* a certificate or key does not parse */
	const char *refused;  /* the server's alert */
	const char *wanted;   /* a client certificate, perhaps */
} trust_words[] = {
	[FETCH_TRUST_POLICY] = {"a certificate or key of the policy does not parse; PEM "
				"is "
				"needed",
		"if it wants a client certificate, put one into the policy of the image",
		"The policy of the image has none"},
	[FETCH_TRUST_CLUSTER] = {"a certificate or key of the credential does not parse; "
				 "PEM is needed",
		"its client certificate is not by the CA that the server trusts, is not "
		"valid now, or is missing: issue a new credential",
		"The credential has none"},
};

/* In libcurl's text for a failed handshake: the connection went away. The numbers are
 * mbedTLS's NET_CONN_RESET, NET_RECV_FAILED, NET_SEND_FAILED, SSL_CONN_EOF,
 * SSL_PEER_CLOSE_NOTIFY. */
static const char *const tls_cut_signs[] = {"(-0x0050)", "(-0x004C)", "(-0x004E)",
	"(-0x7280)", "(-0x7880)", "Recv failure", "Send failure"};

/* MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE. */
#define TLS_ALERT_SIGN "(-0x7780)"

static const struct {
	CURLcode result;
	int code;
	const char *text;
} curl_causes[] = {
	{CURLE_COULDNT_RESOLVE_HOST, E_NET, "the name is not found by DNS"},
	{CURLE_COULDNT_CONNECT, E_NET, "no connection"},
	{CURLE_OPERATION_TIMEDOUT, E_TIMEOUT, "no answer in time"},
	{CURLE_PARTIAL_FILE, E_NET, "the connection was cut"},
	{CURLE_RECV_ERROR, E_NET, "the connection was cut"},
	{CURLE_SEND_ERROR, E_NET, "the connection was cut"},
	{CURLE_GOT_NOTHING, E_NET, "the server closed without a whole answer"},
	{CURLE_SSL_CONNECT_ERROR, E_TLS, "no TLS connection"},
	{CURLE_PEER_FAILED_VERIFICATION, E_TLS, "the server's certificate is refused"},
	{CURLE_SSL_CERTPROBLEM, E_TLS, NULL}, /* by trust_words */
	{CURLE_OUT_OF_MEMORY, ENOMEM, "out of memory"},
	{CURLE_UNSUPPORTED_PROTOCOL, E_HTTP, "the server does not speak HTTP"},
	{CURLE_WEIRD_SERVER_REPLY, E_HTTP, "the answer is not HTTP"},
	{CURLE_TOO_LARGE, E_HTTP, "the head of the answer is too long"},
};

static void clock_text(char *text, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!gmtime_r(&now, &tm) ||
		!strftime(text, size, ", by this machine's clock (%Y-%m-%d %H:%M UTC)",
			&tm))
		text[0] = '\0';
}

static int certificate_error(const struct fetch_exchange *exchange, const char *url,
	const char *sign, struct err *err)
{
	bool cluster = exchange->fetch->config.trust == FETCH_TRUST_CLUSTER;
	char clock[80] = "";

	for (size_t i = 0; i < ARRAY_LEN(certificate_causes); i++) {
		const struct certificate_cause *cause = &certificate_causes[i];

		if (!strstr(sign, cause->sign))
			continue;
		if (cluster && strcmp(cause->sign, cluster_cause.sign) == 0)
			cause = &cluster_cause;
		if (cause->clock)
			clock_text(clock, sizeof(clock));
		return err_set(err, E_TLS, "'%s': the server's certificate %s%s; %s", url,
			cause->cause, clock, cause->remedy);
	}
	return 0;
}

static bool has_cut_sign(const char *text)
{
	for (size_t i = 0; i < ARRAY_LEN(tls_cut_signs); i++)
		if (strstr(text, tls_cut_signs[i]))
			return true;
	return false;
}

/* With TLS 1.3 a server refuses a missing client certificate after the handshake, and its
 * alert is often lost with the connection. */
static bool wants_certificate(
	const struct fetch_exchange *exchange, CURLcode result, const char *detail)
{
	bool cut = result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR ||
		   (result == CURLE_SSL_CONNECT_ERROR && strstr(detail, "Send failure"));

	return cut && exchange->head.status == 0 &&
	       !exchange->fetch->config.client_cert_pem && exchange->url &&
	       strncmp(exchange->url, "https:", 6) == 0;
}

int fetch_error_curl(
	const struct fetch_exchange *exchange, CURLcode result, struct err *err)
{
	enum fetch_trust trust = exchange->fetch->config.trust;
	char url[URL_TEXT_MAX], detail[CURL_ERROR_SIZE];
	int code = E_NET;
	const char *text = curl_easy_strerror(result);

	fetch_url_printable(
		exchange->url ? exchange->url : exchange->request.url, url, sizeof(url));
	(void)str_copy(detail, sizeof(detail), exchange->text);
	str_make_printable(detail);
	if (result == CURLE_PEER_FAILED_VERIFICATION &&
		certificate_error(exchange, url, detail, err) < 0)
		return -E_TLS;
	if (strstr(detail, TLS_ALERT_SIGN))
		return err_set(err, E_TLS,
			"'%s': the server refused this machine in the TLS handshake; %s "
			"(%s)",
			url, trust_words[trust].refused, detail);
	for (size_t i = 0; i < ARRAY_LEN(curl_causes); i++) {
		if (curl_causes[i].result != result)
			continue;
		code = curl_causes[i].code;
		text = curl_causes[i].text ? curl_causes[i].text
					   : trust_words[trust].unparsed;
	}
	if (wants_certificate(exchange, result, detail))
		return err_set(err, E_NET,
			"'%s': the connection was cut before any answer; does the server "
			"want a client certificate? %s (%s)",
			url, trust_words[trust].wanted, detail);
	if (has_cut_sign(detail))
		return err_set(
			err, E_NET, "'%s': the connection was cut (%s)", url, detail);
	if (!detail[0])
		return err_set(err, code, "'%s': %s", url, text);
	return err_set(err, code, "'%s': %s (%s)", url, text, detail);
}

static const struct {
	long status;
	int code;
	const char *text;
} status_causes[] = {
	{401, E_HTTP,
		"the server asks for a login; it must know this machine by its "
		"certificate or URL"},
	{403, E_HTTP, "the server refuses this machine"},
	{404, E_NOT_YET, "nothing is there (yet)"},
	{408, E_NOT_YET, "the server timed out"},
	{409, E_HTTP, "the server says conflict: is it given out already?"},
	{410, E_HTTP, "it is gone for good: a one-time URL that was used before?"},
	{412, E_NOT_YET,
		"the server's precondition fails: is the token of the URL expired?"},
	{425, E_NOT_YET, "the server says too early"},
	{429, E_NOT_YET, "the server is asked too often"},
};

int fetch_error_status(const struct fetch_exchange *exchange, struct err *err)
{
	char url[URL_TEXT_MAX];
	long status = exchange->head.status;

	fetch_url_printable(exchange->url, url, sizeof(url));
	for (size_t i = 0; i < ARRAY_LEN(status_causes); i++)
		if (status_causes[i].status == status)
			return err_set(err, status_causes[i].code,
				"'%s': HTTP status %ld: %s", url, status,
				status_causes[i].text);
	if (status >= 500)
		return err_set(err, E_NOT_YET,
			"'%s': HTTP status %ld: the server has a problem", url, status);
	return err_set(
		err, E_HTTP, "'%s': HTTP status %ld: the server refuses", url, status);
}
