/* SPDX-License-Identifier: MIT */
#include "host/module_insert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "host/unpack_image.h"

/* linux/module.h, since 5.17; the libc's kernel headers may be older. */
#define INIT_COMPRESSED_FILE 4

/* The largest module of a distribution (a GPU driver) has about 40 MiB. */
#define IMAGE_BYTES_MAX (128U << 20)

static const struct {
	const char *suffix;
	const char *name; /* as sys/module/compression spells it */
} compressions[] = {
	{".xz", "xz"},
	{".zst", "zstd"},
	{".gz", "gzip"},
};

/* Name of the file's compression, NULL for none. */
static const char *compression_of(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(compressions); i++)
		if (str_has_suffix(path, compressions[i].suffix))
			return compressions[i].name;
	return NULL;
}

static bool kernel_takes(const struct env *env, const char *compression)
{
	char line[16];

	return fs_read_line(env->run_fd, "sys/module/compression", line, sizeof(line)) ==
		       0 &&
	       strcmp(line, compression) == 0;
}

static const char *hint(int code)
{
	switch (code) {
	case ENOEXEC:
		return "; it is not of this kernel's build: pack KERNEL and MODULES of "
		       "one build";
	case EKEYREJECTED:
	case ENOKEY:
	case EBADMSG:
		return "; this kernel takes only modules that are signed for it: pack "
		       "those of its own package";
	case EPERM:
		return "; kernel.modules_disabled, lockdown or a missing privilege "
		       "forbids it";
	default:
		return "";
	}
}

/* Returns 0 or the errno of the insertion. */
static int insert_file(const struct env *env, int fd, const char *options, int flags)
{
	return env->sys->finit_module(fd, options, flags) < 0 ? errno : 0;
}

static int insert_unpacked(const struct env *env, int fd, const char *path,
	const char *options, struct err *err)
{
	struct buf image CLEANUP(buf_done) = BUF_INIT;
	int rc =
		unpack_image(fd, module_insert_shown(path), IMAGE_BYTES_MAX, &image, err);

	if (rc < 0)
		return rc;
	return env->sys->init_module(image.bytes, image.len, options) < 0 ? errno : 0;
}

const char *module_insert_shown(const char *path)
{
	const char *from = strstr(path, "lib/modules/");

	return from ? from : path;
}

int module_insert(
	const struct env *env, const char *path, const char *options, struct err *err)
{
	const char *compression = compression_of(path);
	int code, fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open '%s'", module_insert_shown(path));
	if (!compression)
		code = insert_file(env, fd, options, 0);
	else if (kernel_takes(env, compression))
		code = insert_file(env, fd, options, INIT_COMPRESSED_FILE);
	else
		code = insert_unpacked(env, fd, path, options, err);
	if (code < 0)
		return code;
	if (code == 0 || code == EEXIST)
		return 0;
	/* The kernel's word for an unknown symbol would read as a missing module. */
	if (code == ENOENT)
		code = ENOEXEC;
	return err_set(err, code, "insert '%s': %s%s", module_insert_shown(path),
		strerror(code), hint(code));
}
