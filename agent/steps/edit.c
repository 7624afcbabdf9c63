/* SPDX-License-Identifier: MIT */
#include "steps/edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"

static void edit_done(struct edit *edit)
{
	if (edit->secret && edit->content)
		explicit_bzero(edit->content, edit->len);
	free(edit->path);
	free(edit->content);
	free(edit->why);
	*edit = (struct edit){0};
}

struct edit *edits_find(const struct edits *edits, const char *path)
{
	for (size_t i = 0; i < edits->count; i++)
		if (strcmp(edits->items[i].path, path) == 0)
			return &edits->items[i];
	return NULL;
}

/* The place of a new edit of path: the earlier one's, emptied, or one more at the end. */
static struct edit *edits_place(struct edits *edits, const char *path)
{
	struct edit *found = edits_find(edits, path);

	if (found) {
		edit_done(found);
		return found;
	}
	if (edits->count == edits->cap) {
		size_t cap = edits->cap ? edits->cap * 2 : 8;
		struct edit *items = realloc(edits->items, cap * sizeof(*items));

		if (!items)
			return NULL;
		edits->items = items;
		edits->cap = cap;
	}
	return &edits->items[edits->count++];
}

/* Copies everything first, so that a failure leaves the list as it was. */
static int edits_add(struct edits *edits, const struct edit *like, const char *path,
	const void *bytes, const char *why)
{
	struct edit copy = *like, *place = NULL;

	copy.path = strdup(path);
	copy.why = strdup(why);
	copy.content = malloc(like->len + 1);
	if (copy.path && copy.why && copy.content)
		place = edits_place(edits, path);
	if (!place) {
		edit_done(&copy);
		return -ENOMEM;
	}
	if (like->len)
		memcpy(copy.content, bytes, like->len);
	copy.content[like->len] = '\0';
	*place = copy;
	return 0;
}

int edits_add_file(struct edits *edits, const char *path, const struct buf *content,
	mode_t mode, const char *why)
{
	struct edit like = {.kind = EDIT_FILE, .len = content->len, .mode = mode};

	return edits_add(edits, &like, path, buf_text(content), why);
}

int edits_add_text(
	struct edits *edits, const char *path, const char *text, const char *why)
{
	struct edit like = {.kind = EDIT_FILE, .len = strlen(text), .mode = 0644};

	return edits_add(edits, &like, path, text, why);
}

int edits_add_link(
	struct edits *edits, const char *path, const char *target, const char *why)
{
	struct edit like = {.kind = EDIT_LINK, .len = strlen(target)};

	return edits_add(edits, &like, path, target, why);
}

int edits_add_dir(struct edits *edits, const char *path, const char *why)
{
	struct edit like = {.kind = EDIT_DIR};

	return edits_add(edits, &like, path, "", why);
}

int edits_add_absent(struct edits *edits, const char *path, const char *why)
{
	struct edit like = {.kind = EDIT_ABSENT};

	return edits_add(edits, &like, path, "", why);
}

/* A link to /dev/null is systemd's word for "masked", never a place to write to; beneath
 * an unmounted /dev it would even become a regular file. */
static bool replaces_link(const struct env *env, const struct edit *edit)
{
	char target[4096];

	if (fs_read_link(env->target_fd, edit->path, target, sizeof(target)) < 0)
		return false;
	return edit->no_follow || strcmp(target, "/dev/null") == 0;
}

/* Size, mode and owner are compared before the bytes, so that a big file that differs is
 * not read. A file of another owner is not ours even with the same bytes; without root
 * nobody could give it away, and nothing is asked then. */
static int file_is_so(const struct env *env, const struct edit *edit, struct err *err)
{
	struct buf buf CLEANUP(buf_done) = BUF_INIT;
	struct stat st;
	int rc = fs_stat(env->target_fd, edit->path, true, &st);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc < 0)
		return err_errno(err, -rc, "look at '%s'", edit->path);
	if (S_ISDIR(st.st_mode))
		return err_errno(err, EISDIR, "write '%s'", edit->path);
	if (replaces_link(env, edit) || !S_ISREG(st.st_mode))
		return 0;
	if ((st.st_mode & 07777) != edit->mode || st.st_size != (off_t)edit->len)
		return 0;
	if (geteuid() == 0 && (st.st_uid != 0 || st.st_gid != 0))
		return 0;
	rc = fs_read(env->target_fd, edit->path, edit->len, &buf, err);
	if (rc < 0)
		return rc;
	return buf.len == edit->len &&
	       memcmp(buf_text(&buf), edit->content, buf.len) == 0;
}

