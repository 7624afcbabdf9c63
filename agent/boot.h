/* SPDX-License-Identifier: MIT */
/*
 * The worker in the initramfs: modules, network, clock, role, checks, preparation, pivot,
 * in DESIGN.md's order. Nothing is final on a headless machine: what may heal is tried
 * again with jittered back-off, what a person must mend is shown with its cause and tried
 * again every few minutes.
 */
#ifndef PROMENADE_BOOT_H
#define PROMENADE_BOOT_H

#include "base/compiler.h"

/* Runs until the machine can be handed over. Returns what PID 1 shall do (init.h, enum
 * init_exit), or the exit status of an error that only a fresh worker can heal. Blocks
 * for as long as it takes. */
int boot_worker(void) MUST_USE;

#endif
