/* SPDX-License-Identifier: MIT */
/* The inside of render_make(). */
#ifndef PROMENADE_CLUSTER_RENDER_PARTS_H
#define PROMENADE_CLUSTER_RENDER_PARTS_H

#include <jansson.h>

#include "cluster/authorities.h"
#include "cluster/params.h"
#include "cluster/render.h"

/* What the parts share while rendering. */
struct render {
	const struct render_input *input;
	struct cluster_params params; /* of the cluster, without a machine */
	struct authorities authorities;
	char pin[80]; /* of the cluster's CA: "sha256:..." */
	struct render_files *files;
	struct err *err;
};

/* Reads the CAs of OUT/pki or, where not one of their files is there, makes them. Errors:
 * E_FORMAT (some are missing), E_TRUST (they do not belong together or have expired). */
int render_authorities(struct render *render) MUST_USE;

/* admin.conf and each machine's credential. */
int render_credentials(struct render *render) MUST_USE;

/* A role per machine, and its signature. */
int render_roles(struct render *render) MUST_USE;

/* What is there to be read before anything boots: objects, static pods, kubelet's
 * configuration. No secret is in it. */
int render_review(struct render *render) MUST_USE;

/* Where a machine's credential is beneath OUT, and under which name it is served. */
void render_credential_path(
	const struct cluster_machine *machine, char *path, size_t size);

/* Reads a file of the output; 0 with an empty buffer when it is not there. The buffer may
 * hold a secret: caller secret_done()s. Errors: errno, E_TOO_BIG. */
int render_read(const struct render *render, const char *path, struct buf *ret) MUST_USE;

#endif
