/* SPDX-License-Identifier: MIT */
/*
 * The node becomes a part of its cluster, before the pivot. Whether it is one already is
 * read from the target alone, so that a joined machine boots while the API is down.
 *
 * Order of writing, so that a kill leaves nothing that kubelet would use wrongly: stale
 * files go (kubelet.conf first), then CA, certificate, configuration, and kubelet.conf
 * last; then the Node; then the record that says it is done.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "cluster/join.h"
#include "cluster/kubeconfig.h"
#include "cluster/secret.h"
#include "host/probe.h"
#include "steps/cluster_parts.h"
#include "steps/kubelet_parts.h"
#include "steps/ops.h"

#define RECORD_PATH "/etc/promenade/cluster"

struct kubelet_config_local cluster_kubelet_local(const struct step_context *context)
{
	const struct role_node *node = &context->role->node;

	return (struct kubelet_config_local){
		.runtime_endpoint = kubelet_runtime_endpoint(node->engine),
		.cgroupfs = !node->systemd_cgroup,
		.systemd_resolved = probe_unit_enabled(
			context->env->target_fd, "systemd-resolved.service"),
		.swap = node->swap == ROLE_SWAP_KEEP};
}

static int config_of(
	struct step_context *context, struct join_config *ret, char address[64])
{
	struct timespec now;
	int rc = kubelet_node_ip(context, address, 64);

	(void)clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct join_config){.env = context->env,
		.fetch = context->fetch,
		.facts = context->facts,
		.role = context->role,
		.address = address,
		.local = cluster_kubelet_local(context),
		.now = (int64_t)now.tv_sec};
	return rc;
}

/* What the files were made from; another one makes them anew. */
static int make_record(const struct join_config *config, struct buf *ret)
{
	const struct role_cluster *cluster = &config->role->cluster;

	return buf_printf(ret,
		"action=join\n"
		"node=%s\n"
		"endpoint=%s\n"
		"version=%s\n"
		"runtimeEndpoint=%s\n"
		"cgroupDriver=%s\n"
		"systemdResolved=%d\n"
		"failSwapOn=%d\n",
		config->role->name, cluster->endpoint,
		cluster->version ? cluster->version : "",
		config->local.runtime_endpoint ? config->local.runtime_endpoint : "",
		config->local.cgroupfs ? "cgroupfs" : "systemd",
		config->local.systemd_resolved, !config->local.swap);
}

static bool record_is(const struct env *env, const struct buf *record)
{
	struct buf found CLEANUP(buf_done) = BUF_INIT;

	return fs_read(env->target_fd, RECORD_PATH, FS_TEXT_MAX, &found, NULL) == 0 &&
	       strcmp(buf_text(&found), buf_text(record)) == 0;
}

static int check_join(const struct join_config *config, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct buf record CLEANUP(buf_done) = BUF_INIT;
	enum join_found found = JOIN_FOUND_NONE;
	char why[ERR_TEXT_MAX];
	bool conf = false;
	int rc = join_look(config, &found, &conf, why, sizeof(why), err);

	if (rc < 0)
		return rc;
	if (make_record(config, &record) < 0)
		return err_errno(err, ENOMEM, "check the cluster");
	if (found == JOIN_FOUND_GOOD && conf && record_is(config->env, &record) &&
		fs_exists(config->env->target_fd, JOIN_KUBELET_CONFIG)) {
		step_report_set(ret, STEP_DONE, 0, "already so: %s", step->reason);
		return 0;
	}
	rc = 0;
	if (found == JOIN_FOUND_STALE)
		rc = strlist_printf(
			&ret->changes, "wipe what is left of another life: %s", why);
	if (rc == 0 && found == JOIN_FOUND_GOOD)
		rc = strlist_printf(&ret->changes,
			"write kubelet's configuration for the certificate that is "
			"there");
	if (rc == 0 && found != JOIN_FOUND_GOOD)
		rc = strlist_add(&ret->changes, step->reason);
	if (rc < 0)
		return err_errno(err, ENOMEM, "check the cluster");
	step_report_set(ret, STEP_TODO, 0, "%zu change(s): %s", ret->changes.count,
		ret->changes.items[0]);
	return 0;
}

