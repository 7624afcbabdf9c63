/* SPDX-License-Identifier: MIT */
#include "cluster/params.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

/* The newest patch release's of each minor (cmd/kubeadm/app/constants/constants.go:
 * DefaultEtcdVersion, CoreDNSVersion, PauseVersion). */
static const struct {
	const char *etcd, *core_dns, *pause;
} defaults[] = {
	[20] = {"3.4.13-0", "1.7.0", "3.2"},
	[21] = {"3.4.13-0", "v1.8.0", "3.4.1"},
	[22] = {"3.5.6-0", "v1.8.4", "3.5"},
	[23] = {"3.5.6-0", "v1.8.6", "3.6"},
	[24] = {"3.5.6-0", "v1.8.6", "3.7"},
	[25] = {"3.5.9-0", "v1.9.3", "3.8"},
	[26] = {"3.5.10-0", "v1.9.3", "3.9"},
	[27] = {"3.5.12-0", "v1.10.1", "3.9"},
	[28] = {"3.5.15-0", "v1.10.1", "3.9"},
	[29] = {"3.5.16-0", "v1.11.1", "3.9"},
	[30] = {"3.5.15-0", "v1.11.3", "3.9"},
	[31] = {"3.5.24-0", "v1.11.3", "3.10"},
	[32] = {"3.5.24-0", "v1.11.3", "3.10"},
	[33] = {"3.5.24-0", "v1.12.0", "3.10"},
	[34] = {"3.6.5-0", "v1.12.1", "3.10.1"},
	[35] = {"3.6.6-0", "v1.13.1", "3.10.1"},
	[36] = {"3.6.8-0", "v1.14.2", "3.10.2"},
	[37] = {"3.7.0-0", "v1.14.6", "3.10.2"},
};
_Static_assert(ARRAY_LEN(defaults) == PARAMS_MINOR_MAX + 1, "a row for each minor");

#define FLANNEL_IMAGE "ghcr.io/flannel-io/flannel:v0.28.4"
#define FLANNEL_CNI_IMAGE "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel1"

/* What depends on the minor of Kubernetes: from (included) to (included; 0: still). The
 * source is kubeadm's of each minor (phases/, util/staticpod, componentconfigs) unless
 * said; flags that were removed come from the changelogs (reference in the row). */
static const struct {
	const char *name;
	unsigned int from, to;
} gates[] = {
	{"insecurePort", 20, 21},  /* --insecure-port: gone in 1.24, inert since 1.20 */
	{"componentPort", 20, 22}, /* --port of the other two: gone in 1.24 */
	{"seccomp", 22, 0},
	{"priority", 25, 0},
	{"probePort", 34, 0},
	{"schedulerLivez", 32, 0},
	{"flexVolume", 20, 35},
	/* etcd: which health URLs the probes ask, and flags that had a version */
	{"etcdHealthSerializable", 25, 30},
	{"etcdLivez", 31, 0},
	{"etcdEphemeralStorage", 20, 20},
	{"etcdInitialCorruptCheck", 22, 0},
	{"etcdWatchProgress", 25, 0},
	/* CoreDNS and kube-proxy */
	{"tolerateMaster", 20, 25},
	{"coreDNSAffinity", 25, 0},
	{"coreDNSNodes", 20, 27},
	{"coreDNSEndpointSlices", 22, 0},
	{"coreDNSDropAll", 29, 0},
	{"coreDNSNoCache", 32, 0},
	{"coreDNSProbePorts", 34, 0},
	{"kubeProxyCriticalToleration", 20, 21},
	{"kubeProxyMode", 37, 0},
	/* kubeadm's own API, as its phase upload-config writes it */
	{"kubeadmV1beta2", 20, 21},
	{"kubeadmV1beta3", 22, 30},
	{"kubeadmV1beta4", 31, 0},
	/* ConfigMap kubelet-config-1.X; since 1.24 without the version */
	{"kubeletConfigVersion", 20, 23},
	/* Control planes: label and taint node-role.kubernetes.io/master, both in 1.24 */
	{"labelMaster", 20, 23},
	{"labelExcludeBalancers", 21, 0},
	{"taintMaster", 20, 24},
	{"taintControlPlane", 24, 0},
};

