/* SPDX-License-Identifier: MIT */
/* The signature of kube-public/cluster-info by a bootstrap token: HMAC-SHA256 as a JSON
 * web signature with detached content (RFC 7515 appendix F; cluster.md 4.2). */
#ifndef PROMENADE_CLUSTER_JWS_H
#define PROMENADE_CLUSTER_JWS_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

#define JWS_TOKEN_ID_LEN 6U
#define JWS_TOKEN_SECRET_LEN 16U

/* A bootstrap token, "id.secret". */
struct jws_token {
	char id[JWS_TOKEN_ID_LEN + 1];
	char secret[32]; /* JWS_TOKEN_SECRET_LEN characters when parsed */
};

/* Takes a token apart; white space at both ends is passed over. The text is never in the
 * error. Caller jws_token_done()s. Errors: E_FORMAT. */
int jws_token_parse(
	const char *text, size_t len, struct jws_token *ret, struct err *err) MUST_USE;

/* Wipes; for CLEANUP. */
void jws_token_done(struct jws_token *token);

/* Appends the value of jws-kubeconfig-<id> for this content. Errors: E_BUG, -ENOMEM. */
int jws_sign(const struct jws_token *token, const void *content, size_t len,
	struct buf *ret, struct err *err) MUST_USE;

/* 0 when signature is that of the token over exactly this content; compared in constant
 * time. Errors: E_TRUST, E_BUG, -ENOMEM. */
int jws_verify(const struct jws_token *token, const char *signature, const void *content,
	size_t len, struct err *err) MUST_USE;

#endif
