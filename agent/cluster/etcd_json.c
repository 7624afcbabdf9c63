/* SPDX-License-Identifier: MIT */
#include "cluster/etcd_json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/api_status.h"
#include "cluster/base64.h"

#define WORDS_MAX 240

void etcd_members_done(struct etcd_members *members)
{
	for (size_t i = 0; i < members->count; i++) {
		strlist_done(&members->items[i].peer_urls);
		strlist_done(&members->items[i].client_urls);
	}
	free(members->items);
	*members = (struct etcd_members){NULL, 0};
}

const struct etcd_member *etcd_members_by_peer(
	const struct etcd_members *members, const char *peer_url)
{
	for (size_t i = 0; i < members->count; i++)
		if (strlist_has(&members->items[i].peer_urls, peer_url))
			return &members->items[i];
	return NULL;
}

/* By etcd's words (api/v3rpc/rpctypes/error.go, server/etcdserver/errors): the code of
 * gRPC and so the HTTP status is the same for very different things. The first row that
 * fits. */
static const struct {
	const char *sign;
	int code;
	const char *remedy;
} causes[] = {
	{"which is in sync with leader", E_NOT_YET, "it still copies the data"},
	{"can only promote a learner", E_EXISTS, "it has its vote already"},
	{"too many learner", E_NOT_YET,
		"another member is joining: wait for its promotion, or remove it"},
	{"member ID already exist", E_EXISTS, "a member has it"},
	{"eer URLs already exist", E_EXISTS, "a member has that peer URL"},
	{"not enough started members", E_CONFLICT,
		"start the members that are down, or remove those that are gone"},
	{"unhealthy cluster", E_NOT_YET,
		"a voter was not connected to all others in the last 5 s"},
	{"not supported for learner", E_NOT_YET, "another member must be asked"},
	{"member not found", E_NOT_FOUND, "etcd has no such member"},
	{"database space exceeded", E_TOO_BIG,
		"etcd is full: compact, defragment and disarm its alarm"},
	{"context deadline exceeded", E_NOT_YET, "is there a quorum of members?"},
	{"request timed out", E_NOT_YET, "is there a quorum of members?"},
	{"no leader", E_NOT_YET, "is there a quorum of members?"},
	{"permission denied", E_FORBIDDEN, "etcd's own roles refuse it"},
};

static const struct {
	long status;
	int code;
} status_codes[] = {
	{400, E_INVALID},
	{401, E_UNAUTHORIZED},
	{403, E_FORBIDDEN},
	{404, E_NOT_FOUND},
	{408, E_NOT_YET},
	{409, E_CONFLICT},
	{412, E_CONFLICT},
	{429, E_NOT_YET},
	{501, E_UNSUPPORTED},
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "message" is in both makes of the gateway, "error" in the older alone. */
static void read_words(const json_t *answer, char *words)
{
	const char *text = text_of(answer, "message");

	(void)str_copy(words, WORDS_MAX, text[0] ? text : text_of(answer, "error"));
	str_make_printable(words);
}

static int say(const char *where, long status, const char *words, struct err *err)
{
	int code = status >= 500 ? E_NOT_YET : E_HTTP;

	for (size_t i = 0; i < ARRAY_LEN(causes); i++)
		if (strstr(words, causes[i].sign))
			return err_set(err, causes[i].code, "%s: %ld: %s; %s", where,
				status, words, causes[i].remedy);
	for (size_t i = 0; i < ARRAY_LEN(status_codes); i++)
		if (status_codes[i].status == status)
			code = status_codes[i].code;
	if (!words[0])
		return err_set(err, code, "%s: HTTP status %ld", where, status);
	return err_set(err, code, "%s: %ld: %s", where, status, words);
}

int etcd_json_error(
	const char *where, long status, const struct buf *body, struct err *err)
{
	char words[WORDS_MAX];
	json_t *answer CLEANUP(api_json_free) =
		json_loadb(buf_text(body), body->len, JSON_REJECT_DUPLICATES, NULL);

	read_words(answer, words);
	if (!answer) {
		(void)str_copy(words, sizeof(words), buf_text(body));
		words[strcspn(words, "\r\n")] = '\0';
		str_make_printable(words);
	}
	return say(where, status, words, err);
}

int etcd_json_parse(
	const char *where, const struct buf *body, json_t **ret, struct err *err)
{
	json_t *json CLEANUP(api_json_free) = NULL;
	json_error_t why = {.text = "not an object"};

	json = json_loadb(buf_text(body), body->len, JSON_REJECT_DUPLICATES, &why);
	if (!json_is_object(json)) {
		str_make_printable(why.text);
		return err_set(err, E_FORMAT,
			"%s: the answer is no JSON object (%s); is this an etcd?", where,
			json ? "something else" : why.text);
	}
	*ret = json;
	json = NULL;
	return 0;
}

bool etcd_json_u64(const json_t *object, const char *key, uint64_t *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!value) {
		*ret = 0;
		return true;
	}
	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*ret = (uint64_t)json_integer_value(value);
		return true;
	}
	return json_is_string(value) &&
	       str_to_u64(json_string_value(value), UINT64_MAX, ret);
}

