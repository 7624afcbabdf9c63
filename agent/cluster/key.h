/* SPDX-License-Identifier: MIT */
/* Private keys of certificates and service accounts: made here or read from PEM, written
 * as kubelet and kubeadm write them. Bytes of keys are wiped when freed. */
#ifndef PROMENADE_CLUSTER_KEY_H
#define PROMENADE_CLUSTER_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* What can be made; reading also takes other sizes and NIST curves. */
enum key_kind { KEY_EC_P256, KEY_RSA_2048 };

struct key;

/* A new key from the kernel's randomness. RSA takes seconds of one core. Caller
 * key_free()s. Errors: E_BUG when the crypto library refuses, -ENOMEM. */
int key_generate(enum key_kind kind, struct key **ret, struct err *err) MUST_USE;

/* The first private key in pem (len bytes): PKCS#8 "PRIVATE KEY", SEC1 "EC PRIVATE KEY",
 * PKCS#1 "RSA PRIVATE KEY"; other blocks are passed over. name is the file, for messages.
 * Caller key_free()s. Errors: E_FORMAT (none, damaged), E_UNSUPPORTED (encrypted, or
 * neither RSA nor a NIST curve), -ENOMEM. */
int key_parse(const void *pem, size_t len, const char *name, struct key **ret,
	struct err *err) MUST_USE;

/* Appends the key as "EC PRIVATE KEY" or "RSA PRIVATE KEY". The buffer then holds a
 * secret: caller secret_done()s. Errors: E_BUG, -ENOMEM. */
int key_pem(const struct key *key, struct buf *ret, struct err *err) MUST_USE;

/* Appends its public half as "PUBLIC KEY". Errors: E_BUG, -ENOMEM. */
int key_public_pem(const struct key *key, struct buf *ret, struct err *err) MUST_USE;

/* True when both are the same key. */
bool key_equal(const struct key *a, const struct key *b) MUST_USE;

/* True when key is of this kind exactly. */
bool key_is(const struct key *key, enum key_kind kind) MUST_USE;

/* Wipes and frees; takes NULL. */
void key_free(struct key **key);

#endif
