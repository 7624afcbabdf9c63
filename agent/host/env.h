/* SPDX-License-Identifier: MIT */
/*
 * Everything that code needs from the world, in one place, so that tests can hand in
 * another one: two root directories, the effects table, clocks and the policy. No module
 * reads an absolute path, the clock or a global instead.
 */
#ifndef PROMENADE_HOST_ENV_H
#define PROMENADE_HOST_ENV_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "base/sys.h"

/*
 * run_fd     the running system: beneath it are proc, sys, dev, run, promenade (policy)
 * target_fd  the installed OS: /sysroot in the initramfs, "/" or --root DIR elsewhere; -1
 *            until step root has mounted it
 * target_path  how mount(2) and chroot(2) name the target, e.g. "/sysroot"
 */
struct env {
	int run_fd;
	int target_fd;
	char target_path[256];
	const struct sys_ops *sys;
	bool initramfs;           /* PID 1's worker in an initramfs: mounts and pivots */
	bool target_writable;     /* step root's file systems are mounted read-write */
	uint64_t (*now_ms)(void); /* CLOCK_BOOTTIME, milliseconds */
	void (*sleep_ms)(unsigned int ms);
	unsigned int random_seed; /* for jitter */
};

/* An env on run root "/" without target, with sys_default() and real clocks.
 * Errors: errno of opening "/". Caller env_done()s. */
int env_init(struct env *env, struct err *err) MUST_USE;

/* Opens path as the target root. Errors: errno. */
int env_set_target(struct env *env, const char *path, struct err *err) MUST_USE;

/* Closes the fds; takes a half-built one with fds -1. */
void env_done(struct env *env);

/* Next pseudo-random number below limit, for jitter only (not for keys). */
unsigned int env_jitter(struct env *env, unsigned int limit) MUST_USE;

#endif
