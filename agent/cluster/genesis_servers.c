/* SPDX-License-Identifier: MIT */
/* Bootstrap: the two servers, from where their programs are to where their data is free
 * again. Both listen on the loopback alone; what they write about themselves is final. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "base/fs.h"
#include "cluster/certificate.h"
#include "cluster/etcd.h"
#include "cluster/genesis_parts.h"
#include "cluster/image_archive.h"
#include "cluster/image_program.h"
#include "cluster/node_object.h"
#include "cluster/secret.h"

#define DB_PATH GENESIS_DATA_DIR "/member/snap/db"
#define PROGRAM_PATH_SIZE 128
#define LOCAL_CERTIFICATE GENESIS_WORK_DIR "/local.pem"
#define LOCAL_CERTIFICATE_SECONDS 86400
#define STOP_SECONDS 60U /* per server, times the role's factor of slowness */

static unsigned int stop_seconds(const struct genesis *genesis)
{
	unsigned int factor = genesis->config->role->cluster.probe_factor;

	return STOP_SECONDS * (factor ? factor : 1);
}

static const char *image_of(const struct genesis *genesis, enum component component)
{
	return component == COMPONENT_ETCD ? genesis->params.images.etcd
					   : genesis->params.images.api_server;
}

/* An artifact of that name is what the machine shall run. */
static const char *find_artifact(const struct role *role, const char *program)
{
	for (size_t i = 0; i < role->artifact_count; i++) {
		const char *name = strrchr(role->artifacts[i].path, '/');

		if (name && strcmp(name + 1, program) == 0)
			return role->artifacts[i].path;
	}
	return NULL;
}

static int extract(
	struct genesis *genesis, const struct image_program *wanted, struct err *err)
{
	const struct env *env = genesis->config->env;
	const struct role_cluster *cluster = &genesis->config->role->cluster;
	int rc = fs_make_dirs(env->sys, env->target_fd, GENESIS_WORK_DIR, err);

	for (size_t i = 0; i < cluster->archive_count && rc == 0; i++) {
		char archive[PROGRAM_PATH_SIZE];

		(void)snprintf(archive, sizeof(archive), IMAGE_ARCHIVE_DIR "/%s.tar",
			cluster->archives[i].source.sha256);
		rc = image_program_extract(env, archive, wanted, err);
		if (rc == 0)
			return 0;
		rc = rc > 0 ? 0 : rc;
	}
	if (rc < 0)
		return rc;
	return err_set(err, E_ROLE,
		"a bootstrap runs %s before the OS does, and the role has it neither "
		"among 'artifacts' nor in 'cluster.archives' as image '%s': add one",
		wanted->program, wanted->image);
}

static int find_program(struct genesis *genesis, enum component component,
	char path[PROGRAM_PATH_SIZE], struct err *err)
{
	const char *name = component_name(component);
	const char *artifact = find_artifact(genesis->config->role, name);
	const struct image_program wanted = {.image = image_of(genesis, component),
		.program = name,
		.path = path,
		.goarch = node_object_goarch(genesis->config->facts->arch)};

	(void)snprintf(path, PROGRAM_PATH_SIZE, "%s%s",
		artifact ? artifact : GENESIS_WORK_DIR "/", artifact ? "" : name);
	return artifact ? 0 : extract(genesis, &wanted, err);
}

/* The API server's own certificate is for names that others use, as kubeadm has it, and
 * not for the loopback. */
static int issue_local(
	struct genesis *genesis, const struct key *key, struct buf *ret, struct err *err)
{
	const struct authority *ca = &genesis->authorities.ca;
	struct strlist addresses CLEANUP(strlist_done) = STRLIST_INIT;
	const struct certificate_spec spec = {.common_name = "kube-apiserver",
		.server = true,
		.addresses = &addresses,
		.not_after = genesis->config->now + LOCAL_CERTIFICATE_SECONDS};
	const struct certificate_issuer issuer = {
		ca->certificate_pem.bytes, ca->certificate_pem.len, ca->key};