static int link_is_so(const struct env *env, const struct edit *edit, struct err *err)
{
	char target[4096];
	int rc = fs_read_link(env->target_fd, edit->path, target, sizeof(target));

	if (rc == -ENOENT || rc == -ENOTDIR || rc == -EINVAL)
		return 0;
	if (rc < 0)
		return err_errno(err, -rc, "look at '%s'", edit->path);
	return strcmp(target, edit->content) == 0;
}

static int dir_is_so(const struct env *env, const struct edit *edit, struct err *err)
{
	struct stat st;
	int rc = fs_stat(env->target_fd, edit->path, true, &st);

	if (rc == -ENOENT)
		return 0;
	if (rc == 0 && !S_ISDIR(st.st_mode))
		rc = -ENOTDIR;
	return rc < 0 ? err_errno(err, -rc, "make directory '%s'", edit->path) : 1;
}

static int absent_is_so(const struct env *env, const struct edit *edit, struct err *err)
{
	struct stat st;
	int rc = fs_stat(env->target_fd, edit->path, false, &st);

	if (rc == -ENOENT || rc == -ENOTDIR)
		return 1;
	return rc < 0 ? err_errno(err, -rc, "look at '%s'", edit->path) : 0;
}

/* 1 when already so, 0 when not, or negative. */
static int edit_is_so(const struct env *env, const struct edit *edit, struct err *err)
{
	switch (edit->kind) {
	case EDIT_FILE:
		return file_is_so(env, edit, err);
	case EDIT_LINK:
		return link_is_so(env, edit, err);
	case EDIT_DIR:
		return dir_is_so(env, edit, err);
	case EDIT_ABSENT:
		return absent_is_so(env, edit, err);
	}
	return err_set(err, E_BUG, "edit '%s': kind %d", edit->path, (int)edit->kind);
}

static int add_change(struct strlist *changes, const struct edit *edit)
{
	switch (edit->kind) {
	case EDIT_FILE:
		return strlist_printf(changes, "write '%s': %s", edit->path, edit->why);
	case EDIT_LINK:
		return strlist_printf(changes, "link '%s' to '%s': %s", edit->path,
			edit->content, edit->why);
	case EDIT_DIR:
		return strlist_printf(
			changes, "make directory '%s': %s", edit->path, edit->why);
	case EDIT_ABSENT:
		return strlist_printf(changes, "remove '%s': %s", edit->path, edit->why);
	}
	return -EINVAL;
}

int edits_check(const struct env *env, const struct edits *edits,
	struct strlist *ret_changes, struct err *err)
{
	for (size_t i = 0; i < edits->count; i++) {
		int rc = edit_is_so(env, &edits->items[i], err);

		if (rc < 0)
			return rc;
		if (rc == 0 && add_change(ret_changes, &edits->items[i]) < 0)
			return err_errno(err, ENOMEM, "list the changes");
	}
	return 0;
}

static int file_apply(const struct env *env, const struct edit *edit, struct err *err)
{
	struct fs_content content = {
		.bytes = edit->content, .len = edit->len, .mode = edit->mode};

	/* Killed between the two, the next run finds no link and writes the file. */
	if (replaces_link(env, edit)) {
		int rc = fs_remove(env->sys, env->target_fd, edit->path, err);

		if (rc < 0)
			return rc;
	}
	return fs_replace(env->sys, env->target_fd, edit->path, &content, err);
}

static int edit_apply(const struct env *env, const struct edit *edit, struct err *err)
{
	switch (edit->kind) {
	case EDIT_FILE:
		return file_apply(env, edit, err);
	case EDIT_LINK:
		return fs_replace_link(
			env->sys, env->target_fd, edit->path, edit->content, err);
	case EDIT_DIR:
		return fs_make_dirs(env->sys, env->target_fd, edit->path, err);
	case EDIT_ABSENT:
		return fs_remove(env->sys, env->target_fd, edit->path, err);
	}
	return err_set(err, E_BUG, "edit '%s': kind %d", edit->path, (int)edit->kind);
}

int edits_apply(const struct env *env, const struct edits *edits, struct err *err)
{
	for (size_t i = 0; i < edits->count; i++) {
		int rc = edit_is_so(env, &edits->items[i], err);

		if (rc == 0)
			rc = edit_apply(env, &edits->items[i], err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int edits_paths(const struct edits *edits, struct strlist *ret)
{
	for (size_t i = 0; i < edits->count; i++) {
		if (edits->items[i].kind == EDIT_ABSENT)
			continue;
		if (strlist_add(ret, edits->items[i].path) < 0)
			return -ENOMEM;
	}
	return 0;
}

void edits_done(struct edits *edits)
{
	for (size_t i = 0; i < edits->count; i++)
		edit_done(&edits->items[i]);
	free(edits->items);
	*edits = (struct edits)EDITS_INIT;
}