/* What depends on something else; the value is a bool of the params. */
static const struct {
	const char *name;
	size_t offset;
	bool wanted;
} switches[] = {
#define SWITCH(name, member, wanted)                                                     \
	{                                                                                \
		name, offsetof(struct cluster_params, member), wanted                    \
	}
	SWITCH("ipv6", ipv6, true),
	SWITCH("ipv4", ipv6, false),
	SWITCH("coreDNS", core_dns, true),
	SWITCH("noCoreDNS", core_dns, false),
	SWITCH("kubeProxy", kube_proxy, true),
	SWITCH("noKubeProxy", kube_proxy, false),
	SWITCH("flannel", flannel, true),
	SWITCH("existing", initial_cluster_existing, true),
	SWITCH("externalCA", external_ca, true),
	SWITCH("signingCA", external_ca, false),
	SWITCH("cgroupfs", cgroupfs, true),
	SWITCH("cgroupSystemd", cgroupfs, false),
	SWITCH("systemdResolved", systemd_resolved, true),
	SWITCH("etcPkiCaTrust", ca_dirs.etc_pki_ca_trust, true),
	SWITCH("etcPkiTlsCerts", ca_dirs.etc_pki_tls_certs, true),
	SWITCH("etcCaCertificates", ca_dirs.etc_ca_certificates, true),
	SWITCH("usrShareCaCertificates", ca_dirs.usr_share_ca_certificates, true),
	SWITCH("usrLocalShareCaCertificates", ca_dirs.usr_local_share_ca_certificates,
		true),
#undef SWITCH
};

static const struct {
	const char *name;
	size_t offset;
} texts[] = {
#define TEXT(name, member)                                                               \
	{                                                                                \
		name, offsetof(struct cluster_params, member)                            \
	}
	TEXT("version", version),
	TEXT("clusterName", cluster_name),
	TEXT("endpoint", endpoint),
	TEXT("podCIDR", pod_cidr),
	TEXT("serviceCIDR", service_cidr),
	TEXT("dnsDomain", dns_domain),
	TEXT("repository", repository),
	TEXT("keyAlgorithm", key_algorithm),
	TEXT("nodeName", node_name),
	TEXT("advertiseAddress", advertise_address),
	TEXT("advertiseHost", advertise_host),
	TEXT("localhost", localhost),
	TEXT("localhostURL", localhost_url),
	TEXT("initialCluster", members),
	TEXT("dnsIP", dns_ip),
	TEXT("serviceIP", service_ip),
	TEXT("flannelNetwork", flannel_network),
	TEXT("kubeletConfigMap", kubelet_config_map),
	TEXT("kubeletConfigRole", kubelet_config_role),
	TEXT("leaseDuration", lease_seconds[0]),
	TEXT("renewDeadline", lease_seconds[1]),
	TEXT("retryPeriod", lease_seconds[2]),
	TEXT("imageAPIServer", images.api_server),
	TEXT("imageControllerManager", images.controller_manager),
	TEXT("imageScheduler", images.scheduler),
	TEXT("imageKubeProxy", images.kube_proxy),
	TEXT("imageEtcd", images.etcd),
	TEXT("imagePause", images.pause),
	TEXT("imageCoreDNS", images.core_dns),
	TEXT("imageFlannel", images.flannel),
	TEXT("imageFlannelCNI", images.flannel_cni),
#undef TEXT
};

static bool parse_number(const char **text, unsigned int *ret)
{
	size_t len = strspn(*text, "0123456789");

	if (!len || len > 4 || (**text == '0' && len > 1))
		return false;
	*ret = (unsigned int)strtoul(*text, NULL, 10);
	*text += len;
	return true;
}

