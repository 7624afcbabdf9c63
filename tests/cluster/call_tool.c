/* SPDX-License-Identifier: MIT */
/*
 * cluster/api and cluster/etcd from the command line, for the servers of tests/cluster.
 * Prints "ok" or the code's name, then what was read or the error's text.
 *
 *   call_tool [KEY=VALUE]... get|text|delete PATH
 *   call_tool [KEY=VALUE]... post|put|merge PATH FILE
 *   call_tool [KEY=VALUE]... apply FILE        ready MILLISECONDS
 *   call_tool [KEY=VALUE]... etcd list|health
 *   call_tool [KEY=VALUE]... etcd status [URL]
 *   call_tool [KEY=VALUE]... etcd add PEER-URL
 *   call_tool [KEY=VALUE]... etcd promote|remove ID
 *   call_tool [KEY=VALUE]... etcd update ID PEER-URL
 *   call_tool [KEY=VALUE]... etcd wait STABLE-MS TIMEOUT-MS
 *   call_tool [KEY=VALUE]... etcd disarm ID
 *   call_tool [KEY=VALUE]... etcd snapshot FILE
 *   call_tool [KEY=VALUE]... etcd key|count KEY
 *   call_tool [KEY=VALUE]... etcd put|create KEY VALUE
 *
 * Keys: endpoint (one or more), ca, client, token (files), unverified=1, connect_ms,
 * request_ms, deadline_ms, retry_ms, retry_cap_ms. FILE is JSON.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "cluster/api.h"
#include "cluster/etcd.h"
#include "cluster/secret.h"
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

static void show_members(const struct etcd_members *members)
{
	for (size_t i = 0; i < members->count; i++) {
		const struct etcd_member *one = &members->items[i];

		printf("member %" PRIx64 " '%s' %s %s %s\n", one->id, one->name,
			one->learner ? "learner" : "voter",
			one->peer_urls.count ? one->peer_urls.items[0] : "-",
			one->client_urls.count ? one->client_urls.items[0] : "-");
	}
}

static uint64_t id_of(const struct tool *tool, int i)
{
	return strtoull(word(tool, i), NULL, 16);
}

static int etcd_add(struct tool *tool, struct etcd *etcd, struct err *err)
{
	struct etcd_members members CLEANUP(etcd_members_done) = {NULL, 0};
	uint64_t id = 0;
	int rc = etcd_member_add_learner(etcd, word(tool, 2), &id, &members, err);

	if (rc == 0)
		printf("id %" PRIx64 "\n", id);
	show_members(&members);
	return rc;
}

static int etcd_list(struct tool *tool, struct etcd *etcd, struct err *err)
{
	struct etcd_members members CLEANUP(etcd_members_done) = {NULL, 0};
	int rc = etcd_member_list(etcd, &members, err);

	(void)tool;
	show_members(&members);
	return rc;
}

static int etcd_show_status(struct tool *tool, struct etcd *etcd, struct err *err)
{
	struct etcd_status status = {.leader = 0};
	int rc = etcd_status(etcd, tool->count > 2 ? word(tool, 2) : NULL, &status, err);

	if (rc == 0)
		printf("status %s leader=%d learner=%d index=%d db=%d trouble='%s'\n",
			status.version, status.leader != 0, status.learner,
			status.raft_index != 0, status.db_bytes != 0, status.trouble);
	return rc;
}

static int etcd_health(struct tool *tool, struct etcd *etcd, struct err *err)
{
	(void)tool;
	return etcd_check_health(etcd, err);
}

static int etcd_wait(struct tool *tool, struct etcd *etcd, struct err *err)
{
	return etcd_wait_healthy(etcd, (unsigned int)strtoul(word(tool, 2), NULL, 10),
		(unsigned int)strtoul(word(tool, 3), NULL, 10), err);
}

static int etcd_promote(struct tool *tool, struct etcd *etcd, struct err *err)
{
	return etcd_member_promote(etcd, id_of(tool, 2), err);
}

static int etcd_remove(struct tool *tool, struct etcd *etcd, struct err *err)
{
	return etcd_member_remove(etcd, id_of(tool, 2), err);
}

static int etcd_update(struct tool *tool, struct etcd *etcd, struct err *err)
{
	return etcd_member_update(etcd, id_of(tool, 2), word(tool, 3), err);
}

static int etcd_disarm_space(struct tool *tool, struct etcd *etcd, struct err *err)
{
	return etcd_disarm(etcd, id_of(tool, 2), ETCD_ALARM_NOSPACE, err);
}

static int etcd_save(struct tool *tool, struct etcd *etcd, struct err *err)
{
	int fd CLEANUP(fd_close) =
		open(word(tool, 2), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	uint64_t bytes = 0;
	int rc = etcd_snapshot(etcd, fd, &bytes, err);

	if (rc == 0)
		printf("bytes %" PRIu64 "\n", bytes);
	return rc;
}

static int etcd_key(struct tool *tool, struct etcd *etcd, struct err *err)
{
	struct buf value CLEANUP(secret_done) = BUF_INIT;
	int rc = etcd_get(etcd, word(tool, 2), &value, err);

	if (rc == 0)
		printf("value '%s'\n", buf_text(&value));
	return rc;
}

static int etcd_keys(struct tool *tool, struct etcd *etcd, struct err *err)
{
	uint64_t count = 0;
	int rc = etcd_count(etcd, word(tool, 2), &count, err);

	if (rc == 0)
		printf("count %" PRIu64 "\n", count);
	return rc;
}

static int etcd_write(struct tool *tool, struct etcd *etcd, struct err *err)
{
	const char *value = word(tool, 3);

	return etcd_put(etcd, word(tool, 2), value, strlen(value), err);
}

static int etcd_first(struct tool *tool, struct etcd *etcd, struct err *err)
{
	struct buf value CLEANUP(secret_done) = BUF_INIT;
	int rc = etcd_create(etcd, word(tool, 2), word(tool, 3), &value, err);

	if (rc == 0)
		printf("value '%s'\n", buf_text(&value));
	return rc;
}

static void etcd_main(struct tool *tool)
{
	static const struct {
		const char *verb;
		int (*run)(struct tool *tool, struct etcd *etcd, struct err *err);
	} verbs[] = {
		{"add", etcd_add},
		{"count", etcd_keys},
		{"create", etcd_first},
		{"disarm", etcd_disarm_space},
		{"health", etcd_health},
		{"key", etcd_key},
		{"list", etcd_list},
		{"promote", etcd_promote},
		{"put", etcd_write},
		{"remove", etcd_remove},
		{"snapshot", etcd_save},
		{"status", etcd_show_status},
		{"update", etcd_update},
		{"wait", etcd_wait},
	};
	struct err err = ERR_INIT;
	struct etcd *etcd CLEANUP(etcd_free) = NULL;
	int rc = etcd_new(&tool->env, &tool->config, &etcd, &err);
	size_t i = 0;

	while (i < ARRAY_LEN(verbs) && strcmp(verbs[i].verb, word(tool, 1)) != 0)
		i++;
	if (i == ARRAY_LEN(verbs))
		die(word(tool, 1));
	if (rc == 0)
		rc = verbs[i].run(tool, etcd, &err);
	show(rc, &err, NULL, "");
}

static void tool_run(struct tool *tool)
{
	tool->config.endpoints = &tool->endpoints;
	tool->config.ca_pem = tool->ca.bytes;
	tool->config.client_cert_pem = tool->client.bytes;
	tool->config.client_key_pem = tool->client.bytes;
	tool->config.token = tool->token.bytes ? str_trim(tool->token.bytes) : NULL;
	if (strcmp(word(tool, 0), "etcd") == 0)
		etcd_main(tool);
	else
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
