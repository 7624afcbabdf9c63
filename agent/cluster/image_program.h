/* SPDX-License-Identifier: MIT */
/* A program out of a container image in an archive: so the temporary control plane runs
 * the very bytes that the static pods will run. */
#ifndef PROMENADE_CLUSTER_IMAGE_PROGRAM_H
#define PROMENADE_CLUSTER_IMAGE_PROGRAM_H

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"

/* What is looked for. Borrowed. */
struct image_program {
	const char *image;   /* full name, "registry.k8s.io/etcd:3.6.5-0" */
	const char *program; /* "etcd" */
	const char *path;    /* where it shall be on the target; mode 0755 */
	const char *goarch;  /* of this machine: an index may hold several */
};

/* Writes the program of that image, if archive (a path on the target) holds the image; 1
 * if it does not. What stood at path is replaced. Blocks on the disk. Errors: E_ARCHIVE
 * naming what the image lacks, those of unpack_members(), errno of writing. */
int image_program_extract(const struct env *env, const char *archive,
	const struct image_program *wanted, struct err *err) MUST_USE;

#endif
