/* SPDX-License-Identifier: MIT */
/*
 * Kernel parameters and modules that the OS sets and loads at boot: those of the role and
 * those that pods need. A parameter that a file read later sets to something else stays
 * as that file says, because a person put it there; it is warned about at every boot.
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "steps/ops.h"

#define SYSCTL_NAME "90-promenade.conf"
#define SYSCTL_PATH "/etc/sysctl.d/" SYSCTL_NAME
#define MODULES_PATH "/etc/modules-load.d/promenade.conf"
#define KEY_MAX 256

/* kubernetes.io, Container Runtimes, "Forwarding IPv4 and letting iptables see bridged
 * traffic": kube-proxy and most CNI plugins do not work without. */
static const struct {
	const char *key, *value;
} pod_needs[] = {
	{"net.bridge.bridge-nf-call-ip6tables", "1"},
	{"net.bridge.bridge-nf-call-iptables", "1"},
	{"net.ipv4.ip_forward", "1"},
};

static const char *const pod_modules[] = {"br_netfilter", "overlay"};

/* In systemd-sysctl's order of places; a file of one name in an earlier hides the later.
 */
static const char *const sysctl_dirs[] = {
	"/etc/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d"};

/* The form of a path below /proc/sys: where the first separator is a '.', dots and
 * slashes are swapped (sysctl.d(5)). */
static void normalize(const char *key, char ret[KEY_MAX])
{
	bool dots = key[strcspn(key, "./")] == '.';

	(void)str_copy(ret, KEY_MAX, key); /* no kernel parameter is longer */
	for (char *p = ret; dots && *p; p++)
		*p = *p == '.' ? '/' : *p == '/' ? '.' : *p;
}

static bool same_key(const char *a, const char *b)
{
	char x[KEY_MAX], y[KEY_MAX];

	normalize(a, x);
	normalize(b, y);
	return fnmatch(x, y, FNM_PATHNAME) == 0;
}

static const struct role_pair *role_value(const struct role_map *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++)
		if (same_key(map->items[i].key, key))
			return &map->items[i];
	return NULL;
}

/* "key = value" lines: the role's, then the pods' needs that the role does not decide. */
static int collect_sysctl(const struct role_node *node, struct strlist *ret)
{
	int rc = 0;

	for (size_t i = 0; i < node->sysctl.count && rc == 0; i++)
		rc = strlist_printf(ret, "%s = %s", node->sysctl.items[i].key,
			node->sysctl.items[i].value);
	if (node->engine == ROLE_ENGINE_NONE)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(pod_needs) && rc == 0; i++)
		if (!role_value(&node->sysctl, pod_needs[i].key))
			rc = strlist_printf(
				ret, "%s = %s", pod_needs[i].key, pod_needs[i].value);
	strlist_sort(ret);
	return rc;
}

static int collect_modules(const struct role_node *node, struct strlist *ret)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(pod_modules) && rc == 0; i++)
		if (node->engine != ROLE_ENGINE_NONE)
			rc = strlist_add(ret, pod_modules[i]);
	for (size_t i = 0; i < node->modules_load.count && rc == 0; i++)
		if (!strlist_has(ret, node->modules_load.items[i]))
			rc = strlist_add(ret, node->modules_load.items[i]);
	return rc;
}

/* The file is ours alone: it holds these lines, or is not there when there are none. */
static int add_lines(struct edits *edits, const char *path, const struct strlist *lines,
	const char *why)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_add_str(&text,
		"# Written by promenade from the role of this machine; "
		"changes here do not last.\n");

	if (!lines->count)
		return edits_add_absent(edits, path, "the role asks for nothing there");
	for (size_t i = 0; i < lines->count && rc == 0; i++)
		rc = buf_printf(&text, "%s\n", lines->items[i]);
	return rc < 0 ? rc : edits_add_file(edits, path, &text, 0644, why);
}

static int sysctl_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	const struct role_node *node = &context->role->node;
	struct strlist keys CLEANUP(strlist_done) = STRLIST_INIT;
	struct strlist modules CLEANUP(strlist_done) = STRLIST_INIT;

	(void)step;
	if (collect_sysctl(node, &keys) < 0 || collect_modules(node, &modules) < 0 ||
		add_lines(ret, SYSCTL_PATH, &keys, "kernel parameters") < 0 ||
		add_lines(ret, MODULES_PATH, &modules, "modules loaded at boot") < 0)
		return err_errno(err, ENOMEM, "kernel parameters");
	return 0;
}