bool etcd_json_bytes(const json_t *object, const char *key, struct buf *ret)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return true;
	return json_is_string(value) && base64_decode(json_string_value(value),
						json_string_length(value), ret) == 0;
}

static bool read_urls(const json_t *object, const char *key, struct strlist *ret)
{
	const json_t *list = json_object_get(object, key);

	if (list && !json_is_array(list))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *url = json_string_value(json_array_get(list, i));

		if (!url || strlist_add(ret, url) < 0)
			return false;
	}
	return true;
}

static bool read_member(const json_t *json, struct etcd_member *ret)
{
	bool ok = json_is_object(json) && etcd_json_u64(json, "ID", &ret->id) &&
		  ret->id != 0 &&
		  str_copy(ret->name, sizeof(ret->name), text_of(json, "name")) &&
		  read_urls(json, "peerURLs", &ret->peer_urls) &&
		  read_urls(json, "clientURLs", &ret->client_urls);

	ret->learner = json_is_true(json_object_get(json, "isLearner"));
	str_make_printable(ret->name);
	return ok;
}

static int read_members(const json_t *list, struct etcd_members *members, struct err *err)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		members->count++;
		if (!read_member(json_array_get(list, i), &members->items[i]))
			return err_set(err, E_FORMAT,
				"member %zu of the answer does not parse; is this an "
				"etcd?",
				i + 1);
	}
	return 0;
}

int etcd_json_members(const json_t *answer, struct etcd_members *ret, struct err *err)
{
	struct etcd_members members = {NULL, 0};
	const json_t *list = json_object_get(answer, "members");
	size_t count = json_array_size(list);
	int rc;

	if (count == 0)
		return err_set(
			err, E_FORMAT, "the answer names no member; is this an etcd?");
	if (count > ETCD_MEMBERS_MAX)
		return err_set(err, E_TOO_BIG, "%zu members, more than %u", count,
			ETCD_MEMBERS_MAX);
	members.items = calloc(count, sizeof(*members.items));
	if (!members.items)
		return err_errno(err, ENOMEM, "list etcd's members");
	rc = read_members(list, &members, err);
	if (rc < 0)
		etcd_members_done(&members);
	else
		*ret = members;
	return rc;
}

int etcd_json_status(const json_t *answer, struct etcd_status *ret, struct err *err)
{
	const json_t *header = json_object_get(answer, "header");
	const json_t *errors = json_object_get(answer, "errors");
	struct etcd_status status = {.leader = 0};
	const char *trouble = json_string_value(json_array_get(errors, 0));

	if (!etcd_json_u64(header, "cluster_id", &status.cluster_id) ||
		!etcd_json_u64(header, "member_id", &status.member_id) ||
		!etcd_json_u64(answer, "leader", &status.leader) ||
		!etcd_json_u64(answer, "raftIndex", &status.raft_index) ||
		!etcd_json_u64(answer, "dbSize", &status.db_bytes) ||
		!str_copy(status.version, sizeof(status.version),
			text_of(answer, "version")) ||
		!status.version[0] || !status.member_id)
		return err_set(err, E_FORMAT,
			"the answer is no status of a member; is this an etcd?");
	status.learner = json_is_true(json_object_get(answer, "isLearner"));
	(void)str_copy(status.trouble, sizeof(status.trouble), trouble ? trouble : "");
	str_make_printable(status.version);
	str_make_printable(status.trouble);
	*ret = status;
	return 0;
}

int etcd_json_blob(const void *line, size_t len, struct buf *blob,
	uint64_t *ret_remaining, struct err *err)
{
	json_t *json CLEANUP(api_json_free) =
		json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
	const json_t *error = json_object_get(json, "error");
	const json_t *result = json_object_get(json, "result");
	char words[WORDS_MAX];

	if (error) {
		read_words(error, words);
		return say("the snapshot ended", 500, words, err);
	}
	if (!json_is_object(result) ||
		!etcd_json_u64(result, "remaining_bytes", ret_remaining) ||
		!etcd_json_bytes(result, "blob", blob))
		return err_set(err, E_FORMAT,
			"a line of the snapshot does not parse; is this an etcd?");
	return 0;
}
