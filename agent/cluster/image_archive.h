/* SPDX-License-Identifier: MIT */
/* What images an archive holds: an OCI image layout in a tar (image-spec,
 * image-layout.md), or what `docker save` writes. */
#ifndef PROMENADE_CLUSTER_IMAGE_ARCHIVE_H
#define PROMENADE_CLUSTER_IMAGE_ARCHIVE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* Where the role's archives are on the target, by their digest: HEX.tar. */
#define IMAGE_ARCHIVE_DIR "/var/lib/promenade/images"

/* Appends "DIGEST NAME" per image of the archive fd (borrowed, at its beginning): the
 * name that `ctr images import` gives it, and the digest of its manifest, "-" where the
 * archive does not say. path is for messages. Blocks on the disk. Errors: E_ARCHIVE (no
 * index, or an image without a full name: nothing could refer to it), those of
 * unpack_members(). */
int image_archive_names(
	int fd, const char *path, struct strlist *ret, struct err *err) MUST_USE;

/* The same for the bytes of the two indexes; NULL for one that is not there. For
 * image_archive_names() and tests. */
int image_archive_parse(const struct buf *index, const struct buf *manifest,
	const char *path, struct strlist *ret, struct err *err) MUST_USE;

#endif
