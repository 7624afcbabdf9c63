/* SPDX-License-Identifier: MIT */
#include "cluster/node_object.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define NODES_PATH "/api/v1/nodes"
#define NODE_PATH_SIZE 128

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is_ready(const json_t *status)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(status, "conditions"), i, item)
	{
		if (strcmp(text_at(item, "type"), "Ready") == 0)
			return strcmp(text_at(item, "status"), "True") == 0;
	}
	return false;
}

static bool has_address(const json_t *status, const char *address)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(status, "addresses"), i, item)
	{
		if (*address && strcmp(text_at(item, "address"), address) == 0)
			return true;
	}
	return false;
}

static const char *first_address(const json_t *status)
{
	const json_t *item = json_array_get(json_object_get(status, "addresses"), 0);

	return *text_at(item, "address") ? text_at(item, "address") : "no address";
}

int node_object_check(struct api *api, const struct node_object *node, struct err *err)
{
	json_t *object CLEANUP(api_json_free) = NULL;
	const json_t *status;
	char path[NODE_PATH_SIZE];
	const char *uuid;
	int rc;

	(void)snprintf(path, sizeof(path), NODES_PATH "/%s", node->name);
	rc = api_get(api, path, &object, err);
	if (rc < 0)
		return rc == -E_NOT_FOUND ? 0 : rc;
	status = json_object_get(object, "status");
	if (!is_ready(status))
		return 0;
	uuid = text_at(json_object_get(status, "nodeInfo"), "systemUUID");
	if (*uuid && *node->machine_uuid ? strcasecmp(uuid, node->machine_uuid) == 0
					 : has_address(status, node->address))
		return 0;
	return err_set(err, E_EXISTS,
		"node '%s' is Ready on another machine (system UUID %s, %s), this one "
		"has %s: correct the role's name; or, if that machine is gone, run "
		"'kubectl delete node %s'",
		node->name, *uuid ? uuid : "unknown", first_address(status),
		*node->machine_uuid ? node->machine_uuid : "none", node->name);
}

const char *node_object_goarch(const char *machine)
{
	static const char *const names[][2] = {{"x86_64", "amd64"}, {"aarch64", "arm64"},
		{"armv7l", "arm"}, {"i686", "386"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i][0], machine) == 0)
			return names[i][1];
	return machine;
}

/* Those that kubelet itself would set (pkg/kubelet/kubelet_node_status.go), and the
 * role's. */
static json_t *make_labels(const struct node_object *node)
{
	const char *arch = node_object_goarch(node->arch);
	json_t *labels = json_pack("{s:s, s:s, s:s, s:s, s:s}", "beta.kubernetes.io/arch",
		arch, "beta.kubernetes.io/os", "linux", "kubernetes.io/arch", arch,
		"kubernetes.io/hostname", node->name, "kubernetes.io/os", "linux");

	for (size_t i = 0; labels && i < node->labels->count; i++)
		if (json_object_set_new(labels, node->labels->items[i].key,
			    json_string(node->labels->items[i].value)) < 0) {
			json_decref(labels);
			return NULL;
		}
	return labels;
}

/* kubelet registers with taints only a Node that is not there yet; so they come from
 * here. text is KEY[=VALUE]:EFFECT. */
static json_t *make_taint(const char *text)
{
	size_t key = strcspn(text, "=:");
	const char *effect = strrchr(text, ':');
	size_t value = text[key] == '=' ? (size_t)(effect - text) - key - 1 : 0;
	json_t *taint = json_pack("{s:s%, s:s}", "key", text, key, "effect", effect + 1);

	if (taint && value &&
		json_object_set_new(taint, "value", json_stringn(text + key + 1, value)) <
			0) {
		json_decref(taint);
		return NULL;
	}
	return taint;
}

static json_t *make_taints(const struct strlist *taints)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < taints->count; i++)
		if (json_array_append_new(list, make_taint(taints->items[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static int create(struct api *api, const struct node_object *node, struct err *err)
{
	json_t *object CLEANUP(api_json_free) =
		json_pack("{s:s, s:s, s:{s:s, s:o}, s:{s:o}}", "apiVersion", "v1", "kind",
			"Node", "metadata", "name", node->name, "labels",
			make_labels(node), "spec", "taints", make_taints(node->taints));
	int rc;

	if (!object)
		return err_errno(err, ENOMEM, "create the Node");
	rc = api_post(api, NODES_PATH, object, NULL, err);
	return rc == -E_EXISTS ? 0 : rc;
}

/* Without a Ready condition the controllers take the not-ready taint off within seconds,
 * and pods would be bound to a machine that is not up (measured). */
static int hold(struct api *api, const struct node_object *node, struct err *err)
{
	time_t now = (time_t)node->now;
	struct tm tm;
	char stamp[32], path[NODE_PATH_SIZE];
	json_t *patch CLEANUP(api_json_free) = NULL;

	(void)gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)snprintf(path, sizeof(path), NODES_PATH "/%s/status", node->name);
	patch = json_pack("{s:{s:[{s:s, s:s, s:s, s:s, s:s, s:s}]}}", "status",
		"conditions", "type", "Ready", "status", "False", "reason",
		"Provisioning", "message",
		"promenade prepared this machine; its kubelet has not started yet",
		"lastHeartbeatTime", stamp, "lastTransitionTime", stamp);
	if (!patch)
		return err_errno(err, ENOMEM, "hold the Node");
	return api_patch(api, API_PATCH_STRATEGIC, path, patch, NULL, err);
}

int node_object_register(struct api *api, const struct node_object *node, struct err *err)
{
	int rc = create(api, node, err);

	return rc < 0 ? rc : hold(api, node, err);
}
