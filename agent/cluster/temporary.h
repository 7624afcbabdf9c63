/* SPDX-License-Identifier: MIT */
/*
 * Servers of the installed OS as plain child processes, before that OS has booted: what
 * runs the temporary control plane (cluster.md 5.4). Each is chrooted into the target in
 * a mount and host name namespace of its own, so that it finds its loader, its files by
 * their final paths, /proc and a small /dev, and nothing of the agent's. It dies with the
 * agent. What it says goes to LOG_DIR in the target.
 */
#ifndef PROMENADE_CLUSTER_TEMPORARY_H
#define PROMENADE_CLUSTER_TEMPORARY_H

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "host/env.h"

#define TEMPORARY_LOG_DIR "/var/log/promenade"

/* What to run. Borrowed during the call, but for name, which must outlive the process. */
struct temporary_program {
	const char *name;              /* "etcd": for messages and its log */
	const char *path;              /* of its binary beneath the target */
	const struct strlist *command; /* argv, argv[0] included */
	const char *node, *address;    /* its host name, and what that resolves to */
};

struct temporary;

/* Brings the loopback link of this network namespace up: before the pivot nobody has.
 * Errors: errno. */
int temporary_loopback_up(const struct env *env, struct err *err) MUST_USE;

/* Starts a program; returns once it is executed. Makes missing mount points (/proc, /dev,
 * /run, /tmp) and the log's folder on the target. Caller temporary_free()s. Errors: errno
 * of the fork; E_CHILD naming what its process could not do. */
int temporary_start(struct env *env, const struct temporary_program *program,
	struct temporary **ret, struct err *err) MUST_USE;

/* 0 while it runs; E_CHILD with how it ended and what its log says of it. */
int temporary_check(struct temporary *program, struct err *err) MUST_USE;

/* How to tell that a program serves: 0, or err says what is missing. May block a few
 * seconds. */
struct temporary_probe {
	int (*ready)(void *context, struct err *err);
	void *context;
	unsigned int timeout_s;
};

/* Waits until the probe is content. Errors: those of temporary_check() at once; E_TIMEOUT
 * with what the probe said last, what the log says, and which key of the role gives more
 * time. */
int temporary_wait(struct temporary *program, const struct temporary_probe *probe,
	struct err *err) MUST_USE;

/* Ends it by SIGTERM, waits at most timeout_s seconds, and frees; takes NULL. Where that
 * is not enough it is killed: E_TIMEOUT. Errors: E_CHILD when it had ended before by
 * itself. */
int temporary_stop(
	struct temporary **program, unsigned int timeout_s, struct err *err) MUST_USE;

/* Kills what still runs, reaps it and frees; takes NULL. For CLEANUP. */
void temporary_free(struct temporary **program);

#endif
