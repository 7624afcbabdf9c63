/* SPDX-License-Identifier: MIT */
/* The table, and what each row comes to on one node: names, addresses, groups. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cluster/pki_parts.h"

#define CA offsetof(struct authorities, ca)
#define FRONT_PROXY offsetof(struct authorities, front_proxy)
#define ETCD offsetof(struct authorities, etcd)

/* cluster.md 1.1 and 1.2. etcd's server certificate is a client's too: its JSON gateway
 * dials itself with it. */
const struct pki_row pki_rows[PKI_ENTRIES] = {
	{"pki/ca", PKI_AUTHORITY, CA, NULL, 0, 0, 0, 0, 0},
	{"pki/apiserver", PKI_LEAF, CA, "kube-apiserver", PKI_GROUP_NONE, true, false,
		PKI_NAMES_API, false},
	{"pki/apiserver-kubelet-client", PKI_LEAF, CA, "kube-apiserver-kubelet-client",
		PKI_GROUP_KUBELET_CLIENT, false, true, PKI_NAMES_NONE, false},
	{"pki/front-proxy-ca", PKI_AUTHORITY, FRONT_PROXY, NULL, 0, 0, 0, 0, 0},
	{"pki/front-proxy-client", PKI_LEAF, FRONT_PROXY, "front-proxy-client",
		PKI_GROUP_NONE, false, true, PKI_NAMES_NONE, false},
	{"pki/etcd/ca", PKI_AUTHORITY, ETCD, NULL, 0, 0, 0, 0, 0},
	{"pki/etcd/server", PKI_LEAF, ETCD, "%s", PKI_GROUP_NONE, true, true,
		PKI_NAMES_ETCD, false},
	{"pki/etcd/peer", PKI_LEAF, ETCD, "%s", PKI_GROUP_NONE, true, true,
		PKI_NAMES_ETCD, false},
	{"pki/etcd/healthcheck-client", PKI_LEAF, ETCD, "kube-etcd-healthcheck-client",
		PKI_GROUP_NONE, false, true, PKI_NAMES_NONE, false},
	{"pki/apiserver-etcd-client", PKI_LEAF, ETCD, "kube-apiserver-etcd-client",
		PKI_GROUP_NONE, false, true, PKI_NAMES_NONE, false},
	{"pki/sa", PKI_SERVICE_ACCOUNT, 0, NULL, 0, 0, 0, 0, 0},
	{"admin.conf", PKI_KUBECONFIG, CA, "kubernetes-admin", PKI_GROUP_ADMIN, false,
		true, PKI_NAMES_NONE, false},
	{"controller-manager.conf", PKI_KUBECONFIG, CA, "system:kube-controller-manager",
		PKI_GROUP_NONE, false, true, PKI_NAMES_NONE, true},
	{"scheduler.conf", PKI_KUBECONFIG, CA, "system:kube-scheduler", PKI_GROUP_NONE,
		false, true, PKI_NAMES_NONE, true},
	{"kubelet-client-current.pem", PKI_KUBELET_PEM, CA, "system:node:%s",
		PKI_GROUP_NODES, false, true, PKI_NAMES_NONE, false},
	{"kubelet.conf", PKI_KUBELET_CONF, CA, NULL, 0, 0, 0, 0, true},
};

const struct authority *pki_signer(const struct pki_spec *spec, const struct pki_row *row)
{
	return (const struct authority *)(const void *)((const char *)spec->authorities +
							row->signer);
}

static int bad_spec(struct err *err, const char *what, const char *text)
{
	return err_set(err, E_FORMAT,
		"work out the node's certificates: '%.80s' is no %s", text, what);
}

static int add_unique(struct strlist *list, const char *text)
{
	return strlist_has(list, text) ? 0 : strlist_add(list, text);
}

/* An address in its canonical form, once; 1 when text is none. */
static int add_address(struct strlist *list, const char *text)
{
	char canonical[INET6_ADDRSTRLEN];
	uint8_t bytes[16];
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, text, bytes) != 1)
		return 1;
	if (!inet_ntop(family, bytes, canonical, sizeof(canonical)))
		return -EINVAL;
	return add_unique(list, canonical);
}

static int add_name_or_address(struct pki_wanted *wanted, const char *text)
{
	int rc = add_address(&wanted->addresses, text);

	return rc == 1 ? add_unique(&wanted->dns, text) : rc;
}

/* The address behind the network's own, which the API has inside the cluster: Kubernetes
 * takes number 1 of the service range. */
