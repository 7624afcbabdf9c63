/* SPDX-License-Identifier: MIT */
/*
 * Unpacks one archive in the confined child, as artifacts do. Prints "ok FILES
 * DIRECTORIES BYTES", or the name of the code and the refusal; last the peak memory of
 * the child in KiB.
 *
 * usage: unpack_one plugins|tree ARCHIVE DIRECTORY [CHUNK]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/unpack.h"

static void wait_for(const struct unpack *unpack)
{
	struct pollfd ready = {.fd = -1};

	ready.fd = unpack_poll_fd(unpack, &ready.events);
	(void)poll(&ready, 1, -1);
}

static int feed(struct unpack *unpack, int fd, size_t chunk, struct err *err)
{
	static char bytes[65536];
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read(fd, bytes, chunk)) > 0)
		while ((rc = unpack_write(unpack, bytes, (size_t)n, err)) == -EAGAIN)
			wait_for(unpack);
	return rc;
}

int main(int argc, char **argv)
{
	static const struct unpack_limits plugins = UNPACK_LIMITS_PLUGINS;
	static const struct unpack_limits tree = UNPACK_LIMITS_TREE;
	struct unpack_result result = {0, 0, 0};
	struct unpack *unpack = NULL;
	struct err err = ERR_INIT;
	struct rusage usage;
	size_t chunk = argc > 4 ? (size_t)atoi(argv[4]) : 65536;
	int archive, staging, rc;

	if (argc < 4 || chunk == 0 || chunk > 65536)
		return 2;
	archive = open(argv[2], O_RDONLY | O_CLOEXEC);
	staging = open(argv[3], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (archive < 0 || staging < 0)
		return 2;
	rc = unpack_new(sys_real(), staging,
		strcmp(argv[1], "plugins") == 0 ? &plugins : &tree, &unpack, &err);
	if (rc == 0)
		rc = feed(unpack, archive, chunk, &err);
	if (rc == 0)
		while ((rc = unpack_finish(unpack, &result, &err)) == -EAGAIN)
			wait_for(unpack);
	unpack_free(&unpack);
	if (rc == 0)
		printf("ok %llu %llu %llu\n", (unsigned long long)result.files,
			(unsigned long long)result.directories,
			(unsigned long long)result.bytes);
	else
		printf("%s %s\n", err_name(rc), err.text);
	if (getrusage(RUSAGE_CHILDREN, &usage) == 0)
		printf("%ld\n", usage.ru_maxrss);
	close(archive);
	close(staging);
	return rc < 0 ? 1 : 0;
}
