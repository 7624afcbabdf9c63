/* SPDX-License-Identifier: MIT */
/*
 * The PKI of one control-plane node as files beneath a root: what kubeadm has in
 * /etc/kubernetes, all issued from the shared authorities (cluster.md 1.1 and 1.2).
 *
 * First pki_examine(): which entries are good and stay, and why the others do not; it
 * reads only. Then pki_make(): the bytes of those others. Writing is the caller's. An
 * entry is good when it parses, is issued by this CA for this key, says what it must,
 * and does not expire within PKI_RENEW_S; so twice is the same as once.
 */
#ifndef PROMENADE_CLUSTER_PKI_H
#define PROMENADE_CLUSTER_PKI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/authorities.h"

#define PKI_RENEW_S (30 * (int64_t)86400)
/* kubeadm's CertificateValidityPeriod */
#define PKI_VALID_S (365 * (int64_t)86400)
/* Group of kubeadm's administrators; ClusterRoleBinding kubeadm:cluster-admins. */
#define PKI_ADMIN_GROUP "kubeadm:cluster-admins"

#define PKI_ENTRIES 16U

/* What the node's PKI depends on. All borrowed. */
struct pki_spec {
	const struct authorities *authorities; /* checked */
	enum key_kind keys;                    /* of new leaf certificates */
	int64_t now;
	unsigned int minor;       /* of Kubernetes: 1.<minor> */
	const char *node;         /* Node name */
	const char *address;      /* that the node advertises, IPv4 or IPv6 */
	const char *service_cidr; /* its first address is the API's in the cluster; of two
				     (dual stack, a comma between) the first counts */
	const char *dns_domain;   /* "cluster.local" */
	const char *endpoint;     /* https://host:port of the API for everybody */
	const struct strlist *api_names; /* further DNS names and addresses of the API, or
					    NULL */
	/* Groups of the administrator's and of the API server's client certificate. NULL:
	 * PKI_ADMIN_GROUP, and none (bound by user name, cluster.md 1.3). A cluster that
	 * kubeadm made before 1.29 has no such bindings: system:masters there. */
	const char *admin_group;
	const char *kubelet_client_group;
};

/* Why each entry is made anew; NULL: it is good. Texts are static. */
struct pki_state {
	const char *reason[PKI_ENTRIES];
};

/* Name of an entry for people, without its suffix: "pki/apiserver", "admin.conf". */
const char *pki_entry_name(size_t entry) MUST_USE;

/* Looks at /etc/kubernetes and /var/lib/kubelet/pki beneath root_fd. Reads only. Errors:
 * E_FORMAT (the spec: an address, CIDR or endpoint), -ENOMEM; what is wrong with a file
 * is a reason and no error. */
int pki_examine(const struct pki_spec *spec, int root_fd, struct pki_state *ret,
	struct err *err) MUST_USE;

/* A file to be written, or a symlink. */
struct pki_file {
	char *path; /* beneath the root, "/etc/kubernetes/pki/ca.crt" */
	mode_t mode;
	struct buf bytes; /* may be a secret */
	char *link;       /* target of a symlink, else NULL */
};

/* In the order of writing: a key comes before its certificate, a file before its link. */
struct pki_files {
	struct pki_file *items;
	size_t count;
};

/* Makes the files of every entry that has a reason. RSA keys take seconds each. Caller
 * pki_files_done()s. Errors: as certificate_issue() and key_generate(). */
int pki_make(const struct pki_spec *spec, const struct pki_state *state,
	struct pki_files *ret, struct err *err) MUST_USE;

/* Adds kubelet's client certificate and key as kubelet's own store keeps them: one file
 * by the time, and the link kubelet-client-current.pem to it, absolute as seen after the
 * pivot (kubelet refuses to rotate over a plain file). Errors: -ENOMEM. */
int pki_add_kubelet_pem(struct pki_files *files, const struct buf *certificate_pem,
	const struct buf *key_pem, int64_t now, struct err *err) MUST_USE;

/* Wipes and frees; takes one that is all zero. */
void pki_files_done(struct pki_files *files);

/* Whose client certificate, and for how long from now on. organization may be NULL. */
struct pki_client {
	const char *common_name, *organization;
	enum key_kind keys;
	int64_t now, seconds;
};

/* A client certificate of the cluster's CA with a new key: an administrator's that stays
 * in memory, or a worker's credential (system:node:<name>, system:nodes). Appends to
 * both; the key is a secret. Errors: as certificate_issue() and key_generate(). */
int pki_client_make(const struct authority *ca, const struct pki_client *client,
	struct buf *certificate_pem, struct buf *key_pem, struct err *err) MUST_USE;

#endif
