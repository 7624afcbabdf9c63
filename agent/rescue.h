/* SPDX-License-Identifier: MIT */
/*
 * The rescue shell: only where a second cpio brought one (`make rescue`, appended by
 * iPXE) and promenade.rescue on the kernel command line asks for it. It runs on the
 * console beside the worker, which goes on; it gets no secret in its environment.
 */
#ifndef PROMENADE_RESCUE_H
#define PROMENADE_RESCUE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/compiler.h"
#include "base/sys.h"

/* True when the command line asks for a shell and the image holds one. */
bool rescue_is_wanted(int root_fd) MUST_USE;

/* Starts the shell on /dev/console as leader of a session of its own. Returns its pid, or
 * -1 when it cannot be forked. */
pid_t rescue_start(const struct sys_ops *sys) MUST_USE;

#endif
