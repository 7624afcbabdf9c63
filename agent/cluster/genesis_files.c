/* SPDX-License-Identifier: MIT */
/* Bootstrap: what goes onto the target before and after the servers run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "cluster/certificate.h"
#include "cluster/delivery.h"
#include "cluster/genesis_parts.h"
#include "cluster/json.h"
#include "cluster/kubeadm_certs.h"
#include "cluster/pki.h"
#include "cluster/secret.h"
#include "cluster/yaml.h"

#define PKI_DIR "/etc/kubernetes/pki"
#define MANIFEST_DIR "/etc/kubernetes/manifests"
#define KUBELET_CONFIG "/var/lib/kubelet/config.yaml"
#define CREDENTIAL_BYTES_MAX (256U * 1024U)
#define CLIENT_SECONDS 3600 /* of the clients that stay in memory */

static enum key_kind key_kind_of(const struct role_cluster *cluster)
{
	return cluster->keys == ROLE_KEYS_RSA_2048 ? KEY_RSA_2048 : KEY_EC_P256;
}

/* What an earlier attempt wrote: a one-time URL gives no second answer. 1: it is not all
 * there, or is not this cluster's. */
static int from_target(struct genesis *genesis)
{
	const struct genesis_config *config = genesis->config;
	struct authorities found CLEANUP(authorities_done) = {0};
	const struct strlist *pins = &config->role->cluster.ca_cert_hashes;
	struct certificate_text ca = {.name = "pki/ca.crt"};
	int rc = pins->count ? 0 : 1;

	for (size_t i = 0; i < AUTHORITIES_PARTS && rc == 0; i++) {
		struct buf pem CLEANUP(secret_done) = BUF_INIT;
		char path[128];

		(void)snprintf(
			path, sizeof(path), PKI_DIR "/%s", authorities_parts[i].path);
		rc = fs_read(
			config->env->target_fd, path, CREDENTIAL_BYTES_MAX, &pem, NULL);
		if (rc == 0)
			rc = authorities_part_take(
				&found, &authorities_parts[i], pem.bytes, pem.len, NULL);
	}
	if (rc == 0)
		rc = authorities_check(&found, config->now, NULL);
	ca.pem = found.ca.certificate_pem.bytes;
	ca.len = found.ca.certificate_pem.len;
	if (rc == 0)
		rc = certificate_pin_check(&ca, pins, NULL);
	if (rc != 0)
		return 1;
	genesis->authorities = found;
	found = (struct authorities){0};
	return 0;
}

static int from_credential(struct genesis *genesis, struct err *err)
{
	const struct genesis_config *config = genesis->config;
	const struct role_cluster *cluster = &config->role->cluster;
	const struct delivery delivery = {.env = config->env,
		.fetch = config->fetch,
		.what = "credential",
		.url = cluster->credential_url,
		.max = CREDENTIAL_BYTES_MAX,
		.timeout_s = cluster->timeouts.api};
	struct buf text CLEANUP(secret_done) = BUF_INIT;
	json_t *secret CLEANUP(json_done) = NULL;
	char from[256];
	int rc = delivery_get(&delivery, &text, from, sizeof(from), err);

	if (rc < 0)
		return rc;
	/* jansson's own words would quote the secret. */
	secret = json_loadb(buf_text(&text), text.len, JSON_REJECT_DUPLICATES, NULL);
	if (!secret)
		return err_set(err, E_FORMAT,
			"the credential from %s is no JSON; the Secret that 'promenade "
			"render' wrote for this machine belongs there",
			from);
	rc = kubeadm_certs_read(secret, NULL, config->now, &genesis->authorities, err);
	return rc < 0 ? err_wrap(err, "the credential from %s", from) : 0;
}

/* The pin of the CA, which the role may have named. */
static int check_pin(struct genesis *genesis, struct err *err)
{
	const struct strlist *pins = &genesis->config->role->cluster.ca_cert_hashes;
	const struct buf *pem = &genesis->authorities.ca.certificate_pem;
	const struct certificate_text ca = {pem->bytes, pem->len, "ca.crt"};
	struct certificate_info info = {.ca = false};
	int rc = pins->count ? certificate_pin_check(&ca, pins, err) : 0;

	if (rc == 0)
		rc = certificate_read(ca.pem, ca.len, ca.name, &info, err);
	if (rc < 0)
		return rc;
	(void)str_copy(genesis->pin, sizeof(genesis->pin), info.spki_pin);
	certificate_info_done(&info);
	return 0;
}

