/* SPDX-License-Identifier: MIT */
#include "steps/unit_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"

/* Longest chain of Also=. systemd has no limit; nobody has three. */
#define ALSO_DEPTH_MAX 8

/* Directories below /etc in systemd's order (systemd.unit(5)); /run is not of the disk.
 */
static const char *const package_dirs[] = {
	"/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system",
	"/lib/systemd/system",
};

/* An [Install] section. */
struct install {
	struct strlist wanted_by;
	struct strlist required_by;
	struct strlist upheld_by;
	struct strlist alias;
	struct strlist also;
	char default_instance[UNIT_NAME_MAX];
};

static void install_done(struct install *install)
{
	strlist_done(&install->wanted_by);
	strlist_done(&install->required_by);
	strlist_done(&install->upheld_by);
	strlist_done(&install->alias);
	strlist_done(&install->also);
}

/* "x@tty1.service" and "x@.service" -> "x@.service"; others unchanged. */
static void template_name(const char *name, char ret[UNIT_NAME_MAX])
{
	const char *at = strchr(name, '@'), *dot = strrchr(name, '.');

	if (at && dot && dot > at)
		(void)snprintf(
			ret, UNIT_NAME_MAX, "%.*s%s", (int)(at - name + 1), name, dot);
	else
		(void)str_copy(ret, UNIT_NAME_MAX, name); /* names are at most 255 */
}

static bool is_mask(const struct env *env, const char *path)
{
	char target[4096];

	return fs_read_link(env->target_fd, path, target, sizeof(target)) == 0 &&
	       strcmp(target, "/dev/null") == 0;
}

static bool find_in(const struct env *env, const char *dir, const char *name,
	char path[UNIT_PATH_MAX])
{
	char template[UNIT_NAME_MAX];

	template_name(name, template);
	(void)snprintf(path, UNIT_PATH_MAX, "%s/%s", dir, name);
	if (fs_exists(env->target_fd, path) && !is_mask(env, path))
		return true;
	(void)snprintf(path, UNIT_PATH_MAX, "%s/%s", dir, template);
	return fs_exists(env->target_fd, path) && !is_mask(env, path);
}

bool unit_find(const struct env *env, const char *name, char path[UNIT_PATH_MAX])
{
	if (find_in(env, UNIT_DIR, name, path))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(package_dirs); i++)
		if (find_in(env, package_dirs[i], name, path))
			return true;
	return false;
}

/* The role's unit of this name or template that brings its own file. */
static const struct role_unit *find_in_role(const struct unit_set *set, const char *name)
{
	char template[UNIT_NAME_MAX];

	template_name(name, template);
	for (size_t i = 0; i < set->unit_count; i++) {
		const struct role_unit *unit = &set->units[i];

		if (unit->content && (strcmp(unit->name, name) == 0 ||
					     strcmp(unit->name, template) == 0))
			return unit;
	}
	return NULL;
}

/* Text and path of the file of a unit. */
static int load(const struct unit_set *set, const char *name, struct buf *ret,
	char path[UNIT_PATH_MAX], struct err *err)
{
	const struct role_unit *unit = find_in_role(set, name);

	if (unit) {
		(void)snprintf(path, UNIT_PATH_MAX, UNIT_DIR "/%s", unit->name);
		return buf_add_str(ret, unit->content) < 0
			       ? err_errno(err, ENOMEM, "read unit '%s'", name)
			       : 0;
	}
	if (!unit_find(set->env, name, path))
		return err_set(err, E_ROLE,
			"enable '%s': the installed OS has no such unit; give its "
			"content or install its package",
			name);
	return fs_read(set->env->target_fd, path, FS_TEXT_MAX, ret, err);
}

/* Next logical line of *cursor: continuation lines joined by a space, comments left out.
 * False at the end. Cuts the text in place. */
static bool next_line(char **cursor, struct buf *line)
{
	line->len = 0;
	while (**cursor) {
		char *text = *cursor, *end = text + strcspn(text, "\n");
		size_t len = (size_t)(end - text);
		bool more;

		*cursor = *end ? end + 1 : end;
		while (len && (text[len - 1] == ' ' || text[len - 1] == '\t' ||
				      text[len - 1] == '\r'))
			len--;
		text[len] = '\0';
		text += strspn(text, " \t");
		if (*text == '#' || *text == ';')
			continue;
		len = strlen(text);
		more = len && text[len - 1] == '\\';
		if (buf_add(line, text, more ? len - 1 : len) < 0 ||
			buf_add_str(line, more ? " " : "") < 0)
			return false;
		if (!more)
			return true;
	}
	return line->len > 0;
}