static bool parse_version(
	const char *text, unsigned int *ret_minor, unsigned int *ret_patch)
{
	if (*text == 'v')
		text++;
	if (strncmp(text, "1.", 2) != 0)
		return false;
	text += 2;
	if (!parse_number(&text, ret_minor) || *text++ != '.')
		return false;
	return parse_number(&text, ret_patch) && !*text;
}

int params_init(struct cluster_params *params, const char *version, struct err *err)
{
	struct cluster_params made = {
		.core_dns = true, .kube_proxy = true, .flannel = true};

	if (!parse_version(version, &made.minor, &made.patch))
		return err_set(err, E_UNSUPPORTED,
			"version '%.40s': must be a release of Kubernetes like 1.34.2",
			version);
	if (made.minor < PARAMS_MINOR_MIN || made.minor > PARAMS_MINOR_MAX)
		return err_set(err, E_UNSUPPORTED,
			"version '%.40s': this agent knows the flags and objects of 1.%u "
			"to "
			"1.%u; take one of these, or a newer agent",
			version, PARAMS_MINOR_MIN, PARAMS_MINOR_MAX);
	(void)snprintf(
		made.version, sizeof(made.version), "1.%u.%u", made.minor, made.patch);
	(void)str_copy(made.cluster_name, sizeof(made.cluster_name), "kubernetes");
	(void)str_copy(made.pod_cidr, sizeof(made.pod_cidr), "10.244.0.0/16");
	(void)str_copy(made.service_cidr, sizeof(made.service_cidr), "10.96.0.0/12");
	(void)str_copy(made.dns_domain, sizeof(made.dns_domain), "cluster.local");
	(void)str_copy(made.repository, sizeof(made.repository), "registry.k8s.io");
	(void)str_copy(made.key_algorithm, sizeof(made.key_algorithm), "ECDSA-P256");
	*params = made;
	return 0;
}

struct address {
	int family;
	size_t len;
	unsigned char bytes[16];
};

static bool parse_address(const char *text, struct address *ret)
{
	ret->family = strchr(text, ':') ? AF_INET6 : AF_INET;
	ret->len = ret->family == AF_INET6 ? 16 : 4;
	return inet_pton(ret->family, text, ret->bytes) == 1;
}

/* Address number `index` of the network of the (first) CIDR in text: what
 * netutils.GetIndexedIP of kubeadm's GetDNSIP gives. */
static bool indexed_address(
	const char *text, unsigned int index, char *ret, size_t size, const char **why)
{
	char first[64];
	char *slash;
	struct address address;
	uint64_t bits;

	(void)snprintf(first, sizeof(first), "%.*s", (int)strcspn(text, ","), text);
	slash = strchr(first, '/');
	*why = "must be a network like 10.96.0.0/12";
	if (!slash)
		return false;
	*slash = '\0';
	if (!parse_address(first, &address) ||
		!str_to_u64(slash + 1, address.len * 8, &bits))
		return false;
	*why = "is too small; a /27 is the least";
	if (bits > address.len * 8 - 5)
		return false;
	for (size_t i = 0; i < address.len * 8; i++)
		if (i >= bits)
			address.bytes[i / 8] &= (unsigned char)~(0x80U >> (i % 8));
	address.bytes[address.len - 1] |= (unsigned char)index;
	return inet_ntop(address.family, address.bytes, ret, (socklen_t)size) != NULL;
}

