/* SPDX-License-Identifier: MIT */
#include "cluster/objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cluster/blueprint.h"
#include "cluster/json.h"
#include "cluster/kubeconfig.h"
#include "cluster/kubelet_config.h"
#include "cluster/yaml.h"
#include "host/verify.h"

#define TOKEN_GROUP "system:bootstrappers:kubeadm:default-node-token"
/* kubeadm overwrites a configuration on upgrade if its hash says that nobody edited it
 * (cmd/kubeadm/app/componentconfigs/checksums.go). */
#define HASH_ANNOTATION "kubeadm.kubernetes.io/component-config.hash"

static int no_memory(struct err *err)
{
	return err_errno(err, ENOMEM, "make the objects of the cluster");
}

/* Takes all documents of a blueprint over. */
static int add_blueprint(json_t *objects, enum blueprint blueprint,
	const struct cluster_params *params, struct err *err)
{
	json_t *documents CLEANUP(json_done) = NULL;
	int rc = blueprint_expand(blueprint, params, &documents, err);

	if (rc == 0 && json_array_extend(objects, documents) < 0)
		rc = no_memory(err);
	return rc;
}

static json_t *config_map(const char *space, const char *name)
{
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{}}", "apiVersion", "v1", "kind",
		"ConfigMap", "metadata", "name", name, "namespace", space, "data");
}

/* Puts value as YAML under key into a ConfigMap. */
static int put_yaml(json_t *map, const char *key, const json_t *value)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	if (yaml_write(value, &text) < 0)
		return -ENOMEM;
	return json_object_set_new(json_object_get(map, "data"), key,
		       json_string(buf_text(&text))) < 0
		       ? -ENOMEM
		       : 0;
}

/* The data in order of their keys, one after the other, under SHA-256. */
static int put_hash(json_t *map, struct err *err)
{
	json_t *data = json_object_get(map, "data");
	struct buf all CLEANUP(buf_done) = BUF_INIT;
	struct strlist keys CLEANUP(strlist_done) = STRLIST_INIT;
	char digest[7 + 65] = "sha256:";
	const char *key;
	json_t *value;
	int rc = 0;

	json_object_foreach(data, key, value)
	{
		if (strlist_add(&keys, key) < 0)
			return no_memory(err);
	}
	strlist_sort(&keys);
	for (size_t i = 0; i < keys.count; i++)
		if (buf_add_str(&all,
			    json_string_value(json_object_get(data, keys.items[i]))) < 0)
			return no_memory(err);
	rc = verify_sha256_of(buf_text(&all), all.len, digest + 7, err);
	if (rc == 0 &&
		json_object_set_new(json_object_get(map, "metadata"), "annotations",
			json_pack("{s:s}", HASH_ANNOTATION, digest)) < 0)
		rc = no_memory(err);
	return rc;
}

/* Takes map over, also on failure. */
static int add_new(json_t *objects, json_t *object, struct err *err)
{
	return json_array_append_new(objects, object) < 0 ? no_memory(err) : 0;
}

static int add_kubeadm_config(
	json_t *objects, const struct cluster_params *params, struct err *err)
{
	json_t *documents CLEANUP(json_done) = NULL;
	json_t *map CLEANUP(json_done) = config_map("kube-system", "kubeadm-config");
	int rc = blueprint_expand(BLUEPRINT_CLUSTER_CONFIG, params, &documents, err);

	if (rc < 0)
		return rc;
	if (!map ||
		put_yaml(map, "ClusterConfiguration", json_array_get(documents, 0)) < 0)
		return no_memory(err);
	return add_new(objects, json_incref(map), err);
}

static int add_kubelet_config(
	json_t *objects, const struct cluster_params *params, struct err *err)
{
	json_t *config CLEANUP(json_done) = NULL;
	json_t *map CLEANUP(json_done) =
		config_map("kube-system", params->kubelet_config_map);
	int rc = kubelet_config_base(params, &config, err);

	if (rc < 0)
		return rc;
	if (!map || put_yaml(map, "kubelet", config) < 0)
		return no_memory(err);
	rc = put_hash(map, err);
	return rc < 0 ? rc : add_new(objects, json_incref(map), err);
}

/* kube-proxy's configuration goes into the ConfigMap of its blueprint. */
static int add_kube_proxy(
	json_t *objects, const struct cluster_params *params, struct err *err)
{
	json_t *config CLEANUP(json_done) = NULL;
	json_t *documents CLEANUP(json_done) = NULL;
	int rc = blueprint_expand(BLUEPRINT_KUBE_PROXY_CONFIG, params, &config, err);

	if (rc == 0)
		rc = blueprint_expand(BLUEPRINT_KUBE_PROXY, params, &documents, err);
	for (size_t i = 0; i < json_array_size(documents) && rc == 0; i++) {
		json_t *object = json_array_get(documents, i);

		if (!json_object_get(object, "data"))
			continue;
		if (put_yaml(object, "config.conf", json_array_get(config, 0)) < 0)
			return no_memory(err);
		rc = put_hash(object, err);
	}
	if (rc == 0 && json_array_extend(objects, documents) < 0)
		rc = no_memory(err);
	return rc;
}

/* kube-public/cluster-info with the signature of each token: what the controller
 * bootstrapsigner would add, so that a join needs none (cluster.md 4.2). */
