/* SPDX-License-Identifier: MIT */
/*
 * `promenade render`: from one cluster document everything that the machines of a cluster
 * need, made on the operator's machine, offline. All files are made in memory first; what
 * is wrong leaves the output directory as it was. A CA that is there is used and never
 * made anew; a credential that is there and still good stays, unless renewing is asked
 * for.
 *
 *   OUT/pki/                      the CAs and the key of service accounts   0600, keep it
 *   OUT/admin.conf                for kubectl                               0600
 *   OUT/credentials/NAME.pem      a worker's: certificate, key, CA          0600
 *   OUT/credentials/NAME.json     a control plane's: a Secret               0600
 *   OUT/roles/NAME.yaml, .sig     one role per machine, signed              0644
 *   OUT/review/                   what the machines will make of it         0644
 */
#ifndef PROMENADE_CLUSTER_RENDER_H
#define PROMENADE_CLUSTER_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/key.h"
#include "model/cluster_document.h"

/* A file of the output. */
struct render_file {
	char *path; /* "roles/w1.yaml", beneath the output directory */
	mode_t mode;
	bool secret;
	struct buf bytes;
};

/* In the order of writing: what others depend on comes first. */
struct render_files {
	struct render_file *items;
	size_t count;
	struct strlist remarks; /* for the operator: what was kept and will expire, ... */
};

struct render_input {
	const struct cluster_document *document;
	int out_fd;                    /* the output directory, -1: there is none yet */
	const struct key *signing_key; /* NULL: roles are not signed */
	int64_t now;
	bool renew; /* credentials and admin.conf anew although they are good */
};

/* Makes the files that are missing or must change. Reads out_fd, writes nothing. Blocks
 * on making keys. Caller render_files_done()s. Errors: E_ROLE (a machine's role is
 * refused, with the mistake), E_FORMAT, E_TRUST (the CA that is there is damaged or
 * incomplete), E_UNSUPPORTED (signing key), E_BUG, errno of reading, -ENOMEM. */
int render_make(const struct render_input *input, struct render_files *ret,
	struct err *err) MUST_USE;

/* Appends a file; bytes move in. Errors: -ENOMEM (bytes are wiped). */
int render_add(struct render_files *files, const char *path, mode_t mode,
	struct buf *bytes) MUST_USE;

/* Wipes and frees; takes one that is all zero. */
void render_files_done(struct render_files *files);

#endif