static int derive_addresses(struct cluster_params *params, struct err *err)
{
	struct address address;
	char scratch[PARAMS_ADDRESS_SIZE];
	const char *why;

	if (!indexed_address(params->service_cidr, 1, params->service_ip,
		    sizeof(params->service_ip), &why) ||
		!indexed_address(params->service_cidr, 10, params->dns_ip,
			sizeof(params->dns_ip), &why))
		return err_set(
			err, E_ROLE, "serviceCIDR '%s' %s", params->service_cidr, why);
	if (!indexed_address(params->pod_cidr, 1, scratch, sizeof(scratch), &why))
		return err_set(err, E_ROLE, "podCIDR '%s' %s", params->pod_cidr, why);
	if (!*params->advertise_address)
		return 0;
	if (!parse_address(params->advertise_address, &address))
		return err_set(err, E_ROLE, "advertiseAddress '%s' must be an IP address",
			params->advertise_address);
	/* The API server's Endpoints object refuses it for ever (cluster.md 5.3). */
	if ((address.family == AF_INET && address.bytes[0] == 127) ||
		strcmp(params->advertise_address, "::1") == 0)
		return err_set(err, E_ROLE,
			"advertiseAddress '%s' is on the loopback: others must reach it",
			params->advertise_address);
	params->ipv6 = address.family == AF_INET6;
	(void)snprintf(params->advertise_host, sizeof(params->advertise_host),
		params->ipv6 ? "[%s]" : "%s", params->advertise_address);
	return 0;
}

static bool image_default(
	char *image, const char *repository, const char *name, const char *tag)
{
	if (*image)
		return true;
	return snprintf(image, PARAMS_IMAGE_SIZE, "%s/%s:%s", repository, name, tag) <
	       PARAMS_IMAGE_SIZE;
}

static int derive_images(struct cluster_params *params, struct err *err)
{
	struct cluster_images *images = &params->images;
	const char *repository = params->repository;
	char tag[sizeof(params->version) + 1];

	(void)snprintf(tag, sizeof(tag), "v%s", params->version);
	if (!image_default(images->api_server, repository, "kube-apiserver", tag) ||
		!image_default(images->controller_manager, repository,
			"kube-controller-manager", tag) ||
		!image_default(images->scheduler, repository, "kube-scheduler", tag) ||
		!image_default(images->kube_proxy, repository, "kube-proxy", tag) ||
		!image_default(
			images->etcd, repository, "etcd", defaults[params->minor].etcd) ||
		!image_default(images->pause, repository, "pause",
			defaults[params->minor].pause) ||
		!image_default(images->core_dns, repository,
			params->minor < 21 ? "coredns" : "coredns/coredns",
			defaults[params->minor].core_dns))
		return err_set(err, E_ROLE, "images.repository '%.64s...' is too long",
			params->repository);
	if (!*images->flannel)
		(void)str_copy(images->flannel, PARAMS_IMAGE_SIZE, FLANNEL_IMAGE);
	if (!*images->flannel_cni)
		(void)str_copy(images->flannel_cni, PARAMS_IMAGE_SIZE, FLANNEL_CNI_IMAGE);
	return 0;
}

/* The tag of the image says which etcd it is; one that does not is taken for the
 * version's default. */
static unsigned int etcd_minor_of(const char *image, unsigned int minor)
{
	const char *tag = strrchr(image, ':');
	unsigned int found;

	if (tag && tag[1] == 'v')
		tag++;
	if (!tag || strncmp(tag + 1, "3.", 2) != 0) {
		tag = defaults[minor].etcd + 2;
		return parse_number(&tag, &found) ? found : 0;
	}
	tag += 3;
	return parse_number(&tag, &found) && found <= 99 ? found : 0;
}

/* flannel's names for networks of either family. A pod CIDR was checked before: nothing
 * in it can end the JSON text that this goes into. */
