/* SPDX-License-Identifier: MIT */
/*
 * kubeconfigs, written byte for byte as client-go writes them (cluster.md 2), and read:
 * the one cluster and user that the current context names. Files hold keys and tokens:
 * every buffer here is a secret.
 */
#ifndef PROMENADE_CLUSTER_KUBECONFIG_H
#define PROMENADE_CLUSTER_KUBECONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* client-go leaves an empty "preferences" out since 1.34. */
#define KUBECONFIG_MINOR_WITHOUT_PREFERENCES 34U

/* Where kubelet keeps its client certificate and key (a symlink, cluster.md 2). */
#define KUBECONFIG_KUBELET_PEM "/var/lib/kubelet/pki/kubelet-client-current.pem"

/* Where the API is. Borrowed. */
struct kubeconfig_cluster {
	const char *server; /* https://host:port */
	const void *ca_pem; /* len 0: none */
	size_t ca_len;
	unsigned int minor; /* of the Kubernetes whose form is written: 1.<minor> */
};

/* As kubeadm writes admin.conf and its like: user is "kubernetes-admin" or such, the
 * context <user>@kubernetes, certificate and key inside. ret is appended to; caller
 * secret_done()s. Errors: -ENOMEM. */
int kubeconfig_write_user(const struct kubeconfig_cluster *cluster, const char *user,
	const struct buf *certificate_pem, const struct buf *key_pem,
	struct buf *ret) MUST_USE;

/* As kubelet itself writes kubelet.conf when it has bootstrapped: certificate and key by
 * the path KUBECONFIG_KUBELET_PEM, no secret inside. Errors: -ENOMEM. */
int kubeconfig_write_kubelet(
	const struct kubeconfig_cluster *cluster, struct buf *ret) MUST_USE;

/* As kubeadm writes bootstrap-kubelet.conf: user tls-bootstrap-token-user with a token
 * "id.secret". Errors: -ENOMEM. */
int kubeconfig_write_bootstrap(const struct kubeconfig_cluster *cluster,
	const char *token, struct buf *ret) MUST_USE;

/* What kube-public/cluster-info carries: the cluster alone, without a name. No secret.
 * Errors: -ENOMEM. */
int kubeconfig_write_cluster_info(
	const struct kubeconfig_cluster *cluster, struct buf *ret) MUST_USE;

/* What a kubeconfig says; absent is "" or empty. */
struct kubeconfig {
	char *server;
	char *user; /* name of the user */
	struct buf ca_pem;
	char *ca_path; /* instead of ca_pem */
	struct buf certificate_pem, key_pem;
	char *certificate_path, *key_path; /* instead of those two */
	char *token;
	bool insecure; /* insecure-skip-tls-verify is set */
};

/* Reads len bytes of YAML or JSON; name is the file, for messages. The cluster and user
 * are those of the current context; where there is none (cluster-info), the first cluster
 * and no user. Caller kubeconfig_done()s. Errors: E_FORMAT with line and column,
 * E_TOO_BIG, -ENOMEM. */
int kubeconfig_read(const void *bytes, size_t len, const char *name,
	struct kubeconfig *ret, struct err *err) MUST_USE;

/* Wipes and frees; takes one that is all zero. */
void kubeconfig_done(struct kubeconfig *config);

#endif
