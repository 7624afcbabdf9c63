/* SPDX-License-Identifier: MIT */
/* Members and their health. Snapshots are in etcd_snapshot.c, keys in etcd_key.c. */
#include "cluster/etcd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/api_status.h"
#include "cluster/etcd_json.h"
#include "cluster/etcd_parts.h"
#include "cluster/secret.h"

/* Between two looks at the members' health. */
#define HEALTH_MS 1000U

int etcd_new(struct env *env, const struct call_config *config, struct etcd **ret,
	struct err *err)
{
	struct etcd *etcd = calloc(1, sizeof(*etcd));
	int rc;

	if (!etcd)
		return err_errno(err, ENOMEM, "start the etcd client");
	etcd->env = env;
	etcd->endpoints = config->endpoints;
	rc = caller_new(env, config, "etcd member", etcd_json_error, &etcd->caller, err);
	if (rc < 0) {
		free(etcd);
		return rc;
	}
	*ret = etcd;
	return 0;
}

void etcd_free(struct etcd **etcd)
{
	if (*etcd)
		caller_free(&(*etcd)->caller);
	free(*etcd);
	*etcd = NULL;
}

int etcd_post(struct etcd *etcd, const char *endpoint, const char *path, json_t *body,
	json_t **ret, struct err *err)
{
	json_t *owned CLEANUP(api_json_free) = body;
	char *text CLEANUP(secret_text_free) =
		body ? json_dumps(body, JSON_COMPACT) : NULL;
	struct buf answer CLEANUP(secret_done) = BUF_INIT;
	struct call call = {.method = "POST",
		.path = path,
		.accept = "application/json",
		.type = "application/json",
		.endpoint = endpoint,
		.once = endpoint != NULL};
	int rc;

	if (!owned || !text)
		return err_errno(err, ENOMEM, "call etcd");
	call.body = text;
	call.len = strlen(text);
	rc = caller_run(etcd->caller, &call, &answer, err);
	if (rc < 0 || !ret)
		return rc;
	return etcd_json_parse(path, &answer, ret, err);
}

/* A 64-bit number as the gateway takes it; NULL: out of memory. */
static json_t *number(uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return json_string(text);
}

int etcd_member_list(struct etcd *etcd, struct etcd_members *ret, struct err *err)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	int rc = etcd_post(
		etcd, NULL, "/v3/cluster/member/list", json_object(), &answer, err);

	if (rc == 0)
		rc = etcd_json_members(answer, ret, err);
	return rc < 0 ? err_wrap(err, "list etcd's members") : 0;
}

/* What is there in place of the member that could not be added. */
static int take_up(struct etcd *etcd, const char *peer_url, uint64_t *ret_id,
	struct etcd_members *ret, struct err *err)
{
	struct etcd_members members CLEANUP(etcd_members_done) = {NULL, 0};
	const struct etcd_member *member;
	int rc = etcd_member_list(etcd, &members, err);

	if (rc < 0)
		return rc;
	member = etcd_members_by_peer(&members, peer_url);
	if (!member)
		return err_set(err, E_CONFLICT,
			"etcd says that a member has '%s', and lists none", peer_url);
	if (member->name[0] || !member->learner)
		return err_set(err, E_EXISTS,
			"'%s' is taken by member '%s' (%" PRIx64
			"); if that machine was set up anew, remove its member first",
			peer_url, member->name, member->id);
	*ret_id = member->id;
	*ret = members;
	members = (struct etcd_members){NULL, 0};
	return 0;
}

static int add_learner(struct etcd *etcd, const char *peer_url, uint64_t *ret_id,
	struct etcd_members *ret, struct err *err)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	uint64_t id = 0;
	int rc = etcd_post(etcd, NULL, "/v3/cluster/member/add",
		json_pack("{s:[s],s:b}", "peerURLs", peer_url, "isLearner", 1), &answer,
		err);

	if (rc == -E_EXISTS)
		return take_up(etcd, peer_url, ret_id, ret, err);
	if (rc < 0)
		return rc;
	if (!etcd_json_u64(json_object_get(answer, "member"), "ID", &id) || id == 0)
		return err_set(err, E_FORMAT,
			"the answer names no member; is this an etcd of 3.4 or later?");
	rc = etcd_json_members(answer, ret, err);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

int etcd_member_add_learner(struct etcd *etcd, const char *peer_url, uint64_t *ret_id,
	struct etcd_members *ret, struct err *err)
{
	int rc = add_learner(etcd, peer_url, ret_id, ret, err);

	return rc < 0 ? err_wrap(err, "add learner '%.100s' to etcd", peer_url) : 0;
}

/* A call about one member by its ID. */
static int member_call(
	struct etcd *etcd, const char *path, json_t *body, uint64_t id, struct err *err)
{
	if (body && json_object_set_new(body, "ID", number(id)) < 0) {
		json_decref(body);
		body = NULL;
	}
	return etcd_post(etcd, NULL, path, body, NULL, err);
}

int etcd_member_promote(struct etcd *etcd, uint64_t id, struct err *err)
{
	int rc = member_call(etcd, "/v3/cluster/member/promote", json_object(), id, err);

	if (rc == -E_EXISTS)
		return 0;
	return rc < 0 ? err_wrap(err, "promote etcd member %" PRIx64, id) : 0;
}

