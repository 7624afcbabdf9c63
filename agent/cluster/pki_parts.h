/* SPDX-License-Identifier: MIT */
/* The table of a node's PKI, for pki.c (making) and pki_examine.c (looking). */
#ifndef PROMENADE_CLUSTER_PKI_PARTS_H
#define PROMENADE_CLUSTER_PKI_PARTS_H

#include "cluster/certificate.h"
#include "cluster/pki.h"

#define PKI_FOLDER "/etc/kubernetes/"

enum pki_kind {
	PKI_AUTHORITY,       /* the shared certificate and key, as they are */
	PKI_SERVICE_ACCOUNT, /* sa.pub and sa.key */
	PKI_LEAF,            /* .crt and .key */
	PKI_KUBECONFIG,      /* certificate and key inside */
	PKI_KUBELET_PEM,     /* kubelet-client-current.pem */
	PKI_KUBELET_CONF     /* kubelet.conf, which points at it */
};

enum pki_names { PKI_NAMES_NONE, PKI_NAMES_API, PKI_NAMES_ETCD };
enum pki_group {
	PKI_GROUP_NONE,
	PKI_GROUP_ADMIN,
	PKI_GROUP_KUBELET_CLIENT,
	PKI_GROUP_NODES
};

struct pki_row {
	const char *name; /* beneath PKI_FOLDER, without .crt or .key */
	enum pki_kind kind;
	size_t signer;           /* offset of a struct authority in struct authorities */
	const char *common_name; /* "%s" stands for the node's name */
	enum pki_group group;
	bool server, client;
	enum pki_names names;
	bool local; /* a kubeconfig that points at this node's own API server */
};

/* kubeadm's order. */
extern const struct pki_row pki_rows[PKI_ENTRIES];

/* What a row comes to on one node. Strings are owned. */
struct pki_wanted {
	char common_name[CERTIFICATE_NAME_MAX + 1];
	const char *organization; /* borrowed, NULL: none */
	struct strlist dns, addresses;
	char server[320]; /* of a kubeconfig */
};

/* The authority that signs a row's certificate. */
const struct authority *pki_signer(
	const struct pki_spec *spec, const struct pki_row *row) MUST_USE;

/* Works out a row; caller pki_wanted_done()s. Errors: E_FORMAT (an address, CIDR or
 * endpoint that is none, a name that is too long), -ENOMEM. */
int pki_wanted_of(const struct pki_spec *spec, const struct pki_row *row,
	struct pki_wanted *ret, struct err *err) MUST_USE;

/* Frees; takes one that is all zero. */
void pki_wanted_done(struct pki_wanted *wanted);

#endif
