/* SPDX-License-Identifier: MIT */
/*
 * One artifact through the release's own objects, as step artifacts does it. Prints the
 * peak memory of this process and of its largest child in KiB.
 *
 * usage: artifact_tool CA-FILE ROOT file|tree|plugins URL SHA256 PATH
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/artifact.h"
#include "host/env.h"
#include "host/fetch.h"

#define CA_BYTES_MAX (1024U * 1024U)

/* VmHWM and not ru_maxrss: the latter counts what this process was before execve(2). */
static long peak_of_self(void)
{
	struct buf status CLEANUP(buf_done) = BUF_INIT;
	int fd CLEANUP(fd_close) = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	const char *line;

	if (fd < 0 || fs_read_fd(fd, "/proc/self/status", 65536, &status, NULL) < 0)
		return -1;
	line = strstr(buf_text(&status), "VmHWM:");
	return line ? strtol(line + strlen("VmHWM:"), NULL, 10) : -1;
}

static enum artifact_kind kind_of(const char *word)
{
	if (strcmp(word, "plugins") == 0)
		return ARTIFACT_PLUGINS;
	return strcmp(word, "tree") == 0 ? ARTIFACT_TREE : ARTIFACT_FILE;
}

static int apply(struct env *env, char **words, struct err *err)
{
	const struct artifact artifact = {
		.kind = kind_of(words[3]),
		.url = words[4],
		.sha256 = words[5],
		.path = words[6],
		.mode = 0644,
	};
	struct fetch_config config = {
		.user_agent = "promenade/bench", .limits = FETCH_LIMITS_DEFAULT};
	struct buf ca CLEANUP(buf_done) = BUF_INIT;
	struct fetch *fetch = NULL;
	int fd CLEANUP(fd_close) = open(words[1], O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return err_errno(err, ENOENT, "open '%s'", words[1]);
	rc = fs_read_fd(fd, words[1], CA_BYTES_MAX, &ca, err);
	if (rc == 0)
		rc = env_set_target(env, words[2], err);
	config.ca_pem = ca.bytes;
	config.ca_len = ca.len;
	if (rc == 0)
		rc = fetch_new(env, &config, &fetch, err);
	if (rc == 0)
		rc = artifacts_apply(env, fetch, &artifact, 1, NULL, err);
	fetch_free(&fetch);
	return rc;
}

int main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct rusage children;
	struct env env;
	int rc;

	if (argc != 7)
		return 2;
	rc = env_init(&env, &err);
	if (rc == 0) {
		rc = apply(&env, argv, &err);
		env_done(&env);
	}
	if (rc < 0) {
		fprintf(stderr, "artifact_tool: %s\n", err.text);
		return 1;
	}
	if (getrusage(RUSAGE_CHILDREN, &children) < 0)
		return 1;
	printf("%ld %ld\n", peak_of_self(), children.ru_maxrss);
	return 0;
}
