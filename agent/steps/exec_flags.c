/* SPDX-License-Identifier: MIT */
#include "steps/exec_flags.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "steps/unit_file.h"

/* One logical line of a unit: continuation lines joined, with where it began. */
struct source {
	char *text; /* owned */
	char file[256];
	unsigned int line;
};

struct sources {
	struct source *items;
	size_t count;
};

/* What the files say; env_lines are "VAR=value ..." of Environment= and of the files that
 * EnvironmentFile= names, later ones win. */
struct service {
	struct sources exec;
	struct sources variables;
};

static void sources_done(struct sources *sources)
{
	for (size_t i = 0; i < sources->count; i++)
		free(sources->items[i].text);
	free(sources->items);
	*sources = (struct sources){NULL, 0};
}

static void service_done(struct service *service)
{
	sources_done(&service->exec);
	sources_done(&service->variables);
}

static int sources_add(
	struct sources *sources, const char *text, const char *file, unsigned int line)
{
	struct source *all = realloc(sources->items, (sources->count + 1) * sizeof(*all));
	struct source *source;

	if (!all)
		return -ENOMEM;
	sources->items = all;
	source = &all[sources->count];
	*source = (struct source){.text = strdup(text), .line = line};
	if (!source->text)
		return -ENOMEM;
	(void)str_copy(source->file, sizeof(source->file), file);
	sources->count++;
	return 0;
}

/* An EnvironmentFile: each line that is an assignment (systemd.exec(5)). A missing one is
 * nothing, whether or not it is marked optional: the service would say so itself. */
