/* SPDX-License-Identifier: MIT */
/*
 * The sequence. What must hold: the marker is durable before etcd starts, both servers
 * have ended before the record is written, and the record is there before the static
 * pods are, so that kubelet never finds half a cluster.
 */
#include "cluster/genesis.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "cluster/genesis_parts.h"
#include "cluster/secret.h"

static void say(const struct genesis *genesis, const char *what)
{
	if (genesis->config->say)
		genesis->config->say(genesis->config->say_context, what);
}

/* Virtual machines may have neither UUID nor serial number. */
static const char *machine_of(const struct genesis_config *config)
{
	const char *mac = config->role->match.mac;

	if (*config->facts->uuid)
		return config->facts->uuid;
	return *config->facts->serial || !mac ? config->facts->serial : mac;
}

static struct genesis_claim claim_of(const struct genesis_config *config)
{
	return (struct genesis_claim){.machine = machine_of(config),
		.node = config->role->name,
		.address = config->address,
		.pins = &config->role->cluster.ca_cert_hashes};
}

int genesis_look(
	const struct genesis_config *config, enum genesis_state *ret, struct err *err)
{
	const struct genesis_claim claim = claim_of(config);

	return genesis_record_look(config->env, &claim, ret, err);
}

static int check_guards(const struct genesis_config *config, struct err *err)
{
	if (!*config->address)
		return err_set(err, E_ROLE,
			"a bootstrap needs the address that this node will always have: "
			"there is no lease; add cluster.advertiseAddress to the role");
	if (config->env->initramfs && !config->facts->clock_synced)
		return err_set(err, E_NOT_YET,
			"a bootstrap needs the right time and no NTP server has given "
			"it: "
			"give ntp servers by DHCP option 42, promenade.ntp= or the role");
	return 0;
}

static bool has(const struct genesis_config *config, const char *path)
{
	return fs_exists(config->env->target_fd, path);
}

static int make_params(struct genesis *genesis, struct err *err)
{
	const struct genesis_config *config = genesis->config;
	struct cluster_params *params = &genesis->params;
	int rc = params_from_role(config->role, params, err);

	if (rc < 0)
		return rc;
	(void)str_copy(params->advertise_address, sizeof(params->advertise_address),
		config->address);
	params->systemd_resolved = config->local.systemd_resolved;
	params->ca_dirs = (struct cluster_ca_dirs){
		.etc_pki_ca_trust = has(config, "/etc/pki/ca-trust"),
		.etc_pki_tls_certs = has(config, "/etc/pki/tls/certs"),
		.etc_ca_certificates = has(config, "/etc/ca-certificates"),
		.usr_share_ca_certificates = has(config, "/usr/share/ca-certificates"),
		.usr_local_share_ca_certificates =
			has(config, "/usr/local/share/ca-certificates")};
	return params_finish(params, err);
}

static int connect_api(
	struct genesis *genesis, struct strlist *endpoints, struct err *err)
{
	const struct call_config config = {.endpoints = endpoints,
		.ca_pem = genesis->authorities.ca.certificate_pem.bytes,
		.client_cert_pem = genesis->admin.certificate.bytes,
		.client_key_pem = genesis->admin.key.bytes,
		.limits = CALL_LIMITS_DEFAULT};

	if (strlist_printf(endpoints, "https://%s:6443", genesis->params.localhost_url) <
		0)
		return err_errno(err, ENOMEM, "connect to the API server");
	return api_new(genesis->config->env, &config, &genesis->api, err);
}

/* From the first server's start to the last one's end. */
static int populate(struct genesis *genesis, struct err *err)
{
	int rc;

	say(genesis, "start etcd and kube-apiserver");
	rc = genesis_start_servers(genesis, err);
	if (rc < 0)
		return rc;
	say(genesis, "make the cluster's objects");
	rc = genesis_apply_objects(genesis, err);
	if (rc < 0)
		return rc;
	say(genesis, "stop kube-apiserver and etcd");
	return genesis_stop_servers(genesis, err);
}

static int make_cluster(struct genesis *genesis, struct err *err)
{
	const struct env *env = genesis->config->env;
	struct strlist endpoints CLEANUP(strlist_done) = STRLIST_INIT;
	int rc;

	say(genesis, "take the cluster's CA");
	rc = genesis_take_authorities(genesis, err);
	if (rc == 0)
		rc = genesis_write_files(genesis, err);
	if (rc == 0)
		rc = genesis_record_begin(env, &genesis->claim, err);
	if (rc == 0)
		rc = connect_api(genesis, &endpoints, err);
	if (rc == 0)
		rc = populate(genesis, err);
	if (rc == 0)
		rc = genesis_record_done(
			env, &genesis->claim, genesis->pin, genesis->etcd_cluster, err);
	api_free(&genesis->api);
	return rc;
}

static void genesis_done(struct genesis *genesis)
{
	api_free(&genesis->api);
	temporary_free(&genesis->api_server);
	temporary_free(&genesis->etcd);
	authorities_done(&genesis->authorities);
	secret_done(&genesis->admin.certificate);
	secret_done(&genesis->admin.key);
	secret_done(&genesis->etcd_admin.certificate);
	secret_done(&genesis->etcd_admin.key);
}

int genesis_run(const struct genesis_config *config, struct err *err)
{
	struct genesis genesis CLEANUP(genesis_done) = {.config = config};
	enum genesis_state state;
	int rc = genesis_look(config, &state, err);

	genesis.claim = claim_of(config);
	if (rc < 0 || state == GENESIS_DONE)
		return rc;
	rc = check_guards(config, err);
	if (rc == 0)
		rc = make_params(&genesis, err);
	if (rc == 0 && state != GENESIS_UNFINISHED)
		rc = make_cluster(&genesis, err);
	if (rc == 0)
		rc = genesis_write_manifests(&genesis, err);
	return rc < 0 ? rc : genesis_record_end(config->env, err);
}
