/* SPDX-License-Identifier: MIT */
#include "cluster/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int secret_add(struct buf *secret, const void *bytes, size_t len)
{
	size_t need = secret->len + len + 1;
	struct buf grown;

	if (len > SIZE_MAX / 4 || secret->len > SIZE_MAX / 4)
		return -ENOMEM;
	if (need > secret->cap) {
		/* realloc() would leave a copy behind. */
		grown.cap = need * 2;
		grown.len = secret->len;
		grown.bytes = malloc(grown.cap);
		if (!grown.bytes)
			return -ENOMEM;
		if (secret->len)
			memcpy(grown.bytes, secret->bytes, secret->len);
		secret_done(secret);
		*secret = grown;
	}
	if (len)
		memcpy(secret->bytes + secret->len, bytes, len);
	secret->len += len;
	secret->bytes[secret->len] = '\0';
	return 0;
}

int secret_add_str(struct buf *secret, const char *text)
{
	return secret_add(secret, text, strlen(text));
}

void secret_done(struct buf *secret)
{
	if (secret->bytes)
		explicit_bzero(secret->bytes, secret->cap);
	free(secret->bytes);
	*secret = (struct buf)BUF_INIT;
}

void secret_text_free(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}
