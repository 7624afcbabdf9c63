/* SPDX-License-Identifier: MIT */
/* Status: apimachinery meta/v1 types.go; which reason goes with which code:
 * apimachinery api/errors/errors.go. */
#include "cluster/api_status.h"

#include <stdio.h>
#include <string.h>

/* Of a server's words; the rest of an err's text is the URL and what to do. */
#define WORDS_MAX 280

/* Causes that are added to a message that lacks them. */
#define CAUSES_MAX 4

void api_json_free(json_t **json)
{
	json_decref(*json); /* takes NULL */
	*json = NULL;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int api_json_parse(
	const char *where, const struct buf *body, json_t **ret, struct err *err)
{
	json_t *json CLEANUP(api_json_free) = NULL;
	json_error_t why;

	json = json_loadb(buf_text(body), body->len, JSON_REJECT_DUPLICATES, &why);
	if (!json) {
		str_make_printable(why.text);
		return err_set(err, E_FORMAT,
			"%s: the answer is no JSON (%s); is this an API server?", where,
			why.text);
	}
	if (!text_of(json, "kind")[0] || !text_of(json, "apiVersion")[0])
		return err_set(err, E_FORMAT,
			"%s: the answer is no object with apiVersion and kind; is this "
			"an API server?",
			where);
	if (strcmp(text_of(json, "kind"), "Status") == 0 &&
		strcmp(text_of(json, "status"), "Failure") == 0)
		return err_set(err, E_FORMAT, "%s: a failure that claims success", where);
	*ret = json;
	json = NULL;
	return 0;
}

struct words {
	char text[WORDS_MAX];
};

static void words_add(struct words *words, const char *text)
{
	size_t len = strlen(words->text);

	(void)str_copy(words->text + len, sizeof(words->text) - len, text);
}

/* "spec.replicas: Invalid value: -1": most messages have their causes in them already. */
static void add_causes(struct words *words, const json_t *status, const char *message)
{
	const json_t *causes =
		json_object_get(json_object_get(status, "details"), "causes");
	size_t count = json_array_size(causes);

	for (size_t i = 0; i < count && i < CAUSES_MAX; i++) {
		const json_t *cause = json_array_get(causes, i);
		const char *text = text_of(cause, "message");

		if (!text[0] || strstr(message, text))
			continue;
		words_add(words, words->text[0] ? "; " : "");
		words_add(words, text_of(cause, "field"));
		words_add(words, text_of(cause, "field")[0] ? ": " : "");
		words_add(words, text);
	}
}

/* readyz and livez list their checks: "[+]ping ok", "[-]etcd failed: reason withheld". */
static void add_checks(struct words *words, const char *text)
{
	for (const char *line = text; line; line = strchr(line, '\n')) {
		char name[100];

		line += *line == '\n';
		if (!str_has_prefix(line, "[-]"))
			continue;
		(void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(line + 3, " \n"),
			line + 3);
		words_add(words, words->text[0] ? ", " : "not ready: ");
		words_add(words, name);
	}
}

/* What the server says, printable and short; "" for nothing. */
static void read_words(
	const struct buf *body, struct words *words, const char **ret_reason)
{
	static const char *const reasons[] = {"AlreadyExists"};
	const char *text = buf_text(body);
	json_t *status CLEANUP(api_json_free) =
		json_loadb(text, body->len, JSON_REJECT_DUPLICATES, NULL);
	const char *message = text_of(status, "message");

	words->text[0] = '\0';
	*ret_reason = "";
	if (status) {
		words_add(words, message[0] ? message : text_of(status, "reason"));
		add_causes(words, status, message);
	} else {
		add_checks(words, text);
	}
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (strcmp(text_of(status, "reason"), reasons[i]) == 0)
			*ret_reason = reasons[i];
	if (!status && !words->text[0]) {
		words_add(words, text);
		words->text[strcspn(words->text, "\r\n")] = '\0';
	}
	str_make_printable(words->text);
}

/* reason "": any. The first row that fits. */
static const struct {
	long status;
	const char *reason;
	int code;
	const char *remedy;
} codes[] = {
	{400, "", E_INVALID, ""},
	{401, "", E_UNAUTHORIZED,
		"; the credential or token is unknown or has expired, or a clock is "
		"wrong: "
		"issue a new one"},
	{403, "", E_FORBIDDEN, "; RBAC or admission of the cluster refuses it"},
	{404, "", E_NOT_FOUND, ""},
	{405, "", E_UNSUPPORTED, ""},
	{406, "", E_UNSUPPORTED, ""},
	{408, "", E_NOT_YET, ""},
	{409, "AlreadyExists", E_EXISTS, ""},
	{409, "", E_CONFLICT, ""},
	{413, "", E_TOO_BIG, "; the object is larger than the cluster takes"},
	{415, "", E_UNSUPPORTED, ""},
	{422, "", E_INVALID, "; mend the object"},
	{425, "", E_NOT_YET, ""},
	{429, "", E_NOT_YET, ""},
	{501, "", E_UNSUPPORTED, ""},
};

int api_status_error(
	const char *where, long status, const struct buf *body, struct err *err)
{
	struct words words;
	const char *reason, *remedy = "";
	int code = status >= 500 ? E_NOT_YET : E_HTTP;

	read_words(body, &words, &reason);
	for (size_t i = ARRAY_LEN(codes); i > 0; i--) {
		if (codes[i - 1].status != status ||
			(codes[i - 1].reason[0] &&
				strcmp(codes[i - 1].reason, reason) != 0))
			continue;
		code = codes[i - 1].code;
		remedy = codes[i - 1].remedy;
	}
	if (!words.text[0])
		return err_set(err, code, "%s: HTTP status %ld%s", where, status, remedy);
	return err_set(err, code, "%s: %ld: %s%s", where, status, words.text, remedy);
}
