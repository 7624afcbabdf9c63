/* SPDX-License-Identifier: MIT */
/*
 * HTTP and HTTPS. Small answers (role, signature, credential, a posted report, calls of
 * the Kubernetes API) whole in memory, one attempt; large bodies as streams, several at
 * once, resumed by Range after a cut. The only user of libcurl. It decides nothing about
 * trust: HTTPS servers must be vouched for by the CAs that the caller gives, plain HTTP
 * must be allowed by the caller.
 *
 * Never used: proxies, netrc, the environment, cookies, any CA of a system store, any
 * protocol but http and https, user names in URLs. Redirects are followed to https only,
 * at most 5 times; headers of our own go to the origin of the first URL only.
 */
#ifndef PROMENADE_HOST_FETCH_H
#define PROMENADE_HOST_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

struct facts;

/* Limits of time; FETCH_LIMITS_DEFAULT is what the agent uses, tests shorten them. */
struct fetch_limits {
	unsigned int connect_ms;    /* name, TCP and TLS together */
	unsigned int stall_s;       /* fewer than 100 bytes/s for so long: cut. Covers the
				     * wait for the first byte */
	unsigned int small_ms;      /* a small answer in all, redirects included */
	unsigned int stream_ms;     /* one attempt of a stream */
	unsigned int retry_base_ms; /* first back-off of a stream; doubles, with jitter */
	unsigned int retry_cap_ms;  /* longest back-off, also for Retry-After */
	unsigned int retry_count;   /* attempts in a row without one new byte */
	unsigned int sink_stall_ms; /* a sink takes nothing for so long */
};

#define FETCH_LIMITS_DEFAULT                                                             \
	{                                                                                \
		.connect_ms = 15000, .stall_s = 30, .small_ms = 60000,                   \
		.stream_ms = 4 * 3600 * 1000, .retry_base_ms = 500,                      \
		.retry_cap_ms = 30000, .retry_count = 6, .sink_stall_ms = 300000         \
	}

/* Where CA and client certificate came from: what messages tell the operator to mend. */
enum fetch_trust { FETCH_TRUST_POLICY, FETCH_TRUST_CLUSTER };

/* What a client sends and trusts. Everything is borrowed and must outlive the client. */
struct fetch_config {
	enum fetch_trust trust;
	const char *ca_pem; /* CAs of the policy; NULL: no HTTPS server is trusted */
	size_t ca_len;
	bool unverified; /* any HTTPS server will do: for what is verified by other means
			    after it has come. No certificate or authorization with it */
	const char *client_cert_pem; /* mTLS: both or neither, NUL-terminated */
	const char *client_key_pem;
	const char *user_agent;        /* "promenade/1.0 (x86_64)" */
	const struct strlist *headers; /* "Name: value" each, or NULL */
	/* Value of Authorization, or NULL: to the origin of the first URL and over HTTPS
	 * only, in no message. */
	const char *authorization;
	struct fetch_limits limits;
	/* Called about once a second while a small answer is awaited, NULL: not.
	 * waited_ms counts from the request. */
	void (*idle)(void *context, const char *url, uint64_t waited_ms);
	void *idle_context;
};

/* An HTTP client with its connections. One thread uses it. */
struct fetch;

/* A client. env gives clock and jitter and is borrowed. Caller fetch_free()s. Reads no
 * file. Errors: -ENOMEM, E_BUG when the library refuses an option. */
int fetch_new(struct env *env, const struct fetch_config *config, struct fetch **ret,
	struct err *err) MUST_USE;

/* Closes all connections and frees; takes NULL. */
void fetch_free(struct fetch **fetch);

/* The headers that anaconda sends and Foreman and Cobbler identify a machine by:
 * "X-RHN-Provisioning-MAC-0: eth0 52:54:00:.." (the boot NIC is 0) and
 * "X-System-Serial-Number: .." when known, appended to ret. Bytes that are not printable
 * become '?'. Errors: -ENOMEM. */
int fetch_identity_headers(const struct facts *facts, struct strlist *ret) MUST_USE;