	if (strlist_add(&addresses, genesis->params.localhost) < 0)
		return err_errno(err, ENOMEM, "make the certificate of the loopback");
	return certificate_issue(&spec, key, &issuer, ret, err);
}

static int write_local_certificate(struct genesis *genesis, struct err *err)
{
	const struct env *env = genesis->config->env;
	struct key *key CLEANUP(key_free) = NULL;
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	struct fs_content content = {.mode = 0600};
	int rc = key_generate(KEY_EC_P256, &key, err);

	if (rc == 0)
		rc = issue_local(genesis, key, &pem, err);
	if (rc == 0)
		rc = key_pem(key, &pem, err);
	content.bytes = pem.bytes;
	content.len = pem.len;
	return rc < 0 ? rc
		      : fs_replace(env->sys, env->target_fd, LOCAL_CERTIFICATE, &content,
				err);
}

/* Where the pod and a plain process before the pivot differ: who may reach it. */
static int localize(
	struct genesis *genesis, enum component component, struct strlist *command)
{
	const char *local = genesis->params.localhost_url;
	char client[80], peer[80];
	int rc;

	(void)snprintf(client, sizeof(client), "https://%s:2379", local);
	(void)snprintf(peer, sizeof(peer), "https://%s:2380", local);
	if (component == COMPONENT_ETCD) {
		rc = command_set(command, "listen-client-urls", client);
		return rc < 0 ? rc : command_set(command, "listen-peer-urls", peer);
	}
	rc = command_set(command, "bind-address", genesis->params.localhost);
	if (rc == 0)
		rc = command_set(command, "tls-cert-file", LOCAL_CERTIFICATE);
	return rc < 0 ? rc
		      : command_set(command, "tls-private-key-file", LOCAL_CERTIFICATE);
}

static int start(struct genesis *genesis, enum component component,
	struct temporary **ret, struct err *err)
{
	struct strlist command CLEANUP(strlist_done) = STRLIST_INIT;
	char path[PROGRAM_PATH_SIZE];
	const struct temporary_program program = {.name = component_name(component),
		.path = path,
		.command = &command,
		.node = genesis->params.node_name,
		.address = genesis->params.advertise_address};
	int rc = find_program(genesis, component, path, err);

	if (rc == 0)
		rc = manifest_command(&genesis->params, component, &command, err);
	if (rc < 0)
		return rc;
	if (localize(genesis, component, &command) < 0)
		return err_errno(err, ENOMEM, "start %s", program.name);
	return temporary_start(genesis->config->env, &program, ret, err);
}

/* One attempt per look: the process is looked at in between. */
static const struct call_limits look_limits = {.connect_ms = 5000,
	.request_ms = 10000,
	.retry_base_ms = 250,
	.retry_cap_ms = 250};

static int connect_etcd(struct genesis *genesis, struct strlist *endpoints,
	struct etcd **ret, struct err *err)
{
	const struct call_config config = {.endpoints = endpoints,
		.ca_pem = genesis->authorities.etcd.certificate_pem.bytes,
		.client_cert_pem = genesis->etcd_admin.certificate.bytes,
		.client_key_pem = genesis->etcd_admin.key.bytes,
		.limits = look_limits};

	if (strlist_printf(endpoints, "https://%s:2379", genesis->params.localhost_url) <
		0)
		return err_errno(err, ENOMEM, "connect to etcd");
	return etcd_new(genesis->config->env, &config, ret, err);
}

static int look_at_etcd(void *context, struct err *err)
{
	struct etcd_status status;

	return etcd_status(context, NULL, &status, err);
}

static int wait_for_etcd(struct genesis *genesis, struct err *err)
{
	struct strlist endpoints CLEANUP(strlist_done) = STRLIST_INIT;
	struct etcd *etcd CLEANUP(etcd_free) = NULL;
	struct temporary_probe probe = {.ready = look_at_etcd,
		.timeout_s = genesis->config->role->cluster.timeouts.etcd};
	int rc = connect_etcd(genesis, &endpoints, &etcd, err);

	probe.context = etcd;
	return rc < 0 ? rc : temporary_wait(genesis->etcd, &probe, err);
}

