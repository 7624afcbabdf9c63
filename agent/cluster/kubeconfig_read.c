/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/base64.h"
#include "cluster/kubeconfig.h"
#include "cluster/secret.h"
#include "model/role_tree.h"

struct reader {
	const char *name; /* of the file */
	struct err *err;
};

static int refuse(const struct reader *reader, const struct tree_node *node,
	const char *key, const char *why)
{
	return err_set(reader->err, E_FORMAT, "read '%s': line %u: '%s' %s", reader->name,
		node ? node->place.line : 1, key, why);
}

/* The text at a key, or NULL when there is none. "null" and "~" are none. */
static const char *text_at(const struct tree_node *map, const char *key)
{
	const struct tree_node *node = tree_child(map, key);

	if (!node || node->kind != TREE_SCALAR || !node->text[0])
		return NULL;
	if (node->plain &&
		(strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0))
		return NULL;
	return node->text;
}

static int copy_text(const struct reader *reader, const struct tree_node *map,
	const char *key, char **ret)
{
	const char *text = text_at(map, key);

	*ret = strdup(text ? text : "");
	return *ret ? 0 : err_errno(reader->err, ENOMEM, "read '%s'", reader->name);
}

static int copy_data(const struct reader *reader, const struct tree_node *map,
	const char *key, struct buf *ret)
{
	const char *text = text_at(map, key);
	int rc = text ? base64_decode(text, strlen(text), ret) : 0;

	if (rc == -ENOMEM)
		return err_errno(reader->err, ENOMEM, "read '%s'", reader->name);
	return rc < 0 ? refuse(reader, tree_child(map, key), key, "is not base64") : 0;
}

/* The map `inner` of the entry of a list that has this name; name NULL: of the first. */
static const struct tree_node *find_entry(
	const struct tree_node *list, const char *name, const char *inner)
{
	if (!list || list->kind != TREE_LIST)
		return NULL;
	for (const struct tree_node *node = list->first; node; node = node->next) {
		const char *own = text_at(node, "name");

		if (!name || (own && strcmp(own, name) == 0))
			return tree_child(node, inner);
	}
	return NULL;
}

static int read_cluster(const struct reader *reader, const struct tree_node *cluster,
	struct kubeconfig *config)
{
	const char *insecure = text_at(cluster, "insecure-skip-tls-verify");
	int rc;

	if (!text_at(cluster, "server"))
		return refuse(reader, cluster, "server",
			"is missing; a cluster needs the URL of its API");
	config->insecure = insecure && strcmp(insecure, "true") == 0;
	rc = copy_text(reader, cluster, "server", &config->server);
	if (rc == 0)
		rc = copy_text(
			reader, cluster, "certificate-authority", &config->ca_path);
	if (rc == 0)
		rc = copy_data(
			reader, cluster, "certificate-authority-data", &config->ca_pem);
	return rc;
}

/* Takes NULL, for a file without users. */
static int read_user(const struct reader *reader, const struct tree_node *user,
	struct kubeconfig *config)
{
	int rc = copy_text(reader, user, "token", &config->token);

	if (rc == 0)
		rc = copy_text(
			reader, user, "client-certificate", &config->certificate_path);
	if (rc == 0)
		rc = copy_text(reader, user, "client-key", &config->key_path);
	if (rc == 0)
		rc = copy_data(reader, user, "client-certificate-data",
			&config->certificate_pem);
	if (rc == 0)
		rc = copy_data(reader, user, "client-key-data", &config->key_pem);
	return rc;
}

/* Follows the current context, as client-go does. */
static int read_tree(const struct reader *reader, const struct tree_node *root,
	struct kubeconfig *config)
{
	const char *current = text_at(root, "current-context");
	const struct tree_node *context = NULL, *cluster, *user = NULL;
	const char *kind = text_at(root, "kind");
	int rc;

	if (root->kind != TREE_MAP || (kind && strcmp(kind, "Config") != 0))
		return refuse(reader, tree_child(root, "kind"), "kind",
			"is not Config: this is no kubeconfig");
	if (current) {
		context = find_entry(tree_child(root, "contexts"), current, "context");
		if (!context)
			return refuse(reader, tree_child(root, "current-context"),
				"current-context", "names a context that is not there");
		user = find_entry(
			tree_child(root, "users"), text_at(context, "user"), "user");
	}
	cluster = find_entry(
		tree_child(root, "clusters"), text_at(context, "cluster"), "cluster");
	if (!cluster)
		return refuse(reader, tree_child(root, "clusters"), "clusters",
			"has not the cluster that the context names");
	rc = copy_text(reader, context, "user", &config->user);
	if (rc == 0)
		rc = read_cluster(reader, cluster, config);
	return rc < 0 ? rc : read_user(reader, user, config);
}

/* The first mistake of the YAML, in one line. */
static int refuse_yaml(
	const struct reader *reader, int rc, const struct role_mistakes *mistakes)
{
	const struct role_mistake *first = &mistakes->items[0];

	if (rc == -ENOMEM)
		return err_errno(reader->err, ENOMEM, "read '%s'", reader->name);
	return err_set(reader->err, rc == -E_TOO_BIG ? E_TOO_BIG : E_FORMAT,
		"read '%s': line %u, column %u: %s", reader->name, first->line,
		first->column, first->text);
}

int kubeconfig_read(const void *bytes, size_t len, const char *name,
	struct kubeconfig *ret, struct err *err)
{
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};
	struct role_mistakes *mistakes = calloc(1, sizeof(*mistakes));
	const struct reader reader = {name, err};
	struct tree tree = {NULL, NULL};
	int rc;

	if (!mistakes)
		return err_errno(err, ENOMEM, "read '%s'", name);
	rc = tree_read(bytes, len, &tree, mistakes);
	if (rc < 0 || mistakes->count)
		rc = refuse_yaml(&reader, rc, mistakes);
	else
		rc = read_tree(&reader, tree.root, &config);
	tree_done(&tree);
	free(mistakes);
	if (rc < 0)
		return rc;
	*ret = config;
	config = (struct kubeconfig){0};
	return 0;
}

void kubeconfig_done(struct kubeconfig *config)
{
	free(config->server);
	free(config->user);
	free(config->ca_path);
	free(config->certificate_path);
	free(config->key_path);
	secret_text_free(&config->token);
	buf_done(&config->ca_pem);
	buf_done(&config->certificate_pem);
	secret_done(&config->key_pem);
	*config = (struct kubeconfig){0};
}
