/* SPDX-License-Identifier: MIT */
#include "cluster/join.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "cluster/api.h"
#include "cluster/delivery.h"
#include "cluster/discovery.h"
#include "cluster/kubeconfig.h"
#include "cluster/node_csr.h"
#include "cluster/node_object.h"
#include "cluster/secret.h"
#include "cluster/yaml.h"

#define CREDENTIAL_MAX (256U * 1024U)
#define TOKEN_MAX 256U
#define CONFIG_MAX (256U * 1024U)
#define TOKEN_PAUSE_MS 5000U

struct join {
	struct join_config config;
	struct strlist endpoints;
	struct identity identity;
	bool identity_is_new;
	struct api *api; /* as the node */
	unsigned int minor;
	struct buf kubelet_conf, kubelet_config;
};

static struct identity_wanted wanted_of(const struct join_config *config)
{
	return (struct identity_wanted){.node = config->role->name,
		.pins = &config->role->cluster.ca_cert_hashes,
		.now = config->now};
}

/* kubelet.conf names this cluster by its endpoint and CA, and kubelet's own files. */
static bool conf_fits(const struct join_config *config, const struct identity *identity)
{
	struct kubeconfig conf CLEANUP(kubeconfig_done) = {.server = NULL};
	struct buf text CLEANUP(secret_done) = BUF_INIT;
	int rc = fs_read(
		config->env->target_fd, JOIN_KUBELET_CONF, CONFIG_MAX, &text, NULL);

	if (rc == 0)
		rc = kubeconfig_read(
			text.bytes, text.len, JOIN_KUBELET_CONF, &conf, NULL);
	return rc == 0 && conf.server && conf.certificate_path &&
	       strcmp(conf.server, config->role->cluster.endpoint) == 0 &&
	       strcmp(conf.certificate_path, KUBECONFIG_KUBELET_PEM) == 0 &&
	       conf.ca_pem.len == identity->ca.len &&
	       memcmp(conf.ca_pem.bytes, identity->ca.bytes, conf.ca_pem.len) == 0;
}

/* The identity of the target where it is good. */
static int look(const struct join_config *config, struct identity *identity,
	enum join_found *ret, char *why, size_t size, struct err *err)
{
	struct identity_wanted wanted = wanted_of(config);
	struct err found = ERR_INIT;
	int rc = identity_read(config->env, identity, &found);

	*ret = JOIN_FOUND_STALE;
	if (rc == 1) {
		bool conf = fs_exists(config->env->target_fd, JOIN_KUBELET_CONF);

		*ret = conf ? JOIN_FOUND_STALE : JOIN_FOUND_NONE;
		(void)snprintf(why, size, "%s",
			conf ? "kubelet.conf without certificate" : "no certificate yet");
		return 0;
	}
	if (rc == 0)
		rc = identity_check(identity, &wanted, "kubelet's certificate", &found);
	if (rc == 0) {
		*ret = JOIN_FOUND_GOOD;
		(void)snprintf(why, size, "certificate of %s", wanted.node);
		return 0;
	}
	(void)snprintf(why, size, "%s", found.text);
	if (rc == -E_TRUST || rc == -E_FORMAT || rc == -E_UNSUPPORTED)
		return 0;
	*err = found;
	return rc;
}

int join_look(const struct join_config *config, enum join_found *ret, bool *ret_conf,
	char *why, size_t size, struct err *err)
{
	struct identity identity CLEANUP(identity_done) = IDENTITY_INIT;
	int rc = look(config, &identity, ret, why, size, err);

	if (rc == 0)
		*ret_conf = *ret == JOIN_FOUND_GOOD && conf_fits(config, &identity);
	return rc;
}

static struct call_config call_of(const struct join *join)
{
	struct call_config call = {.endpoints = &join->endpoints,
		.ca_pem = join->identity.ca.bytes,
		.limits = CALL_LIMITS_DEFAULT};

	call.limits.deadline_ms = join->config.role->cluster.timeouts.api * 1000U;
	return call;
}

static struct delivery delivery_of(
	const struct join *join, const char *what, const char *url, size_t max)
{
	return (struct delivery){.env = join->config.env,
		.fetch = join->config.fetch,
		.what = what,
		.url = url,
		.max = max,
		.timeout_s = join->config.role->cluster.timeouts.api};
}

static int by_credential(struct join *join, struct err *err)
{
	const char *url = join->config.role->cluster.credential_url;
	struct delivery delivery = delivery_of(join, "credential", url, CREDENTIAL_MAX);
	struct identity_wanted wanted = wanted_of(&join->config);
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	char from[512], name[560];
	int rc = delivery_get(&delivery, &pem, from, sizeof(from), err);

	if (rc < 0)
		return rc;
	(void)snprintf(name, sizeof(name), "credential of %s", from);
	rc = identity_parse(&pem, name, &join->identity, err);
	return rc < 0 ? rc : identity_check(&join->identity, &wanted, name, err);
}

