/* SPDX-License-Identifier: MIT */
/* One module file -> the kernel, compressed or not, through the table of effects. */
#ifndef PROMENADE_HOST_MODULE_INSERT_H
#define PROMENADE_HOST_MODULE_INSERT_H

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"

/* After success the kernel has the module (one that it had already is success). path is
 * absolute; options are module parameters, "" for none. A compressed file is handed over
 * as it is where sys/module/compression says that the kernel takes it, else decompressed
 * here. Blocks on the driver's probing.
 * Errors: errno of the insertion, with what to do (never ENOENT: an unknown symbol is
 * ENOEXEC); errno of open, those of unpack_image(). */
int module_insert(const struct env *env, const char *path, const char *options,
	struct err *err) MUST_USE;

/* path for a message: from "lib/modules" on, without the fd through which it is reached.
 * Points into path. */
const char *module_insert_shown(const char *path) MUST_USE;

#endif
