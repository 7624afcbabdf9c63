/* SPDX-License-Identifier: MIT */
/*
 * What the files and objects of a cluster are made from: texts by name (${dnsIP}) and
 * features of the version by name ($if: seccomp), both for the blueprints of
 * cluster/blueprints. One table says which minor has which feature. Plain data, copied
 * by assignment, nothing to free, no secret in it.
 */
#ifndef PROMENADE_CLUSTER_PARAMS_H
#define PROMENADE_CLUSTER_PARAMS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "model/role.h"

/* The minors of Kubernetes 1.x that are known: gates and default images were compared
 * with kubeadm's source for each. */
#define PARAMS_MINOR_MIN 20U
#define PARAMS_MINOR_MAX 37U

#define PARAMS_IMAGE_SIZE 256
#define PARAMS_ADDRESS_SIZE 48 /* INET6_ADDRSTRLEN and brackets */

/* Full names of images. */
struct cluster_images {
	char api_server[PARAMS_IMAGE_SIZE];
	char controller_manager[PARAMS_IMAGE_SIZE];
	char scheduler[PARAMS_IMAGE_SIZE];
	char kube_proxy[PARAMS_IMAGE_SIZE];
	char etcd[PARAMS_IMAGE_SIZE];
	char pause[PARAMS_IMAGE_SIZE];
	char core_dns[PARAMS_IMAGE_SIZE];
	char flannel[PARAMS_IMAGE_SIZE];
	char flannel_cni[PARAMS_IMAGE_SIZE];
};

/* Directories of the node that hold CA certificates or the targets of links to them;
 * kubeadm mounts those that are there (phases/controlplane/volumes.go). */
struct cluster_ca_dirs {
	bool etc_pki_ca_trust;
	bool etc_pki_tls_certs;
	bool etc_ca_certificates;
	bool usr_share_ca_certificates;
	bool usr_local_share_ca_certificates;
};

struct cluster_params {
	/* Of the cluster; params_init() sets what has a default. */
	unsigned int minor, patch;
	char version[32];       /* "1.34.2" */
	char cluster_name[64];  /* default kubernetes */
	char endpoint[272];     /* HOST:PORT of the API, without https:// */
	char pod_cidr[128];     /* one, or two with a comma */
	char service_cidr[128]; /* the same */
	char dns_domain[254];
	char repository[PARAMS_IMAGE_SIZE];
	char key_algorithm[16]; /* of kubeadm's v1beta4: ECDSA-P256, RSA-2048 */
	struct cluster_images
		images; /* "" before params_finish(): the version's default */
	bool core_dns, kube_proxy, flannel; /* default true */
	/* Of this control-plane machine. */
	char node_name[64];
	char advertise_address[PARAMS_ADDRESS_SIZE];
	char initial_cluster[1024];    /* NAME=URL,...; "": this member alone */
	bool initial_cluster_existing; /* joins a cluster that is there */
	bool external_ca;              /* ca.key is not on this node */
	bool cgroupfs;                 /* the engine's cgroup driver; default systemd */
	bool systemd_resolved;         /* the node resolves by it */
	struct cluster_ca_dirs ca_dirs;
	/* For slow machines; 0 or 1: as kubeadm has it. */
	unsigned int probe_factor;
	unsigned int lease_duration, renew_deadline,
		retry_period; /* seconds; 0: default */
	/* Derived by params_finish(). */
	bool ipv6;                                /* of the advertise address */
	unsigned int etcd_minor;                  /* of etcd 3.x */
	char dns_ip[PARAMS_ADDRESS_SIZE];         /* 10th of the service CIDR */
	char service_ip[PARAMS_ADDRESS_SIZE];     /* 1st: Service kubernetes */
	char advertise_host[PARAMS_ADDRESS_SIZE]; /* with brackets if IPv6 */
	char localhost[PARAMS_ADDRESS_SIZE];      /* of the same family */
	char localhost_url[PARAMS_ADDRESS_SIZE];  /* with brackets if IPv6 */
	char members[1024];                       /* the initial cluster */
	char flannel_network[320];
	char kubelet_config_map[32], kubelet_config_role[40];
	char lease_seconds[3][16];
};

/* The defaults of a Kubernetes version like "1.34.2" (a leading v is taken).
 * Errors: E_UNSUPPORTED: no such version, or a minor that is not known. */
int params_init(
	struct cluster_params *params, const char *version, struct err *err) MUST_USE;

/* Fills params from a role's section cluster and its name; advertise_address stays empty
 * where the role leaves it to the machine, and what only the machine knows (ca_dirs,
 * systemd_resolved) is the caller's. Not yet finished. Errors: those of params_init(). */
int params_from_role(
	const struct role *role, struct cluster_params *ret, struct err *err) MUST_USE;

/* Derives the rest once the caller has set the fields; to be called again after a change.
 * advertise_address may be "" where no control-plane machine is meant. Errors: E_ROLE
 * naming the field that is wrong, and what fits. */
int params_finish(struct cluster_params *params, struct err *err) MUST_USE;

/* Whether the feature (a name of the table) is there; *ret_known is false for a name that
 * no table has. */
bool params_has(const struct cluster_params *params, const char *feature,
	bool *ret_known) MUST_USE;

/* The text of a variable, NULL for a name that no table has. Borrowed from params. */
const char *params_text(
	const struct cluster_params *params, const char *variable) MUST_USE;

#endif
