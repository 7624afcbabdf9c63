/* SPDX-License-Identifier: MIT */
/*
 * One request to whichever of several servers answers: what the clients of the Kubernetes
 * API and of etcd have in common. A call is tried at the endpoint that answered last,
 * then at the others; a round of all without an answer is followed by a back-off and
 * another round, until the deadline. What an answer means is for the client to say
 * (judge).
 *
 * Tokens and keys are sent to verified HTTPS servers only and are in no message, not even
 * where a server sends one back. Redirects are not followed.
 */
#ifndef PROMENADE_CLUSTER_CALL_H
#define PROMENADE_CLUSTER_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

/* Milliseconds; CALL_LIMITS_DEFAULT suits a machine of its own, slow ones need more. */
struct call_limits {
	unsigned int connect_ms;    /* name, TCP and TLS of one attempt */
	unsigned int request_ms;    /* one attempt in all */
	unsigned int deadline_ms;   /* one call with its retries; 0: one round */
	unsigned int retry_base_ms; /* first back-off; doubles, with jitter */
	unsigned int retry_cap_ms;  /* longest back-off */
};

#define CALL_LIMITS_DEFAULT                                                              \
	{                                                                                \
		.connect_ms = 10000, .request_ms = 30000, .deadline_ms = 120000,         \
		.retry_base_ms = 500, .retry_cap_ms = 10000                              \
	}

/* Everything is borrowed and must outlive the caller; PEM texts are NUL-terminated. */
struct call_config {
	const struct strlist *endpoints; /* "https://HOST:PORT" each, in order */
	const char *ca_pem;              /* CAs that vouch for the servers */
	const char *client_cert_pem;     /* both or neither */
	const char *client_key_pem;
	const char *token; /* bearer token, or NULL */
	bool unverified;   /* any server will do: for kubeadm's cluster-info alone, whose
			    * signature is checked. No CA, certificate or token with it */
	struct call_limits limits;
};

/* Longest answer that is kept. etcd takes no object above 1.5 MiB. */
#define CALL_ANSWER_MAX (4U * 1024U * 1024U)

struct call {
	const char *method; /* "GET" */
	const char *path;   /* begins with '/'; with its query, percent-encoded */
	const char *accept;
	const char *type; /* of the body; NULL: none */
	const void *body;
	size_t len;
	unsigned int deadline_ms; /* 0: limits.deadline_ms */
	unsigned int settle_ms; /* so long, from the first one, 403 and 404 are taken for
				 * "not yet": roles and namespaces of a new cluster */
	const char *endpoint;   /* this one alone, or NULL: any */
	bool once;              /* no second attempt */
	/* Takes the body of a success in place of ret, without CALL_ANSWER_MAX. */
	int (*write)(void *context, const void *bytes, size_t len, struct err *err);
	void *context;
};

/* Turns an answer of status >= 400 into a negative code with its words. where is "GET
 * 'URL'"; body is what the server says, at most 64 KiB, its secrets blanked. E_NOT_YET is
 * tried again. */
typedef int (*call_judge)(
	const char *where, long status, const struct buf *body, struct err *err);

struct caller;

/* A client of these endpoints; server ("API server") is for messages. env gives clock,
 * sleep and jitter and is borrowed. Caller caller_free()s. Errors: E_USAGE (no endpoint,
 * a token that no header can carry), -ENOMEM, E_BUG. */
int caller_new(struct env *env, const struct call_config *config, const char *server,
	call_judge judge, struct caller **ret, struct err *err) MUST_USE;

/* Closes connections, wipes the token and frees; takes NULL. */
void caller_free(struct caller **caller);

/* Makes a call. ret (may be NULL: not wanted) is the body of the 2xx answer; caller
 * buf_done()s. Blocks up to the deadline. An effect may have happened although the call
 * failed or was tried again: E_EXISTS after a cut may be our own doing.
 * Errors: what judge says; E_NET, E_TIMEOUT, E_TLS when no endpoint answers; E_HTTP (no
 * HTTP, a redirect), E_TOO_BIG, -ENOMEM, what write says. */
int caller_run(struct caller *caller, const struct call *call, struct buf *ret,
	struct err *err) MUST_USE;

#endif
