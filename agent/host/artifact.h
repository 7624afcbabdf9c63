/* SPDX-License-Identifier: MIT */
/*
 * Artifacts: bytes named by URL and SHA-256 that become a file or a directory of the
 * installed OS. One pass: bytes from the network are hashed and, for an archive, unpacked
 * while they come, beside the final name; only after the digest has matched does one
 * rename publish them. A kill at any instant leaves the old or the new, never a part;
 * leftovers are taken away by the next run.
 *
 * What was published is remembered in a stamp (/var/lib/promenade/artifacts/NAME in the
 * target): digest, and size, mtime, ctime and inode of each file. A stamp that still fits
 * is enough for the check, so that a prepared machine reads no artifact again.
 */
#ifndef PROMENADE_HOST_ARTIFACT_H
#define PROMENADE_HOST_ARTIFACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "host/fetch.h"
#include "host/unpack_rules.h"

enum artifact_kind {
	ARTIFACT_FILE,    /* the bytes are the file */
	ARTIFACT_TREE,    /* an archive whose tree is the directory; refuses to replace a
			   * directory that was not made by us */
	ARTIFACT_PLUGINS, /* an archive of files; what others put into the directory is
			     kept */
	ARTIFACT_MODULES  /* an archive of the modules of kernel `release` */
};

/* What shall be. All borrowed. */
struct artifact {
	enum artifact_kind kind;
	const char *url;
	const char *sha256;  /* 64 lower-case hex digits */
	const char *path;    /* in the target, absolute */
	mode_t mode;         /* ARTIFACT_FILE */
	const char *release; /* ARTIFACT_MODULES: of the running kernel */
};

/* True in *ret_done when the artifact is published and nothing is left over beside it;
 * else change[size] says what apply would do. Reads only; a file without stamp is hashed.
 * Errors: errno of reading; EEXIST for a directory that ARTIFACT_TREE must not replace;
 * EISDIR, ENOTDIR for what is no file or no directory.
 */
int artifact_check(const struct env *env, const struct artifact *artifact, bool *ret_done,
	char *change, size_t size, struct err *err) MUST_USE;

/* Makes all so, fetching those that are not, in parallel. A failure of one does not stop
 * the others; the first one's err is returned, naming the artifact. Blocks. May be killed
 * at any instant. progress may be NULL.
 * Errors: E_DIGEST, those of fetch_streams() and unpack_finish(), errno of writing. */
int artifacts_apply(struct env *env, struct fetch *fetch,
	const struct artifact *artifacts, size_t count,
	const struct fetch_progress *progress, struct err *err) MUST_USE;

#endif
