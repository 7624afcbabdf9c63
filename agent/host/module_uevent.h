/* SPDX-License-Identifier: MIT */
/* The kernel's announcements of devices (NETLINK_KOBJECT_UEVENT), reduced to what a
 * module loader asks of them. Reads only. */
#ifndef PROMENADE_HOST_MODULE_UEVENT_H
#define PROMENADE_HOST_MODULE_UEVENT_H

#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"

/* What one look at the socket gave. */
enum uevent {
	UEVENT_NONE,     /* nothing is waiting */
	UEVENT_OTHER,    /* a message that asks for no module */
	UEVENT_MODALIAS, /* a device that asks for a module */
	UEVENT_LOST      /* messages were dropped: look at all devices */
};

/* A modalias of a CPU names all its features: some KiB (arch/x86/kernel/cpu/match.c). */
#define UEVENT_BYTES_MAX 8192

/* Opens a non-blocking, O_CLOEXEC socket on the kernel's group. Returns the fd, caller
 * closes. Errors: errno of socket and bind (a container may have none). */
int uevent_open(struct err *err) MUST_USE;

/* Takes one message off the socket; modalias[size] is set for UEVENT_MODALIAS. Messages
 * of other processes are UEVENT_OTHER: only the kernel's are believed. Does not block. */
enum uevent uevent_take(int fd, char *modalias, size_t size) MUST_USE;

/* MODALIAS of a message "ACTION@PATH\0KEY=VALUE\0..." whose action is "add"; NULL for
 * all others and for what does not end with a NUL. Points into message. */
const char *uevent_modalias(const char *message, size_t len) MUST_USE;

#endif
