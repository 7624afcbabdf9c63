/* SPDX-License-Identifier: MIT */
#include "model/daemon_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define CGROUP_OPTION "native.cgroupdriver="

/* 15 to 17 significant digits hold every double (DBL_DIG, DBL_DECIMAL_DIG). */
#define PRECISION_MIN 15
#define PRECISION_MAX 17

static void json_free(json_t **json)
{
	json_decref(*json); /* takes NULL */
	*json = NULL;
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

/* moby's getConflictFreeConfiguration takes a byte order mark and an empty file. */
static int load(const struct buf *text, json_t **ret, struct err *err)
{
	const char *bytes = buf_text(text);
	size_t len = text->len;
	json_error_t why;
	json_t *root;

	if (len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
		bytes += 3;
		len -= 3;
	}
	if (is_blank(bytes, len))
		root = json_object();
	else
		root = json_loadb(bytes, len, JSON_REJECT_DUPLICATES, &why);
	if (!root && is_blank(bytes, len))
		return err_errno(err, ENOMEM, "read JSON");
	if (!root)
		return err_set(err, E_FORMAT,
			"line %d column %d: %s; it must be strict JSON, without comments "
			"and "
			"trailing commas: mend it there, it was not touched",
			why.line, why.column, why.text);
	if (!json_is_object(root)) {
		json_decref(root);
		return err_set(err, E_FORMAT, "line 1: not a JSON object {...}");
	}
	*ret = root;
	return 0;
}

/* Indentation of the first indented line; dockerd's documentation uses two. */
static size_t find_indent(const struct buf *text)
{
	const char *newline = text->len ? strchr(text->bytes, '\n') : NULL;
	size_t blanks = newline ? strspn(newline + 1, " ") : 0;

	if (newline && newline[1] == '\t')
		return 8; /* jansson indents with blanks alone */
	return blanks > 0 && blanks <= 8 ? blanks : 2;
}

/* Numbers with the fewest digits that read back as the same value. */
static int dump(const json_t *root, size_t indent, struct buf *ret)
{
	for (size_t digits = PRECISION_MIN; digits <= PRECISION_MAX; digits++) {
		char *text = json_dumps(
			root, JSON_INDENT(indent) | JSON_REAL_PRECISION(digits));
		json_t *again CLEANUP(json_free) =
			text ? json_loads(text, 0, NULL) : NULL;
		bool same = again && json_equal(root, again);
		int rc = -ENOMEM;

		if (text && (same || digits == PRECISION_MAX))
			rc = buf_printf(ret, "%s\n", text);
		free(text);
		if (!text || same || digits == PRECISION_MAX)
			return rc;
	}
	return -ENOMEM;
}

/* The options that a driver takes begin with its name; overlay2 of moby 28 and later
 * knows size alone and fails on others, the old override_kernel_check too. */
static bool is_accepted_option(const char *option, const char *driver)
{
	size_t len = strlen(driver);

	if (strcmp(driver, "overlay2") == 0)
		return str_has_prefix(option, "overlay2.size=");
	return strncmp(option, driver, len) == 0 && option[len] == '.';
}

static int filter_storage_opts(json_t *root, const char *driver, struct strlist *changes)
{
	json_t *options = json_object_get(root, "storage-opts");

	if (!json_is_array(options))
		return 0;
	for (size_t i = json_array_size(options); i > 0; i--) {
		const char *option = json_string_value(json_array_get(options, i - 1));

		if (option && is_accepted_option(option, driver))
			continue;
		if (strlist_printf(changes,
			    "storage-opts: '%s' removed, %s does not take it",
			    option ? option : "?", driver) < 0 ||
			json_array_remove(options, i - 1) < 0)
			return -ENOMEM;
	}
	if (json_array_size(options) == 0 && json_object_del(root, "storage-opts") < 0)
		return -ENOMEM;
	return 0;
}

static int set_driver(json_t *root, const char *driver, struct strlist *changes)
{
	const char *now = json_string_value(json_object_get(root, "storage-driver"));
	int rc;

	if (now && strcmp(now, driver) == 0)
		return 0;
	/* The text first: setting the key frees what now points to. */
	rc = now ? strlist_printf(
			   changes, "storage-driver '%s' becomes '%s'", now, driver)
		 : strlist_printf(changes, "storage-driver '%s'", driver);
	if (rc < 0)
		return rc;
	return json_object_set_new(root, "storage-driver", json_string(driver)) < 0
		       ? -ENOMEM
		       : 0;
}

/* Graph drivers and the containerd image store exclude each other: up to moby 28
 * features.containerd-snapshotter chooses (daemon.go), from 29 on a graph driver that is
 * named explicitly does and the feature beats it (determineImageStoreChoice). */
static int set_store(json_t *root, const char *driver, struct strlist *changes)
{
	bool wanted = strcmp(driver, "overlayfs") == 0;
	json_t *features = json_object_get(root, "features");
	json_t *now = json_object_get(features, "containerd-snapshotter");

	if (wanted ? json_is_true(now) : !json_is_true(now))
		return 0;
	if (!json_is_object(features)) {
		features = json_object();
		if (json_object_set_new(root, "features", features) < 0)
			return -ENOMEM;
	}
	if (json_object_set_new(
		    features, "containerd-snapshotter", json_boolean(wanted)) < 0)
		return -ENOMEM;
	return strlist_printf(
		changes, "features.containerd-snapshotter %s", wanted ? "true" : "false");
}

/* exec-opts may hold other options; only the driver among them is ours. */
static int set_cgroup(json_t *root, bool systemd, struct strlist *changes)
{
	const char *wanted = systemd ? CGROUP_OPTION "systemd" : CGROUP_OPTION "cgroupfs";
	json_t *options = json_object_get(root, "exec-opts");
	bool found = false;

	if (!json_is_array(options)) {
		options = json_array();
		if (json_object_set_new(root, "exec-opts", options) < 0)
			return -ENOMEM;
	}
	for (size_t i = json_array_size(options); i > 0; i--) {
		const char *option = json_string_value(json_array_get(options, i - 1));

		if (option && strcmp(option, wanted) == 0 && !found) {
			found = true;
			continue;
		}
		if (!option || !str_has_prefix(option, CGROUP_OPTION))
			continue;
		if (strlist_printf(changes, "exec-opts '%s' removed", option) < 0 ||
			json_array_remove(options, i - 1) < 0)
			return -ENOMEM;
	}
	if (found)
		return 0;
	if (json_array_append_new(options, json_string(wanted)) < 0)
		return -ENOMEM;
	return strlist_printf(changes, "exec-opts '%s'", wanted);
}

/* A key of another type than dockerd wants would be lost by the merge. */
static int refuse_types(json_t *root, struct err *err)
{
	static const struct {
		const char *key;
		json_type type;
		const char *name;
	} keys[] = {
		{"storage-driver", JSON_STRING, "a string"},
		{"storage-opts", JSON_ARRAY, "a list of strings"},
		{"exec-opts", JSON_ARRAY, "a list of strings"},
		{"features", JSON_OBJECT, "an object"},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *value = json_object_get(root, keys[i].key);

		if (value && json_typeof(value) != keys[i].type)
			return err_set(err, E_FORMAT,
				"'%s' must be %s: mend it there, it was not touched",
				keys[i].key, keys[i].name);
	}
	return 0;
}

int daemon_json_merge(const struct buf *text, const struct daemon_json_wish *wish,
	struct buf *ret, struct strlist *changes, struct err *err)
{
	json_t *root CLEANUP(json_free) = NULL, *before CLEANUP(json_free) = NULL;
	struct buf out CLEANUP(buf_done) = BUF_INIT;
	int rc = load(text, &root, err);

	if (rc == 0)
		rc = refuse_types(root, err);
	if (rc < 0)
		return rc;
	before = json_deep_copy(root);
	if (!before || set_driver(root, wish->storage_driver, changes) < 0 ||
		filter_storage_opts(root, wish->storage_driver, changes) < 0 ||
		set_store(root, wish->storage_driver, changes) < 0 ||
		set_cgroup(root, wish->systemd_cgroup, changes) < 0)
		return err_errno(err, ENOMEM, "merge JSON");
	if (json_equal(before, root))
		rc = buf_add(&out, buf_text(text), text->len);
	else
		rc = dump(root, find_indent(text), &out);
	if (rc < 0)
		return err_errno(err, ENOMEM, "merge JSON");
	*ret = out;
	out = (struct buf)BUF_INIT;
	return 0;
}

int daemon_json_read(
	const struct buf *text, struct daemon_json_facts *ret, struct err *err)
{
	json_t *root CLEANUP(json_free) = NULL;
	const char *driver, *data_root;
	int rc = load(text, &root, err);

	if (rc < 0)
		return rc;
	driver = json_string_value(json_object_get(root, "storage-driver"));
	data_root = json_string_value(json_object_get(root, "data-root"));
	if (!data_root) /* its name until docker 17.05 */
		data_root = json_string_value(json_object_get(root, "graph"));
	*ret = (struct daemon_json_facts){.data_root = ""};
	if (!str_copy(ret->storage_driver, sizeof(ret->storage_driver),
		    driver ? driver : "") ||
		!str_copy(ret->data_root, sizeof(ret->data_root),
			data_root ? data_root : ""))
		return err_set(
			err, E_FORMAT, "'data-root' or 'storage-driver' is too long");
	return 0;
}

bool daemon_json_has(const struct buf *text, const char *key)
{
	json_t *root CLEANUP(json_free) = NULL;

	return load(text, &root, NULL) == 0 && json_object_get(root, key) != NULL;
}
