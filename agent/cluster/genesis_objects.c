/* SPDX-License-Identifier: MIT */
/* Bootstrap: what the new cluster holds. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "cluster/genesis_parts.h"
#include "cluster/json.h"
#include "cluster/node_object.h"
#include "cluster/objects.h"
#include "cluster/yaml.h"
#include "host/artifact.h"

#define MANIFESTS_DIR GENESIS_WORK_DIR "/manifests"
#define MANIFEST_BYTES_MAX (16U * 1024U * 1024U)
#define MANIFEST_PATH_SIZE (sizeof(MANIFESTS_DIR) + 72)

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* What others wait for: applied before anything else of the role's own. */
static bool comes_first(const json_t *object)
{
	const char *kind = text_at(object, "kind");

	return strcmp(kind, "Namespace") == 0 ||
	       strcmp(kind, "CustomResourceDefinition") == 0;
}

static void manifest_path(const struct role_archive *from, char path[MANIFEST_PATH_SIZE])
{
	(void)snprintf(
		path, MANIFEST_PATH_SIZE, MANIFESTS_DIR "/%s.yaml", from->source.sha256);
}

/* The role's files, bound to it by SHA-256. */
static int fetch_manifests(struct genesis *genesis, struct err *err)
{
	const struct genesis_config *config = genesis->config;
	const struct role_cluster *cluster = &config->role->cluster;
	size_t count = cluster->manifest_count;
	struct artifact *artifacts = calloc(count, sizeof(*artifacts));
	char(*paths)[MANIFEST_PATH_SIZE] = calloc(count, sizeof(*paths));
	int rc = 0;

	if (!artifacts || !paths)
		rc = err_errno(err, ENOMEM, "get the manifests");
	for (size_t i = 0; i < count && rc == 0; i++) {
		manifest_path(&cluster->manifests[i], paths[i]);
		artifacts[i] = (struct artifact){.kind = ARTIFACT_FILE,
			.url = cluster->manifests[i].source.url,
			.sha256 = cluster->manifests[i].source.sha256,
			.path = paths[i],
			.mode = 0600};
	}
	if (rc == 0)
		rc = artifacts_apply(
			config->env, config->fetch, artifacts, count, NULL, err);
	free(paths);
	free(artifacts);
	return rc;
}

static int read_manifest(const struct env *env, const struct role_archive *from,
	json_t *objects, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	json_t *found CLEANUP(json_done) = NULL;
	char path[MANIFEST_PATH_SIZE];
	int rc;

	manifest_path(from, path);
	rc = fs_read(env->target_fd, path, MANIFEST_BYTES_MAX, &text, err);
	if (rc == 0)
		rc = yaml_read_all(
			buf_text(&text), text.len, from->source.url, &found, err);
	if (rc == 0 && json_array_extend(objects, found) < 0)
		rc = err_errno(err, ENOMEM, "read '%s'", from->source.url);
	return rc;
}

static int add_manifests(struct genesis *genesis, json_t *objects, struct err *err)
{
	const struct role_cluster *cluster = &genesis->config->role->cluster;
	json_t *all CLEANUP(json_done) = json_array();
	json_t *object;
	int rc = cluster->manifest_count ? fetch_manifests(genesis, err) : 0;
	size_t i;

	for (i = 0; i < cluster->manifest_count && rc == 0; i++)
		rc = read_manifest(
			genesis->config->env, &cluster->manifests[i], all, err);
	for (int late = 0; late < 2 && rc == 0; late++) {
		json_array_foreach(all, i, object)
		{
			if (comes_first(object) == !late &&
				json_array_append(objects, object) < 0)
				return err_errno(err, ENOMEM, "order the manifests");
		}
	}
	return rc;
}

