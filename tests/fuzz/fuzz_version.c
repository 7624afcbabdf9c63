/* SPDX-License-Identifier: MIT */
/*
 * A kernel release: what is read prints and reads again as the same version.
 *
 * Links: model/version
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/version.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_round(const struct version *version)
{
	struct version again;
	char text[64];
	int len = snprintf(text, sizeof(text), "%u.%u.%u", version->major, version->minor,
		version->sublevel);

	if (version->rc != VERSION_RC_NONE)
		(void)snprintf(
			text + len, sizeof(text) - (size_t)len, "-rc%u", version->rc);
	if (version_parse(text, &again) < 0 || version_compare(version, &again) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct version version;
	char *text = malloc(len + 1);
	int rc;

	if (!text)
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	rc = version_parse(text, &version);
	free(text);
	if (rc == 0)
		check_round(&version);
	else if (rc != -EINVAL)
		abort();
	return 0;
}
