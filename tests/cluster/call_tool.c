/* SPDX-License-Identifier: MIT */
/*
 * cluster/api from the command line, for the servers of tests/cluster. Prints "ok" or the
 * code's name, then what was read or the error's text.
 *
 *   call_tool [KEY=VALUE]... get|text|delete PATH
 *   call_tool [KEY=VALUE]... post|put|merge PATH FILE
 *   call_tool [KEY=VALUE]... apply FILE        ready MILLISECONDS
 *
 * Keys: endpoint (one or more), ca, client, token (files), unverified=1, connect_ms,
 * request_ms, deadline_ms, retry_ms, retry_cap_ms. FILE is JSON.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "cluster/api.h"
#include "host/env.h"

struct tool {
	struct env env;
	struct call_config config;
	struct strlist endpoints;
	struct buf ca;
	struct buf client;
	struct buf token;
	char **words;
	int count;
};

static void die(const char *what)
{
	fprintf(stderr, "call_tool: %s\n", what);
	exit(2);
}

static void read_file(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fs_read_fd(fd, path, 1U << 22, ret, NULL) < 0)
		die(path);
	close(fd);
}

static void set_option(struct tool *tool, const char *key, const char *value)
{
	struct call_limits *limits = &tool->config.limits;
	const struct {
		const char *key;
		unsigned int *place;
	} numbers[] = {
		{"connect_ms", &limits->connect_ms},
		{"request_ms", &limits->request_ms},
		{"deadline_ms", &limits->deadline_ms},
		{"retry_ms", &limits->retry_base_ms},
		{"retry_cap_ms", &limits->retry_cap_ms},
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(numbers[i].key, key) == 0)
			*numbers[i].place = (unsigned int)strtoul(value, NULL, 10);
	if (strcmp(key, "endpoint") == 0 && strlist_add(&tool->endpoints, value) < 0)
		die("memory");
	if (strcmp(key, "unverified") == 0)
		tool->config.unverified = value[0] == '1';
	if (strcmp(key, "ca") == 0)
		read_file(value, &tool->ca);
	if (strcmp(key, "client") == 0)
		read_file(value, &tool->client);
	if (strcmp(key, "token") == 0)
		read_file(value, &tool->token);
}

static json_t *read_json(const char *path)
{
	json_error_t why;
	json_t *json = json_load_file(path, 0, &why);

	if (!json)
		die(why.text);
	return json;
}

static const char *word(const struct tool *tool, int i)
{
	if (i >= tool->count)
		die("a word is missing");
	return tool->words[i];
}

/* The call that the words name; its answer is in ret or text. */
static int run_api(struct tool *tool, struct api *api, json_t **ret, struct buf *text,
	struct err *err)
{
	const char *verb = word(tool, 0), *path = word(tool, 1);
	json_t *body CLEANUP(api_json_free) = NULL;

	if (strcmp(verb, "get") == 0)
		return api_get(api, path, ret, err);
	if (strcmp(verb, "text") == 0)
		return api_get_text(api, path, text, err);
	if (strcmp(verb, "delete") == 0)
		return api_delete(api, path, err);
	if (strcmp(verb, "ready") == 0)
		return api_wait_ready(api, (unsigned int)strtoul(path, NULL, 10), err);
	body = read_json(strcmp(verb, "apply") == 0 ? path : word(tool, 2));
	if (strcmp(verb, "apply") == 0)
		return api_apply(api, body, err);
	if (strcmp(verb, "post") == 0)
		return api_post(api, path, body, ret, err);
	if (strcmp(verb, "put") == 0)
		return api_put(api, path, body, ret, err);
	if (strcmp(verb, "merge") == 0)
		return api_patch(api, API_PATCH_MERGE, path, body, ret, err);
	die(verb);
	return 0;
}

static void show(int rc, const struct err *err, const json_t *json, const char *text)
{
	char *dump = json ? json_dumps(json, JSON_SORT_KEYS) : NULL;

	printf("%s %s%s%s\n", rc ? err_name(rc) : "ok", err->text, dump ? dump : "",
		text);
	free(dump);
}

static void api_main(struct tool *tool)
{
	json_t *json CLEANUP(api_json_free) = NULL;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	struct api *api CLEANUP(api_free) = NULL;
	int rc = api_new(&tool->env, &tool->config, &api, &err);

	if (rc == 0)
		rc = run_api(tool, api, &json, &text, &err);
	show(rc, &err, json, buf_text(&text));
}

static void tool_run(struct tool *tool)
{
	tool->config.endpoints = &tool->endpoints;
	tool->config.ca_pem = tool->ca.bytes;
	tool->config.client_cert_pem = tool->client.bytes;
	tool->config.client_key_pem = tool->client.bytes;
	tool->config.token = tool->token.bytes ? str_trim(tool->token.bytes) : NULL;
	api_main(tool);
}

int main(int argc, char **argv)
{
	struct tool tool = {.config = {.limits = CALL_LIMITS_DEFAULT}};
	struct err err = ERR_INIT;
	int i = 1;

	if (env_init(&tool.env, &err) < 0)
		die(err.text);
	for (; i < argc && strchr(argv[i], '=') && argv[i][0] != '/'; i++) {
		char *value = strchr(argv[i], '=');

		*value++ = '\0';
		set_option(&tool, argv[i], value);
	}
	tool.words = argv + i;
	tool.count = argc - i;
	tool_run(&tool);
	env_done(&tool.env);
	strlist_done(&tool.endpoints);
	buf_done(&tool.ca);
	buf_done(&tool.client);
	buf_done(&tool.token);
	return 0;
}
