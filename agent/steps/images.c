/* SPDX-License-Identifier: MIT */
/*
 * Container images of the role: OCI archives beside each other on the root, a list of
 * what they hold, and a unit between containerd and kubelet that imports and pins what
 * containerd does not have. The archives stay: a containerd that was wiped is filled
 * again at the next boot, and nothing is pulled.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "cluster/image_archive.h"
#include "steps/artifact_step.h"
#include "steps/ops.h"
#include "steps/unit_file.h"

#define DIR_PATH IMAGE_ARCHIVE_DIR
#define SCRIPT_PATH "/etc/promenade/import-images"
#define UNIT_NAME "promenade-images.service"
#define PATH_SIZE (sizeof(DIR_PATH) + 72)

/* One line of DIR_PATH/list: ARCHIVE DIGEST NAME. */
static const char script_text[] =
	"#!/bin/sh\n"
	"# Written by promenade. Imports the images of " DIR_PATH
	"/list into containerd\n"
	"# where they are not there yet, and pins them: kubelet's garbage collection "
	"leaves\n"
	"# them alone (containerd, internal/cri/labels).\n"
	"set -u\n"
	"dir=" DIR_PATH "\n"
	"imported=\n"
	"failed=0\n"
	"\n"
	"has() { # DIGEST NAME\n"
	"	line=$(ctr --namespace k8s.io images ls \"name==$2\" | tail -n +2)\n"
	"	case $line in\n"
	"	'') return 1 ;;\n"
	"	*) [ \"$1\" = - ] || case $line in *\"$1\"*) ;; *) return 1 ;; esac ;;\n"
	"	esac\n"
	"}\n"
	"\n"
	"while read -r archive digest name; do\n"
	"	case \" $imported \" in\n"
	"	*\" $archive \"*) ;;\n"
	"	*)\n"
	"		if ! has \"$digest\" \"$name\"; then\n"
	"			ctr --namespace k8s.io images import%s \"$dir/$archive\" "
	"</dev/null || failed=1\n"
	"			imported=\"$imported $archive\"\n"
	"		fi\n"
	"		;;\n"
	"	esac\n"
	"	ctr --namespace k8s.io images label \"$name\" "
	"io.cri-containerd.pinned=pinned </dev/null >/dev/null || failed=1\n"
	"done <\"$dir/list\"\n"
	"exit $failed\n";

/* kubelet waits for it, but is not kept from starting: what could not be imported may
 * still be pulled. */
static const char unit_text[] = "[Unit]\n"
				"Description=Container images of the role\n"
				"Documentation=man:promenade-role(5)\n"
				"Requires=containerd.service\n"
				"After=containerd.service\n"
				"Before=kubelet.service\n"
				"\n"
				"[Service]\n"
				"Type=oneshot\n"
				"RemainAfterExit=yes\n"
				"TimeoutStartSec=infinity\n"
				"ExecStart=/bin/sh " SCRIPT_PATH "\n"
				"\n"
				"[Install]\n"
				"WantedBy=multi-user.target\n";

static void path_of(const struct role_archive *archive, char path[PATH_SIZE])
{
	(void)snprintf(path, PATH_SIZE, DIR_PATH "/%s.tar", archive->source.sha256);
}

/* The archives as artifacts, each digest once. */
struct list {
	struct artifact *items;
	char (*paths)[PATH_SIZE];
	size_t count;
};

static void list_done(struct list *list)
{
	free(list->items);
	free(list->paths);
}

static int list_init(struct list *list, const struct role_cluster *cluster)
{
	list->items = calloc(cluster->archive_count, sizeof(*list->items));
	list->paths = calloc(cluster->archive_count, sizeof(*list->paths));
	if (!list->items || !list->paths)
		return -ENOMEM;
	for (size_t i = 0; i < cluster->archive_count; i++) {
		const struct role_archive *from = &cluster->archives[i];
		bool again = false;

		for (size_t k = 0; k < list->count && !again; k++)
			again = strcmp(list->items[k].sha256, from->source.sha256) == 0;
		if (again)
			continue;
		path_of(from, list->paths[list->count]);
		list->items[list->count] = (struct artifact){.kind = ARTIFACT_FILE,
			.url = from->source.url,
			.sha256 = from->source.sha256,
			.path = list->paths[list->count],
			.mode = 0644};
		list->count++;
	}
	return 0;
}

