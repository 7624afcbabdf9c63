/* SPDX-License-Identifier: MIT */
/* What happens between fork and exec of a temporary server (temporary.h). */
#ifndef PROMENADE_CLUSTER_TEMPORARY_CHILD_H
#define PROMENADE_CLUSTER_TEMPORARY_CHILD_H

#include <sys/types.h>

#include "base/compiler.h"
#include "cluster/temporary.h"

/* Files that a server of a busy cluster may have open; Go takes the soft limit as it is.
 */
#define TEMPORARY_FILES 65536U

/* How a child tells its parent why it did not execute; the pipe closes when it did. */
struct temporary_failure {
	int code;      /* errno */
	char what[96]; /* "mount '/proc'" */
};

struct temporary_child {
	const struct env *env;
	const struct temporary_program *program;
	pid_t parent;
	int log_fd;
	int failure_fd; /* O_CLOEXEC */
};

/* The mount points that it needs, NULL-terminated; static storage. */
extern const char *const temporary_mount_points[];

/* Becomes the program; in the child only. Effects: mounts in a namespace of its own. */
NORETURN void temporary_child_exec(const struct temporary_child *child);

#endif
