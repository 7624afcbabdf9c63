/* SPDX-License-Identifier: MIT */
#include "cluster/discovery.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cluster/api.h"
#include "cluster/certificate.h"
#include "cluster/kubeconfig.h"

#define INFO_PATH "/api/v1/namespaces/kube-public/configmaps/cluster-info"
#define INFO_NAME "ConfigMap kube-public/cluster-info"

static int get_info(
	struct env *env, const struct call_config *config, json_t **ret, struct err *err)
{
	struct api *api CLEANUP(api_free) = NULL;
	int rc = api_new(env, config, &api, err);

	if (rc == 0)
		rc = api_get(api, INFO_PATH, ret, err);
	if (rc == -E_NOT_FOUND || rc == -E_FORBIDDEN)
		return err_set(err, -rc,
			INFO_NAME " cannot be read: this cluster has no discovery by "
				  "token; use a credential, or run 'kubeadm init phase "
				  "bootstrap-token' there");
	return rc;
}

static const char *data_of(const json_t *info, const char *key)
{
	return json_string_value(json_object_get(json_object_get(info, "data"), key));
}

static int verify(const json_t *info, const struct jws_token *token, struct err *err)
{
	const char *content = data_of(info, "kubeconfig"), *signature;
	char key[40];

	if (!content)
		return err_set(err, E_FORMAT,
			INFO_NAME " has no kubeconfig; run 'kubeadm init phase "
				  "bootstrap-token' in the cluster");
	(void)snprintf(key, sizeof(key), "jws-kubeconfig-%s", token->id);
	signature = data_of(info, key);
	if (!signature)
		return err_set(err, E_UNAUTHORIZED,
			INFO_NAME " is not signed for token %s: the token is unknown or "
				  "expired, or kube-controller-manager (bootstrapsigner) "
				  "is not running; make a new one: kubeadm token create",
			token->id);
	return jws_verify(token, signature, content, strlen(content), err);
}

static int read_ca(
	const json_t *info, const struct strlist *pins, struct buf *ret, struct err *err)
{
	struct kubeconfig config CLEANUP(kubeconfig_done) = {.server = NULL};
	const char *content = data_of(info, "kubeconfig");
	struct certificate_text ca = {.name = INFO_NAME};
	int rc = kubeconfig_read(content, strlen(content), INFO_NAME, &config, err);

	if (rc < 0)
		return rc;
	if (!config.ca_pem.len)
		return err_set(err, E_FORMAT, INFO_NAME " carries no CA certificate");
	ca.pem = config.ca_pem.bytes;
	ca.len = config.ca_pem.len;
	rc = certificate_pin_check(&ca, pins, err);
	if (rc == 0 && buf_add(ret, config.ca_pem.bytes, config.ca_pem.len) < 0)
		rc = err_errno(err, ENOMEM, "keep the CA");
	return rc;
}

int discovery_ca(struct env *env, const struct call_config *config,
	const struct jws_token *token, const struct strlist *pins, struct buf *ret,
	struct err *err)
{
	struct call_config ask = {.endpoints = config->endpoints,
		.unverified = true,
		.limits = config->limits};
	json_t *first CLEANUP(api_json_free) = NULL,
		      *second CLEANUP(api_json_free) = NULL;
	struct buf ca CLEANUP(buf_done) = BUF_INIT;
	int rc = get_info(env, &ask, &first, err);

	if (rc == 0)
		rc = verify(first, token, err);
	if (rc == 0)
		rc = read_ca(first, pins, &ca, err);
	if (rc < 0)
		return rc;
	ask.unverified = false;
	ask.ca_pem = ca.bytes;
	rc = get_info(env, &ask, &second, err);
	if (rc < 0)
		return rc;
	if (!data_of(second, "kubeconfig") ||
		strcmp(data_of(first, "kubeconfig"), data_of(second, "kubeconfig")) != 0)
		return err_set(err, E_TRUST,
			INFO_NAME
			" is another one when asked for with its own CA: "
			"somebody stands between this machine and the API server, "
			"or it just changed");
	rc = buf_add(ret, ca.bytes, ca.len);
	return rc < 0 ? err_errno(err, ENOMEM, "keep the CA") : 0;
}
