/* SPDX-License-Identifier: MIT */
/* The commands that a person types; each returns the exit status of DESIGN.md. */
#ifndef PROMENADE_COMMAND_H
#define PROMENADE_COMMAND_H

#include <stdbool.h>

#include "base/compiler.h"

/* The command line, once; passed down, never global. Strings are argv's. */
struct options {
	const char *root;    /* --root, default "/" */
	const char *facts;   /* --facts FILE or NULL */
	const char *out;     /* --out FILE or NULL */
	const char *ca;      /* --ca FILE or NULL */
	const char *role;    /* ROLE or NULL */
	const char *cluster; /* --cluster FILE or NULL */
	const char *key;     /* --key FILE or NULL */
	bool json;
	bool renew; /* --renew */
};

/* Prepares the node on options->root. Blocks. */
int command_apply(const struct options *options) MUST_USE;

/* Prints what apply would do. */
int command_plan(const struct options *options) MUST_USE;

/* Prints every mistake of a role, file:line:column: text. */
int command_validate(const struct options *options) MUST_USE;

/* Runs the gates here and now. */
int command_check(const struct options *options) MUST_USE;

/* Writes what the probe sees. */
int command_facts(const struct options *options) MUST_USE;

/* Prints the journal of the last boot. */
int command_status(const struct options *options) MUST_USE;

/* Makes everything for the machines of a cluster from --cluster into --out. */
int command_render(const struct options *options) MUST_USE;

#endif