static void derive_flannel(struct cluster_params *params)
{
	const char *comma = strchr(params->pod_cidr, ',');
	size_t len = strcspn(params->pod_cidr, ",");
	bool first_is_v6 = memchr(params->pod_cidr, ':', len) != NULL;
	const char *second = comma ? comma + 1 : "";

	if (!first_is_v6 && !comma)
		(void)snprintf(params->flannel_network, sizeof(params->flannel_network),
			"\"Network\": \"%s\"", params->pod_cidr);
	else if (!comma)
		(void)snprintf(params->flannel_network, sizeof(params->flannel_network),
			"\"EnableIPv4\": false, \"EnableIPv6\": true, "
			"\"IPv6Network\": \"%s\"",
			params->pod_cidr);
	else
		(void)snprintf(params->flannel_network, sizeof(params->flannel_network),
			"\"Network\": \"%.*s\", \"EnableIPv6\": true, "
			"\"IPv6Network\": \"%.*s\"",
			first_is_v6 ? (int)strlen(second) : (int)len,
			first_is_v6 ? second : params->pod_cidr,
			first_is_v6 ? (int)len : (int)strlen(second),
			first_is_v6 ? params->pod_cidr : second);
}

static void derive_names(struct cluster_params *params)
{
	bool known;
	bool old = params_has(params, "kubeletConfigVersion", &known);
	char suffix[16] = "";

	if (old)
		(void)snprintf(suffix, sizeof(suffix), "-1.%u", params->minor);
	(void)snprintf(params->kubelet_config_map, sizeof(params->kubelet_config_map),
		"kubelet-config%s", suffix);
	(void)snprintf(params->kubelet_config_role, sizeof(params->kubelet_config_role),
		"kubeadm:kubelet-config%s", suffix);
}

int params_finish(struct cluster_params *params, struct err *err)
{
	const unsigned int seconds[] = {
		params->lease_duration, params->renew_deadline, params->retry_period};
	int rc = derive_addresses(params, err);

	if (rc == 0)
		rc = derive_images(params, err);
	if (rc < 0)
		return rc;
	derive_flannel(params);
	derive_names(params);
	(void)str_copy(params->localhost, PARAMS_ADDRESS_SIZE,
		params->ipv6 ? "::1" : "127.0.0.1");
	(void)str_copy(params->localhost_url, PARAMS_ADDRESS_SIZE,
		params->ipv6 ? "[::1]" : "127.0.0.1");
	params->etcd_minor = etcd_minor_of(params->images.etcd, params->minor);
	for (size_t i = 0; i < ARRAY_LEN(seconds); i++)
		(void)snprintf(params->lease_seconds[i], sizeof(params->lease_seconds[i]),
			"%us", seconds[i]);
	if (*params->initial_cluster)
		(void)str_copy(params->members, sizeof(params->members),
			params->initial_cluster);
	else
		(void)snprintf(params->members, sizeof(params->members),
			"%s=https://%s:2380", params->node_name, params->advertise_host);
	return 0;
}

/* etcd 3.6 took the corruption check out of its experimental flags, 3.7 removed those
 * (help.go of v3.6.0 and v3.7.1): the image decides, not the version of Kubernetes. */
static bool etcd_feature(
	const struct cluster_params *params, const char *name, bool *ret_known)
{
	*ret_known = true;
	if (strcmp(name, "etcd36") == 0)
		return params->etcd_minor >= 6;
	if (strcmp(name, "etcd35") == 0)
		return params->etcd_minor < 6;
	if (strcmp(name, "leases") == 0)
		return params->lease_duration != 0;
	*ret_known = false;
	return false;
}

bool params_has(const struct cluster_params *params, const char *feature, bool *ret_known)
{
	*ret_known = true;
	for (size_t i = 0; i < ARRAY_LEN(gates); i++)
		if (strcmp(gates[i].name, feature) == 0)
			return params->minor >= gates[i].from &&
			       (!gates[i].to || params->minor <= gates[i].to);
	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		if (strcmp(switches[i].name, feature) == 0)
			return *(const bool *)((const char *)params +
					       switches[i].offset) == switches[i].wanted;
	return etcd_feature(params, feature, ret_known);
}

const char *params_text(const struct cluster_params *params, const char *variable)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcmp(texts[i].name, variable) == 0)
			return (const char *)params + texts[i].offset;
	return NULL;
}
