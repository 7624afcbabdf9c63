/* SPDX-License-Identifier: MIT */
/*
 * Enabling and masking systemd units from outside, as `systemctl --root=DIR enable` and
 * `mask` do it: links in /etc/systemd/system that the [Install] section asks for
 * (systemd.unit(5)).
 */
#ifndef PROMENADE_STEPS_UNIT_FILE_H
#define PROMENADE_STEPS_UNIT_FILE_H

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"
#include "model/role.h"
#include "steps/edit.h"

#define UNIT_DIR "/etc/systemd/system"
#define UNIT_NAME_MAX 256 /* systemd's UNIT_NAME_MAX (basic/unit-def.h) with its NUL */
#define UNIT_PATH_MAX 512

/* What unit files are looked up in: those of the role, then those of the installed OS.
 * The resulting edits go to edits. All borrowed. */
struct unit_set {
	const struct env *env;
	struct edits *edits;
	const struct role_unit *units;
	size_t unit_count;
};

/* Path in the installed OS of the file of a unit or, for an instance, of its template; a
 * mask does not count. False when there is none. */
bool unit_find(
	const struct env *env, const char *name, char path[UNIT_PATH_MAX]) MUST_USE;

/* Adds the file of a unit with content. Errors: -ENOMEM. */
int unit_add_file(struct unit_set *set, const char *name, const char *content) MUST_USE;

/* Adds the links that the unit's [Install] section asks for, also those of Also=, and
 * takes a mask away. A link that is there and names the same unit is kept, whatever its
 * spelling. Errors: E_ROLE when the unit is nowhere, has no [Install] section, or is a
 * template without instance; E_FORMAT for a specifier that is not known; -ENOMEM. */
int unit_add_enable(struct unit_set *set, const char *name, struct err *err) MUST_USE;

/* Adds the link to /dev/null. A file of that name in /etc/systemd/system gives way to it.
 * Errors: -ENOMEM. */
int unit_add_mask(struct unit_set *set, const char *name) MUST_USE;

#endif
