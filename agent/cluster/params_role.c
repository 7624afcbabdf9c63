/* SPDX-License-Identifier: MIT */
/* A role's section cluster -> params. */
#include <string.h>

#include "base/str.h"
#include "cluster/params.h"

static void copy(char *dest, size_t size, const char *text)
{
	if (text)
		(void)str_copy(dest, size, text);
}

static void copy_images(struct cluster_images *images, const struct role_images *role)
{
	copy(images->etcd, PARAMS_IMAGE_SIZE, role->etcd);
	copy(images->pause, PARAMS_IMAGE_SIZE, role->pause);
	copy(images->core_dns, PARAMS_IMAGE_SIZE, role->core_dns);
	copy(images->kube_proxy, PARAMS_IMAGE_SIZE, role->kube_proxy);
	copy(images->flannel, PARAMS_IMAGE_SIZE, role->flannel);
	copy(images->flannel_cni, PARAMS_IMAGE_SIZE, role->flannel_cni);
}

/* The defaults of the components themselves stay unwritten, as kubeadm leaves them. */
static void copy_leases(struct cluster_params *params, const struct role_leases *leases)
{
	if (leases->duration == 15 && leases->renew_deadline == 10 &&
		leases->retry_period == 2)
		return;
	params->lease_duration = leases->duration;
	params->renew_deadline = leases->renew_deadline;
	params->retry_period = leases->retry_period;
}

static void copy_cluster(
	struct cluster_params *params, const struct role_cluster *cluster)
{
	const struct role_networking *networking = &cluster->networking;

	copy(params->cluster_name, sizeof(params->cluster_name), cluster->name);
	copy(params->pod_cidr, sizeof(params->pod_cidr), networking->pod_cidr);
	copy(params->service_cidr, sizeof(params->service_cidr),
		networking->service_cidr);
	copy(params->dns_domain, sizeof(params->dns_domain), networking->dns_domain);
	copy(params->repository, sizeof(params->repository), cluster->images.repository);
	copy(params->advertise_address, sizeof(params->advertise_address),
		cluster->advertise_address);
	if (cluster->endpoint && str_has_prefix(cluster->endpoint, "https://"))
		copy(params->endpoint, sizeof(params->endpoint), cluster->endpoint + 8);
	copy(params->key_algorithm, sizeof(params->key_algorithm),
		cluster->keys == ROLE_KEYS_RSA_2048 ? "RSA-2048" : "ECDSA-P256");
	copy_images(&params->images, &cluster->images);
	copy_leases(params, &cluster->leases);
	params->core_dns = cluster->addons.core_dns;
	params->kube_proxy = cluster->addons.kube_proxy;
	params->flannel = cluster->addons.flannel;
	params->probe_factor = cluster->probe_factor;
}

int params_from_role(const struct role *role, struct cluster_params *ret, struct err *err)
{
	struct cluster_params params;
	int rc = params_init(
		&params, role->cluster.version ? role->cluster.version : "none", err);

	if (rc < 0)
		return rc;
	copy_cluster(&params, &role->cluster);
	copy(params.node_name, sizeof(params.node_name), role->name);
	params.cgroupfs = !role->node.systemd_cgroup;
	*ret = params;
	return 0;
}