int etcd_member_remove(struct etcd *etcd, uint64_t id, struct err *err)
{
	int rc = member_call(etcd, "/v3/cluster/member/remove", json_object(), id, err);

	if (rc == -E_NOT_FOUND)
		return 0;
	return rc < 0 ? err_wrap(err, "remove etcd member %" PRIx64, id) : 0;
}

int etcd_member_update(
	struct etcd *etcd, uint64_t id, const char *peer_url, struct err *err)
{
	int rc = member_call(etcd, "/v3/cluster/member/update",
		json_pack("{s:[s]}", "peerURLs", peer_url), id, err);

	return rc < 0 ? err_wrap(err, "move etcd member %" PRIx64 " to '%.100s'", id,
				peer_url)
		      : 0;
}

int etcd_status(struct etcd *etcd, const char *client_url, struct etcd_status *ret,
	struct err *err)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	int rc = etcd_post(
		etcd, client_url, "/v3/maintenance/status", json_object(), &answer, err);

	return rc < 0 ? rc : etcd_json_status(answer, ret, err);
}

/* Whether one voter is as all should be; leader is what those before it said, 0: none has
 * been asked. */
static int check_voter(struct etcd *etcd, const struct etcd_member *member,
	uint64_t *leader, struct err *err)
{
	struct etcd_status status;
	int rc = -E_NOT_YET;

	if (!member->name[0])
		return err_set(err, E_NOT_YET, "voter %" PRIx64 " has never started",
			member->id);
	if (member->client_urls.count == 0)
		return err_set(
			err, E_NOT_YET, "voter '%s' has no client URL", member->name);
	for (size_t i = 0; rc < 0 && i < member->client_urls.count; i++)
		rc = etcd_status(etcd, member->client_urls.items[i], &status, err);
	if (rc < 0)
		return err_wrap(err, "voter '%s'", member->name);
	if (status.trouble[0])
		return err_set(err, E_NOT_YET, "voter '%s' says: %s", member->name,
			status.trouble);
	if (status.leader == 0 || (*leader && *leader != status.leader))
		return err_set(err, E_NOT_YET, "voter '%s' has %s leader", member->name,
			status.leader ? "another" : "no");
	*leader = status.leader;
	return 0;
}

static int check_alarms(struct etcd *etcd, struct err *err)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	const json_t *first;
	uint64_t member = 0;
	char name[32];
	int rc = etcd_post(etcd, NULL, "/v3/maintenance/alarm",
		json_pack("{s:s}", "action", "GET"), &answer, err);

	if (rc < 0)
		return rc;
	first = json_array_get(json_object_get(answer, "alarms"), 0);
	if (!first)
		return 0;
	if (!etcd_json_u64(first, "memberID", &member))
		member = 0;
	rc = json_is_string(json_object_get(first, "alarm"));
	(void)str_copy(name, sizeof(name),
		rc ? json_string_value(json_object_get(first, "alarm")) : "?");
	str_make_printable(name);
	return err_set(err, E_NOT_YET,
		"member %" PRIx64 " has the alarm %s; mend its cause and disarm it",
		member, name);
}

int etcd_check_health(struct etcd *etcd, struct err *err)
{
	struct etcd_members members CLEANUP(etcd_members_done) = {NULL, 0};
	uint64_t leader = 0;
	int rc = etcd_member_list(etcd, &members, err);

	for (size_t i = 0; rc == 0 && i < members.count; i++)
		if (!members.items[i].learner)
			rc = check_voter(etcd, &members.items[i], &leader, err);
	if (rc == 0)
		rc = check_alarms(etcd, err);
	return rc < 0 ? err_wrap(err, "look at etcd's health") : 0;
}

int etcd_wait_healthy(struct etcd *etcd, unsigned int stable_ms, unsigned int timeout_ms,
	struct err *err)
{
	uint64_t start = etcd->env->now_ms(), good = 0;

	for (;;) {
		int rc = etcd_check_health(etcd, err);
		uint64_t now = etcd->env->now_ms();

		good = rc < 0 ? 0 : good ? good : now;
		if (good && now - good >= stable_ms)
			return 0;
		if (rc < 0 && err_class(rc) != ERR_CLASS_RETRY)
			return rc;
		if (now - start >= timeout_ms)
			return rc < 0 ? rc
				      : err_set(err, E_TIMEOUT,
						"etcd is healthy for less than %u ms",
						stable_ms);
		etcd->env->sleep_ms(HEALTH_MS);
	}
}

int etcd_disarm(
	struct etcd *etcd, uint64_t member_id, enum etcd_alarm alarm, struct err *err)
{
	static const char *const names[] = {
		[ETCD_ALARM_NOSPACE] = "NOSPACE",
		[ETCD_ALARM_CORRUPT] = "CORRUPT",
	};
	int rc = etcd_post(etcd, NULL, "/v3/maintenance/alarm",
		json_pack("{s:s,s:o,s:s}", "action", "DEACTIVATE", "memberID",
			number(member_id), "alarm", names[alarm]),
		NULL, err);

	return rc < 0 ? err_wrap(err, "disarm etcd member %" PRIx64, member_id) : 0;
}