/* Lines of one archive. 1: it is not there yet. */
static int add_archive(
	const struct env *env, const char *path, struct buf *text, struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int fd CLEANUP(fd_close) = fs_open(env->target_fd, path, O_RDONLY);
	int rc;

	if (fd == -ENOENT)
		return 1;
	if (fd < 0)
		return err_errno(err, -fd, "open '%s'", path);
	rc = image_archive_names(fd, path, &names, err);
	for (size_t i = 0; i < names.count && rc == 0; i++)
		if (buf_printf(text, "%s %s\n", strrchr(path, '/') + 1, names.items[i]) <
			0)
			rc = err_errno(err, ENOMEM, "list images");
	return rc;
}

static bool is_listed(const struct list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(strrchr(list->paths[i], '/') + 1, name) == 0)
			return true;
	return false;
}

/* Archives of an older role only take room: what they held is in containerd. */
static int add_absent(const struct env *env, const struct list *list, struct edits *edits)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = fs_list(env->target_fd, DIR_PATH, &names);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		char path[512];

		if (!str_has_suffix(names.items[i], ".tar") ||
			is_listed(list, names.items[i]))
			continue;
		(void)snprintf(path, sizeof(path), DIR_PATH "/%s", names.items[i]);
		rc = edits_add_absent(edits, path, "the role no longer names it");
	}
	return rc;
}

static int add_unit(struct step_context *context, struct edits *edits, struct err *err)
{
	struct role_unit unit = {.name = (char[]){UNIT_NAME}, .content = (char[]){""}};
	struct unit_set set = {
		.env = context->env, .edits = edits, .units = &unit, .unit_count = 1};
	struct buf script CLEANUP(buf_done) = BUF_INIT;
	char text[sizeof(unit_text)], snapshotter[96] = "";
	int rc;

	/* ctr does not read containerd's configuration; overlayfs is its own default. */
	if (strcmp(context->role->node.snapshotter, "overlayfs") != 0)
		(void)snprintf(snapshotter, sizeof(snapshotter), " --snapshotter %s",
			context->role->node.snapshotter);
	rc = buf_printf(&script, script_text, snapshotter);

	memcpy(text, unit_text, sizeof(unit_text));
	unit.content = text;
	if (rc == 0)
		rc = edits_add_file(
			edits, SCRIPT_PATH, &script, 0755, "imports and pins images");
	if (rc == 0)
		rc = unit_add_file(&set, UNIT_NAME, unit_text);
	if (rc < 0)
		return err_errno(err, ENOMEM, "unit " UNIT_NAME);
	return unit_add_enable(&set, UNIT_NAME, err);
}

static int add_list(struct step_context *context, const struct list *list,
	struct edits *edits, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = 0;

	for (size_t i = 0; i < list->count && rc == 0; i++)
		rc = add_archive(context->env, list->paths[i], &text, err);
	if (rc == 1)
		return 0; /* known when all archives are there */
	if (rc < 0)
		return rc;
	rc = edits_add_file(
		edits, DIR_PATH "/list", &text, 0644, "images of the archives");
	if (rc == 0)
		rc = add_absent(context->env, list, edits);
	return rc < 0 ? err_errno(err, -rc, "list images") : 0;
}

static int images_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	struct list list CLEANUP(list_done) = {NULL, NULL, 0};
	int rc;

	(void)step;
	if (list_init(&list, &context->role->cluster) < 0)
		return err_errno(err, ENOMEM, "list images");
	rc = add_list(context, &list, ret, err);
	return rc < 0 ? rc : add_unit(context, ret, err);
}

static int images_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	struct list list CLEANUP(list_done) = {NULL, NULL, 0};
	int rc;

	if (list_init(&list, &context->role->cluster) < 0)
		return err_errno(err, ENOMEM, "list images");
	rc = artifact_step_check(context, list.items, list.count, &ret->changes, err);
	if (rc == 0)
		rc = images_compute(context, step, &edits, err);
	if (rc == 0)
		rc = edits_check(context->env, &edits, &ret->changes, err);
	if (rc == 0)
		artifact_step_verdict(ret, step->reason);
	return rc;
}

static int images_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	struct list list CLEANUP(list_done) = {NULL, NULL, 0};
	int rc;

	if (list_init(&list, &context->role->cluster) < 0)
		return err_errno(err, ENOMEM, "list images");
	rc = artifact_step_apply(context, "images", list.items, list.count, err);
	if (rc == 0)
		rc = images_compute(context, step, &edits, err);
	return rc < 0 ? rc : edits_apply(context->env, &edits, err);
}

const struct step_ops step_images_ops = {.name = "images",
	.writes_target = true,
	.compute = images_compute,
	.check = images_check,
	.apply = images_apply};