/* Says in the cluster itself who made it and when. */
static int add_marker(struct genesis *genesis, json_t *objects, struct err *err)
{
	const struct genesis_claim *claim = &genesis->claim;
	time_t now = (time_t)genesis->config->now;
	struct tm utc;
	char stamp[32] = "";

	if (gmtime_r(&now, &utc))
		(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (json_array_append_new(objects,
		    json_pack(
			    "{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s, s:s}}",
			    "apiVersion", "v1", "kind", "ConfigMap", "metadata", "name",
			    "promenade-genesis", "namespace", "kube-system", "data",
			    "machine", claim->machine, "node", claim->node, "time", stamp,
			    "version", genesis->params.version, "etcdImage",
			    genesis->params.images.etcd, "apiServerImage",
			    genesis->params.images.api_server)) < 0)
		return err_errno(err, ENOMEM, "make the objects of the cluster");
	return 0;
}

static int make_objects(struct genesis *genesis, json_t **ret, struct err *err)
{
	const struct objects_input input = {.params = &genesis->params,
		.ca_pem = genesis->authorities.ca.certificate_pem.bytes,
		.tokens = NULL,
		.token_count = 0};
	json_t *objects CLEANUP(json_done) = NULL;
	int rc = objects_make(&input, &objects, err);

	if (rc == 0)
		rc = add_marker(genesis, objects, err);
	if (rc == 0)
		rc = add_manifests(genesis, objects, err);
	if (rc < 0)
		return rc;
	*ret = json_incref(objects);
	return 0;
}

/* A taint of the list that the Node does not have goes behind those that it has: a patch
 * of taints replaces them all, and those of admission and of the role must stay. */
static int merge_taints(json_t *patch, const json_t *node)
{
	json_t *wanted = json_object_get(json_object_get(patch, "spec"), "taints");
	json_t *has = json_object_get(json_object_get(node, "spec"), "taints");
	json_t *taint, *other;
	size_t i, k;

	json_array_foreach(has, i, taint)
	{
		bool same = false;

		json_array_foreach(wanted, k, other)
		{
			same = same || (strcmp(text_at(other, "key"),
						text_at(taint, "key")) == 0 &&
					       strcmp(text_at(other, "effect"),
						       text_at(taint, "effect")) == 0);
		}
		if (!same && json_array_append(wanted, taint) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* What kubeadm's phase mark-control-plane does, as administrator: a node may not. */
static int mark_node(struct genesis *genesis, struct err *err)
{
	json_t *patch CLEANUP(json_done) = NULL;
	json_t *node CLEANUP(json_done) = NULL;
	char path[128];
	int rc;

	(void)snprintf(path, sizeof(path), "/api/v1/nodes/%s", genesis->params.node_name);
	rc = api_get(genesis->api, path, &node, err);
	if (rc < 0)
		return rc;
	if (objects_control_plane_mark(&genesis->params, &patch) < 0 ||
		merge_taints(patch, node) < 0)
		return err_errno(err, ENOMEM, "mark the node");
	return api_patch(genesis->api, API_PATCH_MERGE, path, patch, NULL, err);
}

static int register_node(struct genesis *genesis, struct err *err)
{
	const struct genesis_config *config = genesis->config;
	const struct node_object node = {.name = genesis->params.node_name,
		.machine_uuid = config->facts->uuid,
		.address = genesis->params.advertise_address,
		.arch = config->facts->arch,
		.labels = &config->role->node.kubelet.labels,
		.taints = &config->role->node.kubelet.taints,
		.now = config->now};
	int rc = node_object_register(genesis->api, &node, err);

	return rc < 0 ? rc : mark_node(genesis, err);
}

/* The cluster has the object, and with the data that was sent. */
static int read_back(struct genesis *genesis, const json_t *object, struct err *err)
{
	const json_t *data = json_object_get(object, "data");
	const char *name = text_at(json_object_get(object, "metadata"), "name");
	struct buf path CLEANUP(buf_done) = BUF_INIT;
	json_t *found CLEANUP(json_done) = NULL;
	int rc = api_object_path(genesis->api, object, &path, err);

	if (rc == 0)
		rc = api_get(genesis->api, buf_text(&path), &found, err);
	if (rc == 0)
		rc = api_expect_kind(
			found, text_at(object, "kind"), buf_text(&path), err);
	if (rc < 0)
		return err_wrap(
			err, "read back %.60s '%.100s'", text_at(object, "kind"), name);
	if (data && !json_equal(data, json_object_get(found, "data")))
		return err_set(err, E_VERIFY,
			"read back %.60s '%.100s': its data is not what was applied",
			text_at(object, "kind"), name);
	return 0;
}

int genesis_apply_objects(struct genesis *genesis, struct err *err)
{
	json_t *objects CLEANUP(json_done) = NULL;
	json_t *object;
	int rc = make_objects(genesis, &objects, err);
	size_t i;

	json_array_foreach(objects, i, object)
	{
		if (rc == 0)
			rc = api_apply(genesis->api, object, err);
	}
	if (rc == 0)
		rc = register_node(genesis, err);
	json_array_foreach(objects, i, object)
	{
		if (rc == 0 && strcmp(text_at(object, "kind"), "List") != 0)
			rc = read_back(genesis, object, err);
	}
	return rc;
}
