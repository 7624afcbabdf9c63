/* SPDX-License-Identifier: MIT */
/*
 * The command-line flags that systemd will start a service of the installed OS with, and
 * where each is written: ExecStart= of the unit and its drop-ins, and the variables in it
 * from Environment= and EnvironmentFile= (systemd.exec(5)). dockerd refuses a flag that
 * its configuration file sets too, so that whoever writes the file must know the flags.
 */
#ifndef PROMENADE_STEPS_EXEC_FLAGS_H
#define PROMENADE_STEPS_EXEC_FLAGS_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"

/* "--storage-driver=x" is name "--storage-driver", value "x"; value is also the next word
 * when the flag stands alone. */
struct exec_flag {
	char name[64];
	char value[256];
	char file[256]; /* where it is written */
	unsigned int line;
};

struct exec_flags {
	struct exec_flag *items;
	size_t count;
};

/* Reads the flags of a unit ("docker.service"); none when the target has no such unit.
 * ret: caller exec_flags_done()s. Errors: errno of reading a unit file, -ENOMEM. */
int exec_flags_read(struct env *env, const char *unit, struct exec_flags *ret,
	struct err *err) MUST_USE;

/* The last flag with one of two spellings ("--config", "-c"); short_name may be NULL.
 * NULL when there is none. */
const struct exec_flag *exec_flags_find(const struct exec_flags *flags, const char *name,
	const char *short_name) MUST_USE;

/* Frees all; takes an empty one. */
void exec_flags_done(struct exec_flags *flags);

#endif