/* One round with one token: the CA, then the certificate. What the round before it has
 * reached is kept. */
static int try_token(struct join *join, struct node_csr *csr,
	const struct jws_token *token, const char *text, struct err *err)
{
	const struct role_cluster *cluster = &join->config.role->cluster;
	struct call_config call = call_of(join);
	struct api *api CLEANUP(api_free) = NULL;
	int rc = 0;

	if (!join->identity.ca.len)
		rc = discovery_ca(join->config.env, &call, token,
			&cluster->ca_cert_hashes, &join->identity.ca, err);
	if (rc < 0)
		return rc;
	call.ca_pem = join->identity.ca.bytes;
	call.token = text;
	rc = api_new(join->config.env, &call, &api, err);
	if (rc == 0)
		rc = node_csr_run(csr, join->config.env, api,
			cluster->timeouts.certificate, &join->identity.certificates, err);
	return rc;
}

/* A token as text, fresh from where it is handed out. */
static int get_token(
	const struct join *join, struct jws_token *ret, char text[64], struct err *err)
{
	struct delivery delivery = delivery_of(
		join, "token", join->config.role->cluster.token_url, TOKEN_MAX);
	struct buf bytes CLEANUP(secret_done) = BUF_INIT;
	char from[512];
	int rc = delivery_get(&delivery, &bytes, from, sizeof(from), err);

	if (rc == 0)
		rc = jws_token_parse(bytes.bytes, bytes.len, ret, err);
	if (rc < 0)
		return err_wrap(err, "bootstrap token");
	(void)snprintf(text, 64, "%s.%s", ret->id, ret->secret);
	return 0;
}

/* Tokens live for minutes and slow machines boot for longer: the token is got last, and
 * again when the cluster no longer knows the one it had. */
static int run_token(struct join *join, struct node_csr *csr, struct err *err)
{
	struct env *env = join->config.env;
	uint64_t end = env->now_ms() + 1000ULL * join->config.role->cluster.timeouts.api;

	for (;;) {
		struct jws_token token CLEANUP(jws_token_done) = {.id = ""};
		char text[64];
		int rc = get_token(join, &token, text, err);

		if (rc == 0)
			rc = try_token(join, csr, &token, text, err);
		explicit_bzero(text, sizeof(text));
		if (rc != -E_UNAUTHORIZED || env->now_ms() + TOKEN_PAUSE_MS > end)
			return rc;
		log_event(LOG_LEVEL_DEBUG, "cluster", "wait", "%s", err->text);
		env->sleep_ms(TOKEN_PAUSE_MS + env_jitter(env, TOKEN_PAUSE_MS / 4));
	}
}

static int by_token(struct join *join, struct err *err)
{
	struct identity_wanted wanted = wanted_of(&join->config);
	struct node_csr csr CLEANUP(node_csr_done) = {.key = NULL};
	/* kubelet's own key is of P-256, whatever the cluster's are. */
	int rc = node_csr_init(&csr, KEY_EC_P256, wanted.node, err);

	if (rc == 0)
		rc = run_token(join, &csr, err);
	if (rc == 0)
		rc = key_pem(csr.key, &join->identity.key, err);
	return rc < 0 ? rc
		      : identity_check(
				&join->identity, &wanted, "issued certificate", err);
}

static int find_identity(struct join *join, struct err *err)
{
	enum join_found found;
	char why[ERR_TEXT_MAX];
	int rc = look(&join->config, &join->identity, &found, why, sizeof(why), err);

	if (rc < 0 || found == JOIN_FOUND_GOOD)
		return rc;
	identity_done(&join->identity);
	join->identity_is_new = true;
	return join->config.role->cluster.token_url ? by_token(join, err)
						    : by_credential(join, err);
}

/* "v1.34.2" or "1.34.2" -> 34; 0 when it is neither. */
static unsigned int minor_of(const char *version)
{
	unsigned int minor = 0;

	return sscanf(version + (*version == 'v'), "1.%u", &minor) == 1 ? minor : 0;
}

/* That of the role, else the API server's; GET /version is open to everybody
 * (system:public-info-viewer). */
static int find_minor(struct join *join, struct err *err)
{
	const char *version = join->config.role->cluster.version;
	json_t *json CLEANUP(api_json_free) = NULL;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = version ? 0 : api_get_text(join->api, "/version", &text, err);

	if (rc < 0)
		return rc;
	if (!version) {
		json = json_loadb(buf_text(&text), text.len, 0, NULL);
		version = json_string_value(json_object_get(json, "gitVersion"));
	}
	join->minor = version ? minor_of(version) : 0;
	if (!join->minor)
		return err_set(err, E_FORMAT,
			"'/version' of the API server names no version 1.x; give "
			"cluster.version in the role");
	return 0;
}

/* Where kubeadm keeps it (cmd/kubeadm/app/constants, KubeletBaseConfigurationConfigMap);
 * with the minor in its name before 1.24. */
