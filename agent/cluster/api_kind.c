/* SPDX-License-Identifier: MIT */
#include "cluster/api_kind.h"

#include <errno.h>
#include <string.h>

/* By group alone: kinds keep their plural and scope over their versions. */
static const struct {
	const char *group;
	const char *kind;
	const char *plural;
	bool namespaced;
} kinds[] = {
	{"", "ConfigMap", "configmaps", true},
	{"", "Endpoints", "endpoints", true},
	{"", "LimitRange", "limitranges", true},
	{"", "Namespace", "namespaces", false},
	{"", "Node", "nodes", false},
	{"", "PersistentVolume", "persistentvolumes", false},
	{"", "PersistentVolumeClaim", "persistentvolumeclaims", true},
	{"", "Pod", "pods", true},
	{"", "ResourceQuota", "resourcequotas", true},
	{"", "Secret", "secrets", true},
	{"", "Service", "services", true},
	{"", "ServiceAccount", "serviceaccounts", true},
	{"admissionregistration.k8s.io", "MutatingWebhookConfiguration",
		"mutatingwebhookconfigurations", false},
	{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration",
		"validatingwebhookconfigurations", false},
	{"apiextensions.k8s.io", "CustomResourceDefinition", "customresourcedefinitions",
		false},
	{"apiregistration.k8s.io", "APIService", "apiservices", false},
	{"apps", "DaemonSet", "daemonsets", true},
	{"apps", "Deployment", "deployments", true},
	{"apps", "StatefulSet", "statefulsets", true},
	{"batch", "CronJob", "cronjobs", true},
	{"batch", "Job", "jobs", true},
	{"certificates.k8s.io", "CertificateSigningRequest", "certificatesigningrequests",
		false},
	{"coordination.k8s.io", "Lease", "leases", true},
	{"networking.k8s.io", "Ingress", "ingresses", true},
	{"networking.k8s.io", "IngressClass", "ingressclasses", false},
	{"networking.k8s.io", "NetworkPolicy", "networkpolicies", true},
	{"node.k8s.io", "RuntimeClass", "runtimeclasses", false},
	{"policy", "PodDisruptionBudget", "poddisruptionbudgets", true},
	{"rbac.authorization.k8s.io", "ClusterRole", "clusterroles", false},
	{"rbac.authorization.k8s.io", "ClusterRoleBinding", "clusterrolebindings", false},
	{"rbac.authorization.k8s.io", "Role", "roles", true},
	{"rbac.authorization.k8s.io", "RoleBinding", "rolebindings", true},
	{"scheduling.k8s.io", "PriorityClass", "priorityclasses", false},
	{"storage.k8s.io", "CSIDriver", "csidrivers", false},
	{"storage.k8s.io", "StorageClass", "storageclasses", false},
};

static bool group_is(const char *api_version, const char *group)
{
	const char *slash = strchr(api_version, '/');
	size_t len = slash ? (size_t)(slash - api_version) : 0;

	return strlen(group) == len && strncmp(api_version, group, len) == 0;
}

bool api_kind_builtin(const char *api_version, const char *kind, struct api_kind *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) != 0 ||
			!group_is(api_version, kinds[i].group))
			continue;
		ret->namespaced = kinds[i].namespaced;
		return str_copy(ret->plural, sizeof(ret->plural), kinds[i].plural);
	}
	return false;
}

bool api_kind_discover(const json_t *resources, const char *kind, struct api_kind *ret)
{
	const json_t *list = json_object_get(resources, "resources");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *one = json_array_get(list, i);
		const char *has = json_string_value(json_object_get(one, "kind"));
		const char *name = json_string_value(json_object_get(one, "name"));

		/* "pods/status" is a Pod too */
		if (!has || !name || strcmp(has, kind) != 0 || strchr(name, '/'))
			continue;
		if (!str_copy(ret->plural, sizeof(ret->plural), name))
			continue;
		ret->namespaced = json_is_true(json_object_get(one, "namespaced"));
		return true;
	}
	return false;
}

int api_kind_segment(struct buf *path, const char *segment, struct err *err)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~:";
	int rc = buf_add_str(path, "/");

	if (!segment[0] || strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0 ||
		strpbrk(segment, "/%"))
		return err_set(err, E_INVALID,
			"'%.100s' is no name of an object; mend its metadata.name or "
			"namespace",
			segment);
	for (const char *p = segment; rc == 0 && *p; p++)
		rc = strchr(plain, *p) ? buf_add(path, p, 1)
				       : buf_printf(path, "%%%02X",
						 (unsigned int)(unsigned char)*p);
	return rc < 0 ? err_errno(err, ENOMEM, "name '%.100s'", segment) : 0;
}

int api_kind_root(const char *api_version, struct buf *ret, struct err *err)
{
	const char *slash = strchr(api_version, '/');
	char group[128];
	int rc;

	if (!slash) {
		if (buf_add_str(ret, "/api") < 0)
			return err_errno(err, ENOMEM, "name '%.100s'", api_version);
		return api_kind_segment(ret, api_version, err);
	}
	if ((size_t)(slash - api_version) >= sizeof(group))
		return err_set(
			err, E_INVALID, "apiVersion '%.100s' is too long", api_version);
	memcpy(group, api_version, (size_t)(slash - api_version));
	group[slash - api_version] = '\0';
	if (buf_add_str(ret, "/apis") < 0)
		return err_errno(err, ENOMEM, "name '%.100s'", api_version);
	rc = api_kind_segment(ret, group, err);
	if (rc < 0)
		return rc;
	return api_kind_segment(ret, slash + 1, err);
}
