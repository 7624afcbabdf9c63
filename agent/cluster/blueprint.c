/* SPDX-License-Identifier: MIT */
#include "cluster/blueprint.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "blueprints.h"
#include "cluster/json.h"
#include "cluster/yaml.h"

/* Generated from the files of cluster/blueprints/ (blueprints/embed.py). */
static const struct {
	const char *name;
	const char *bytes;
	size_t len;
} files[BLUEPRINT_COUNT] = {
#define FILE_OF(blueprint, name)                                                         \
	[blueprint] = {#name ".yaml", blueprint_##name, sizeof(blueprint_##name)}
	FILE_OF(BLUEPRINT_STATIC_PODS, static_pods),
	FILE_OF(BLUEPRINT_KUBELET_CONFIG, kubelet_config),
	FILE_OF(BLUEPRINT_CLUSTER_CONFIG, cluster_config),
	FILE_OF(BLUEPRINT_RBAC, rbac),
	FILE_OF(BLUEPRINT_KUBE_PROXY_CONFIG, kube_proxy_config),
	FILE_OF(BLUEPRINT_KUBE_PROXY, kube_proxy),
	FILE_OF(BLUEPRINT_CORE_DNS, core_dns),
	FILE_OF(BLUEPRINT_FLANNEL, flannel),
#undef FILE_OF
};

struct expander {
	const struct cluster_params *params;
	const char *file;
	struct err *err;
};

static int expand(struct expander *expander, const json_t *value, json_t **ret);

static int no_memory(struct expander *expander)
{
	return err_errno(expander->err, ENOMEM, "expand '%s'", expander->file);
}

/* One hole: text begins with "${"; *ret_rest is what follows it. */
static int fill_hole(struct expander *expander, const char *text, struct buf *ret,
	const char **ret_rest)
{
	const char *end = strchr(text, '}');
	char name[40];
	const char *filled;

	if (!end || (size_t)(end - text - 2) >= sizeof(name))
		return err_set(expander->err, E_BUG,
			"expand '%s': hole '%.40s' has no end", expander->file, text);
	memcpy(name, text + 2, (size_t)(end - text - 2));
	name[end - text - 2] = '\0';
	filled = params_text(expander->params, name);
	if (!filled)
		return err_set(expander->err, E_BUG, "expand '%s': unknown text '%s'",
			expander->file, name);
	*ret_rest = end + 1;
	return buf_add_str(ret, filled) < 0 ? no_memory(expander) : 0;
}

static int expand_text(struct expander *expander, const char *text, json_t **ret)
{
	struct buf filled CLEANUP(buf_done) = BUF_INIT;
	int rc = 0;

	while (*text && rc == 0) {
		const char *hole = strstr(text, "${");
		size_t len = hole ? (size_t)(hole - text) : strlen(text);

		if (buf_add(&filled, text, len) < 0)
			return no_memory(expander);
		text += len;
		if (hole)
			rc = fill_hole(expander, text, &filled, &text);
	}
	if (rc < 0)
		return rc;
	*ret = json_string(buf_text(&filled));
	return *ret ? 0 : no_memory(expander);
}

/* Whether the conditions of a map hold; a list of names means all of them. */
static int holds(struct expander *expander, const json_t *names, bool wanted, bool *ret)
{
	size_t count = json_is_array(names) ? json_array_size(names) : 1;

	for (size_t i = 0; names && i < count; i++) {
		const json_t *name =
			json_is_array(names) ? json_array_get(names, i) : names;
		const char *word = json_string_value(name);
		bool known = false;

		if (params_has(expander->params, word ? word : "", &known) != wanted)
			*ret = false;
		if (!known)
			return err_set(expander->err, E_BUG,
				"expand '%s': unknown feature '%s'", expander->file,
				word ? word : "?");
	}
	return 0;
}

static bool is_condition(const char *key)
{
	return strcmp(key, "$if") == 0 || strcmp(key, "$unless") == 0;
}

static int expand_one(struct expander *expander, const json_t *choices, json_t **ret)
{
	int rc = 0;

	for (size_t i = 0; i < json_array_size(choices) && rc == 0 && !*ret; i++)
		rc = expand(expander, json_array_get(choices, i), ret);
	return rc;
}

static int expand_object(struct expander *expander, const json_t *object, json_t **ret)
{
	json_t *made CLEANUP(json_done) = json_object();
	const json_t *value = json_object_get(object, "$value");
	const char *key;
	json_t *member;
	bool there = true;
	int rc = made ? holds(expander, json_object_get(object, "$if"), true, &there)
		      : no_memory(expander);

	if (rc == 0)
		rc = holds(expander, json_object_get(object, "$unless"), false, &there);
	if (rc < 0 || !there)
		return rc;
	if (value)
		return expand(expander, value, ret);
	if (json_object_get(object, "$one"))
		return expand_one(expander, json_object_get(object, "$one"), ret);
	json_object_foreach((json_t *)object, key, member)
	{
		json_t *filled = NULL;

		if (is_condition(key))
			continue;
		rc = expand(expander, member, &filled);
		if (rc < 0)
			return rc;
		if (filled && json_object_set_new(made, key, filled) < 0)
			return no_memory(expander);
	}
	*ret = json_incref(made);
	return 0;
}

static int expand_array(struct expander *expander, const json_t *array, json_t **ret)
{
	json_t *made CLEANUP(json_done) = json_array();

	if (!made)
		return no_memory(expander);
	for (size_t i = 0; i < json_array_size(array); i++) {
		json_t *filled = NULL;
		int rc = expand(expander, json_array_get(array, i), &filled);

		if (rc < 0)
			return rc;
		if (filled && json_array_append_new(made, filled) < 0)
			return no_memory(expander);
	}
	*ret = json_incref(made);
	return 0;
}

/* *ret stays NULL when a condition says that it is not there. Depth is the file's. */
static int expand(struct expander *expander, const json_t *value, json_t **ret)
{
	if (json_is_object(value))
		return expand_object(expander, value, ret);
	if (json_is_array(value))
		return expand_array(expander, value, ret);
	if (json_is_string(value))
		return expand_text(expander, json_string_value(value), ret);
	*ret = json_copy((json_t *)value);
	return *ret ? 0 : no_memory(expander);
}

int blueprint_expand(enum blueprint blueprint, const struct cluster_params *params,
	json_t **ret, struct err *err)
{
	struct expander expander = {params, files[blueprint].name, err};
	json_t *documents CLEANUP(json_done) = NULL;
	int rc = yaml_read_all(files[blueprint].bytes, files[blueprint].len,
		files[blueprint].name, &documents, err);

	return rc < 0 ? rc : expand(&expander, documents, ret);
}
