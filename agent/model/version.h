/* SPDX-License-Identifier: MIT */
/* Kernel releases: parse and compare. Pure. */
#ifndef PROMENADE_MODEL_VERSION_H
#define PROMENADE_MODEL_VERSION_H

#include "base/compiler.h"

/* 6.12.117+deb12-amd64 -> 6, 12, 117, rc VERSION_RC_NONE. A missing sublevel is 0. */
struct version {
	unsigned int major;
	unsigned int minor;
	unsigned int sublevel;
	unsigned int rc; /* VERSION_RC_NONE sorts after every release candidate */
};

#define VERSION_RC_NONE 0xffffffffU

/* Parses `major.minor[.sublevel][-rcN][anything]` (node.md 5.1; Linux Makefile
 * KERNELRELEASE). 0, or -EINVAL when it does not begin like that or a number overflows.
 */
int version_parse(const char *text, struct version *ret) MUST_USE;

/* <0, 0, >0 as a is older, equal, newer. rc sorts before its final release. */
int version_compare(const struct version *a, const struct version *b) MUST_USE;

#endif
