/* SPDX-License-Identifier: MIT */
/*
 * Takes everything away from the child that unpacks, except what unpacking needs. Each
 * item must hold, or the child refuses to work:
 *
 *   root = the staging directory     no capability, none to regain (no_new_privs)
 *   fds 0 (stream), 1 (staging)      a seccomp allow-list; anything else kills
 *   limits: memory, CPU, file size, open files, no core
 *
 * Where it is permitted: a network namespace of its own (the allow-list has no socket
 * calls either way).
 */
#ifndef PROMENADE_HOST_UNPACK_CONFINE_H
#define PROMENADE_HOST_UNPACK_CONFINE_H

#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

/* File descriptors after unpack_confine(): the stream, and the staging directory. 2 is
 * the stream again, so that no file that is made gets the number that libraries write
 * errors to. */
#define UNPACK_FD_STREAM 0
#define UNPACK_FD_STAGING 1

/* stream_fd and staging_fd are moved to their numbers, all others closed. memory_mib is
 * what may be allocated beyond what is in use now; file_bytes the largest file. Errors:
 * E_UNSUPPORTED, naming what is not available; the process is then half confined and must
 * end. */
int unpack_confine(int stream_fd, int staging_fd, unsigned int memory_mib,
	uint64_t file_bytes, struct err *err) MUST_USE;

#endif
