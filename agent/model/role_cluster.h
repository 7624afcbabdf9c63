/* SPDX-License-Identifier: MIT */
/* Section cluster of a role as data; promenade-role(5) says what each key means. */
#ifndef PROMENADE_MODEL_ROLE_CLUSTER_H
#define PROMENADE_MODEL_ROLE_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

enum role_cluster_action { ROLE_CLUSTER_NONE, ROLE_CLUSTER_JOIN, ROLE_CLUSTER_BOOTSTRAP };
enum role_node_role { ROLE_NODE_WORKER, ROLE_NODE_CONTROL_PLANE };
enum role_keys { ROLE_KEYS_ECDSA_P256, ROLE_KEYS_RSA_2048 };

/* Something fetched by URL and bound to the role by SHA-256 (64 lower-case hex digits).
 */
struct role_source {
	char *url; /* http:// or https:// */
	char sha256[65];
};

/* One entry of archives or manifests. */
struct role_archive {
	struct role_source source;
};

struct role_networking {
	char *pod_cidr;     /* default 10.244.0.0/16 */
	char *service_cidr; /* default 10.96.0.0/12 */
	char *dns_domain;   /* default cluster.local */
};

/* Full names but for repository; NULL: the default of the version. */
struct role_images {
	char *repository; /* default registry.k8s.io */
	char *etcd;
	char *pause;
	char *core_dns;
	char *kube_proxy;
	char *flannel;
	char *flannel_cni;
};

/* What a bootstrap puts into the cluster; default: all. */
struct role_addons {
	bool core_dns;
	bool kube_proxy;
	bool flannel;
};

/* How long to wait for another side, in seconds. */
struct role_timeouts {
	unsigned int api;
	unsigned int certificate;
	unsigned int etcd;
};

/* Leader election of the control plane, in seconds. */
struct role_leases {
	unsigned int duration;
	unsigned int renew_deadline;
	unsigned int retry_period;
};

struct role_cluster {
	enum role_cluster_action action;
	enum role_node_role role;
	char *name;                    /* default kubernetes */
	char *version;                 /* of Kubernetes: 1.34.2; NULL when absent */
	char *endpoint;                /* https://host:port */
	struct strlist endpoints;      /* further API servers */
	struct strlist ca_cert_hashes; /* "sha256:" and 64 hex digits */
	/* NULL: absent; then the secret is one that was injected, or there is none. */
	char *credential_url;
	char *token_url;
	char *certificate_key_url;
	char *advertise_address; /* NULL: the node's pinned address */
	struct role_networking networking;
	struct role_images images;
	struct role_archive *archives; /* container images for the engine */
	size_t archive_count;
	struct role_archive *manifests; /* further objects of a bootstrap */
	size_t manifest_count;
	struct role_addons addons;
	enum role_keys keys;
	struct role_timeouts timeouts;
	unsigned int probe_factor; /* probes of static pods are so much slower */
	struct role_leases leases;
};

#endif
