/* SPDX-License-Identifier: MIT */
/*
 * Where PID 1 and its worker speak: /dev/kmsg, every console the kernel has active, and
 * the virtio-serial port org.promenade.agent where a rig provides one. A machine that
 * nobody stands next to says the same everywhere. Opened before the worker is forked and
 * again when a module brings another one.
 */
#ifndef PROMENADE_CONSOLE_H
#define PROMENADE_CONSOLE_H

#include "base/compiler.h"

/* Opens what is there below run_fd and installs it as the log's sinks; consoles are
 * opened O_NONBLOCK so that a dead serial line never stops the boot. Missing ones are
 * skipped. Calling it again closes and reopens. */
void console_open(int run_fd);

/* Closes all and empties the sinks. */
void console_close(void);

#endif
