/* SPDX-License-Identifier: MIT */
/*
 * A whole archive through both readers of host/unpack_child.c, with a table of effects
 * that makes nothing and looks at every path.
 *
 * Links: host/unpack_child host/unpack_rules base/err base/str base/fs
 * Flags: -isystem build/host/sysroot/include -Lbuild/host/sysroot/lib
 * Flags: -larchive -lz -lbz2 -llzma -lzstd
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "host/unpack_child.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(int holds)
{
	if (!holds)
		abort();
}

static void check_path(const char *path)
{
	demand(path[0] && path[0] != '/');
	demand(strcmp(path, "..") != 0 && strncmp(path, "../", 3) != 0);
	demand(!strstr(path, "/../"));
	demand(strlen(path) < 3 || strcmp(path + strlen(path) - 3, "/..") != 0);
}

static int fake_open_write(int dirfd, const char *path, const struct open_how *how)
{
	(void)dirfd;
	check_path(path);
	demand(how->flags & O_EXCL && how->flags & O_NOFOLLOW);
	demand(how->mode == 0755 || how->mode == 0644);
	demand(how->resolve & RESOLVE_BENEATH);
	return open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static int fake_mkdirat(int dirfd, const char *path, mode_t mode)
{
	(void)dirfd;
	check_path(path);
	demand(mode == 0755);
	return 0;
}

static ssize_t fake_write(int fd, const void *bytes, size_t len)
{
	(void)fd;
	(void)bytes;
	return (ssize_t)len;
}

static int fake_syncfs(int fd)
{
	(void)fd;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const struct sys_ops sys = {
		.open_write = fake_open_write,
		.mkdirat = fake_mkdirat,
		.write = fake_write,
		.syncfs = fake_syncfs,
	};
	const struct unpack_limits limits = UNPACK_LIMITS_TREE;
	struct unpack_result result = {0, 0, 0};
	struct err err = ERR_INIT;
	int fd = memfd_create("archive", MFD_CLOEXEC), rc;

	if (fd < 0 || write(fd, bytes, len) != (ssize_t)len ||
		lseek(fd, 0, SEEK_SET) != 0)
		abort();
	rc = unpack_stream(&sys, fd, -1, &limits, &result, &err);
	close(fd);
	demand(rc == 0 || (rc == err.code && err.text[0]));
	demand(rc != 0 || result.files > 0);
	demand(result.bytes <= limits.total_bytes);
	return 0;
}
