/* SPDX-License-Identifier: MIT */
/* Blocks of PEM (RFC 7468): finding them in a text of hostile origin, and writing one. */
#ifndef PROMENADE_CLUSTER_PEM_H
#define PROMENADE_CLUSTER_PEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Limits of one text; both far above what a cluster has. */
#define PEM_BYTES_MAX (1024U * 1024U)
#define PEM_BLOCKS_MAX 64U

/* A block inside somebody else's text. */
struct pem_block {
	char label[40];   /* "CERTIFICATE", "EC PRIVATE KEY", ... */
	const char *text; /* from "-----BEGIN" */
	size_t len;       /* to the end of the END line, its line break included */
};

/* Finds the next block at or after *at, before end, and moves *at behind it; what stands
 * between blocks is passed over. name is the text's, for messages. Returns 1, or 0 when
 * there is none left. Linear over all calls. Errors: E_FORMAT for a block that is cut off
 * or ends as another. */
int pem_next(const char **at, const char *end, const char *name, struct pem_block *ret,
	struct err *err) MUST_USE;

/* True for the labels of private keys, encrypted ones too. */
bool pem_is_key(const struct pem_block *block) MUST_USE;

/* Appends der (len bytes) as a block with 64 characters a line, as Go and OpenSSL write
 * it. Errors: -ENOMEM. */
int pem_add(struct buf *text, const char *label, const void *der, size_t len) MUST_USE;

/* What a credential file holds, by kind; each in the order of the file. */
struct pem_bundle {
	struct buf certificates; /* those of no CA: the leaf first */
	struct buf authorities;  /* those of CAs */
	struct buf key;          /* the private key's block as it was; secret */
};

#define PEM_BUNDLE_INIT                                                                  \
	{                                                                                \
		BUF_INIT, BUF_INIT, BUF_INIT                                             \
	}

/* Sorts the blocks of a text (at most PEM_BYTES_MAX bytes). Kinds that are missing stay
 * empty: what must be there is the caller's business. Blocks of other kinds ("EC
 * PARAMETERS") are dropped. Caller pem_bundle_done()s. Errors: E_FORMAT (a block that
 * does not parse, a second private key), E_TOO_BIG, -ENOMEM. */
int pem_split(const void *pem, size_t len, const char *name, struct pem_bundle *ret,
	struct err *err) MUST_USE;

/* Wipes and frees; takes an empty one. */
void pem_bundle_done(struct pem_bundle *bundle);

#endif
