/* SPDX-License-Identifier: MIT */
/*
 * PID 1 of the initramfs: mounts, console, watchdog, reaping, last resort. It calls no
 * third-party library and never exits. The worker, forked from it, does everything else;
 * a crash of the worker is an event that is reported, not a kernel panic.
 */
#ifndef PROMENADE_INIT_H
#define PROMENADE_INIT_H

#include "base/compiler.h"

/* How the worker says what PID 1 shall do; any other status is a failed worker, which is
 * started again after a pause. */
enum init_exit {
	INIT_EXIT_SWITCH_ROOT = 40, /* to the root and init named in INIT_PIVOT_FILE */
	INIT_EXIT_KEXEC = 41,       /* a kernel is loaded: reboot into it */
	INIT_EXIT_REBOOT = 42
};

/* Written by the worker before INIT_EXIT_SWITCH_ROOT: first line the new root, second
 * line the path of its init inside that root. */
#define INIT_PIVOT_FILE "run/promenade/pivot"

/* Runs as PID 1; worker is called in the child and its return value is the child's exit
 * status. Never returns. */
NORETURN void init_main(int (*worker)(void));

#endif
