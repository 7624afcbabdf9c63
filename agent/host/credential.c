/* SPDX-License-Identifier: MIT */
#include "host/credential.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"

#define FW_CFG_DIR "sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials"
#define DMI_DIR "sys/firmware/dmi/entries"

static int from_fw_cfg(
	struct env *env, const char *name, size_t max, struct buf *ret, struct err *err)
{
	char path[300];
	int rc;

	(void)snprintf(path, sizeof(path), FW_CFG_DIR "/%s/raw", name);
	rc = fs_read(env->run_fd, path, max, ret, err);
	return rc == -ENOENT || rc == -ENOTDIR ? 1 : rc;
}

static int base64_value(char c)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(alphabet, c) : NULL;

	return at ? (int)(at - alphabet) : -1;
}

/* RFC 4648 4 with padding; nothing else is accepted. */
static int base64_decode(const char *text, struct buf *ret)
{
	size_t len = strlen(text), pad = 0;

	if (len % 4 != 0)
		return -EINVAL;
	while (pad < 2 && pad < len && text[len - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < len; i += 4) {
		unsigned int group = 0, bytes = i + 4 == len ? 3 - (unsigned int)pad : 3;
		unsigned char out[3];

		for (size_t k = 0; k < 4; k++) {
			int value = i + k >= len - pad ? 0 : base64_value(text[i + k]);

			if (value < 0)
				return -EINVAL;
			group = group << 6 | (unsigned int)value;
		}
		out[0] = (unsigned char)(group >> 16);
		out[1] = (unsigned char)(group >> 8);
		out[2] = (unsigned char)group;
		if (buf_add(ret, out, bytes) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* The value behind "prefixNAME=" in one SMBIOS string, or NULL. */
static const char *value_of(const char *string, const char *prefix, const char *name)
{
	const char *rest;

	if (!str_has_prefix(string, prefix))
		return NULL;
	rest = string + strlen(prefix);
	if (!str_has_prefix(rest, name) || rest[strlen(name)] != '=')
		return NULL;
	return rest + strlen(name) + 1;
}

/* One string of a type 11 entry. 1: not this credential. */
static int take_string(
	const char *string, const char *name, struct buf *ret, struct err *err)
{
	const char *value = value_of(string, "io.systemd.credential:", name);
	int rc;

	if (value)
		return buf_add_str(ret, value) < 0
			       ? err_errno(
					 err, ENOMEM, "read SMBIOS credential '%s'", name)
			       : 0;
	value = value_of(string, "io.systemd.credential.binary:", name);
	if (!value)
		return 1;
	rc = base64_decode(value, ret);
	if (rc == -EINVAL)
		return err_set(err, E_FORMAT,
			"SMBIOS credential '%s': not base64; make it with 'base64 -w0'",
			name);
	return rc < 0 ? err_errno(err, -rc, "read SMBIOS credential '%s'", name) : 0;
}

/* Entry: type, length, handle (2), then the formatted area up to length, then the
 * strings, each NUL-terminated, an empty one at the end (SMBIOS 3.7, 6.1.3). */
static int scan_entry(
	const struct buf *raw, const char *name, struct buf *ret, struct err *err)
{
	size_t at = raw->len > 1 ? (unsigned char)raw->bytes[1] : 0;

	while (at >= 4 && at < raw->len && raw->bytes[at]) {
		const char *string = raw->bytes + at;
		int rc = take_string(string, name, ret, err);

		if (rc != 1)
			return rc;
		at += strnlen(string, raw->len - at) + 1;
	}
	return 1;
}

static int from_smbios(
	struct env *env, const char *name, size_t max, struct buf *ret, struct err *err)
{
	struct strlist entries CLEANUP(strlist_done) = STRLIST_INIT;

	if (fs_list(env->run_fd, DMI_DIR, &entries) < 0)
		return 1;
	for (size_t i = 0; i < entries.count; i++) {
		struct buf raw CLEANUP(buf_done) = BUF_INIT;
		char path[300];
		int rc;

		if (!str_has_prefix(entries.items[i], "11-"))
			continue;
		(void)snprintf(path, sizeof(path), DMI_DIR "/%s/raw", entries.items[i]);
		/* base64 is a third larger than what it holds; other strings share it. */
		rc = fs_read(env->run_fd, path, 2 * max + 65536, &raw, err);
		if (rc == 0)
			rc = scan_entry(&raw, name, ret, err);
		if (rc == 0 && ret->len > max)
			return err_set(err, E_TOO_BIG,
				"SMBIOS credential '%s': larger than %zu bytes", name,
				max);
		if (rc != 1)
			return rc;
	}
	return 1;
}

int credential_read(
	struct env *env, const char *name, size_t max, struct buf *ret, struct err *err)
{
	struct buf value CLEANUP(buf_done) = BUF_INIT;
	int rc = from_fw_cfg(env, name, max, &value, err);

	if (rc == 1)
		rc = from_smbios(env, name, max, &value, err);
	if (rc != 0)
		return rc;
	*ret = value;
	value = (struct buf)BUF_INIT;
	return 0;
}
