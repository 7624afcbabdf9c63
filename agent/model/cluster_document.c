/* SPDX-License-Identifier: MIT */
/* A row here, a property in cluster.schema.json and a paragraph in promenade(8) belong
 * together. */
#include "model/cluster_document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/role_decode.h"
#include "model/role_mistake.h"
#include "model/role_rows.h"

COUNT_FOLLOWS(struct cluster_document, machines, machine_count);

#define SERIAL_MAX ((1ULL << 53) - 1) /* as a role's */

static const struct field_choice api_versions[] = {{"promenade/v1", 0}, {NULL, 0}};
static const struct field_choice kinds[] = {{"Cluster", 0}, {NULL, 0}};

/* The keys of a role that are handed through; owner has a struct role as member. */
#define ROLE_PART(owner, member)                                                         \
	{.key = "checks",                                                                \
		SECTION(role_checks_section),                                            \
		.partial = true,                                                         \
		AT(owner, member.checks)},                                               \
		{.key = "os",                                                            \
			SECTION(role_os_section),                                        \
			.partial = true,                                                 \
			AT(owner, member.os)},                                           \
		{.key = "node",                                                          \
			SECTION(role_node_section),                                      \
			.partial = true,                                                 \
			AT(owner, member.node)},                                         \
		{.key = "artifacts",                                                     \
			.type = FIELD_ITEMS,                                             \
			.section = &role_artifact_section,                               \
			.max = 256,                                                      \
			AT(owner, member.artifacts)},                                    \
		{.key = "cni",                                                           \
			SECTION(role_cni_section),                                       \
			.partial = true,                                                 \
			AT(owner, member.cni)},                                          \
		{.key = "report",                                                        \
			SECTION(role_report_section),                                    \
			.partial = true,                                                 \
			AT(owner, member.report)},                                       \
	{                                                                                \
		.key = "ntp", .type = FIELD_TEXTS, .check = value_address_or_name,       \
		.max = 8, AT(owner, member.ntp)                                          \
	}

static const struct field defaults_fields[] = {
	ROLE_PART(struct cluster_document, defaults),
	END,
};
static const struct field_section defaults_section = {.fields = defaults_fields};

static const struct field machine_fields[] = {
	{.key = "name",
		TEXT(value_host_name),
		.required = true,
		AT(struct cluster_machine, name)},
	{.key = "role", CHOICE(role_node_roles), AT(struct cluster_machine, role)},
	{.key = "bootstrap", .type = FIELD_BOOL, AT(struct cluster_machine, bootstrap)},
	{.key = "match",
		SECTION(role_match_section),
		.required = true,
		AT(struct cluster_machine, match)},
	{.key = "advertiseAddress",
		TEXT(value_address),
		AT(struct cluster_machine, advertise_address)},
	ROLE_PART(struct cluster_machine, own),
	END,
};
static const struct field_section machine_section = {
	.fields = machine_fields, .item_size = sizeof(struct cluster_machine)};

static const struct field credentials_fields[] = {
	{.key = "url",
		URL(value_url_https),
		.required = true,
		AT(struct cluster_document, credentials_url)},
	END,
};
static const struct field_section credentials_section = {.fields = credentials_fields};

static const struct field validity_fields[] = {
	{.key = "credentialHours",
		.type = FIELD_NUMBER,
		.min = 1,
		.max = 8760,
		.absent = 24,
		AT(struct cluster_document, credential_hours)},
	{.key = "roleDays",
		.type = FIELD_NUMBER,
		.min = 1,
		.max = 3650,
		.absent = 30,
		AT(struct cluster_document, role_days)},
	END,
};
static const struct field_section validity_section = {.fields = validity_fields};

#define SHARED(member) AT(struct cluster_document, shared.member)

static const struct field top_fields[] = {
	{.key = "apiVersion",
		.type = FIELD_CONSTANT,
		.choices = api_versions,
		.required = true},
	{.key = "kind", .type = FIELD_CONSTANT, .choices = kinds, .required = true},
	{.key = "name",
		TEXT(value_dns_name),
		.absent_text = "kubernetes",
		AT(struct cluster_document, name)},
	{.key = "version",
		TEXT(value_kube_version),
		.required = true,
		AT(struct cluster_document, version)},
	{.key = "endpoint",
		TEXT(value_endpoint),
		.required = true,
		AT(struct cluster_document, endpoint)},
	{.key = "endpoints",
		.type = FIELD_TEXTS,
		.check = value_endpoint,
		.max = 16,
		AT(struct cluster_document, endpoints)},
	{.key = "networking", SECTION(role_networking_section), SHARED(networking)},
	{.key = "images", SECTION(role_images_section), SHARED(images)},
	{.key = "archives",
		.type = FIELD_ITEMS,
		.section = &role_archive_section,
		.max = 64,
		SHARED(archives)},
	{.key = "manifests",
		.type = FIELD_ITEMS,
		.section = &role_archive_section,
		.max = 64,
		SHARED(manifests)},
	{.key = "addons", SECTION(role_addons_section), SHARED(addons)},
	{.key = "keys", CHOICE(role_key_kinds), SHARED(keys)},
	{.key = "timeouts", SECTION(role_timeouts_section), SHARED(timeouts)},
	{.key = "probes",
		SECTION(role_probes_section),
		AT(struct cluster_document, shared)},
	{.key = "leases", SECTION(role_leases_section), SHARED(leases)},
	{.key = "credentials", SECTION(credentials_section)},
	{.key = "validity", SECTION(validity_section)},
	{.key = "serial",
		.type = FIELD_NUMBER,
		.wide = true,
		.min = 1,
		.max = SERIAL_MAX,
		AT(struct cluster_document, serial)},
	{.key = "defaults", SECTION(defaults_section)},
	{.key = "machines",
		.type = FIELD_ITEMS,
		.section = &machine_section,
		.required = true,
		.max = CLUSTER_MACHINES_MAX,
		AT(struct cluster_document, machines)},
	END,
};
static const struct field_section top_section = {.fields = top_fields};

