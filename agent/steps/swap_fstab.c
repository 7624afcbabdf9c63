/* SPDX-License-Identifier: MIT */
/* fstab and what systemd-gpt-auto-generator makes of a fstab without swap. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "model/fstab.h"
#include "steps/swap_parts.h"

#define FSTAB "/etc/fstab"

/* SD_GPT_SWAP, uapi-group Discoverable Partitions Specification. */
#define GPT_SWAP "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f"

static int has_swap_line(const struct buf *text, bool *ret)
{
	struct fstab fstab CLEANUP(fstab_done) = {NULL, 0};

	if (fstab_parse(buf_text(text), text->len, &fstab) < 0)
		return -ENOMEM;
	*ret = false;
	for (size_t i = 0; i < fstab.count; i++)
		if (strcmp(fstab.items[i].type, "swap") == 0)
			*ret = true;
	return 0;
}

static int add_line(const struct fact_partition *part, struct buf *text, bool *first)
{
	if (text->len && text->bytes[text->len - 1] != '\n' &&
		buf_add_str(text, "\n") < 0)
		return -ENOMEM;
	if (*first && buf_add_str(text, "# promenade: swap stays off. Without a swap "
					"line systemd would turn "
					"on every\n# partition of type swap by itself "
					"(systemd-gpt-auto-generator).\n") < 0)
		return -ENOMEM;
	*first = false;
	return buf_printf(
		text, "PARTUUID=%s none swap noauto,nofail 0 0\n", part->partuuid);
}

/* A line for each GPT swap partition, when fstab has no swap line at all. */
static int suppress_gpt(
	const struct facts *facts, struct buf *text, struct strlist *changes)
{
	bool found, first = true;

	if (has_swap_line(text, &found) < 0)
		return -ENOMEM;
	for (size_t d = 0; d < facts->disk_count && !found; d++)
		for (size_t p = 0; p < facts->disks[d].partition_count; p++) {
			const struct fact_partition *part =
				&facts->disks[d].partitions[p];

			if (strcmp(part->part_type, GPT_SWAP) != 0 || !part->partuuid[0])
				continue;
			if (add_line(part, text, &first) < 0 ||
				strlist_printf(changes,
					"noauto line added for GPT swap partition '%s'",
					part->path) < 0)
				return -ENOMEM;
		}
	return 0;
}

static int add_edit(struct edits *edits, const struct buf *text, mode_t mode,
	const struct strlist *changes)
{
	struct buf why CLEANUP(buf_done) = BUF_INIT;

	for (size_t i = 0; i < changes->count; i++)
		if (buf_printf(&why, "%s%s", i ? "; " : "", changes->items[i]) < 0)
			return -ENOMEM;
	return edits_add_file(edits, FSTAB, text, mode, buf_text(&why));
}

int swap_edit_fstab(
	struct env *env, const struct facts *facts, struct edits *edits, struct err *err)
{
	struct buf before CLEANUP(buf_done) = BUF_INIT,
			  after CLEANUP(buf_done) = BUF_INIT;
	struct strlist changes CLEANUP(strlist_done) = STRLIST_INIT;
	struct stat st = {.st_mode = 0644};
	int rc = fs_read(env->target_fd, FSTAB, FS_TEXT_MAX, &before, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && fs_stat(env->target_fd, FSTAB, true, &st) < 0)
		st.st_mode = 0644;
	if (fstab_disable_swap(buf_text(&before), before.len, &after, &changes) < 0 ||
		suppress_gpt(facts, &after, &changes) < 0)
		return err_errno(err, ENOMEM, "edit '" FSTAB "'");
	if (changes.count &&
		add_edit(edits, &after, (mode_t)(st.st_mode & 07777), &changes) < 0)
		return err_errno(err, ENOMEM, "edit '" FSTAB "'");
	return 0;
}
