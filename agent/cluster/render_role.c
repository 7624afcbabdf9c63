/* SPDX-License-Identifier: MIT */
/* One role per machine: the document's defaults, over them the machine's own keys, over
 * them what the cluster says. The finished text goes through the role's own parser before
 * anything is written. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cluster/json.h"
#include "cluster/key_sign.h"
#include "cluster/render_parts.h"
#include "cluster/yaml.h"

#define DAY_S 86400

/* Keys of a machine that are no keys of a role. */
static const char *const machine_keys[] = {
	"name", "role", "bootstrap", "match", "advertiseAddress"};

/* Keys of the document that section cluster takes over as they are. */
static const char *const shared_keys[] = {"endpoints", "networking", "images", "archives",
	"manifests", "addons", "keys", "timeouts", "probes", "leases"};

static int no_memory(const struct render *render, const char *name)
{
	return err_errno(render->err, ENOMEM, "make the role of '%s'", name);
}

/* Puts from over into: maps key by key, all else as a whole. Depth is the document's. */
static int merge(json_t *into, const json_t *from)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)from, key, value)
	{
		json_t *old = json_object_get(into, key);
		int rc;

		if (json_is_object(old) && json_is_object(value))
			rc = merge(old, value);
		else
			rc = json_object_set_new(into, key, json_deep_copy(value));
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* Takes the entry of a map of the document over, if it is there. */
static int take(json_t *into, const struct tree_node *map, const char *key)
{
	const struct tree_node *node = tree_child(map, key);

	return node ? json_object_set_new(into, key, yaml_of_node(node)) : 0;
}

static int put_text(json_t *into, const char *key, const char *text)
{
	return json_object_set_new(into, key, json_string(text));
}

static int put_credential(const struct render *render,
	const struct cluster_machine *machine, json_t *cluster)
{
	const char *base = render->input->document->credentials_url;
	char path[96], url[2400];
	const char *file;

	if (!base)
		return 0;
	render_credential_path(machine, path, sizeof(path));
	file = strchr(path, '/') + 1;
	(void)snprintf(url, sizeof(url), "%s%s%s", base,
		str_has_suffix(base, "/") ? "" : "/", file);
	return json_object_set_new(cluster, "credential", json_pack("{s:s}", "url", url));
}

static json_t *make_cluster(
	const struct render *render, const struct cluster_machine *machine)
{
	const struct cluster_document *document = render->input->document;
	json_t *cluster CLEANUP(json_done) =
		json_pack("{s:[s]}", "caCertHashes", render->pin);
	int rc = cluster ? 0 : -1;

	for (size_t i = 0; i < ARRAY_LEN(shared_keys) && rc == 0; i++)
		rc = take(cluster, document->tree.root, shared_keys[i]);
	if (rc == 0)
		rc = put_text(
			cluster, "action", machine->bootstrap ? "bootstrap" : "join");
	if (rc == 0)
		rc = put_text(cluster, "role",
			machine->role == ROLE_NODE_WORKER ? "worker" : "control-plane");
	if (rc == 0)
		rc = put_text(cluster, "name", document->name);
	if (rc == 0)
		rc = put_text(cluster, "version", document->version);
	if (rc == 0)
		rc = put_text(cluster, "endpoint", document->endpoint);
	if (rc == 0 && machine->advertise_address)
		rc = put_text(cluster, "advertiseAddress", machine->advertise_address);
	if (rc == 0)
		rc = put_credential(render, machine, cluster);
	return rc == 0 ? json_incref(cluster) : NULL;
}

/* A signed role must say for how long it holds and which one is newer (DESIGN.md). */
static int put_times(const struct render *render, json_t *role)
{
	const struct cluster_document *document = render->input->document;
	bool is_signed = render->input->signing_key != NULL;
	time_t until =
		(time_t)(render->input->now + (int64_t)document->role_days * DAY_S);
	uint64_t serial = document->serial;
	struct tm utc;
	char text[32];

	if (!serial && is_signed)
		serial = (uint64_t)render->input->now;
	if (serial &&
		json_object_set_new(role, "serial", json_integer((json_int_t)serial)) < 0)
		return -1;
	if (!is_signed)
		return 0;
	if (!gmtime_r(&until, &utc) ||
		!strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc))
		return -1;
	return put_text(role, "notAfter", text);
}

