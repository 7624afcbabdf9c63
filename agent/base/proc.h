/* SPDX-License-Identifier: MIT */
/* Child processes without a shell: argv arrays, a deadline, captured output, exit text.
 */
#ifndef PROMENADE_BASE_PROC_H
#define PROMENADE_BASE_PROC_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "base/sys.h"

#define PROC_OUTPUT_MAX (256U * 1024U)

struct proc_spec {
	const char *const *argv; /* argv[0] is the path executed; NULL-terminated */
	const char *const *envp; /* NULL: an empty environment with PATH only */
	const char *chroot;      /* NULL or a directory to chroot into first */
	const char *input;       /* NULL or text for the child's stdin */
	unsigned int timeout_ms; /* 0: no limit; at the limit the child is killed */
};

struct proc_result {
	int status; /* exit code, or -signal when killed by one */
	bool timed_out;
	struct buf output; /* stdout and stderr together, at most PROC_OUTPUT_MAX, then
			      cut */
};

/* Runs a program and waits for it. Blocks up to timeout_ms. 0 also when the program
 * itself failed: look at ret->status. The child dies with its parent (PR_SET_PDEATHSIG),
 * has its own process group, default signals, and fds 0-2 only. ret: caller
 * proc_result_done()s. Errors: errno of fork or pipe; E_CHILD when it could not be
 * executed. */
int proc_run(const struct sys_ops *sys, const struct proc_spec *spec,
	struct proc_result *ret, struct err *err) MUST_USE;

/* "exit status 1", "killed by signal 9 (Killed)", "timed out"; into text[size]. */
void proc_result_text(const struct proc_result *result, char *text, size_t size);

/* Frees the output; takes an empty one. */
void proc_result_done(struct proc_result *result);

#endif