static int look_at_api(void *context, struct err *err)
{
	int rc = api_wait_ready(context, 1000, err);

	if (rc == 0) {
		json_t *space CLEANUP(api_json_free) = NULL;

		rc = api_get(context, "/api/v1/namespaces/kube-system", &space, err);
	}
	return rc;
}

static int wait_for_api(struct genesis *genesis, struct err *err)
{
	const struct temporary_probe probe = {.ready = look_at_api,
		.context = genesis->api,
		.timeout_s = genesis->config->role->cluster.timeouts.api};

	return temporary_wait(genesis->api_server, &probe, err);
}

int genesis_start_servers(struct genesis *genesis, struct err *err)
{
	const struct env *env = genesis->config->env;
	int rc = temporary_loopback_up(env, err);

	/* What a killed attempt left. */
	if (rc == 0)
		rc = fs_remove_tree(env->sys, env->target_fd, GENESIS_WORK_DIR, err);
	if (rc == 0)
		rc = start(genesis, COMPONENT_ETCD, &genesis->etcd, err);
	if (rc == 0)
		rc = wait_for_etcd(genesis, err);
	if (rc == 0)
		rc = write_local_certificate(genesis, err);
	if (rc == 0)
		rc = start(genesis, COMPONENT_API_SERVER, &genesis->api_server, err);
	return rc < 0 ? rc : wait_for_api(genesis, err);
}

/* Exactly one voter, this node. */
static int check_members(struct genesis *genesis, struct etcd *etcd, struct err *err)
{
	struct etcd_members members CLEANUP(etcd_members_done) = {NULL, 0};
	int rc = etcd_member_list(etcd, &members, err);

	if (rc < 0)
		return rc;
	if (members.count == 1 && !members.items[0].learner &&
		strcmp(members.items[0].name, genesis->params.node_name) == 0)
		return 0;
	return err_set(err, E_VERIFY,
		"etcd has %zu members where the new node '%s' alone was expected",
		members.count, genesis->params.node_name);
}

static int look_at_members(struct genesis *genesis, struct err *err)
{
	struct strlist endpoints CLEANUP(strlist_done) = STRLIST_INIT;
	struct etcd *etcd CLEANUP(etcd_free) = NULL;
	struct etcd_status status = {.cluster_id = 0};
	int rc = connect_etcd(genesis, &endpoints, &etcd, err);

	if (rc == 0)
		rc = check_members(genesis, etcd, err);
	if (rc == 0)
		rc = etcd_status(etcd, NULL, &status, err);
	genesis->etcd_cluster = status.cluster_id;
	return rc;
}

/* bbolt takes this lock for as long as it has the file open (bolt_unix.go). */
static int check_free(const struct env *env, struct err *err)
{
	int fd CLEANUP(fd_close) = fs_open(env->target_fd, DB_PATH, O_RDONLY);

	if (fd < 0)
		return err_errno(err, -fd, "open '" DB_PATH "' after etcd has ended");
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_errno(err, errno,
			"lock '" DB_PATH
			"' after etcd has ended: another process has it");
	if (env->sys->syncfs(fd) < 0 || env->sys->syncfs(env->target_fd) < 0)
		return err_errno(err, errno, "make '" GENESIS_DATA_DIR "' durable");
	return 0;
}

int genesis_stop_servers(struct genesis *genesis, struct err *err)
{
	int rc = look_at_members(genesis, err);

	api_free(&genesis->api);
	if (rc == 0)
		rc = temporary_stop(&genesis->api_server, stop_seconds(genesis), err);
	if (rc == 0)
		rc = temporary_stop(&genesis->etcd, stop_seconds(genesis), err);
	if (rc == 0)
		rc = check_free(genesis->config->env, err);
	if (rc < 0)
		return rc;
	return fs_remove_tree(genesis->config->env->sys, genesis->config->env->target_fd,
		GENESIS_WORK_DIR, err);
}
