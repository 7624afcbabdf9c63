/* SPDX-License-Identifier: MIT */
/*
 * The Secret kube-system/kubeadm-certs (cluster.md 1.5), and the credential of a
 * control-plane node, which is the same Secret without encryption. A value is base64 of
 *
 *	nonce (12 bytes) | AES-256-GCM of the PEM, no additional data | tag (16 bytes)
 *
 * with the certificate key of `kubeadm init --upload-certs`, 64 hex digits.
 */
#ifndef PROMENADE_CLUSTER_KUBEADM_CERTS_H
#define PROMENADE_CLUSTER_KUBEADM_CERTS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/authorities.h"

/* A certificate key: a secret. */
struct kubeadm_certs_key {
	uint8_t bytes[32];
};

/* Reads 64 hex digits; white space at both ends is passed over. The text is never in the
 * error. Caller kubeadm_certs_key_done()s. Errors: E_FORMAT. */
int kubeadm_certs_key_parse(const char *text, size_t len, struct kubeadm_certs_key *ret,
	struct err *err) MUST_USE;

/* Wipes; for CLEANUP. */
void kubeadm_certs_key_done(struct kubeadm_certs_key *key);

/* Appends what a blob holds; name is for messages. The buffer then holds a secret.
 * Errors: E_TRUST (another key, or altered), E_FORMAT (too short), E_BUG, -ENOMEM. */
int kubeadm_certs_open(const struct kubeadm_certs_key *key, const struct buf *blob,
	const char *name, struct buf *ret, struct err *err) MUST_USE;

/* Appends the blob of a text, with a nonce of its own. Errors: E_BUG, -ENOMEM. */
int kubeadm_certs_seal(const struct kubeadm_certs_key *key, const struct buf *text,
	struct buf *ret, struct err *err) MUST_USE;

/* Takes the shared PKI out of a Secret (v1, with data); key NULL: its values are not
 * encrypted. All eight parts must be there, belong together and be valid at now. name is
 * for messages. Caller authorities_done()s. Errors: E_FORMAT, E_TRUST, E_UNSUPPORTED,
 * -ENOMEM. */
int kubeadm_certs_read(const json_t *secret, const struct kubeadm_certs_key *key,
	int64_t now, struct authorities *ret, struct err *err) MUST_USE;

/* The Secret kube-system/kubeadm-certs that holds these; key NULL: values are not
 * encrypted, as in a credential. The object holds secrets that jansson does not wipe.
 * Caller json_decref()s. Errors: E_BUG, -ENOMEM. */
int kubeadm_certs_write(const struct authorities *authorities,
	const struct kubeadm_certs_key *key, json_t **ret, struct err *err) MUST_USE;

#endif