static struct strlist *install_list(struct install *install, const char *key)
{
	if (strcmp(key, "WantedBy") == 0)
		return &install->wanted_by;
	if (strcmp(key, "RequiredBy") == 0)
		return &install->required_by;
	if (strcmp(key, "UpheldBy") == 0)
		return &install->upheld_by;
	if (strcmp(key, "Alias") == 0)
		return &install->alias;
	if (strcmp(key, "Also") == 0)
		return &install->also;
	return NULL;
}

/* An empty value takes back what was said before (systemd.syntax(7)). */
static int install_set(struct install *install, const char *key, char *value)
{
	struct strlist *list = install_list(install, key);
	char *save = NULL;

	if (strcmp(key, "DefaultInstance") == 0)
		(void)str_copy(install->default_instance,
			sizeof(install->default_instance), value);
	if (!list)
		return 0;
	if (!*value)
		strlist_done(list);
	for (char *word = strtok_r(value, " \t\"'", &save); word;
		word = strtok_r(NULL, " \t\"'", &save))
		if (strlist_add(list, word) < 0)
			return -ENOMEM;
	return 0;
}

static int install_parse(char *text, struct install *ret)
{
	struct buf line CLEANUP(buf_done) = BUF_INIT;
	bool inside = false;

	while (next_line(&text, &line)) {
		char *key = line.bytes, *value = strchr(line.bytes, '=');
		int rc = 0;

		if (*key == '[') {
			inside = strcmp(key, "[Install]") == 0;
		} else if (inside && value) {
			*value++ = '\0';
			rc = install_set(ret, str_trim(key), str_trim(value));
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Replaces the specifiers that make sense in [Install] by parts of the unit's name. */
static int expand(
	const char *text, const char *name, char *ret, size_t size, struct err *err)
{
	const char *dot = strrchr(name, '.'), *at = strchr(name, '@');
	const char *stem_end = dot ? dot : name + strlen(name);
	const char *prefix_end = at && at < stem_end ? at : stem_end;
	size_t used = 0;

	for (; *text; text++) {
		const char *from = text;
		size_t len = 1;

		if (*text == '%') {
			text++;
			from = *text == 'i' || *text == 'I' ? prefix_end + (at != NULL)
							    : name;
			if (*text == 'n')
				len = strlen(name);
			else if (*text == 'N')
				len = (size_t)(stem_end - name);
			else if (*text == 'p' || *text == 'P')
				len = (size_t)(prefix_end - name);
			else if (*text == 'i' || *text == 'I')
				len = (size_t)(stem_end - from);
			else if (*text == '%')
				from = text;
			else
				return err_set(err, E_FORMAT,
					"enable '%s': specifier '%%%c' in [Install] is "
					"not known; write the name out",
					name, *text ? *text : ' ');
		}
		if (used + len >= size)
			return err_errno(err, ENAMETOOLONG, "enable '%s'", name);
		memcpy(ret + used, from, len);
		used += len;
	}
	ret[used] = '\0';
	return 0;
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* A link at path that already names the file keeps its spelling: /lib or /usr/lib,
 * relative or absolute mean the same to systemd. */
static int add_link(
	struct unit_set *set, const char *path, const char *file, const char *why)
{
	char target[4096];
	int rc = fs_read_link(set->env->target_fd, path, target, sizeof(target));

	if (rc == 0 && strcmp(last_component(target), last_component(file)) == 0)
		file = target;
	return edits_add_link(set->edits, path, file, why);
}

/* One list of [Install]: a link in TARGET.suffix/ for each, or an alias when suffix is
 * NULL. */
static int add_links(struct unit_set *set, const char *name, const char *file,
	const struct strlist *list, const char *suffix, struct err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		char target[UNIT_NAME_MAX], path[UNIT_PATH_MAX * 2],
			why[UNIT_PATH_MAX * 2];
		int rc = expand(list->items[i], name, target, sizeof(target), err);

		if (rc < 0)
			return rc;
		if (strchr(target, '/') || target[0] == '.')
			return err_set(err, E_FORMAT,
				"enable '%s': '%s' in [Install] is not a unit name", name,
				target);
		if (suffix) {
			(void)snprintf(path, sizeof(path), UNIT_DIR "/%s.%s/%s", target,
				suffix, name);
			(void)snprintf(why, sizeof(why), "started with %s", target);
		} else {
			(void)snprintf(path, sizeof(path), UNIT_DIR "/%s", target);
			(void)snprintf(why, sizeof(why), "alias of %s", name);
		}
		if (strcmp(path, file) == 0)
			continue; /* its own name as an alias */
		if (add_link(set, path, file, why) < 0)
			return err_errno(err, ENOMEM, "enable '%s'", name);
	}
	return 0;
}

/* The name under which it is enabled: a bare template stands for its default instance. */
static int instance_name(const char *name, const struct install *install,
	char ret[UNIT_NAME_MAX], struct err *err)
{
	const char *at = strchr(name, '@');
	int len;

	if (!at || at[1] != '.') {
		(void)str_copy(ret, UNIT_NAME_MAX, name); /* names are at most 255 */
		return 0;
	}
	if (!install->default_instance[0])
		return err_set(err, E_ROLE,
			"enable '%s': a template without DefaultInstance=; name the "
			"instance, as in %.*sNAME%s",
			name, (int)(at - name + 1), name, at + 1);
	len = snprintf(ret, UNIT_NAME_MAX, "%.*s%s%s", (int)(at - name + 1), name,
		install->default_instance, at + 1);
	return len < UNIT_NAME_MAX ? 0
				   : err_errno(err, ENAMETOOLONG, "enable '%s'", name);
}

static int remove_mask(struct unit_set *set, const char *name)
{
	char path[UNIT_PATH_MAX];

	(void)snprintf(path, sizeof(path), UNIT_DIR "/%s", name);
	if (!is_mask(set->env, path) || edits_find(set->edits, path))
		return 0;
	return edits_add_absent(set->edits, path, "it was masked");
}

static int add_installed(struct unit_set *set, const char *name, const char *file,
	const struct install *install, struct err *err)
{
	char instance[UNIT_NAME_MAX];
	int rc = instance_name(name, install, instance, err);

	if (rc == 0 && remove_mask(set, name) < 0)
		rc = err_errno(err, ENOMEM, "enable '%s'", name);
	if (rc == 0)
		rc = add_links(set, instance, file, &install->wanted_by, "wants", err);
	if (rc == 0)
		rc = add_links(
			set, instance, file, &install->required_by, "requires", err);
	if (rc == 0)
		rc = add_links(set, instance, file, &install->upheld_by, "upholds", err);
	if (rc == 0)
		rc = add_links(set, instance, file, &install->alias, NULL, err);
	return rc;
}

/* What Also= names may come with another package: missing ones are left out, as systemctl
 * does. */
static int enable(
	struct unit_set *set, const char *name, unsigned int depth, struct err *err)
{
	struct install install CLEANUP(install_done) = {0};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	char path[UNIT_PATH_MAX], ignored[UNIT_PATH_MAX];
	int rc = load(set, name, &text, path, err);

	if (rc == 0 &&
		(buf_add(&text, "", 0) < 0 || install_parse(text.bytes, &install) < 0))
		rc = err_errno(err, ENOMEM, "enable '%s'", name);
	if (rc < 0)
		return rc;
	if (install.wanted_by.count + install.required_by.count +
			install.upheld_by.count + install.alias.count +
			install.also.count ==
		0)
		return err_set(err, E_ROLE,
			"enable '%s': '%s' has no [Install] section, so nothing says "
			"what "
			"starts it; add WantedBy=multi-user.target there, or leave "
			"enable out",
			name, path);
	rc = add_installed(set, name, path, &install, err);
	for (size_t i = 0; i < install.also.count && rc == 0 && depth > 0; i++) {
		char also[UNIT_NAME_MAX];

		rc = expand(install.also.items[i], name, also, sizeof(also), err);
		if (rc == 0 && strcmp(also, name) != 0 &&
			(find_in_role(set, also) || unit_find(set->env, also, ignored)))
			rc = enable(set, also, depth - 1, err);
	}
	return rc;
}

int unit_add_enable(struct unit_set *set, const char *name, struct err *err)
{
	return enable(set, name, ALSO_DEPTH_MAX, err);
}

int unit_add_file(struct unit_set *set, const char *name, const char *content)
{
	char path[UNIT_PATH_MAX];
	int rc;

	(void)snprintf(path, sizeof(path), UNIT_DIR "/%s", name);
	rc = edits_add_text(set->edits, path, content, "unit file");
	if (rc == 0)
		edits_find(set->edits, path)->no_follow = true;
	return rc;
}

int unit_add_mask(struct unit_set *set, const char *name)
{
	char path[UNIT_PATH_MAX];

	(void)snprintf(path, sizeof(path), UNIT_DIR "/%s", name);
	return edits_add_link(set->edits, path, "/dev/null", "masked by the role");
}
