/* SPDX-License-Identifier: MIT */
/*
 * fstab by any hand: after the edit no swap entry is automatic, a second edit changes
 * nothing, and the other entries are the same.
 *
 * Links: model/fstab base/str base/err
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/fstab.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void compare(const struct fstab *before, const struct fstab *after)
{
	if (before->count != after->count)
		abort();
	for (size_t i = 0; i < before->count; i++) {
		const struct fstab_entry *a = &before->items[i], *b = &after->items[i];
		bool swap = strcmp(a->type, "swap") == 0;

		if (strcmp(a->spec, b->spec) != 0 || strcmp(a->file, b->file) != 0 ||
			strcmp(a->type, b->type) != 0 || a->line != b->line)
			abort();
		if (swap ? !fstab_is_noauto(b) : strcmp(a->options, b->options) != 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const char *text = (const char *)bytes;
	struct buf once = BUF_INIT, twice = BUF_INIT, data = BUF_INIT;
	struct strlist changes = STRLIST_INIT;
	struct fstab before = {NULL, 0}, after = {NULL, 0};
	unsigned long flags;

	if (fstab_parse(text, len, &before) == 0 &&
		fstab_disable_swap(text, len, &once, &changes) == 0 &&
		fstab_parse(buf_text(&once), once.len, &after) == 0 &&
		fstab_disable_swap(buf_text(&once), once.len, &twice, &changes) == 0) {
		compare(&before, &after);
		if (once.len != twice.len ||
			memcmp(buf_text(&once), buf_text(&twice), once.len))
			abort();
	}
	for (size_t i = 0; i < before.count; i++)
		if (fstab_mount_options(before.items[i].options, &flags, &data) == 0)
			buf_done(&data);
	fstab_done(&before);
	fstab_done(&after);
	buf_done(&once);
	buf_done(&twice);
	strlist_done(&changes);
	return 0;
}