static int add_cluster_info(
	json_t *objects, const struct objects_input *input, struct err *err)
{
	char server[sizeof(input->params->endpoint) + 8];
	const struct kubeconfig_cluster cluster = {
		server, input->ca_pem, strlen(input->ca_pem), input->params->minor};
	json_t *map CLEANUP(json_done) = config_map("kube-public", "cluster-info");
	json_t *data = json_object_get(map, "data");
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = 0;

	(void)snprintf(server, sizeof(server), "https://%s", input->params->endpoint);
	if (!map || kubeconfig_write_cluster_info(&cluster, &text) < 0 ||
		json_object_set_new(data, "kubeconfig", json_string(buf_text(&text))) < 0)
		return no_memory(err);
	for (size_t i = 0; i < input->token_count && rc == 0; i++) {
		struct buf signature CLEANUP(buf_done) = BUF_INIT;
		char key[32];

		(void)snprintf(
			key, sizeof(key), "jws-kubeconfig-%s", input->tokens[i].token.id);
		rc = jws_sign(
			&input->tokens[i].token, text.bytes, text.len, &signature, err);
		if (rc == 0 && json_object_set_new(
				       data, key, json_string(buf_text(&signature))) < 0)
			rc = no_memory(err);
	}
	return rc < 0 ? rc : add_new(objects, json_incref(map), err);
}

/* stringData is what the API server itself turns into data. */
static json_t *token_secret(const struct objects_token *token)
{
	char name[32], expiration[32];
	time_t expires = (time_t)token->expires;
	struct tm utc;
	json_t *secret;

	(void)snprintf(name, sizeof(name), "bootstrap-token-%s", token->token.id);
	secret = json_pack("{s:s, s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s}}",
		"apiVersion", "v1", "kind", "Secret", "type",
		"bootstrap.kubernetes.io/token", "metadata", "name", name, "namespace",
		"kube-system", "stringData", "auth-extra-groups", TOKEN_GROUP, "token-id",
		token->token.id, "token-secret", token->token.secret,
		"usage-bootstrap-authentication", "true", "usage-bootstrap-signing",
		"true");
	if (!secret || !token->expires)
		return secret;
	if (!gmtime_r(&expires, &utc) ||
		!strftime(expiration, sizeof(expiration), "%Y-%m-%dT%H:%M:%SZ", &utc) ||
		json_object_set_new(json_object_get(secret, "stringData"), "expiration",
			json_string(expiration)) < 0)
		json_done(&secret);
	return secret;
}

static int add_tokens(json_t *objects, const struct objects_input *input, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < input->token_count && rc == 0; i++)
		rc = add_new(objects, token_secret(&input->tokens[i]), err);
	return rc;
}

static int add_addons(
	json_t *objects, const struct cluster_params *params, struct err *err)
{
	int rc = 0;

	if (params->kube_proxy)
		rc = add_kube_proxy(objects, params, err);
	if (rc == 0 && params->core_dns)
		rc = add_blueprint(objects, BLUEPRINT_CORE_DNS, params, err);
	if (rc == 0 && params->flannel)
		rc = add_blueprint(objects, BLUEPRINT_FLANNEL, params, err);
	return rc;
}

int objects_make(const struct objects_input *input, json_t **ret, struct err *err)
{
	const struct cluster_params *params = input->params;
	json_t *objects CLEANUP(json_done) = json_array();
	int rc = objects ? add_blueprint(objects, BLUEPRINT_RBAC, params, err)
			 : no_memory(err);

	if (rc == 0)
		rc = add_kubeadm_config(objects, params, err);
	if (rc == 0)
		rc = add_kubelet_config(objects, params, err);
	if (rc == 0)
		rc = add_cluster_info(objects, input, err);
	if (rc == 0)
		rc = add_tokens(objects, input, err);
	if (rc == 0)
		rc = add_addons(objects, params, err);
	if (rc == 0)
		*ret = json_incref(objects);
	return rc;
}

static int add_taint(json_t *taints, const char *key)
{
	return json_array_append_new(
		taints, json_pack("{s:s, s:s}", "key", key, "effect", "NoSchedule"));
}

int objects_control_plane_mark(const struct cluster_params *params, json_t **ret)
{
	bool known;
	json_t *labels = json_pack("{s:s}", "node-role.kubernetes.io/control-plane", "");
	json_t *taints = json_array();
	json_t *patch CLEANUP(json_done) = json_pack("{s:{s:o}, s:{s:o}}", "metadata",
		"labels", labels, "spec", "taints", taints);

	if (!patch)
		return -ENOMEM;
	if (params_has(params, "labelExcludeBalancers", &known) &&
		json_object_set_new(labels,
			"node.kubernetes.io/exclude-from-external-load-balancers",
			json_string("")) < 0)
		return -ENOMEM;
	if (params_has(params, "labelMaster", &known) &&
		json_object_set_new(
			labels, "node-role.kubernetes.io/master", json_string("")) < 0)
		return -ENOMEM;
	if (params_has(params, "taintMaster", &known) &&
		add_taint(taints, "node-role.kubernetes.io/master") < 0)
		return -ENOMEM;
	if (params_has(params, "taintControlPlane", &known) &&
		add_taint(taints, "node-role.kubernetes.io/control-plane") < 0)
		return -ENOMEM;
	*ret = json_incref(patch);
	return 0;
}
