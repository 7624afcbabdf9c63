/* SPDX-License-Identifier: MIT */
/*
 * Where an artifact goes, and how it gets there: a staging file or directory beside the
 * final name, and one rename. Inside of artifact*.c only.
 */
#ifndef PROMENADE_HOST_ARTIFACT_PLACE_H
#define PROMENADE_HOST_ARTIFACT_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/artifact.h"
#include "host/artifact_stamp.h"
#include "host/env.h"

/* parent_fd is the directory that holds name; staging the name beside it, always the same
 * one, so that what a killed run left is found. */
struct artifact_place {
	const struct env *env;
	const struct artifact *artifact;
	int parent_fd;
	char name[256];
	char staging[288];
};

/* Finds the place. For a directory the last component may be a symlink, which is followed
 * inside the target and stays. make says whether missing parents are made; without, their
 * absence is -ENOENT. Caller artifact_place_close()s. Errors: errno. */
int artifact_place_open(const struct env *env, const struct artifact *artifact, bool make,
	struct artifact_place *ret, struct err *err) MUST_USE;

/* True when something is at the staging name. */
bool artifact_place_has_leftover(const struct artifact_place *place) MUST_USE;

/* Takes away what is at the staging name. Errors: errno. */
int artifact_place_clean(const struct artifact_place *place, struct err *err) MUST_USE;

/* An empty staging file (ARTIFACT_FILE) or directory, mode 0600 or 0700. Returns its fd
 * (caller closes). Errors: errno, with the path. */
int artifact_place_stage(const struct artifact_place *place, struct err *err) MUST_USE;

/* Puts the staged file, written through fd, at its name with its mode, durably, and
 * writes the stamp. Errors: errno. */
int artifact_place_publish_file(
	const struct artifact_place *place, int fd, struct err *err) MUST_USE;

/* Puts the staged directory at its name, durably, writes the stamp and removes what was
 * there. old is the stamp of what was there (sha256 "": none). Errors: errno; E_ARCHIVE
 * when ARTIFACT_MODULES finds no modules of its release in it. */
int artifact_place_publish_tree(const struct artifact_place *place, int fd,
	const struct artifact_stamp *old, struct err *err) MUST_USE;

/* Closes; takes one with parent_fd -1. */
void artifact_place_close(struct artifact_place *place);

#endif