static bool first_of_range(uint8_t *bytes, size_t len, uint64_t prefix)
{
	if (prefix >= len * 8)
		return false;
	for (size_t bit = (size_t)prefix; bit < len * 8; bit++)
		bytes[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
	bytes[len - 1] |= 1;
	return true;
}

static int add_service_address(
	const struct pki_spec *spec, struct strlist *list, struct err *err)
{
	char text[INET6_ADDRSTRLEN + 5], *slash;
	size_t len = strcspn(spec->service_cidr, ",");
	uint8_t bytes[16];
	uint64_t prefix;
	int family;

	if (len >= sizeof(text))
		return bad_spec(err, "service CIDR", spec->service_cidr);
	memcpy(text, spec->service_cidr, len);
	text[len] = '\0';
	slash = strchr(text, '/');
	family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (slash)
		*slash = '\0';
	if (!slash || !str_to_u64(slash + 1, 128, &prefix) ||
		inet_pton(family, text, bytes) != 1 ||
		!first_of_range(bytes, family == AF_INET ? 4 : 16, prefix) ||
		!inet_ntop(family, bytes, text, sizeof(text)))
		return bad_spec(err, "service CIDR", spec->service_cidr);
	return add_unique(list, text);
}

/* The host of https://host:port, brackets of an IPv6 address taken off. */
static bool host_of(const char *endpoint, char *host, size_t size)
{
	static const char scheme[] = "https://";
	const char *at = endpoint + strlen(scheme);
	size_t len;

	if (!str_has_prefix(endpoint, scheme))
		return false;
	if (*at == '[') {
		at++;
		len = strcspn(at, "]");
		if (at[len] != ']')
			return false;
	} else {
		len = strcspn(at, ":/");
	}
	if (len == 0 || len >= size)
		return false;
	memcpy(host, at, len);
	host[len] = '\0';
	return true;
}

static int add_api_names(
	const struct pki_spec *spec, struct pki_wanted *wanted, struct err *err)
{
	static const char *const fixed[] = {
		"kubernetes", "kubernetes.default", "kubernetes.default.svc"};
	char host[254];
	int rc = strlist_add(&wanted->dns, spec->node);

	if (!host_of(spec->endpoint, host, sizeof(host)))
		return bad_spec(
			err, "URL of an API server, https://host:port", spec->endpoint);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(fixed); i++)
		rc = add_unique(&wanted->dns, fixed[i]);
	if (rc == 0)
		rc = strlist_printf(
			&wanted->dns, "kubernetes.default.svc.%s", spec->dns_domain);
	if (rc == 0)
		rc = add_service_address(spec, &wanted->addresses, err);
	if (rc == 0)
		rc = add_address(&wanted->addresses, spec->address);
	if (rc == 0)
		rc = add_name_or_address(wanted, host);
	for (size_t i = 0; rc == 0 && spec->api_names && i < spec->api_names->count; i++)
		rc = add_name_or_address(wanted, spec->api_names->items[i]);
	return rc;
}

static int add_etcd_names(const struct pki_spec *spec, struct pki_wanted *wanted)
{
	int rc = strlist_add(&wanted->dns, spec->node);

	if (rc == 0)
		rc = add_unique(&wanted->dns, "localhost");
	if (rc == 0)
		rc = add_address(&wanted->addresses, spec->address);
	if (rc == 0)
		rc = add_address(&wanted->addresses, "127.0.0.1");
	return rc == 0 ? add_address(&wanted->addresses, "::1") : rc;
}

static int add_names(const struct pki_spec *spec, const struct pki_row *row,
	struct pki_wanted *wanted, struct err *err)
{
	int rc = 0;

	if (row->names == PKI_NAMES_API)
		rc = add_api_names(spec, wanted, err);
	else if (row->names == PKI_NAMES_ETCD)
		rc = add_etcd_names(spec, wanted);
	if (rc == -ENOMEM)
		return err_errno(err, ENOMEM, "work out the node's certificates");
	if (rc == 1)
		return bad_spec(err, "IPv4 or IPv6 address", spec->address);
	/* kubeadm sorts names and leaves addresses (RemoveDuplicateAltNames) */
	strlist_sort(&wanted->dns);
	return rc;
}

static const char *group_of(const struct pki_spec *spec, enum pki_group group)
{
	switch (group) {
	case PKI_GROUP_ADMIN:
		return spec->admin_group ? spec->admin_group : PKI_ADMIN_GROUP;
	case PKI_GROUP_KUBELET_CLIENT:
		return spec->kubelet_client_group;
	case PKI_GROUP_NODES:
		return "system:nodes";
	case PKI_GROUP_NONE:
		break;
	}
	return NULL;
}

/* Puts the node's name for "%s". */
static bool expand(const char *pattern, const char *node, char *ret, size_t size)
{
	const char *at = strstr(pattern, "%s");
	int len = at ? snprintf(ret, size, "%.*s%s%s", (int)(at - pattern), pattern, node,
			       at + 2)
		     : snprintf(ret, size, "%s", pattern);

	return len > 0 && (size_t)len < size;
}

static bool server_of(
	const struct pki_spec *spec, const struct pki_row *row, char *ret, size_t size)
{
	bool v6 = strchr(spec->address, ':');

	if (!row->local)
		return str_copy(ret, size, spec->endpoint);
	return (size_t)snprintf(ret, size, v6 ? "https://[%s]:6443" : "https://%s:6443",
		       spec->address) < size;
}

int pki_wanted_of(const struct pki_spec *spec, const struct pki_row *row,
	struct pki_wanted *ret, struct err *err)
{
	struct pki_wanted wanted CLEANUP(pki_wanted_done) = {0};
	int rc;

	if (row->common_name && !expand(row->common_name, spec->node, wanted.common_name,
					sizeof(wanted.common_name)))
		return bad_spec(err, "Node name", spec->node);
	if (!server_of(spec, row, wanted.server, sizeof(wanted.server)))
		return bad_spec(err, "URL of an API server", spec->endpoint);
	wanted.organization = group_of(spec, row->group);
	rc = add_names(spec, row, &wanted, err);
	if (rc < 0)
		return rc;
	*ret = wanted;
	wanted = (struct pki_wanted){0};
	return 0;
}

void pki_wanted_done(struct pki_wanted *wanted)
{
	strlist_done(&wanted->dns);
	strlist_done(&wanted->addresses);
}
