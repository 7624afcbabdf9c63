/* SPDX-License-Identifier: MIT */
/*
 * The cluster document (kind: Cluster), from which `promenade render` makes everything
 * that a cluster's machines need: read with the tables and the strictness of the role.
 * What belongs to roles alone (os, node, ...) is checked here key by key and handed
 * through as the tree; whether a whole role has all that it needs is told once it is
 * made. Pure: no fd, clock, environment or log.
 */
#ifndef PROMENADE_MODEL_CLUSTER_DOCUMENT_H
#define PROMENADE_MODEL_CLUSTER_DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "model/role.h"
#include "model/role_fields.h"
#include "model/role_tree.h"

#define CLUSTER_MACHINES_MAX 512U /* entries of a list, TREE_ENTRIES_MAX */

struct cluster_machine {
	char *name;
	enum role_node_role role;
	bool bootstrap; /* this one makes the cluster */
	struct role_match match;
	char *advertise_address; /* NULL: the node's pinned address */
	struct role own;         /* keys of a role that differ from the defaults */
};

struct cluster_document {
	char *name; /* default kubernetes */
	char *version;
	char *endpoint; /* https://host:port */
	struct strlist endpoints;
	struct role_cluster shared; /* networking, images, archives, ... */
	char *credentials_url;      /* where credentials/ is served; NULL: injected */
	uint64_t serial;            /* of all roles; 0: the time of rendering */
	unsigned int role_days;     /* how long a role is valid */
	unsigned int credential_hours;
	struct role defaults; /* keys of a role that all machines have */
	struct cluster_machine *machines;
	size_t machine_count;
	struct tree
		tree; /* of the document: "defaults" and "machines" are handed through */
};

/* Parses and checks len bytes. On success *ret owns everything (cluster_document_done()).
 * On failure ret is untouched, mistakes lists every mistake in order of line, and err
 * holds the first. Errors: E_ROLE, E_TOO_BIG, -ENOMEM. */
int cluster_document_parse(const char *bytes, size_t len, struct cluster_document *ret,
	struct role_mistakes *mistakes, struct err *err) MUST_USE;

/* The tables of the document; offsets are into struct cluster_document. Static storage.
 */
const struct field_section *cluster_document_fields(void) MUST_USE;

/* Frees everything and zeroes; takes a zeroed one. */
void cluster_document_done(struct cluster_document *document);

#endif
