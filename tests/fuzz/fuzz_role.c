/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a role. A verdict is a whole role, or mistakes that are fit for a console.
 *
 * Links: model/role model/role_address model/role_check model/role_decode
 * Links: model/role_fields model/role_fields_cluster model/role_mistake
 * Links: model/role_scalar model/role_tree
 * Links: model/role_value model/role_value_k8s base/err base/str
 * Flags: -isystem build/host/sysroot/include -Lbuild/host/sysroot/lib -lyaml
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/role.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_printable(const char *text)
{
	demand(*text);
	for (; *text; text++)
		demand(*text >= 0x20 && *text <= 0x7e);
}

static void check_mistakes(
	const struct role_mistakes *mistakes, int rc, const struct err *err)
{
	size_t count =
		mistakes->count < ROLE_MISTAKES_MAX ? mistakes->count : ROLE_MISTAKES_MAX;

	demand(rc == -E_ROLE || rc == -E_TOO_BIG);
	demand(err->code == rc && count > 0);
	check_printable(err->text);
	for (size_t i = 0; i < count; i++) {
		const struct role_mistake *item = &mistakes->items[i];

		demand(item->line >= 1 && item->column >= 1);
		check_printable(item->text);
		demand(i == 0 || item->line > item[-1].line ||
			(item->line == item[-1].line && item->column >= item[-1].column));
	}
}

static void check_path(const char *path)
{
	demand(path && path[0] == '/' && path[1] && !strstr(path, "/../") &&
		!strstr(path, "//") && strncmp(path, "/proc/", 6) != 0 &&
		!strpbrk(path, "\n\t"));
}

static void check_role(const struct role *role)
{
	demand(role->name && *role->name && strlen(role->name) <= 63);
	check_path(role->os.init);
	check_path(role->cni.dir);
	demand(role->node.snapshotter && role->node.storage_driver);
	for (size_t i = 0; i < role->artifact_count; i++) {
		check_path(role->artifacts[i].path);
		demand(strncmp(role->artifacts[i].source.url, "http", 4) == 0);
		demand(strlen(role->artifacts[i].source.sha256) == 64);
		demand(role->artifacts[i].mode <= 0777);
	}
	for (size_t i = 0; i < role->node.file_count; i++) {
		check_path(role->node.files[i].path);
		demand(role->node.files[i].content && role->node.files[i].mode <= 0777);
	}
	for (size_t i = 0; i < role->node.unit_count; i++)
		demand(role->node.units[i].name &&
			!strchr(role->node.units[i].name, '/'));
	for (size_t i = 0; i < role->node.sysctl.count; i++)
		demand(!strpbrk(role->node.sysctl.items[i].value, "\n\t") &&
			!strpbrk(role->node.sysctl.items[i].key, "\n= "));
	demand(!role->cluster.credential_url ||
		strncmp(role->cluster.credential_url, "https://", 8) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct role_mistakes mistakes;
	struct role role CLEANUP(role_done) = {0};
	struct err err = ERR_INIT;
	int rc = role_parse((const char *)bytes, len, &role, &mistakes, &err);

	if (rc < 0)
		check_mistakes(&mistakes, rc, &err);
	else
		check_role(&role);
	return 0;
}