static json_t *make_role(const struct render *render,
	const struct cluster_machine *machine, const struct tree_node *node)
{
	const struct tree_node *defaults =
		tree_child(render->input->document->tree.root, "defaults");
	json_t *role CLEANUP(json_done) =
		defaults ? yaml_of_node(defaults) : json_object();
	json_t *own CLEANUP(json_done) = yaml_of_node(node);
	int rc = role && own ? 0 : -1;

	for (size_t i = 0; i < ARRAY_LEN(machine_keys) && rc == 0; i++)
		(void)json_object_del(own, machine_keys[i]); /* or not there */
	if (rc == 0)
		rc = merge(role, own);
	if (rc == 0)
		rc = put_text(role, "apiVersion", "promenade/v1");
	if (rc == 0)
		rc = put_text(role, "kind", "Role");
	if (rc == 0)
		rc = put_text(role, "name", machine->name);
	if (rc == 0)
		rc = take(role, node, "match");
	if (rc == 0)
		rc = put_times(render, role);
	if (rc == 0)
		rc = json_object_set_new(role, "cluster", make_cluster(render, machine));
	return rc == 0 ? json_incref(role) : NULL;
}

/* The mistake is the document's: its place is where the machine stands, since the role's
 * lines are in a file that is not written. */
static int check_role(const struct render *render, const struct cluster_machine *machine,
	const struct tree_node *node, const struct buf *text)
{
	struct role role CLEANUP(role_done) = {.name = NULL};
	struct role_mistakes mistakes = {.count = 0};

	if (role_parse(buf_text(text), text->len, &role, &mistakes, render->err) == 0)
		return 0;
	return err_set(render->err, E_ROLE,
		"cluster document: line %u: machine '%s': its role, made of 'defaults' "
		"and "
		"the machine's own keys, is refused: %s",
		node->place.line, machine->name,
		mistakes.count ? mistakes.items[0].text : "out of memory");
}

static int add_signature(struct render *render, const char *path, const struct buf *text)
{
	struct buf signature CLEANUP(buf_done) = BUF_INIT;
	char name[128];
	int rc;

	if (!render->input->signing_key)
		return 0;
	rc = key_sign(render->input->signing_key, buf_text(text), text->len, &signature,
		render->err);
	if (rc < 0)
		return err_wrap(render->err, "sign '%s'", path);
	(void)snprintf(name, sizeof(name), "%s.sig", path);
	return render_add(render->files, name, 0644, &signature) < 0
		       ? no_memory(render, path)
		       : 0;
}

static int add_role(struct render *render, const struct cluster_machine *machine,
	const struct tree_node *node)
{
	json_t *role CLEANUP(json_done) = make_role(render, machine, node);
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	char path[96];
	int rc;

	(void)snprintf(path, sizeof(path), "roles/%s.yaml", machine->name);
	if (!role || yaml_write(role, &text) < 0)
		return no_memory(render, machine->name);
	rc = check_role(render, machine, node, &text);
	if (rc == 0)
		rc = add_signature(render, path, &text);
	if (rc == 0 && render_add(render->files, path, 0644, &text) < 0)
		rc = no_memory(render, machine->name);
	return rc;
}

int render_roles(struct render *render)
{
	const struct cluster_document *document = render->input->document;
	const struct tree_node *node = tree_child(document->tree.root, "machines")->first;
	int rc = 0;

	for (size_t i = 0; i < document->machine_count && rc == 0; i++) {
		rc = add_role(render, &document->machines[i], node);
		node = node->next;
	}
	return rc;
}
