/* SPDX-License-Identifier: MIT */
/*
 * Kernel modules: by modalias for the devices that are there and for those that appear
 * (uevents), by name for what no device asks for, in dependency order, compressed or not.
 * The only user of libkmod, which looks up and decompresses; the insertion itself goes
 * through env->sys.
 */
#ifndef PROMENADE_HOST_MODULE_H
#define PROMENADE_HOST_MODULE_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

struct module_loader;

/* A loader on /lib/modules/RELEASE of the running system, and a uevent socket opened
 * before anything is looked at, so that no device is missed. A system without modules is
 * fine: all look-ups find nothing. env is borrowed. Caller module_loader_free()s. Errors:
 * errno. */
int module_loader_new(
	struct env *env, struct module_loader **ret, struct err *err) MUST_USE;

/* Loads what every modalias below /sys asks for, again until nothing new appears (a bus
 * driver brings devices). A module that does not load is appended to ret_failed ("NAME:
 * why") and passed over. ret_loaded gets the names that were inserted. Both lists are the
 * caller's. Blocks on probing of drivers. Errors: -ENOMEM. */
int module_load_present(struct module_loader *loader, struct strlist *ret_loaded,
	struct strlist *ret_failed, struct err *err) MUST_USE;

/* The fd that is readable when devices have appeared; owned by the loader. -1: none. */
int module_uevent_fd(const struct module_loader *loader) MUST_USE;

/* Takes the waiting uevents and loads what they ask for, as module_load_present(). Does
 * not wait for more. Errors: -ENOMEM. */
int module_load_arrived(struct module_loader *loader, struct strlist *ret_loaded,
	struct strlist *ret_failed, struct err *err) MUST_USE;

/* After success the module is in the kernel (or built in). name may be an alias
 * ("fs-ext4"). Errors: ENOENT when there is none, errno of the insertion. */
int module_load_name(
	struct module_loader *loader, const char *name, struct err *err) MUST_USE;

/* Closes and frees; takes NULL. */
void module_loader_free(struct module_loader **loader);

/* module_load_name() with a loader of its own, for callers that need one module. */
int module_load(struct env *env, const char *name, struct err *err) MUST_USE;

#endif
