/* SPDX-License-Identifier: MIT */
/*
 * Borrowing a program of the installed OS: it is copied with its loader and its libraries
 * into a directory, so that it runs (chrooted there) while the file system that it came
 * from is not mounted. That is how the root is checked without a checker in the
 * initramfs.
 */
#ifndef PROMENADE_HOST_BORROW_H
#define PROMENADE_HOST_BORROW_H

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"

/* Largest program or library that is copied. */
#define BORROW_FILE_MAX (32U * 1024U * 1024U)

/* Where from and where to. root is what chroot(2) can name ("/sysroot"), root_fd the same
 * directory open; dest is a directory beneath env->run_fd, made when missing. */
struct borrow {
	const char *root;
	int root_fd;
	const char *dest;
};

/* After success dest holds program (absolute, in root) and all that its dynamic loader
 * lists (the loader is run with --list, chrooted in root; glibc and musl have that), at
 * the same paths. A static program is copied alone. Blocks on reading and on the loader,
 * at most 30 s. Errors: ENOENT when root has no such program, E_FORMAT when it is no ELF
 * program of this machine, E_CHILD when the loader fails, errno. */
int borrow_program(struct env *env, const struct borrow *borrow, const char *program,
	struct err *err) MUST_USE;

#endif
