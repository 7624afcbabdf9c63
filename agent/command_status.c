/* SPDX-License-Identifier: MIT */
/* `promenade status`: the journal of the last boot as a table or as JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "command.h"
#include "host/env.h"
#include "host/journal.h"

struct row {
	char boot[40];
	char time[24];
	char step[24];
	char state[16];
	const char *message; /* inside the journal's text */
};

/* Value behind "key=" up to the next space, into ret. False when it is not there. */
static bool take(const char *line, const char *key, char *ret, size_t size)
{
	const char *at = strstr(line, key);
	size_t len;

	if (!at)
		return false;
	at += strlen(key);
	len = strcspn(at, " ");
	if (len >= size)
		return false;
	memcpy(ret, at, len);
	ret[len] = '\0';
	return true;
}

/* One line of journal.h's form; a torn last line of a crash is no row. */
static bool parse_row(char *line, struct row *ret)
{
	char *message = strstr(line, " msg=\"");
	size_t len = strlen(line);

	if (!message || len == 0 || line[len - 1] != '"')
		return false;
	line[len - 1] = '\0';
	*message = '\0';
	ret->message = message + strlen(" msg=\"");
	return take(line, "boot=", ret->boot, sizeof(ret->boot)) &&
	       take(line, "t=", ret->time, sizeof(ret->time)) &&
	       take(line, "step=", ret->step, sizeof(ret->step)) &&
	       take(line, "state=", ret->state, sizeof(ret->state));
}

static int read_journal(const struct options *options, struct buf *ret, struct err *err)
{
	struct env env;
	int rc = env_init(&env, err);

	if (rc == 0)
		rc = env_set_target(&env, options->root, err);
	if (rc == 0) {
		rc = fs_read(env.run_fd, JOURNAL_RUN_PATH, FS_TEXT_MAX, ret, err);
		if (rc == -ENOENT)
			rc = fs_read(env.target_fd, JOURNAL_TARGET_PATH, FS_TEXT_MAX, ret,
				err);
		if (rc == -ENOENT)
			rc = err_set(err, ENOENT,
				"no journal in /" JOURNAL_RUN_PATH
				" nor in '%s" JOURNAL_TARGET_PATH
				"': this machine was not booted by promenade",
				strcmp(options->root, "/") == 0 ? "" : options->root);
	}
	env_done(&env);
	return rc;
}

static int add_json_row(struct buf *out, const struct row *row, bool first)
{
	if (buf_printf(out, "%s{\"t\": %s, \"step\": \"", first ? "" : ",\n ",
		    row->time) < 0 ||
		buf_add_json(out, row->step) < 0 ||
		buf_add_str(out, "\", \"state\": \"") < 0 ||
		buf_add_json(out, row->state) < 0 ||
		buf_add_str(out, "\", \"message\": \"") < 0 ||
		buf_add_json(out, row->message) < 0)
		return -ENOMEM;
	return buf_add_str(out, "\"}");
}

static int add_row(struct buf *out, const struct row *row, bool json, bool first)
{
	if (json)
		return add_json_row(out, row, first);
	return buf_printf(out, "%10s  %-10s %-8s %s\n", row->time, row->step, row->state,
		row->message);
}

/* The rows of the newest boot only: a line of another boot starts anew. */
static int render(char *text, bool json, struct buf *out)
{
	char boot[40] = "", *line;
	bool first = true;

	while ((line = strsep(&text, "\n"))) {
		struct row row;

		if (!parse_row(line, &row))
			continue;
		if (strcmp(boot, row.boot) != 0) {
			(void)str_copy(boot, sizeof(boot), row.boot);
			buf_done(out);
			first = true;
			if (json && buf_printf(out, "{\"boot\": \"%s\", \"steps\": [",
					    boot) < 0)
				return -ENOMEM;
		}
		if (add_row(out, &row, json, first) < 0)
			return -ENOMEM;
		first = false;
	}
	return json ? buf_add_str(out, out->len ? "]}\n" : "{\"steps\": []}\n") : 0;
}

int command_status(const struct options *options)
{
	struct buf journal CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	int rc = read_journal(options, &journal, &err);

	if (rc == 0 && render(journal.bytes, options->json, &out) < 0)
		rc = err_errno(&err, ENOMEM, "render the journal");
	if (rc < 0) {
		(void)fprintf(stderr, "promenade: %s\n", err.text);
		return err_exit_status(rc);
	}
	return fputs(buf_text(&out), stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
}