/* A URL for messages: what may be secret (query values, fragment) becomes "...". */
void fetch_url_printable(const char *url, char *text, size_t size);

struct fetch_request {
	const char *url;
	size_t limit;       /* more bytes than this in the answer refuse it */
	bool allow_http;    /* http:// is allowed for this URL */
	bool stay;          /* redirects are refused; always so with a body */
	const char *accept; /* Accept header, NULL: any */
	const char *method; /* NULL: GET, or POST when body_type is set */
	/* The body is sent as it is, when body_type is set. */
	const char *body_type;
	const void *body_bytes;
	size_t body_len;
	size_t error_limit;  /* so many bytes of an answer that is no success are kept */
	unsigned int max_ms; /* 0: limits.small_ms */
	/* Takes the body of a success piece by piece in place of ret->body, or NULL. A
	 * negative code with err set ends the exchange with it. */
	int (*write)(void *context, const void *bytes, size_t len, struct err *err);
	void *context;
};

/* status is the last HTTP status, 0 when there was none; retry_after_s is what the server
 * asked for (0: nothing, at most 1 hour). Both are set on failure too. body on failure is
 * what error_limit lets through of a server's explanation. */
struct fetch_answer {
	long status;
	unsigned int retry_after_s;
	struct buf body;
};

/* One request without retries; body holds the whole answer of a 2xx status, empty for 204
 * (caller buf_done()s; empty on failure unless error_limit is set). Blocks up to max_ms.
 * Errors: E_NOT_YET (404, 408, 412, 425, 429, 5xx), E_HTTP (other
 * statuses, redirects that are refused), E_NET (name, route, cut, no answer), E_TIMEOUT,
 * E_TLS (with its cause and what to do), E_TOO_BIG, E_USAGE (a URL that is refused),
 * -ENOMEM. */
int fetch_small(struct fetch *fetch, const struct fetch_request *request,
	struct fetch_answer *ret, struct err *err) MUST_USE;

/*
 * Where a stream goes; bytes come in order and once, whatever the connections did. write
 * and finish that cannot go on at once return -EAGAIN, and are called again with the same
 * arguments when poll_fd is ready for its events; any other negative code, with err set,
 * ends the stream.
 */
struct fetch_sink {
	/* Before the first byte; size of the whole body, 0 when the server does not say.
	 */
	int (*begin)(void *context, uint64_t size, struct err *err);
	/* All len bytes or none. */
	int (*write)(void *context, const void *bytes, size_t len, struct err *err);
	/* All bytes are there: check, publish. */
	int (*finish)(void *context, struct err *err);
	/* What to wait for after -EAGAIN: poll(2) events of *ret_events. */
	int (*poll_fd)(void *context, short *ret_events);
	void *context;
};

/* One body to fetch. The first block is the caller's; the rest is filled in. */
struct fetch_stream {
	const char *url;
	const char *name; /* for messages and progress */
	bool allow_http;
	uint64_t limit; /* largest body accepted */
	struct fetch_sink sink;

	int code; /* 0 or the negative code of err, when fetch_streams() returns */
	struct err err;
	uint64_t received;    /* bytes delivered to the sink */
	uint64_t size;        /* 0: the server does not say */
	unsigned int resumed; /* times that the body went on after a cut */
	bool changed;         /* the server's body became another one meanwhile */
};

/* Called about four times a second: bytes so far, and the sizes that are known by now,
 * both summed over all streams; total 0 while none is known. */
struct fetch_progress {
	void (*update)(void *context, uint64_t done, uint64_t total);
	void *context;
};

/* Fetches all streams, at most FETCH_PARALLEL at once, each retried and resumed within
 * the limits; a failure of one does not stop the others. Blocks. progress may be NULL.
 * Returns 0 when all are complete and their sinks finished, else the code of the first
 * failed one with its err. Errors per stream: those of fetch_small(), and of its sink
 * (as the sink worded them). */
int fetch_streams(struct fetch *fetch, struct fetch_stream *streams, size_t count,
	const struct fetch_progress *progress, struct err *err) MUST_USE;

#define FETCH_PARALLEL 4U

#endif
