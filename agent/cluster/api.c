/* SPDX-License-Identifier: MIT */
#include "cluster/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/api_kind.h"
#include "cluster/secret.h"

#define FIELD_MANAGER "promenade"

/* How long a new cluster may take to fill in its roles, namespaces and custom kinds. */
#define SETTLE_MS 30000U

struct api {
	struct env *env;
	struct caller *caller;
};

int api_new(struct env *env, const struct call_config *config, struct api **ret,
	struct err *err)
{
	struct api *api = calloc(1, sizeof(*api));
	int rc;

	if (!api)
		return err_errno(err, ENOMEM, "start the API client");
	api->env = env;
	rc = caller_new(env, config, "API server", api_status_error, &api->caller, err);
	if (rc < 0) {
		free(api);
		return rc;
	}
	*ret = api;
	return 0;
}

void api_free(struct api **api)
{
	if (*api)
		caller_free(&(*api)->caller);
	free(*api);
	*api = NULL;
}

/* Makes the call, with body if there is one; ret may be NULL. */
static int exchange(struct api *api, struct call *call, const json_t *body, json_t **ret,
	struct err *err)
{
	/* an object may be a Secret */
	char *text CLEANUP(secret_text_free) = NULL;
	struct buf answer CLEANUP(secret_done) = BUF_INIT;
	struct buf where CLEANUP(buf_done) = BUF_INIT;
	int rc;

	if (body) {
		text = json_dumps(body, JSON_COMPACT);
		if (!text)
			return err_errno(err, ENOMEM, "write JSON");
		call->body = text;
		call->len = strlen(text);
	}
	call->accept = "application/json";
	rc = caller_run(api->caller, call, &answer, err);
	if (rc < 0 || !ret)
		return rc;
	if (buf_printf(&where, "%s '%.200s'", call->method, call->path) < 0)
		return err_errno(err, ENOMEM, "read JSON");
	return api_json_parse(buf_text(&where), &answer, ret, err);
}

int api_get(struct api *api, const char *path, json_t **ret, struct err *err)
{
	struct call call = {.method = "GET", .path = path};

	return exchange(api, &call, NULL, ret, err);
}

int api_post(struct api *api, const char *path, const json_t *body, json_t **ret,
	struct err *err)
{
	struct call call = {.method = "POST", .path = path, .type = "application/json"};

	return exchange(api, &call, body, ret, err);
}

int api_put(struct api *api, const char *path, const json_t *body, json_t **ret,
	struct err *err)
{
	struct call call = {.method = "PUT", .path = path, .type = "application/json"};

	return exchange(api, &call, body, ret, err);
}

/* apimachinery types/patch.go; JSON is YAML enough for apply. */
static const char *const patch_types[] = {
	[API_PATCH_APPLY] = "application/apply-patch+yaml",
	[API_PATCH_JSON] = "application/json-patch+json",
	[API_PATCH_MERGE] = "application/merge-patch+json",
	[API_PATCH_STRATEGIC] = "application/strategic-merge-patch+json",
};

int api_patch(struct api *api, enum api_patch type, const char *path, const json_t *body,
	json_t **ret, struct err *err)
{
	struct call call = {.method = "PATCH", .path = path, .type = patch_types[type]};

	return exchange(api, &call, body, ret, err);
}

int api_delete(struct api *api, const char *path, struct err *err)
{
	struct call call = {.method = "DELETE", .path = path};

	return exchange(api, &call, NULL, NULL, err);
}

