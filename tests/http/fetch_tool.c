/* SPDX-License-Identifier: MIT */
/*
 * host/fetch and host/artifact from the command line, for the scripted server of run.py.
 * Prints one line per result: the code's name, then key=value, then the text.
 *
 *   fetch_tool [KEY=VALUE]... small URL...
 *   fetch_tool [KEY=VALUE]... stream URL FILE [URL FILE]...
 *   fetch_tool [KEY=VALUE]... artifact file|tree|plugins|modules URL SHA256 PATH MODE
 * [...]
 *
 * Keys: ca, client, root, post (files and folders); http=1, limit, small_ms, stall_s,
 * retry_ms, retries, sink_stall_ms; slow=N: the sink takes N bytes, then says "not yet"
 * for 100 ms; check=1: artifacts are only looked at.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "host/artifact.h"
#include "host/env.h"
#include "host/fetch.h"

struct options {
	struct fetch_config config;
	struct buf ca;
	struct buf client;
	struct buf post;
	const char *root;
	bool allow_http;
	bool check_only;
	size_t limit;
	uint64_t slow;
};

static void die(const char *what)
{
	fprintf(stderr, "fetch_tool: %s\n", what);
	exit(2);
}

static void read_file(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fs_read_fd(fd, path, 1U << 20, ret, NULL) < 0)
		die(path);
	close(fd);
}

static void set_option(struct options *options, const char *key, const char *value)
{
	struct fetch_limits *limits = &options->config.limits;
	unsigned int number = (unsigned int)strtoul(value, NULL, 10);
	const struct {
		const char *key;
		unsigned int *place;
	} numbers[] = {
		{"small_ms", &limits->small_ms},
		{"connect_ms", &limits->connect_ms},
		{"stall_s", &limits->stall_s},
		{"retry_ms", &limits->retry_base_ms},
		{"retry_cap_ms", &limits->retry_cap_ms},
		{"retries", &limits->retry_count},
		{"sink_stall_ms", &limits->sink_stall_ms},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(numbers[i].key, key) == 0)
			*numbers[i].place = number;
	if (strcmp(key, "ca") == 0)
		read_file(value, &options->ca);
	if (strcmp(key, "client") == 0)
		read_file(value, &options->client);
	if (strcmp(key, "post") == 0)
		read_file(value, &options->post);
	if (strcmp(key, "root") == 0)
		options->root = value;
	if (strcmp(key, "http") == 0)
		options->allow_http = number;
	if (strcmp(key, "check") == 0)
		options->check_only = number;
	if (strcmp(key, "limit") == 0)
		options->limit = number;
	if (strcmp(key, "slow") == 0)
		options->slow = number;
}

static void run_small(struct fetch *fetch, const struct options *options, const char *url)
{
	struct fetch_request request = {
		.url = url,
		.limit = options->limit,
		.allow_http = options->allow_http,
		.accept = "application/yaml",
		.body_type = options->post.bytes ? "application/json" : NULL,
		.body_bytes = options->post.bytes,
		.body_len = options->post.len,
	};
	struct fetch_answer answer;
	struct err err = ERR_INIT;
	int rc = fetch_small(fetch, &request, &answer, &err);

	printf("%s status=%ld retry=%u len=%zu %s\n", rc ? err_name(rc) : "ok",
		answer.status, answer.retry_after_s, answer.body.len, err.text);
	buf_done(&answer.body);
}

struct file_sink {
	const struct options *options;
	struct env *env;
	int fd;
	int begun;
	uint64_t taken;
	uint64_t open_at_ms; /* the sink takes nothing before */
};

static int sink_begin(void *context, uint64_t size, struct err *err)
{
	struct file_sink *sink = context;

	(void)size;
	(void)err;
	sink->begun++;
	return 0;
}

static int sink_write(void *context, const void *bytes, size_t len, struct err *err)
{
	struct file_sink *sink = context;
	uint64_t slow = sink->options->slow;

	if (slow && sink->env->now_ms() < sink->open_at_ms)
		return -EAGAIN;
	if (slow && sink->taken / slow != (sink->taken + len) / slow)
		sink->open_at_ms = sink->env->now_ms() + 100;
	sink->taken += len;
	return write(sink->fd, bytes, len) == (ssize_t)len
		       ? 0
		       : err_errno(err, EIO, "write the test's file");
}

static int sink_finish(void *context, struct err *err)
{
	struct file_sink *sink = context;

	(void)err;
	return sink->begun == 1 ? 0 : err_set(err, E_BUG, "begun %d times", sink->begun);
}

static int sink_poll(void *context, short *ret_events)
{
	(void)context;
	*ret_events = 0;
	return -1;
}

static void show_progress(void *context, uint64_t done, uint64_t total)
{
	uint64_t *last = context;

	if (done < *last)
		printf("progress went back\n");
	if (total && done > total)
		printf("progress beyond the end\n");
	*last = done;
}

