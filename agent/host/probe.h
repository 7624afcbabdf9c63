/* SPDX-License-Identifier: MIT */
/*
 * Reads the machine and the installed OS into struct facts. Reads only. Everything is
 * taken relative to env->run_fd and env->target_fd, so that a folder copied from a
 * machine is a test fixture. What cannot be read is left absent: a fact that is missing
 * is a check's business, not a reason to stop.
 */
#ifndef PROMENADE_HOST_PROBE_H
#define PROMENADE_HOST_PROBE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"
#include "model/facts.h"

/* Fills ret from /proc, /sys and the disks: kernel, DMI, memory, CPUs, cgroup2, overlay,
 * clock, NICs, swaps, disks. ret is zeroed or from an earlier call; target, lease and
 * clock_synced in it are kept. Blocks on disk reads. Errors: errno of the kernel release
 * or of sys/block, ENOMEM; ret then owns what it had (facts_done()). */
int probe_machine(struct env *env, struct facts *ret, struct err *err) MUST_USE;

/* Fills facts->target from env->target_fd and, where the running kernel's module tree is
 * there, facts->overlay too. Errors: E_ROOT when no target is open, E_FORMAT when it
 * holds no operating system (no os-release), ENOMEM. */
int probe_target(struct env *env, struct facts *facts, struct err *err) MUST_USE;

/* Replaces facts->nics by the physical ones that are there now, those first that have a
 * netdev, then PCI network functions that no driver made a netdev for (name ""). Used by
 * probe_machine() and by checks that look again. Errors: ENOMEM. */
int probe_nics(struct env *env, struct facts *facts, struct err *err) MUST_USE;

/* Replaces facts->swaps by what proc/swaps lists now. Errors: errno of reading (ENOENT is
 * a kernel without swap and success), ENOMEM. */
int probe_swaps(struct env *env, struct facts *facts, struct err *err) MUST_USE;

/* Looks for the kernel module name ("overlay") in lib/modules/release beneath rootfd: 1
 * when built in or there, 0 when that tree has none, -1 when there is no such tree. */
int probe_module(int rootfd, const char *release, const char *name) MUST_USE;

/* True when the running kernel is the one that the target will run on, so that its swaps
 * are the node's and a test mount says something about the node: in the initramfs, and on
 * "/". With --root DIR it is the operator's own machine. */
bool probe_is_own_kernel(const struct env *env) MUST_USE;

/* True when a unit of the target is enabled: wanted or required by something in
 * etc/systemd/system and not masked. */
bool probe_unit_enabled(int target_fd, const char *unit) MUST_USE;

#endif
