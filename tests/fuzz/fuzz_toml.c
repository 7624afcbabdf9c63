/* SPDX-License-Identifier: MIT */
/*
 * config.toml by any hand: an edit is refused or gives a text that is accepted, has the
 * value, and is not changed by the same edit again.
 *
 * Links: model/toml model/toml_scan base/str base/err
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/toml.h"

#define S TOML_SEP
#define TABLE "plugins" S "io.containerd.grpc.v1.cri"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void edit(struct buf *text, const char *path)
{
	struct buf value = BUF_INIT;
	struct err err = ERR_INIT;
	int rc = toml_set(text, path, "true", &err);

	if (rc >= 0) {
		if (toml_check(text, &err) < 0 ||
			toml_set(text, path, "true", &err) != 0 ||
			!toml_get(text, path, &value) ||
			strcmp(buf_text(&value), "true") != 0)
			abort();
	}
	buf_done(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct buf text = BUF_INIT;
	struct strlist items = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (buf_add(&text, bytes, len) < 0)
		return 0;
	edit(&text, "version");
	edit(&text, TABLE S "cni" S "bin_dir");
	edit(&text, TABLE S "containerd" S "snapshotter");
	if (toml_array_remove(&text, "disabled_plugins", "cri", &err) >= 0 &&
		toml_get_strings(&text, "disabled_plugins", &items) == 0 &&
		strlist_has(&items, "cri"))
		abort();
	strlist_done(&items);
	buf_done(&text);
	return 0;
}