static int make_clients(struct genesis *genesis, struct err *err)
{
	struct pki_client admin = {"promenade-bootstrap", "system:masters", KEY_EC_P256,
		genesis->config->now, CLIENT_SECONDS};
	struct pki_client etcd = {"promenade-bootstrap", NULL, KEY_EC_P256,
		genesis->config->now, CLIENT_SECONDS};
	int rc = pki_client_make(&genesis->authorities.ca, &admin,
		&genesis->admin.certificate, &genesis->admin.key, err);

	if (rc == 0)
		rc = pki_client_make(&genesis->authorities.etcd, &etcd,
			&genesis->etcd_admin.certificate, &genesis->etcd_admin.key, err);
	return rc;
}

int genesis_take_authorities(struct genesis *genesis, struct err *err)
{
	int rc = from_target(genesis);

	if (rc > 0)
		rc = from_credential(genesis, err);
	if (rc == 0)
		rc = check_pin(genesis, err);
	return rc < 0 ? rc : make_clients(genesis, err);
}

static int write_pki_file(
	const struct env *env, const struct pki_file *file, struct err *err)
{
	const struct fs_content content = {
		file->bytes.bytes, file->bytes.len, file->mode};

	if (file->link)
		return fs_replace_link(
			env->sys, env->target_fd, file->path, file->link, err);
	return fs_replace(env->sys, env->target_fd, file->path, &content, err);
}

static int write_pki(struct genesis *genesis, struct err *err)
{
	const struct genesis_config *config = genesis->config;
	const struct role_cluster *cluster = &config->role->cluster;
	const struct pki_spec spec = {.authorities = &genesis->authorities,
		.keys = key_kind_of(cluster),
		.now = config->now,
		.minor = genesis->params.minor,
		.node = config->role->name,
		.address = genesis->params.advertise_address,
		.service_cidr = genesis->params.service_cidr,
		.dns_domain = genesis->params.dns_domain,
		.endpoint = cluster->endpoint,
		.api_names = NULL,
		.admin_group = NULL,
		.kubelet_client_group = NULL};
	struct pki_files files CLEANUP(pki_files_done) = {NULL, 0};
	struct pki_state state;
	int rc = pki_examine(&spec, config->env->target_fd, &state, err);

	if (rc == 0)
		rc = pki_make(&spec, &state, &files, err);
	for (size_t i = 0; i < files.count && rc == 0; i++)
		rc = write_pki_file(config->env, &files.items[i], err);
	return rc;
}

static int write_kubelet_config(struct genesis *genesis, struct err *err)
{
	const struct genesis_config *config = genesis->config;
	json_t *json CLEANUP(json_done) = NULL;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct fs_content content = {.mode = 0644};
	int rc = kubelet_config_base(&genesis->params, &json, err);

	if (rc < 0)
		return rc;
	if (kubelet_config_localize(json, genesis->params.minor, &config->local) < 0 ||
		yaml_write(json, &text) < 0)
		return err_errno(err, ENOMEM, "write '" KUBELET_CONFIG "'");
	content.bytes = text.bytes;
	content.len = text.len;
	return fs_replace(
		config->env->sys, config->env->target_fd, KUBELET_CONFIG, &content, err);
}

int genesis_write_files(struct genesis *genesis, struct err *err)
{
	int rc = write_pki(genesis, err);

	return rc < 0 ? rc : write_kubelet_config(genesis, err);
}

int genesis_write_manifests(struct genesis *genesis, struct err *err)
{
	const struct env *env = genesis->config->env;
	int fd CLEANUP(fd_close) = -1;
	int rc = fs_make_dirs(env->sys, env->target_fd, MANIFEST_DIR, err);

	if (rc < 0)
		return rc;
	fd = fs_open(env->target_fd, MANIFEST_DIR, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || env->sys->fchmod(fd, 0700) < 0)
		return err_errno(err, fd < 0 ? -fd : errno, "protect '" MANIFEST_DIR "'");
	for (int i = 0; i < COMPONENT_COUNT && rc == 0; i++) {
		struct buf text CLEANUP(buf_done) = BUF_INIT;
		struct fs_content content = {.mode = 0600};
		char path[128];

		(void)snprintf(path, sizeof(path), MANIFEST_DIR "/%s.yaml",
			component_name((enum component)i));
		rc = manifest_write(&genesis->params, (enum component)i, &text, err);
		content.bytes = text.bytes;
		content.len = text.len;
		if (rc == 0)
			rc = fs_replace(env->sys, env->target_fd, path, &content, err);
	}
	return rc;
}
