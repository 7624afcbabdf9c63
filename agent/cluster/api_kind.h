/* SPDX-License-Identifier: MIT */
/* From apiVersion and kind to the path of the HTTP API. Pure. */
#ifndef PROMENADE_CLUSTER_API_KIND_H
#define PROMENADE_CLUSTER_API_KIND_H

#include <jansson.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* A kind of object: "daemonsets", namespaced. */
struct api_kind {
	char plural[64];
	bool namespaced;
};

/* The kinds that a new cluster is made of, without asking anybody. False: not among them.
 */
bool api_kind_builtin(
	const char *api_version, const char *kind, struct api_kind *ret) MUST_USE;

/* Finds kind in an APIResourceList, as GET /api/v1 or /apis/GROUP/VERSION gives it.
 * False: it is not there. */
bool api_kind_discover(
	const json_t *resources, const char *kind, struct api_kind *ret) MUST_USE;

/* "/api/v1" or "/apis/GROUP/VERSION", appended to ret. Errors: E_INVALID for an
 * apiVersion that is none, -ENOMEM. */
int api_kind_root(const char *api_version, struct buf *ret, struct err *err) MUST_USE;

/* Appends "/SEGMENT", percent-encoded. Errors: E_INVALID for what no object can be called
 * ("", "..", with '/' or '%': apimachinery api/validation/path), -ENOMEM. */
int api_kind_segment(struct buf *path, const char *segment, struct err *err) MUST_USE;

#endif
