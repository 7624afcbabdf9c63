/* SPDX-License-Identifier: MIT */
/*
 * A token as an operator gives it, and the signature of cluster-info as whoever answers
 * gives it: "TOKEN\nSIGNATURE\nCONTENT". Only the one right signature is taken.
 *
 * Links: cluster/base64 cluster/jws cluster/secret base/err base/str
 * Flags: -isystem build/host/sysroot/include -Lbuild/host/sysroot/lib -lmbedcrypto
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/jws.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(int holds)
{
	if (!holds)
		abort();
}

/* The text up to the line's end, which *at is moved behind. */
static char *take_line(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *stop = *at < end ? memchr(*at, '\n', (size_t)(end - *at)) : NULL;
	size_t len = (size_t)((stop ? stop : end) - *at);
	char *line = calloc(1, len + 1);

	demand(line != NULL);
	if (len)
		memcpy(line, *at, len);
	*at = stop ? stop + 1 : end;
	return line;
}

static void check_signature(const struct jws_token *token, const char *signature,
	const uint8_t *content, size_t len)
{
	struct buf right CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	int rc = jws_verify(token, signature, content, len, &err);

	demand(jws_sign(token, content, len, &right, NULL) == 0);
	demand((rc == 0) == (strcmp(signature, right.bytes) == 0));
	demand(rc == 0 || (rc == -E_TRUST && !strstr(err.text, token->secret)));
	demand(jws_verify(token, right.bytes, content, len, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *at = bytes, *end = bytes + len;
	char *text = take_line(&at, end), *signature = take_line(&at, end);
	struct jws_token token;
	struct err err = ERR_INIT;
	int rc = jws_token_parse(text, strlen(text), &token, &err);

	demand(rc == 0 || rc == -E_FORMAT);
	if (rc == 0)
		check_signature(&token, signature, at, (size_t)(end - at));
	free(text);
	free(signature);
	return 0;
}