const struct field_section *cluster_document_fields(void)
{
	return &top_section;
}

/* Names become file names and Node names: once each. */
static void check_twice(
	const struct tree_node *machines, const char *key, struct role_mistakes *mistakes)
{
	for (const struct tree_node *item = machines->first; item; item = item->next) {
		const struct tree_node *node = tree_child(item, key);
		const struct tree_node *other = machines->first;

		if (!node || node->kind != TREE_SCALAR)
			continue;
		for (; other != item; other = other->next) {
			const struct tree_node *first = tree_child(other, key);

			if (first && first->kind == TREE_SCALAR &&
				strcmp(first->text, node->text) == 0)
				break;
		}
		if (other != item)
			role_mistake_add(mistakes, node->place,
				"'%s': another machine has '%s' already, in line %u", key,
				role_show(node->text).text,
				tree_child(other, key)->place.line);
	}
}

static void check_machine(const struct tree_node *node,
	const struct cluster_machine *machine, struct role_mistakes *mistakes)
{
	const struct tree_node *address = tree_child(node, "advertiseAddress");
	const struct tree_node *bootstrap = tree_child(node, "bootstrap");

	if (machine->role == ROLE_NODE_CONTROL_PLANE)
		return;
	if (machine->bootstrap)
		role_mistake_add(mistakes, bootstrap->key_place,
			"'bootstrap': only a machine with 'role: control-plane' can make "
			"the cluster");
	if (address)
		role_mistake_add(mistakes, address->key_place,
			"'advertiseAddress': only with 'role: control-plane'");
}

static void check_machines(const struct tree_node *machines,
	const struct cluster_document *document, struct role_mistakes *mistakes)
{
	const struct tree_node *node = machines->first;
	const struct tree_node *first = NULL;

	check_twice(machines, "name", mistakes);
	check_twice(machines, "advertiseAddress", mistakes);
	for (size_t i = 0; i < document->machine_count && node; i++, node = node->next) {
		const struct cluster_machine *machine = &document->machines[i];

		check_machine(node, machine, mistakes);
		if (machine->bootstrap && first)
			role_mistake_add(mistakes,
				tree_child(node, "bootstrap")->key_place,
				"'bootstrap': one machine makes the cluster, and line %u "
				"names one already",
				first->place.line);
		if (machine->bootstrap && !first)
			first = tree_child(node, "bootstrap");
	}
	if (!first)
		role_mistake_add(mistakes, machines->key_place,
			"'machines': one must have 'bootstrap: true', a control plane; "
			"the "
			"others join it");
}

static int parse(const char *bytes, size_t len, struct cluster_document *ret,
	struct role_mistakes *mistakes)
{
	const struct fields_document document = {&top_section, "a cluster document"};
	const struct tree_node *machines;
	int rc = tree_read(bytes, len, &ret->tree, mistakes);

	if (rc == 0)
		rc = fields_decode(&document, ret->tree.root, ret, mistakes);
	if (rc < 0)
		return rc;
	machines = tree_child(ret->tree.root, "machines");
	if (machines && machines->kind == TREE_LIST)
		check_machines(machines, ret, mistakes);
	role_check_leases(
		tree_child(ret->tree.root, "leases"), &ret->shared.leases, mistakes);
	return mistakes->count ? -E_ROLE : 0;
}

int cluster_document_parse(const char *bytes, size_t len, struct cluster_document *ret,
	struct role_mistakes *mistakes, struct err *err)
{
	struct cluster_document made = {.tree = {NULL, NULL}};
	const struct role_mistake *first = &mistakes->items[0];
	int rc;

	mistakes->count = 0;
	rc = parse(bytes, len, &made, mistakes);
	if (rc == 0) {
		*ret = made;
		return 0;
	}
	cluster_document_done(&made);
	if (rc == -ENOMEM)
		return err_errno(err, ENOMEM, "read the cluster document");
	role_mistakes_sort(mistakes);
	return err_set(err, -rc,
		"cluster document: %zu mistake(s); the first is in line %u, column %u: "
		"%s",
		mistakes->count, first->line, first->column, first->text);
}

void cluster_document_done(struct cluster_document *document)
{
	fields_free(&top_section, document);
	tree_done(&document->tree);
	*document = (struct cluster_document){.tree = {NULL, NULL}};
}
