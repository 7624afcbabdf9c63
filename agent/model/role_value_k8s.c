/* SPDX-License-Identifier: MIT */
/* The checks of role_value.h whose rules are those of Kubernetes. */
#include <string.h>

#include "base/str.h"
#include "model/role_value.h"

#define LOWER_DIGITS "0123456789abcdefghijklmnopqrstuvwxyz"
#define ALNUM LOWER_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

static bool is_alnum(char c)
{
	return c && strchr(ALNUM, c);
}

/* The name part of a key, or a value (k8s.io/apimachinery validation.IsQualifiedName). */
static bool is_qualified_part(const char *text, size_t len)
{
	if (!len || len > 63 || !is_alnum(text[0]) || !is_alnum(text[len - 1]))
		return false;
	return strspn(text, ALNUM "-_.") >= len;
}

/* [prefix/]name of len bytes; *ret_prefix_len is 0 without a prefix. */
static bool is_key(const char *text, size_t len, size_t *ret_prefix_len)
{
	const char *slash = memchr(text, '/', len);
	size_t prefix_len = slash ? (size_t)(slash - text) : 0;
	char prefix[254];

	*ret_prefix_len = prefix_len;
	if (!slash)
		return is_qualified_part(text, len);
	if (prefix_len >= sizeof(prefix))
		return false;
	memcpy(prefix, text, prefix_len);
	prefix[prefix_len] = '\0';
	return !value_dns_name(prefix) &&
	       is_qualified_part(slash + 1, len - prefix_len - 1);
}

/* The prefix is domain or beneath it. */
static bool is_in_domain(const char *prefix, size_t len, const char *domain)
{
	size_t tail = strlen(domain);

	return len >= tail && strncmp(prefix + len - tail, domain, tail) == 0 &&
	       (len == tail || prefix[len - tail - 1] == '.');
}

/* kubelet refuses to start with other labels of the reserved domains, and the API server
 * would refuse them (k8s.io/kubelet/pkg/apis/well_known_labels.go). */
static bool is_reserved(const char *key, size_t prefix_len)
{
	static const char *const allowed[] = {"kubernetes.io/hostname",
		"kubernetes.io/os", "kubernetes.io/arch", "topology.kubernetes.io/zone",
		"topology.kubernetes.io/region", "beta.kubernetes.io/os",
		"beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type",
		"failure-domain.beta.kubernetes.io/zone",
		"failure-domain.beta.kubernetes.io/region"};

	if (!is_in_domain(key, prefix_len, "kubernetes.io") &&
		!is_in_domain(key, prefix_len, "k8s.io"))
		return false;
	if (is_in_domain(key, prefix_len, "kubelet.kubernetes.io") ||
		is_in_domain(key, prefix_len, "node.kubernetes.io"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++)
		if (strcmp(key, allowed[i]) == 0)
			return false;
	return true;
}

const char *value_label_key(const char *text)
{
	size_t prefix_len;

	if (!is_key(text, strlen(text), &prefix_len))
		return "a label's key: [prefix/]name";
	if (is_reserved(text, prefix_len))
		return "a label that a kubelet may give its own node: of the "
		       "kubernetes.io "
		       "and k8s.io prefixes only node.kubernetes.io and few more";
	return NULL;
}

const char *value_label_value(const char *text)
{
	size_t len = strlen(text);

	if (!len || (strspn(text, ALNUM "-_.") == len && is_qualified_part(text, len)))
		return NULL;
	return "a label's value: at most 63 of A-Z, a-z, 0-9 and -_. between them";
}

const char *value_taint(const char *text)
{
	static const char *const effects[] = {
		":NoSchedule", ":PreferNoSchedule", ":NoExecute"};
	static const char wanted[] = "KEY[=VALUE]:EFFECT with the effect NoSchedule, "
				     "PreferNoSchedule or NoExecute";
	size_t key_len = strcspn(text, "=:"), prefix_len, value_len;
	const char *value = text + key_len;

	if (!is_key(text, key_len, &prefix_len))
		return wanted;
	if (*value == '=') {
		value_len = strcspn(++value, ":");
		if (value_len && !is_qualified_part(value, value_len))
			return wanted;
		value += value_len;
	}
	for (size_t i = 0; i < ARRAY_LEN(effects); i++)
		if (strcmp(value, effects[i]) == 0)
			return NULL;
	return wanted;
}

const char *value_flag(const char *text)
{
	size_t len = strlen(text);

	if (len && len <= 63 && text[0] >= 'a' && text[0] <= 'z' &&
		strspn(text, LOWER_DIGITS "-") == len)
		return NULL;
	return "an option of kubelet without the dashes: a-z, 0-9 and hyphens";
}

const char *value_cni_name(const char *text)
{
	size_t len = strlen(text);

	if (len <= 255 && is_alnum(*text) && strspn(text, ALNUM "._-") == len &&
		(str_has_suffix(text, ".conf") || str_has_suffix(text, ".conflist") ||
			str_has_suffix(text, ".json")))
		return NULL;
	return "a file name that ends in .conflist, .conf or .json, without a directory";
}

const char *value_kube_version(const char *text)
{
	static const char wanted[] = "a version of Kubernetes from 1.20.0, like 1.34.2";
	const char *minor = text + 2, *patch;
	size_t digits;

	if (!str_has_prefix(text, "1."))
		return wanted;
	digits = strspn(minor, "0123456789");
	if (digits != 2 || minor[0] < '2' || minor[2] != '.')
		return wanted;
	patch = minor + 3;
	digits = strspn(patch, "0123456789");
	return digits && digits <= 3 && !patch[digits] && (digits == 1 || *patch != '0')
		       ? NULL
		       : wanted;
}