int api_get_text(struct api *api, const char *path, struct buf *ret, struct err *err)
{
	struct call call = {.method = "GET", .path = path};

	return caller_run(api->caller, &call, ret, err);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int api_expect_kind(
	const json_t *object, const char *kind, const char *what, struct err *err)
{
	char has[64];

	(void)str_copy(has, sizeof(has), text_of(object, "kind"));
	str_make_printable(has);
	if (strcmp(has, kind) == 0)
		return 0;
	return err_set(err, E_FORMAT,
		"%s: the answer is a '%s' where a '%s' was asked for", what, has, kind);
}

/* Asks the server what kind is called in a path. A custom kind is served some seconds
 * after its definition was applied; its group may be there before it. */
static int discover(struct api *api, const char *root, const char *kind,
	struct api_kind *ret, struct err *err)
{
	uint64_t start = api->env->now_ms();
	struct call call = {.method = "GET", .path = root, .settle_ms = SETTLE_MS};

	for (;;) {
		json_t *list CLEANUP(api_json_free) = NULL;
		int rc = exchange(api, &call, NULL, &list, err);

		if (rc < 0)
			return err_wrap(err, "find kind '%.100s'", kind);
		if (api_kind_discover(list, kind, ret))
			return 0;
		if (api->env->now_ms() - start >= SETTLE_MS)
			return err_set(err, E_NOT_FOUND,
				"the cluster has no kind '%.100s' in '%.100s'; apply its "
				"definition first or mend apiVersion and kind",
				kind, root);
		api->env->sleep_ms(1000);
	}
}

int api_object_path(
	struct api *api, const json_t *object, struct buf *ret, struct err *err)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const char *version = text_of(object, "apiVersion");
	const char *kind = text_of(object, "kind");
	const char *namespace = text_of(metadata, "namespace");
	struct api_kind found;
	int rc = api_kind_root(version, ret, err);

	if (rc == 0 && !api_kind_builtin(version, kind, &found))
		rc = discover(api, buf_text(ret), kind, &found, err);
	if (rc == 0 && found.namespaced)
		rc = api_kind_segment(ret, "namespaces", err);
	if (rc == 0 && found.namespaced)
		rc = api_kind_segment(ret, namespace[0] ? namespace : "default", err);
	if (rc == 0)
		rc = api_kind_segment(ret, found.plural, err);
	if (rc == 0)
		rc = api_kind_segment(ret, text_of(metadata, "name"), err);
	return rc;
}

static int apply_one(struct api *api, const json_t *object, struct err *err)
{
	const char *name = text_of(json_object_get(object, "metadata"), "name");
	const char *kind = text_of(object, "kind");
	struct buf path CLEANUP(buf_done) = BUF_INIT;
	json_t *answer CLEANUP(api_json_free) = NULL;
	struct call call = {.method = "PATCH",
		.type = patch_types[API_PATCH_APPLY],
		.settle_ms = SETTLE_MS};
	int rc;

	if (!kind[0] || !text_of(object, "apiVersion")[0] || !name[0])
		return err_set(err, E_INVALID,
			"an object without apiVersion, kind or metadata.name cannot be "
			"applied; mend the manifest");
	rc = api_object_path(api, object, &path, err);
	if (rc == 0 &&
		buf_add_str(&path, "?fieldManager=" FIELD_MANAGER "&force=true") < 0)
		rc = err_errno(err, ENOMEM, "apply");
	if (rc == 0) {
		call.path = path.bytes;
		rc = exchange(api, &call, object, &answer, err);
	}
	if (rc == 0)
		rc = api_expect_kind(answer, kind, call.path, err);
	return rc < 0 ? err_wrap(err, "apply %.60s '%.100s'", kind, name) : 0;
}

int api_apply(struct api *api, const json_t *object, struct err *err)
{
	const json_t *items = json_object_get(object, "items");
	int rc = 0;

	if (strcmp(text_of(object, "kind"), "List") != 0)
		return apply_one(api, object, err);
	for (size_t i = 0; rc == 0 && i < json_array_size(items); i++)
		rc = apply_one(api, json_array_get(items, i), err);
	return rc;
}

int api_wait_ready(struct api *api, unsigned int timeout_ms, struct err *err)
{
	struct call call = {.method = "GET",
		.path = "/readyz",
		.deadline_ms = timeout_ms,
		.settle_ms = timeout_ms};
	int rc = caller_run(api->caller, &call, NULL, err);

	return rc < 0 ? err_wrap(err, "wait for the API server") : 0;
}
