/* SPDX-License-Identifier: MIT */
/*
 * The plan: (facts, role) -> ordered steps, each with the decision and the reason as
 * text. A pure function. Before the installed OS is mounted (facts->target.known is
 * false) the plan ends with step root; the engine probes the target then and plans again.
 */
#ifndef PROMENADE_MODEL_PLAN_H
#define PROMENADE_MODEL_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "model/facts.h"
#include "model/role.h"

/* In the order in which they run. */
enum step_kind {
	STEP_KIND_KERNEL,  /* gate */
	STEP_KIND_NIC,     /* gate */
	STEP_KIND_MACHINE, /* gate: cgroup, overlay, memory, CPU, disk, clock */
	STEP_KIND_ROOT,    /* find, fsck, mount the installed OS */
	STEP_KIND_MODULES, /* os.modules: the running kernel's tree */
	STEP_KIND_SWAP,
	STEP_KIND_ENGINE,
	STEP_KIND_ARTIFACTS,
	STEP_KIND_CNI,
	STEP_KIND_IMAGES, /* archives, and the unit that imports them */
	STEP_KIND_KUBELET,
	STEP_KIND_AGENT,
	STEP_KIND_NETWORK,
	STEP_KIND_FILES,
	STEP_KIND_UNITS,
	STEP_KIND_HOSTNAME,
	STEP_KIND_SYSCTL,  /* and modules-load */
	STEP_KIND_STATE,   /* the accepted role and the serial, /etc/promenade */
	STEP_KIND_CLUSTER, /* join: the last that writes */
	STEP_KIND_REPORT,
	STEP_KIND_PIVOT,
	STEP_KIND_COUNT
};

/* One step. reason is the decision in one line for people. Strings of role and facts are
 * borrowed: both must outlive the plan. */
struct step {
	enum step_kind kind;
	char reason[240];
	const struct fact_partition *root; /* ROOT: the partition found */
	enum role_pivot pivot; /* PIVOT: what will be done; not a second reboot */
};

struct plan {
	struct step steps[STEP_KIND_COUNT];
	size_t count;
	enum role_pivot pivot; /* how the machine is left, when complete */
	bool complete; /* false: ends at root, plan again when the target is known */
};

/* Fills ret. Decides; reads nothing. pivots is false outside the initramfs (cloud VM):
 * then root and pivot are left out. Errors: E_ROOT when the role's root is on no disk of
 * facts or on more than one (both named), or on LVM, md or LUKS; E_UNSUPPORTED for a role
 * that asks for what this agent does not do. */
int plan_make(const struct facts *facts, const struct role *role, bool pivots,
	struct plan *ret, struct err *err) MUST_USE;

/* "kernel", "nic", ...; the name of the step in logs, journal and events. */
const char *step_kind_name(enum step_kind kind) MUST_USE;

/* Renders one line per step: "swap       disable: 2 in use, ...". Errors: -ENOMEM. */
int plan_render(const struct plan *plan, struct buf *ret) MUST_USE;

#endif
