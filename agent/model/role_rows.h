/* SPDX-License-Identifier: MIT */
/* How a row of a table of keys is written; for the files that hold such tables
 * (role_fields.c, role_fields_cluster.c). */
#ifndef PROMENADE_MODEL_ROLE_ROWS_H
#define PROMENADE_MODEL_ROLE_ROWS_H

#include <stddef.h>

#include "model/role.h"
#include "model/role_fields.h"

/* struct T {...; X *items; size_t count;}: ITEMS finds the count behind the pointer. */
#define COUNT_FOLLOWS(type, items, count)                                                \
	_Static_assert(offsetof(type, count) == offsetof(type, items) + sizeof(void *),  \
		"ITEMS: the count follows the pointer")

#define AT(type, member) .offset = offsetof(type, member)
#define SECTION(name) .type = FIELD_SECTION, .section = &(name)
#define CHOICE(name) .type = FIELD_CHOICE, .choices = (name)
#define TEXT(checker) .type = FIELD_TEXT, .check = (checker)
#define URL(checker) TEXT(checker), .hidden = true
#define CONTENT TEXT(value_content), .hidden = true, .lines = true
#define END                                                                              \
	{                                                                                \
		.key = NULL                                                              \
	}

/* A source: url and sha256, both or none. member is a struct role_source of type. */
#define SOURCE(owner, member)                                                            \
	{.key = "url",                                                                   \
		URL(value_url),                                                          \
		.required = true,                                                        \
		.offset = offsetof(owner, member) + offsetof(struct role_source, url)},  \
	{                                                                                \
		.key = "sha256", .type = FIELD_SHA256, .required = true,                 \
		.offset = offsetof(owner, member) + offsetof(struct role_source, sha256) \
	}

/* Section cluster; offsets are into struct role_cluster. */
extern const struct field_section role_cluster_section;

/* Sections and choices that other documents share; offsets are into the struct of the
 * same name, of probes into struct role_cluster. */
extern const struct field_section role_match_section, role_checks_section,
	role_os_section, role_node_section, role_artifact_section, role_cni_section,
	role_report_section, role_networking_section, role_images_section,
	role_archive_section, role_addons_section, role_timeouts_section,
	role_probes_section, role_leases_section;
extern const struct field_choice role_key_kinds[], role_node_roles[];

#endif
