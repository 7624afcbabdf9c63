/* SPDX-License-Identifier: MIT */
/*
 * Answers of an API server: as an object, as a refusal, as a list of kinds.
 *
 * Links: cluster/api_status cluster/api_kind base/err base/str
 * Flags: -isystem build/host/sysroot/include -Lbuild/host/sysroot/lib -ljansson
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/api_kind.h"
#include "cluster/api_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(int holds)
{
	if (!holds)
		abort();
}

static void check_error(const struct err *err, int rc)
{
	demand(rc < 0 && rc == err->code && err->text[0]);
	for (const char *p = err->text; *p; p++)
		demand(*p >= 0x20 && *p <= 0x7e);
}

static void check_object(const struct buf *body)
{
	json_t *json CLEANUP(api_json_free) = NULL;
	struct err err = ERR_INIT;
	struct api_kind kind;
	int rc = api_json_parse("GET '/x'", body, &json, &err);

	if (rc < 0) {
		check_error(&err, rc);
		demand(json == NULL);
		return;
	}
	demand(json_is_object(json));
	if (api_kind_discover(json, "Thing", &kind))
		demand(!strchr(kind.plural, '/') &&
			memchr(kind.plural, '\0', sizeof(kind.plural)));
}

static void check_path(const char *text)
{
	struct buf path CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	if (api_kind_segment(&path, text, &err) < 0)
		return;
	demand(path.bytes[0] == '/' && !strpbrk(path.bytes + 1, "/?#\r\n \\\""));
	demand(strcmp(path.bytes, "/..") != 0 && strcmp(path.bytes, "/.") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const long statuses[] = {400, 401, 403, 409, 422, 429, 500, 599};
	struct buf body CLEANUP(buf_done) = BUF_INIT;

	demand(buf_add(&body, bytes, len) == 0);
	check_object(&body);
	check_path(body.bytes);
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++) {
		struct err err = ERR_INIT;

		check_error(&err, api_status_error("GET '/x'", statuses[i], &body, &err));
	}
	return 0;
}