static int cluster_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct join_config config;
	char address[64];
	int rc;

	if (context->role->cluster.action == ROLE_CLUSTER_BOOTSTRAP)
		return cluster_bootstrap_check(context, step, ret, err);
	rc = config_of(context, &config, address);
	return rc < 0 ? err_errno(err, -rc, "read the node's address")
		      : check_join(&config, step, ret, err);
}

/* kubelet looks only at the expiry of what it finds, not at the CA or the name. */
static int wipe(const struct env *env, struct err *err)
{
	int rc = fs_remove(env->sys, env->target_fd, JOIN_KUBELET_CONF, err);

	if (rc == 0)
		rc = fs_remove(env->sys, env->target_fd, JOIN_BOOTSTRAP_CONF, err);
	return rc < 0 ? rc
		      : fs_remove_tree(env->sys, env->target_fd, IDENTITY_PKI_DIR, err);
}

/* client-go util/certificate/certificate_store.go: PREFIX-TIME.pem, certificates first,
 * then the key, and a link by its absolute path as kubelet sees it. */
static int add_identity(struct edits *edits, const struct join_config *config,
	const struct identity *identity)
{
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	char path[128], stamp[32];
	time_t now = (time_t)config->now;
	struct tm tm;
	int rc = secret_add(
		&pem, identity->certificates.bytes, identity->certificates.len);

	(void)gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%d-%H-%M-%S", &tm);
	(void)snprintf(
		path, sizeof(path), IDENTITY_PKI_DIR "/kubelet-client-%s.pem", stamp);
	if (rc == 0)
		rc = secret_add(&pem, identity->key.bytes, identity->key.len);
	if (rc == 0)
		rc = edits_add_file(edits, path, &pem, 0600, "kubelet's certificate");
	if (rc == 0)
		edits_find(edits, path)->secret = true;
	if (rc == 0)
		rc = edits_add_link(
			edits, KUBECONFIG_KUBELET_PEM, path, "kubelet's certificate");
	return rc;
}

static int add_files(struct edits *edits, const struct join_config *config,
	const struct join_files *files)
{
	int rc = edits_add_file(
		edits, IDENTITY_CA_PATH, &files->identity->ca, 0644, "the cluster's CA");

	if (rc == 0 && files->identity_is_new)
		rc = add_identity(edits, config, files->identity);
	if (rc == 0)
		rc = edits_add_file(edits, JOIN_KUBELET_CONFIG, files->kubelet_config,
			0644, "KubeletConfiguration of the cluster");
	if (rc == 0)
		rc = edits_add_absent(edits, JOIN_BOOTSTRAP_CONF, "no token on the disk");
	if (rc == 0)
		rc = edits_add_file(edits, JOIN_KUBELET_CONF, files->kubelet_conf, 0600,
			"kubelet's kubeconfig");
	return rc;
}

static int write_record(const struct join_config *config, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	struct buf record CLEANUP(buf_done) = BUF_INIT;
	int rc = make_record(config, &record);

	if (rc == 0)
		rc = edits_add_file(
			&edits, RECORD_PATH, &record, 0644, "the cluster was joined");
	return rc < 0 ? err_errno(err, -rc, "record the join")
		      : edits_apply(config->env, &edits, err);
}

static int write_files(
	const struct join_config *config, const struct join_files *files, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	int rc = files->identity_is_new ? wipe(config->env, err) : 0;

	if (rc < 0)
		return rc;
	if (add_files(&edits, config, files) < 0)
		return err_errno(err, ENOMEM, "write kubelet's files");
	return edits_apply(config->env, &edits, err);
}

static int cluster_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct join *join CLEANUP(join_free) = NULL;
	struct join_config config;
	struct join_files files;
	char address[64];
	int rc;

	if (context->role->cluster.action == ROLE_CLUSTER_BOOTSTRAP)
		return cluster_bootstrap_apply(context, step, err);
	rc = config_of(context, &config, address);
	if (rc < 0)
		return err_errno(err, -rc, "read the node's address");
	rc = join_begin(&config, &join, err);
	if (rc < 0)
		return rc;
	files = join_files(join);
	rc = write_files(&config, &files, err);
	if (rc == 0)
		rc = join_register(join, err);
	return rc < 0 ? rc : write_record(&config, err);
}

const struct step_ops step_cluster_ops = {.name = "cluster",
	.writes_target = true,
	.check = cluster_check,
	.apply = cluster_apply};