static int read_environment_file(
	struct env *env, const char *path, struct service *service)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT, whole CLEANUP(buf_done) = BUF_INIT;
	char *rest, *line, *value;
	unsigned int number = 0;
	int rc;

	path += *path == '-' ? 1 : 0;
	rc = fs_read(env->target_fd, path, FS_TEXT_MAX, &text, NULL);
	if (rc < 0 || !text.len)
		return rc == -ENOMEM ? rc : 0;
	rest = text.bytes;
	while ((line = strsep(&rest, "\n"))) {
		number++;
		line = str_trim(line);
		value = strchr(line, '=');
		if (*line == '#' || *line == ';' || !value)
			continue;
		/* Without quotes the value is the rest of the line, blanks included. */
		if (value[1] == '"' || value[1] == '\'')
			rc = buf_add_str(&whole, line);
		else
			rc = buf_printf(&whole, "\"%s\"", line);
		if (rc == 0)
			rc = sources_add(
				&service->variables, buf_text(&whole), path, number);
		buf_done(&whole);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* One "Key=value" of a [Service] section. */
static int take_setting(struct env *env, struct service *service,
	const struct source *setting, const char *key_and_value)
{
	const char *value = strchr(key_and_value, '=');
	size_t len = value ? (size_t)(value - key_and_value) : 0;

	while (len && isspace((unsigned char)key_and_value[len - 1]))
		len--;
	value += value ? 1 : 0;
	if (!value)
		return 0;
	value += strspn(value, " \t");
	if (len == 9 && strncmp(key_and_value, "ExecStart", len) == 0) {
		if (!*value) /* an empty one takes the earlier ones back */
			sources_done(&service->exec);
		else
			return sources_add(
				&service->exec, value, setting->file, setting->line);
	} else if (len == 11 && strncmp(key_and_value, "Environment", len) == 0) {
		return sources_add(
			&service->variables, value, setting->file, setting->line);
	} else if (len == 15 && strncmp(key_and_value, "EnvironmentFile", len) == 0) {
		return read_environment_file(env, value, service);
	}
	return 0;
}

static int read_unit(
	struct env *env, const char *path, struct service *service, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT, joined CLEANUP(buf_done) = BUF_INIT;
	struct source at = {.line = 0};
	unsigned int number = 0;
	bool in_service = false;
	char *rest, *line;
	int rc = fs_read(env->target_fd, path, FS_TEXT_MAX, &text, err);

	if (rc < 0 || !text.len)
		return rc;
	(void)str_copy(at.file, sizeof(at.file), path);
	rest = text.bytes;
	while (rc == 0 && (line = strsep(&rest, "\n"))) {
		size_t len;

		number++;
		line = str_trim(line);
		len = strlen(line);
		if (*line == '#' || *line == ';')
			continue;
		if (!joined.len)
			at.line = number;
		if (len && line[len - 1] == '\\') {
			line[len - 1] = ' ';
			rc = buf_add_str(&joined, line);
			continue;
		}
		rc = buf_add_str(&joined, line);
		if (rc == 0 && *buf_text(&joined) == '[')
			in_service = strcmp(buf_text(&joined), "[Service]") == 0;
		else if (rc == 0 && in_service)
			rc = take_setting(env, service, &at, buf_text(&joined));
		buf_done(&joined);
	}
	return rc < 0 ? err_errno(err, -rc, "read '%s'", path) : 0;
}

static const char *const dropin_dirs[] = {"/etc/systemd/system",
	"/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
	"/lib/systemd/system"};

/* Names of all drop-ins of a unit; of two with one name the first directory's counts. */
static int list_dropins(struct env *env, const char *unit, struct strlist *ret)
{
	for (size_t d = 0; d < ARRAY_LEN(dropin_dirs); d++) {
		struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
		char dir[UNIT_PATH_MAX];

		(void)snprintf(dir, sizeof(dir), "%s/%s.d", dropin_dirs[d], unit);
		if (fs_list(env->target_fd, dir, &names) < 0)
			continue;
		for (size_t i = 0; i < names.count; i++)
			if (str_has_suffix(names.items[i], ".conf") &&
				!strlist_has(ret, names.items[i]) &&
				strlist_add(ret, names.items[i]) < 0)
				return -ENOMEM;
	}
	strlist_sort(ret);
	return 0;
}

static int read_dropin(struct env *env, const char *unit, const char *name,
	struct service *service, struct err *err)
{
	for (size_t d = 0; d < ARRAY_LEN(dropin_dirs); d++) {
		char path[UNIT_PATH_MAX];

		(void)snprintf(
			path, sizeof(path), "%s/%s.d/%s", dropin_dirs[d], unit, name);
		if (fs_exists(env->target_fd, path))
			return read_unit(env, path, service, err);
	}
	return 0;
}

/* Next word of a command line, quotes taken off. False at the end. */
static bool next_word(const char **text, char *word, size_t size)
{
	const char *p = *text + strspn(*text, " \t");
	size_t out = 0;
	char quote = '\0';

	if (!*p)
		return false;
	for (; *p && (quote || (*p != ' ' && *p != '\t')); p++) {
		if (quote ? *p == quote : *p == '"' || *p == '\'')
			quote = quote ? '\0' : *p;
		else if (out + 1 < size)
			word[out++] = *p;
	}
	word[out] = '\0';
	*text = p;
	return true;
}

static int flags_add(
	struct exec_flags *flags, const char *word, const struct source *source)
{
	struct exec_flag *all = realloc(flags->items, (flags->count + 1) * sizeof(*all));
	struct exec_flag *flag;
	size_t len = strcspn(word, "=");

	if (!all)
		return -ENOMEM;
	flags->items = all;
	flag = &all[flags->count++];
	*flag = (struct exec_flag){.line = source->line};
	(void)snprintf(flag->name, sizeof(flag->name), "%.*s", (int)len, word);
	(void)str_copy(flag->value, sizeof(flag->value), word[len] ? word + len + 1 : "");
	(void)str_copy(flag->file, sizeof(flag->file), source->file);
	return 0;
}

/* The name in a word "$VAR" or "${VAR}". */
static bool variable_name(const char *word, char *name, size_t size)
{
	size_t len;

	if (*word++ != '$')
		return false;
	word += *word == '{' ? 1 : 0;
	len = strcspn(word, "}");
	(void)snprintf(name, size, "%.*s", (int)len, word);
	return len > 0;
}

/* Value of the last assignment of a variable; with the source that it stands in. */
static const struct source *find_variable(
	const struct service *service, const char *name, char *value, size_t size)
{
	const struct source *found = NULL;
	size_t len = strlen(name);

	for (size_t i = 0; i < service->variables.count; i++) {
		const struct source *source = &service->variables.items[i];
		const char *p = source->text;
		char word[1024];

		/* An Environment= line may have several, each quoted as a whole; a file's
		 * line has one, quoted or not behind the "=". */
		while (next_word(&p, word, sizeof(word)))
			if (strncmp(word, name, len) == 0 && word[len] == '=') {
				(void)str_copy(value, size, word + len + 1);
				found = source;
			}
	}
	return found;
}

static int take_words(const struct service *service, const struct source *source,
	const char *text, struct exec_flags *flags)
{
	bool value_follows = false;
	char word[1024], name[64], value[1024];

	while (next_word(&text, word, sizeof(word))) {
		const struct source *from;
		int rc = 0;

		if (variable_name(word, name, sizeof(name))) {
			from = find_variable(service, name, value, sizeof(value));
			/* A value that names a variable again is not followed: systemd
			 * does not. */
			if (from && value[0] != '$')
				rc = take_words(service, from, value, flags);
			value_follows = false;
		} else if (word[0] == '-') {
			rc = flags_add(flags, word, source);
			value_follows = !strchr(word, '=');
		} else if (value_follows) {
			struct exec_flag *last = &flags->items[flags->count - 1];

			(void)str_copy(last->value, sizeof(last->value), word);
			value_follows = false;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The command itself may have prefixes (systemd.service(5), "Command lines"); it is no
 * flag even when it begins with "-". */
static const char *skip_command(const char *text)
{
	char word[1024];

	return next_word(&text, word, sizeof(word)) ? text : "";
}

int exec_flags_read(
	struct env *env, const char *unit, struct exec_flags *ret, struct err *err)
{
	struct service service CLEANUP(service_done) = {{NULL, 0}, {NULL, 0}};
	struct exec_flags flags CLEANUP(exec_flags_done) = {NULL, 0};
	struct strlist dropins CLEANUP(strlist_done) = STRLIST_INIT;
	char path[UNIT_PATH_MAX];
	int rc = 0;

	if (unit_find(env, unit, path))
		rc = read_unit(env, path, &service, err);
	if (rc == 0 && list_dropins(env, unit, &dropins) < 0)
		rc = err_errno(err, ENOMEM, "list the drop-ins of '%s'", unit);
	for (size_t i = 0; i < dropins.count && rc == 0; i++)
		rc = read_dropin(env, unit, dropins.items[i], &service, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < service.exec.count; i++)
		if (take_words(&service, &service.exec.items[i],
			    skip_command(service.exec.items[i].text), &flags) < 0)
			return err_errno(err, ENOMEM, "read the flags of '%s'", unit);
	*ret = flags;
	flags = (struct exec_flags){NULL, 0};
	return 0;
}

const struct exec_flag *exec_flags_find(
	const struct exec_flags *flags, const char *name, const char *short_name)
{
	for (size_t i = flags->count; i > 0; i--) {
		const struct exec_flag *flag = &flags->items[i - 1];

		if (strcmp(flag->name, name) == 0 ||
			(short_name && strcmp(flag->name, short_name) == 0))
			return flag;
	}
	return NULL;
}

void exec_flags_done(struct exec_flags *flags)
{
	free(flags->items);
	*flags = (struct exec_flags){NULL, 0};
}