/* The value that the last line for key in text gives it, copied; false when none does. */
static bool value_in(char *text, const char *key, char *ret, size_t size)
{
	bool found = false;
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		line = str_trim(line);
		if (*line == '#' || *line == ';' || !value)
			continue;
		*value++ = '\0';
		line = str_trim(line + (*line == '-')); /* "-": errors do not matter */
		if (!same_key(line, key))
			continue;
		(void)str_copy(ret, size, str_trim(value)); /* cut is fine */
		found = true;
	}
	return found;
}

/* Where name is read from: the first place that has it. -ENOENT when none has. */
static int read_sysctl(
	const struct env *env, const char *name, char *path, size_t size, struct buf *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(sysctl_dirs); i++) {
		(void)snprintf(path, size, "%s/%s", sysctl_dirs[i], name);
		if (fs_read(env->target_fd, path, FS_TEXT_MAX, ret, NULL) == 0)
			return buf_add(ret, "", 0);
	}
	return -ENOENT;
}

/* Names of configuration files that are read after ours. */
static int later_files(const struct env *env, struct strlist *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(sysctl_dirs); i++) {
		struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;

		if (fs_list(env->target_fd, sysctl_dirs[i], &names) < 0)
			continue; /* no such directory */
		for (size_t k = 0; k < names.count; k++) {
			const char *name = names.items[k];

			if (strcmp(name, SYSCTL_NAME) <= 0 ||
				!str_has_suffix(name, ".conf") || strlist_has(ret, name))
				continue;
			if (strlist_add(ret, name) < 0)
				return -ENOMEM;
		}
	}
	strlist_sort(ret);
	return 0;
}

/* Says into why which later file sets the key of "key = value" otherwise. */
static bool is_overridden(const struct env *env, const struct strlist *files,
	const char *wanted, char *why, size_t size)
{
	char key[KEY_MAX], value[KEY_MAX], path[512] = "", last[512] = "";
	const char *equals = strstr(wanted, " = ");
	bool found = false;

	(void)snprintf(key, sizeof(key), "%.*s", (int)(equals - wanted), wanted);
	for (size_t i = 0; i < files->count; i++) {
		struct buf text CLEANUP(buf_done) = BUF_INIT;

		if (read_sysctl(env, files->items[i], path, sizeof(path), &text) < 0 ||
			!value_in(text.bytes, key, value, sizeof(value)))
			continue;
		found = true;
		(void)str_copy(last, sizeof(last), path);
	}
	if (!found || strcmp(value, equals + strlen(" = ")) == 0)
		return false;
	(void)snprintf(why, size,
		"'%s' is read after " SYSCTL_PATH " and sets %s to %s, not %s; remove it "
		"there, or say so in the role",
		last, key, value, equals + strlen(" = "));
	return true;
}

/* Appends one line for each parameter that stays otherwise. */
static int add_overrides(
	struct step_context *context, struct strlist *ret, struct err *err)
{
	struct strlist keys CLEANUP(strlist_done) = STRLIST_INIT;
	struct strlist files CLEANUP(strlist_done) = STRLIST_INIT;
	char why[ERR_TEXT_MAX];

	if (collect_sysctl(&context->role->node, &keys) < 0 ||
		later_files(context->env, &files) < 0)
		return err_errno(err, ENOMEM, "kernel parameters");
	for (size_t i = 0; i < keys.count; i++)
		if (is_overridden(
			    context->env, &files, keys.items[i], why, sizeof(why)) &&
			strlist_add(ret, why) < 0)
			return err_errno(err, ENOMEM, "kernel parameters");
	return 0;
}

static int sysctl_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	size_t todo;
	int rc = sysctl_compute(context, step, &edits, err);

	if (rc == 0)
		rc = edits_check(context->env, &edits, &ret->changes, err);
	todo = ret->changes.count;
	if (rc == 0)
		rc = add_overrides(context, &ret->changes, err);
	if (rc < 0)
		return rc;
	if (todo)
		step_report_set(ret, STEP_TODO, 0, "%zu change(s): %s", todo,
			ret->changes.items[0]);
	else if (ret->changes.count)
		step_report_set(ret, STEP_WARN, 0, "%s", ret->changes.items[0]);
	else
		step_report_set(ret, STEP_DONE, 0, "already so: %s", step->reason);
	return 0;
}

const struct step_ops step_sysctl_ops = {.name = "sysctl",
	.writes_target = true,
	.compute = sysctl_compute,
	.check = sysctl_check};