static void run_streams(struct fetch *fetch, struct env *env,
	const struct options *options, char **words, size_t count)
{
	struct fetch_stream *streams = calloc(count, sizeof(*streams));
	struct file_sink *sinks = calloc(count, sizeof(*sinks));
	uint64_t last = 0;
	struct fetch_progress progress = {show_progress, &last};
	struct err err = ERR_INIT;
	int rc;

	if (!streams || !sinks)
		die("memory");
	for (size_t i = 0; i < count; i++) {
		sinks[i] = (struct file_sink){.options = options, .env = env};
		sinks[i].fd = open(
			words[2 * i + 1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		streams[i] = (struct fetch_stream){.url = words[2 * i],
			.name = words[2 * i + 1],
			.allow_http = options->allow_http,
			.limit = options->limit,
			.sink = {sink_begin, sink_write, sink_finish, sink_poll,
				&sinks[i]}};
	}
	rc = fetch_streams(fetch, streams, count, &progress, &err);
	printf("%s %s\n", rc ? err_name(rc) : "ok", err.text);
	for (size_t i = 0; i < count; i++) {
		printf("%s received=%llu resumed=%u changed=%d %s\n",
			streams[i].code ? err_name(streams[i].code) : "ok",
			(unsigned long long)streams[i].received, streams[i].resumed,
			streams[i].changed, streams[i].err.text);
		close(sinks[i].fd);
	}
	free(sinks);
	free(streams);
}

static enum artifact_kind kind_of(const char *word)
{
	static const char *const words[] = {
		[ARTIFACT_FILE] = "file",
		[ARTIFACT_TREE] = "tree",
		[ARTIFACT_PLUGINS] = "plugins",
		[ARTIFACT_MODULES] = "modules",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i], word) == 0)
			return (enum artifact_kind)i;
	die(word);
	return ARTIFACT_FILE;
}

static void run_artifacts(struct fetch *fetch, struct env *env,
	const struct options *options, char **words, size_t count)
{
	struct artifact list[16];
	struct err err = ERR_INIT;
	char change[400];
	bool done = false;
	int rc = 0;

	if (count > ARRAY_LEN(list))
		die("too many artifacts");
	for (size_t i = 0; i < count; i++, words += 5)
		list[i] = (struct artifact){
			.kind = kind_of(words[0]),
			.url = words[1],
			.sha256 = words[2],
			.path = words[3],
			.mode = (mode_t)strtoul(words[4], NULL, 8),
			.release = words[4],
		};
	if (!options->check_only)
		rc = artifacts_apply(env, fetch, list, count, NULL, &err);
	if (!options->check_only)
		printf("%s %s\n", rc ? err_name(rc) : "ok", err.text);
	for (size_t i = 0; i < count; i++) {
		rc = artifact_check(env, &list[i], &done, change, sizeof(change), &err);
		printf("check %s\n", rc ? err.text : done ? "done" : change);
	}
}

static void run(struct env *env, struct options *options, char **words, size_t count)
{
	struct strlist headers = STRLIST_INIT;
	struct fetch *fetch = NULL;
	struct err err = ERR_INIT;

	if (strlist_add(&headers, "X-System-Serial-Number: the-serial") < 0)
		die("memory");
	options->config.headers = &headers;
	options->config.user_agent = "promenade/test";
	options->config.ca_pem = options->ca.bytes;
	options->config.ca_len = options->ca.len;
	options->config.client_cert_pem = options->client.bytes;
	options->config.client_key_pem = options->client.bytes;
	if (options->root && env_set_target(env, options->root, &err) < 0)
		die(err.text);
	if (fetch_new(env, &options->config, &fetch, &err) < 0)
		die(err.text);
	if (strcmp(words[0], "small") == 0)
		for (size_t i = 1; i < count; i++)
			run_small(fetch, options, words[i]);
	else if (strcmp(words[0], "stream") == 0)
		run_streams(fetch, env, options, words + 1, (count - 1) / 2);
	else if (strcmp(words[0], "artifact") == 0)
		run_artifacts(fetch, env, options, words + 1, (count - 1) / 5);
	fetch_free(&fetch);
	strlist_done(&headers);
}

int main(int argc, char **argv)
{
	struct options options = {
		.config = {.limits = FETCH_LIMITS_DEFAULT}, .limit = 100000};
	struct err err = ERR_INIT;
	struct env env;
	int i = 1;

	if (env_init(&env, &err) < 0)
		die(err.text);
	for (; i < argc && strchr(argv[i], '=') && !strstr(argv[i], "://"); i++) {
		char *value = strchr(argv[i], '=');

		*value++ = '\0';
		set_option(&options, argv[i], value);
	}
	if (i < argc)
		run(&env, &options, argv + i, (size_t)(argc - i));
	env_done(&env);
	buf_done(&options.ca);
	buf_done(&options.client);
	buf_done(&options.post);
	return 0;
}
