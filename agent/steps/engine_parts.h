/* SPDX-License-Identifier: MIT */
/* The parts of step engine, for engine*.c alone. */
#ifndef PROMENADE_STEPS_ENGINE_PARTS_H
#define PROMENADE_STEPS_ENGINE_PARTS_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "steps/step.h"

/* What one engine wants of the target. */
struct engine_wish {
	struct edits edits;
	char data_root[256]; /* where its layers will be: /var/lib/containerd */
	bool overlay;        /* its layers are overlay mounts */
};

/* Fills ret for containerd: /etc/containerd/config.toml (or the file of ExecStart's
 * --config) with snapshotter, cgroup driver, CNI directories, sandbox image, and CRI not
 * disabled. Everything else in it stays. Errors: E_FORMAT with file and line for a text
 * that is not understood; E_UNSUPPORTED; errno. ret: caller edits_done()s its edits, also
 * on failure. */
int engine_containerd(
	struct step_context *context, struct engine_wish *ret, struct err *err) MUST_USE;

/* Fills ret for docker: /etc/docker/daemon.json (or the file of --config-file) with
 * storage driver and cgroup driver. Errors: E_FORMAT with file, line and column;
 * E_UNSUPPORTED for a driver that docker has removed; E_CHECK for a flag that dockerd
 * refuses beside the file, with its file and line, and for data of a removed driver;
 * errno. */
int engine_docker(
	struct step_context *context, struct engine_wish *ret, struct err *err) MUST_USE;

/* Refuses a data root on a file system that reports no d_type (XFS with ftype=0): overlay
 * hides files there. Looks at the nearest directory that exists. Reads only. Errors:
 * E_CHECK, errno. */
int engine_check_dtype(struct env *env, const char *data_root, struct err *err) MUST_USE;

/* Mounts an overlay with two lower directories beside the data root, as docker and
 * containerd do before they take the driver, and takes it away. Only where the running
 * kernel is the node's; elsewhere it says nothing and does nothing. Errors: E_CHECK when
 * the kernel refuses, errno. */
int engine_try_overlay(struct env *env, const char *data_root, struct err *err) MUST_USE;

/* Version of the first installed of these Debian packages (NULL-terminated), from the
 * target's dpkg status, without epoch: major and minor. False when none is. */
bool engine_package_version(
	const struct env *env, const char *const *packages, unsigned int ret[2]) MUST_USE;

#endif
