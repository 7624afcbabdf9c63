/* SPDX-License-Identifier: MIT */
/* A kubelet client certificate by CertificateSigningRequest (cluster.md 4.4): the key is
 * made here and never leaves, kube-controller-manager approves and signs. */
#ifndef PROMENADE_CLUSTER_NODE_CSR_H
#define PROMENADE_CLUSTER_NODE_CSR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/api.h"
#include "cluster/key.h"
#include "host/env.h"

/* One request; survives a change of the token, which only sends it. */
struct node_csr {
	struct key *key;
	struct buf request; /* PEM */
	char name[96];      /* of the object: node-csr-NODE-HEX, "" before it is made */
	char uid[64];
	bool sent;
	uint64_t deadline_ms; /* by env->now_ms(), from when it was sent */
};

/* A key and a request for node. Caller node_csr_done()s. Errors: those of key_generate()
 * and certificate_request(). */
int node_csr_init(struct node_csr *csr, enum key_kind kind, const char *node,
	struct err *err) MUST_USE;

/* Sends the request if it was not sent, and waits for the certificate, at most timeout_s
 * from the sending. ret is appended to: certificates in PEM. Blocks. Errors:
 * E_UNAUTHORIZED (the token expired: come again with another api), E_TIMEOUT with the
 * reason why nothing came, E_FORBIDDEN (denied, or the token may not ask), E_INVALID
 * (failed, or changed by somebody), E_NOT_FOUND (deleted meanwhile), those of api_post().
 */
int node_csr_run(struct node_csr *csr, struct env *env, struct api *api,
	unsigned int timeout_s, struct buf *ret, struct err *err) MUST_USE;

/* Wipes and frees; takes an empty one. For CLEANUP. */
void node_csr_done(struct node_csr *csr);

#endif
