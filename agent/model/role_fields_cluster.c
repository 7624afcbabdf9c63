/* SPDX-License-Identifier: MIT */
/* Section cluster of a role. What is said at the head of role_fields.c holds here too. */
#include "model/role_rows.h"

COUNT_FOLLOWS(struct role_cluster, archives, archive_count);
COUNT_FOLLOWS(struct role_cluster, manifests, manifest_count);

#define SECONDS_MAX 86400U

static const struct field_choice actions[] = {
	{"none", ROLE_CLUSTER_NONE},
	{"join", ROLE_CLUSTER_JOIN},
	{"bootstrap", ROLE_CLUSTER_BOOTSTRAP},
	{NULL, 0},
};
const struct field_choice role_node_roles[] = {
	{"worker", ROLE_NODE_WORKER},
	{"control-plane", ROLE_NODE_CONTROL_PLANE},
	{NULL, 0},
};
const struct field_choice role_key_kinds[] = {
	{"ecdsa-p256", ROLE_KEYS_ECDSA_P256},
	{"rsa-2048", ROLE_KEYS_RSA_2048},
	{NULL, 0},
};

static const struct field credential_fields[] = {
	{.key = "url",
		URL(value_url_https),
		.required = true,
		AT(struct role_cluster, credential_url)},
	END,
};
static const struct field_section credential_section = {.fields = credential_fields};

static const struct field token_fields[] = {
	{.key = "url",
		URL(value_url_https),
		.required = true,
		AT(struct role_cluster, token_url)},
	END,
};
static const struct field_section token_section = {.fields = token_fields};

static const struct field certificate_key_fields[] = {
	{.key = "url",
		URL(value_url_https),
		.required = true,
		AT(struct role_cluster, certificate_key_url)},
	END,
};
static const struct field_section certificate_key_section = {
	.fields = certificate_key_fields};

static const struct field networking_fields[] = {
	{.key = "podCIDR",
		TEXT(value_cidr),
		.absent_text = "10.244.0.0/16",
		AT(struct role_networking, pod_cidr)},
	{.key = "serviceCIDR",
		TEXT(value_cidr),
		.absent_text = "10.96.0.0/12",
		AT(struct role_networking, service_cidr)},
	{.key = "dnsDomain",
		TEXT(value_dns_name),
		.absent_text = "cluster.local",
		AT(struct role_networking, dns_domain)},
	END,
};
const struct field_section role_networking_section = {.fields = networking_fields};

static const struct field images_fields[] = {
	{.key = "repository",
		TEXT(value_image),
		.absent_text = "registry.k8s.io",
		AT(struct role_images, repository)},
	{.key = "etcd", TEXT(value_image), AT(struct role_images, etcd)},
	{.key = "pause", TEXT(value_image), AT(struct role_images, pause)},
	{.key = "coreDNS", TEXT(value_image), AT(struct role_images, core_dns)},
	{.key = "kubeProxy", TEXT(value_image), AT(struct role_images, kube_proxy)},
	{.key = "flannel", TEXT(value_image), AT(struct role_images, flannel)},
	{.key = "flannelCNI", TEXT(value_image), AT(struct role_images, flannel_cni)},
	END,
};
const struct field_section role_images_section = {.fields = images_fields};

static const struct field archive_fields[] = {SOURCE(struct role_archive, source), END};
const struct field_section role_archive_section = {
	.fields = archive_fields, .item_size = sizeof(struct role_archive)};

static const struct field addons_fields[] = {
	{.key = "coreDNS",
		.type = FIELD_BOOL,
		.absent = true,
		AT(struct role_addons, core_dns)},
	{.key = "kubeProxy",
		.type = FIELD_BOOL,
		.absent = true,
		AT(struct role_addons, kube_proxy)},
	{.key = "flannel",
		.type = FIELD_BOOL,
		.absent = true,
		AT(struct role_addons, flannel)},
	END,
};
const struct field_section role_addons_section = {.fields = addons_fields};

/* Seconds, at least one. */
#define SECONDS(word, seconds, owner, member)                                            \
	{                                                                                \
		.key = (word), .type = FIELD_NUMBER, .min = 1, .max = SECONDS_MAX,       \
		.absent = (seconds), AT(owner, member)                                   \
	}

static const struct field timeouts_fields[] = {
	SECONDS("api", 600, struct role_timeouts, api),
	SECONDS("certificate", 300, struct role_timeouts, certificate),
	SECONDS("etcd", 600, struct role_timeouts, etcd),
	END,
};
const struct field_section role_timeouts_section = {.fields = timeouts_fields};

static const struct field probes_fields[] = {
	{.key = "factor",
		.type = FIELD_NUMBER,
		.min = 1,
		.max = 100,
		.absent = 1,
		AT(struct role_cluster, probe_factor)},
	END,
};
const struct field_section role_probes_section = {.fields = probes_fields};

/* The defaults are those of kube-controller-manager and kube-scheduler. */
static const struct field leases_fields[] = {
	SECONDS("durationSeconds", 15, struct role_leases, duration),
	SECONDS("renewDeadlineSeconds", 10, struct role_leases, renew_deadline),
	SECONDS("retryPeriodSeconds", 2, struct role_leases, retry_period),
	END,
};
const struct field_section role_leases_section = {.fields = leases_fields};

static const struct field cluster_fields[] = {
	{.key = "action",
		CHOICE(actions),
		.required = true,
		.absent = ROLE_CLUSTER_NONE,
		AT(struct role_cluster, action)},
	{.key = "role", CHOICE(role_node_roles), AT(struct role_cluster, role)},
	{.key = "name",
		TEXT(value_dns_name),
		.absent_text = "kubernetes",
		AT(struct role_cluster, name)},
	{.key = "version", TEXT(value_kube_version), AT(struct role_cluster, version)},
	{.key = "endpoint", TEXT(value_endpoint), AT(struct role_cluster, endpoint)},
	{.key = "endpoints",
		.type = FIELD_TEXTS,
		.check = value_endpoint,
		.max = 16,
		AT(struct role_cluster, endpoints)},
	{.key = "caCertHashes",
		.type = FIELD_TEXTS,
		.check = value_ca_hash,
		.lower = true,
		.max = 8,
		AT(struct role_cluster, ca_cert_hashes)},
	{.key = "credential", SECTION(credential_section)},
	{.key = "token", SECTION(token_section)},
	{.key = "certificateKey", SECTION(certificate_key_section)},
	{.key = "advertiseAddress",
		TEXT(value_address),
		AT(struct role_cluster, advertise_address)},
	{.key = "networking",
		SECTION(role_networking_section),
		AT(struct role_cluster, networking)},
	{.key = "images", SECTION(role_images_section), AT(struct role_cluster, images)},
	{.key = "archives",
		.type = FIELD_ITEMS,
		.section = &role_archive_section,
		.max = 64,
		AT(struct role_cluster, archives)},
	{.key = "manifests",
		.type = FIELD_ITEMS,
		.section = &role_archive_section,
		.max = 64,
		AT(struct role_cluster, manifests)},
	{.key = "addons", SECTION(role_addons_section), AT(struct role_cluster, addons)},
	{.key = "keys", CHOICE(role_key_kinds), AT(struct role_cluster, keys)},
	{.key = "timeouts",
		SECTION(role_timeouts_section),
		AT(struct role_cluster, timeouts)},
	{.key = "probes", SECTION(role_probes_section)},
	{.key = "leases", SECTION(role_leases_section), AT(struct role_cluster, leases)},
	END,
};
const struct field_section role_cluster_section = {.fields = cluster_fields};
