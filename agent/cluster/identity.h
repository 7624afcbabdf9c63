/* SPDX-License-Identifier: MIT */
/*
 * What a node is towards its cluster: its client certificate with the key, and the CA
 * that it trusts. Comes from a credential, from a certificate signing request, or lies on
 * the root from an earlier boot.
 */
#ifndef PROMENADE_CLUSTER_IDENTITY_H
#define PROMENADE_CLUSTER_IDENTITY_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

#define IDENTITY_CA_PATH "/etc/kubernetes/pki/ca.crt"
#define IDENTITY_PKI_DIR "/var/lib/kubelet/pki"

/* PEM texts. key is secret. */
struct identity {
	struct buf ca;
	struct buf certificates; /* the leaf first */
	struct buf key;
};

#define IDENTITY_INIT                                                                    \
	{                                                                                \
		BUF_INIT, BUF_INIT, BUF_INIT                                             \
	}

/* Whose identity it must be, and when. Borrowed. */
struct identity_wanted {
	const char *node;           /* Node name */
	const struct strlist *pins; /* of the cluster's CA */
	int64_t now;                /* seconds since the epoch */
};

/* Takes a credential apart: certificates, one private key, the CA. name says where it is
 * from. Caller identity_done()s. Errors: E_FORMAT naming what is missing, -ENOMEM. */
int identity_parse(const struct buf *pem, const char *name, struct identity *ret,
	struct err *err) MUST_USE;

/* Reads what kubelet has on the target. 1: there is none. Caller identity_done()s.
 * Errors: E_FORMAT, errno of reading. */
int identity_read(const struct env *env, struct identity *ret, struct err *err) MUST_USE;

/* 0 when this is the identity of that node in that cluster for ten more minutes at least.
 * name is for messages. Errors: E_TRUST with what is wrong: another CA than pinned,
 * another node's, expired, a key that is not the certificate's. */
int identity_check(const struct identity *identity, const struct identity_wanted *wanted,
	const char *name, struct err *err) MUST_USE;

/* Wipes and frees; takes an empty one. For CLEANUP. */
void identity_done(struct identity *identity);

#endif
