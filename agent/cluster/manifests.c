/* SPDX-License-Identifier: MIT */
#include "cluster/manifests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/blueprint.h"
#include "cluster/json.h"
#include "cluster/yaml.h"

static const char *const names[COMPONENT_COUNT] = {
	[COMPONENT_ETCD] = "etcd",
	[COMPONENT_API_SERVER] = "kube-apiserver",
	[COMPONENT_CONTROLLER_MANAGER] = "kube-controller-manager",
	[COMPONENT_SCHEDULER] = "kube-scheduler",
};

const char *component_name(enum component component)
{
	return names[component];
}

static json_t *container_of(json_t *pod)
{
	return json_array_get(
		json_object_get(json_object_get(pod, "spec"), "containers"), 0);
}

static int multiply(json_t *probe, const char *key, unsigned int factor)
{
	json_t *number = json_object_get(probe, key);

	if (!number)
		return 0;
	return json_integer_set(number, json_integer_value(number) * (json_int_t)factor);
}

/* What is slow is given more time for an answer, and is asked less often; only the
 * startup probe gets more tries, so that a pod that died later is still found out. */
static int slow_down(json_t *pod, unsigned int factor)
{
	static const char *const probes[] = {
		"livenessProbe", "readinessProbe", "startupProbe"};
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(probes) && factor > 1 && rc == 0; i++) {
		json_t *probe = json_object_get(container_of(pod), probes[i]);

		if (!probe)
			continue;
		rc = multiply(probe, "timeoutSeconds", factor);
		if (rc == 0)
			rc = multiply(probe, "periodSeconds", factor);
	}
	return rc;
}

int manifest_pod(const struct cluster_params *params, enum component component,
	json_t **ret, struct err *err)
{
	json_t *pods CLEANUP(json_done) = NULL;
	int rc = blueprint_expand(BLUEPRINT_STATIC_PODS, params, &pods, err);
	json_t *pod;

	if (rc < 0)
		return rc;
	pod = json_array_get(pods, component);
	if (!pod || slow_down(pod, params->probe_factor) < 0)
		return err_set(err, E_BUG, "static pod '%s' is not in its blueprint",
			names[component]);
	*ret = json_incref(pod);
	return 0;
}

int manifest_write(const struct cluster_params *params, enum component component,
	struct buf *ret, struct err *err)
{
	json_t *pod CLEANUP(json_done) = NULL;
	int rc = manifest_pod(params, component, &pod, err);

	if (rc == 0 && yaml_write(pod, ret) < 0)
		rc = err_errno(
			err, ENOMEM, "write the static pod '%s'", names[component]);
	return rc;
}

int manifest_command(const struct cluster_params *params, enum component component,
	struct strlist *ret, struct err *err)
{
	json_t *pod CLEANUP(json_done) = NULL;
	int rc = manifest_pod(params, component, &pod, err);
	const json_t *command;

	if (rc < 0)
		return rc;
	command = json_object_get(container_of(pod), "command");
	for (size_t i = 0; i < json_array_size(command); i++)
		if (strlist_add(ret, json_string_value(json_array_get(command, i))) < 0)
			return err_errno(
				err, ENOMEM, "command of '%s'", names[component]);
	return 0;
}

int command_set(struct strlist *command, const char *name, const char *value)
{
	struct buf word CLEANUP(buf_done) = BUF_INIT;
	size_t len;

	if (buf_printf(&word, "--%s=", name) < 0)
		return -ENOMEM;
	len = word.len;
	if (buf_add_str(&word, value) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < command->count; i++) {
		if (strncmp(command->items[i], word.bytes, len) != 0)
			continue;
		free(command->items[i]);
		command->items[i] = buf_steal(&word);
		return 0;
	}
	return strlist_add(command, word.bytes);
}
