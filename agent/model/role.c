/* SPDX-License-Identifier: MIT */
#include "model/role.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "model/role_decode.h"
#include "model/role_mistake.h"
#include "model/role_tree.h"

/* code is that of reading the tree: mistakes beyond it are E_ROLE. */
static int report(struct role_mistakes *mistakes, int code, struct err *err)
{
	const struct role_mistake *first = &mistakes->items[0];

	role_mistakes_sort(mistakes);
	if (mistakes->count == 1)
		return err_set(err, code, "role: line %u, column %u: %s", first->line,
			first->column, first->text);
	return err_set(err, code,
		"role: %zu mistakes; the first is in line %u, column %u: %s",
		mistakes->count, first->line, first->column, first->text);
}

static int parse(
	const char *bytes, size_t len, struct role *ret, struct role_mistakes *mistakes)
{
	struct tree tree CLEANUP(tree_done) = {NULL, NULL};
	int rc = tree_read(bytes, len, &tree, mistakes);

	if (rc < 0)
		return rc;
	rc = role_decode(tree.root, ret, mistakes);
	if (rc < 0)
		return rc;
	rc = role_check(tree.root, ret, mistakes);
	if (rc < 0)
		return rc;
	return mistakes->count ? -E_ROLE : 0;
}

int role_parse(const char *bytes, size_t len, struct role *ret,
	struct role_mistakes *mistakes, struct err *err)
{
	struct role role = {0};
	int rc;

	mistakes->count = 0;
	rc = parse(bytes, len, &role, mistakes);
	if (rc == 0) {
		*ret = role;
		return 0;
	}
	role_done(&role);
	if (rc == -ENOMEM)
		return err_errno(err, ENOMEM, "read the role");
	return report(mistakes, -rc, err);
}

static int refuse_machine(
	struct err *err, const char *what, const char *wanted, const char *found)
{
	return err_set(err, E_ROLE_MATCH,
		"the role is for the machine with %s '%s', this one has '%s': serve each "
		"machine its own role",
		what, role_show(wanted).text, *found ? role_show(found).text : "none");
}

static int match_mac(const char *wanted, const struct strlist *mac_list, struct err *err)
{
	char found[160] = "";

	for (size_t i = 0; i < mac_list->count; i++) {
		size_t len = strlen(found);

		if (strcasecmp(mac_list->items[i], wanted) == 0)
			return 0;
		(void)snprintf(found + len, sizeof(found) - len, "%s%s", len ? ", " : "",
			mac_list->items[i]);
	}
	return err_set(err, E_ROLE_MATCH,
		"the role is for the machine with MAC address '%s', this one has %s: "
		"serve "
		"each machine its own role",
		wanted, *found ? found : "none");
}

int role_match_machine(const struct role *role, const char *uuid, const char *serial,
	const struct strlist *mac_list, struct err *err)
{
	const struct role_match *match = &role->match;

	if (match->uuid && strcasecmp(match->uuid, uuid) != 0)
		return refuse_machine(err, "UUID", match->uuid, uuid);
	if (match->serial && strcmp(match->serial, serial) != 0)
		return refuse_machine(err, "serial number", match->serial, serial);
	return match->mac ? match_mac(match->mac, mac_list, err) : 0;
}

int role_check_fresh(
	const struct role *role, int64_t now, uint64_t last_serial, struct err *err)
{
	if (role->not_after && now > role->not_after)
		return err_set(err, E_ROLE_EXPIRED,
			"the role expired %lld seconds ago by this machine's clock: "
			"renew its "
			"notAfter, or mend the clock",
			(long long)(now - role->not_after));
	if (role->serial < last_serial)
		return err_set(err, E_ROLE_SERIAL,
			"the role has serial %llu, and this machine accepted %llu "
			"before: "
			"serve one with a serial that is not lower",
			(unsigned long long)role->serial,
			(unsigned long long)last_serial);
	return 0;
}

int role_check_signed(const struct role *role, struct err *err)
{
	const char *missing = !role->match.present ? "match"
			      : !role->not_after   ? "notAfter"
			      : !role->serial      ? "serial"
						   : NULL;

	if (!missing)
		return 0;
	return err_set(err, E_TRUST,
		"the role is signed and has no '%s': without match, notAfter and serial "
		"it "
		"could be played to another machine or again",
		missing);
}