static int get_config(struct join *join, json_t **ret, struct err *err)
{
	char path[128], suffix[16] = "";
	int rc;

	if (join->minor < 24)
		(void)snprintf(suffix, sizeof(suffix), "-1.%u", join->minor);
	(void)snprintf(path, sizeof(path),
		"/api/v1/namespaces/kube-system/configmaps/kubelet-config%s", suffix);
	rc = api_get(join->api, path, ret, err);
	if (rc == -E_NOT_FOUND || rc == -E_FORBIDDEN)
		return err_set(err, -rc,
			"ConfigMap kube-system/kubelet-config%s cannot be read by this "
			"node; run 'kubeadm init phase upload-config kubelet' in the "
			"cluster",
			suffix);
	return rc;
}

static int make_kubelet_config(struct join *join, struct err *err)
{
	json_t *map CLEANUP(api_json_free) = NULL, *config CLEANUP(api_json_free) = NULL;
	const char *text;
	int rc = get_config(join, &map, err);

	if (rc < 0)
		return rc;
	text = json_string_value(
		json_object_get(json_object_get(map, "data"), "kubelet"));
	if (!text)
		return err_set(err, E_FORMAT,
			"ConfigMap kube-system/kubelet-config has no key 'kubelet'; run "
			"'kubeadm init phase upload-config kubelet' in the cluster");
	rc = yaml_read(text, strlen(text), "ConfigMap kubelet-config", &config, err);
	if (rc < 0)
		return rc;
	if (kubelet_config_localize(config, join->minor, &join->config.local) < 0 ||
		yaml_write(config, &join->kubelet_config) < 0)
		return err_errno(err, ENOMEM, "make kubelet's configuration");
	return 0;
}

static int make_kubelet_conf(struct join *join, struct err *err)
{
	struct kubeconfig_cluster cluster = {
		.server = join->config.role->cluster.endpoint,
		.ca_pem = join->identity.ca.bytes,
		.ca_len = join->identity.ca.len,
		.minor = join->minor};
	int rc = kubeconfig_write_kubelet(&cluster, &join->kubelet_conf);

	return rc < 0 ? err_errno(err, -rc, "make kubelet.conf") : 0;
}

static struct node_object node_of(const struct join *join)
{
	const struct role *role = join->config.role;

	return (struct node_object){.name = role->name,
		.machine_uuid = join->config.facts->uuid,
		.address = join->config.address,
		.arch = join->config.facts->arch,
		.labels = &role->node.kubelet.labels,
		.taints = &role->node.kubelet.taints,
		.now = join->config.now};
}

static int connect_as_node(struct join *join, struct err *err)
{
	struct call_config call = call_of(join);

	call.client_cert_pem = join->identity.certificates.bytes;
	call.client_key_pem = join->identity.key.bytes;
	return api_new(join->config.env, &call, &join->api, err);
}

static int begin(struct join *join, struct err *err)
{
	const struct role_cluster *cluster = &join->config.role->cluster;
	struct node_object node = node_of(join);
	int rc = strlist_add(&join->endpoints, cluster->endpoint);

	for (size_t i = 0; i < cluster->endpoints.count && rc == 0; i++)
		rc = strlist_add(&join->endpoints, cluster->endpoints.items[i]);
	if (rc < 0)
		return err_errno(err, -rc, "list the API servers");
	rc = find_identity(join, err);
	if (rc == 0)
		rc = connect_as_node(join, err);
	if (rc == 0)
		rc = node_object_check(join->api, &node, err);
	if (rc == 0)
		rc = find_minor(join, err);
	if (rc == 0)
		rc = make_kubelet_config(join, err);
	return rc < 0 ? rc : make_kubelet_conf(join, err);
}

int join_begin(const struct join_config *config, struct join **ret, struct err *err)
{
	struct join *join = calloc(1, sizeof(*join));
	int rc;

	if (!join)
		return err_errno(err, ENOMEM, "join");
	join->config = *config;
	rc = begin(join, err);
	if (rc < 0) {
		join_free(&join);
		return rc;
	}
	*ret = join;
	return 0;
}

struct join_files join_files(const struct join *join)
{
	return (struct join_files){.identity = &join->identity,
		.identity_is_new = join->identity_is_new,
		.kubelet_conf = &join->kubelet_conf,
		.kubelet_config = &join->kubelet_config};
}

int join_register(struct join *join, struct err *err)
{
	struct node_object node = node_of(join);

	return node_object_register(join->api, &node, err);
}

void join_free(struct join **join)
{
	if (!*join)
		return;
	api_free(&(*join)->api);
	strlist_done(&(*join)->endpoints);
	identity_done(&(*join)->identity);
	buf_done(&(*join)->kubelet_conf);
	buf_done(&(*join)->kubelet_config);
	free(*join);
	*join = NULL;
}
