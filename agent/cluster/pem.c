/* SPDX-License-Identifier: MIT */
/* Go's encoding/pem decides what Kubernetes reads: a block begins at the start of a line,
 * and its END line bears the same label. */
#include "cluster/pem.h"

#include <errno.h>
#include <string.h>

#include "cluster/base64.h"
#include "cluster/certificate.h"
#include "cluster/secret.h"

#define BEGIN "-----BEGIN "
#define END "-----END "
#define DASHES "-----"
#define LINE 64U

/* The next BEGIN at the start of a line, else NULL. */
static const char *find_begin(const char *text, const char *end)
{
	const char *at = text;

	while (at < end && (at = memmem(at, (size_t)(end - at), BEGIN, strlen(BEGIN)))) {
		if (at == text || at[-1] == '\n' || at[-1] == '\r')
			return at;
		at += strlen(BEGIN);
	}
	return NULL;
}

/* Reads "LABEL-----"; NULL when that does not stand there, else what follows. */
static const char *read_label(const char *at, const char *end, char *label, size_t size)
{
	size_t len = 0;

	while (at + len < end && len < size - 1 && at[len] >= ' ' && at[len] <= '~' &&
		at[len] != '-')
		len++;
	if ((size_t)(end - at) < len + strlen(DASHES) ||
		memcmp(at + len, DASHES, strlen(DASHES)) != 0)
		return NULL;
	memcpy(label, at, len);
	label[len] = '\0';
	return at + len + strlen(DASHES);
}

static const char *after_line_break(const char *at, const char *end)
{
	if (at < end && *at == '\r')
		at++;
	if (at < end && *at == '\n')
		at++;
	return at;
}

int pem_next(const char **at, const char *end, const char *name, struct pem_block *ret,
	struct err *err)
{
	const char *begin = find_begin(*at, end), *body, *close, *after;
	char label[sizeof(ret->label)];

	if (!begin)
		return 0;
	body = read_label(begin + strlen(BEGIN), end, ret->label, sizeof(ret->label));
	if (!body)
		return err_set(err, E_FORMAT,
			"read '%s': a line begins with '%s' and is no PEM header", name,
			BEGIN);
	close = memmem(body, (size_t)(end - body), END, strlen(END));
	if (!close)
		return err_set(err, E_FORMAT,
			"read '%s': the block '%s' is cut off, it has no END line", name,
			ret->label);
	after = read_label(close + strlen(END), end, label, sizeof(label));
	if (!after || strcmp(label, ret->label) != 0)
		return err_set(err, E_FORMAT,
			"read '%s': the block '%s' has an END line of another kind", name,
			ret->label);
	after = after_line_break(after, end);
	ret->text = begin;
	ret->len = (size_t)(after - begin);
	*at = after;
	return 1;
}

bool pem_is_key(const struct pem_block *block)
{
	return str_has_suffix(block->label, "PRIVATE KEY");
}

int pem_add(struct buf *text, const char *label, const void *der, size_t len)
{
	struct buf body CLEANUP(secret_done) = BUF_INIT;
	int rc = base64_add(&body, der, len);

	if (rc == 0)
		rc = buf_printf(text, BEGIN "%s" DASHES "\n", label);
	for (size_t at = 0; rc == 0 && at < body.len; at += LINE) {
		rc = secret_add(text, body.bytes + at,
			body.len - at < LINE ? body.len - at : LINE);
		if (rc == 0)
			rc = secret_add_str(text, "\n");
	}
	return rc == 0 ? buf_printf(text, END "%s" DASHES "\n", label) : rc;
}

/* A block may lack the line break at the end of the file; the next must not touch it. */
static int keep(struct buf *kind, const struct pem_block *block)
{
	int rc = secret_add(kind, block->text, block->len);

	if (rc == 0 && block->text[block->len - 1] != '\n')
		rc = secret_add_str(kind, "\n");
	return rc;
}

static int sort_block(struct pem_bundle *bundle, const struct pem_block *block,
	const char *name, struct err *err)
{
	struct certificate_info info CLEANUP(certificate_info_done) = {0};
	int rc;

	if (pem_is_key(block)) {
		if (bundle->key.len)
			return err_set(err, E_FORMAT,
				"read '%s': more than one private key; a credential has "
				"one",
				name);
		return keep(&bundle->key, block);
	}
	if (strcmp(block->label, "CERTIFICATE") != 0)
		return 0;
	rc = certificate_read(block->text, block->len, name, &info, err);
	if (rc < 0)
		return rc;
	return keep(info.ca ? &bundle->authorities : &bundle->certificates, block);
}

static int sort_blocks(const char *text, size_t len, const char *name,
	struct pem_bundle *bundle, struct err *err)
{
	const char *at = text;
	struct pem_block block;
	unsigned int count = 0;
	int rc;

	while ((rc = pem_next(&at, text + len, name, &block, err)) > 0) {
		if (++count > PEM_BLOCKS_MAX)
			return err_set(err, E_TOO_BIG,
				"read '%s': more than %u PEM blocks", name,
				PEM_BLOCKS_MAX);
		rc = sort_block(bundle, &block, name, err);
		if (rc == -ENOMEM)
			return err_errno(err, ENOMEM, "read '%s'", name);
		if (rc < 0)
			return rc;
	}
	return rc;
}

int pem_split(const void *pem, size_t len, const char *name, struct pem_bundle *ret,
	struct err *err)
{
	struct pem_bundle bundle CLEANUP(pem_bundle_done) = PEM_BUNDLE_INIT;
	int rc;

	if (len > PEM_BYTES_MAX)
		return err_set(err, E_TOO_BIG, "read '%s': %zu bytes; at most %u", name,
			len, PEM_BYTES_MAX);
	rc = len ? sort_blocks(pem, len, name, &bundle, err) : 0;
	if (rc < 0)
		return rc;
	*ret = bundle;
	bundle = (struct pem_bundle)PEM_BUNDLE_INIT;
	return 0;
}

void pem_bundle_done(struct pem_bundle *bundle)
{
	buf_done(&bundle->certificates);
	buf_done(&bundle->authorities);
	secret_done(&bundle->key);
}
