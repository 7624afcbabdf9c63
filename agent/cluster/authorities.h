/* SPDX-License-Identifier: MIT */
/* What all control-plane nodes of a cluster share: three CAs and the key of service
 * accounts (cluster.md 1.5). Everything else of a node's PKI is issued from these. */
#ifndef PROMENADE_CLUSTER_AUTHORITIES_H
#define PROMENADE_CLUSTER_AUTHORITIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/key.h"

struct authority {
	struct buf certificate_pem;
	struct key *key;
};

struct authorities {
	struct authority ca, front_proxy, etcd;
	struct key *service_account;
	struct buf service_account_pub; /* PEM; may hold older keys too */
};

/* The eight parts by the names of kubeadm-certs; the path of each is beneath
 * /etc/kubernetes/pki. */
#define AUTHORITIES_PARTS 8U

struct authorities_part {
	const char *key;  /* "etcd-ca.key", key of the Secret */
	const char *path; /* "etcd/ca.key" */
	size_t authority; /* offset of its struct authority; of sa: unused */
	enum { PART_CERTIFICATE, PART_KEY, PART_SA_PUB, PART_SA_KEY } kind;
};

/* The table of the parts, a certificate before its key. */
extern const struct authorities_part authorities_parts[AUTHORITIES_PARTS];

/* Makes all of them anew: 3650 days, begun an hour before now, so that a clock that is a
 * little behind does not refuse them; every name as kubeadm's. RSA takes seconds. Caller
 * authorities_done()s. Errors: E_BUG, -ENOMEM. */
int authorities_create(enum key_kind kind, int64_t now, struct authorities *ret,
	struct err *err) MUST_USE;

/* Appends one part as PEM. The buffer may then hold a secret. Errors: E_BUG, -ENOMEM. */
int authorities_part_pem(const struct authorities *authorities,
	const struct authorities_part *part, struct buf *ret, struct err *err) MUST_USE;

/* Takes one part from PEM into authorities, replacing nothing that is set; name is for
 * messages. Errors: E_FORMAT, E_UNSUPPORTED, -ENOMEM. */
int authorities_part_take(struct authorities *authorities,
	const struct authorities_part *part, const void *pem, size_t len,
	struct err *err) MUST_USE;

/* 0 when every part is there, each CA is one and valid at now, and keys and certificates
 * belong together. A missing sa.pub is made from sa.key. Errors: E_FORMAT naming the part
 * that is missing, E_TRUST. */
int authorities_check(
	struct authorities *authorities, int64_t now, struct err *err) MUST_USE;

/* Wipes and frees; takes one that is all zero. */
void authorities_done(struct authorities *authorities);

#endif
