/* SPDX-License-Identifier: MIT */
#include "host/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"

#define PEM_MAX (256U * 1024U)

/* Every *.pem of a directory, in order of name, through add. A missing directory is
 * empty. */
static int each_pem(struct env *env, const char *dir,
	int (*add)(struct policy *policy, const struct buf *pem), struct policy *policy,
	struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = fs_list(env->run_fd, dir, &names);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return err_errno(err, -rc, "read directory '/%s'", dir);
	for (size_t i = 0; i < names.count; i++) {
		struct buf pem CLEANUP(buf_done) = BUF_INIT;
		char path[512];

		if (!str_has_suffix(names.items[i], ".pem"))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names.items[i]);
		rc = fs_read(env->run_fd, path, PEM_MAX, &pem, err);
		if (rc < 0)
			return rc;
		if (add(policy, &pem) < 0)
			return err_errno(err, ENOMEM, "read '/%s'", path);
	}
	return 0;
}

static int add_ca(struct policy *policy, const struct buf *pem)
{
	if (buf_add(&policy->ca_pem, pem->bytes, pem->len) < 0)
		return -ENOMEM;
	return buf_add_str(&policy->ca_pem, "\n");
}

static int add_key(struct policy *policy, const struct buf *pem)
{
	return strlist_add(&policy->keys, buf_text(pem));
}

/* The word's place in the policy, or NULL. */
static bool *find_word(struct policy *policy, const char *word)
{
	if (strcmp(word, "require-signature") == 0)
		return &policy->require_signature;
	if (strcmp(word, "unsigned-http") == 0)
		return &policy->unsigned_http;
	if (strcmp(word, "unsigned-injected") == 0)
		return &policy->unsigned_injected;
	return NULL;
}

static int parse_line(
	struct policy *policy, char *line, unsigned int number, struct err *err)
{
	char *text = str_trim(line), *value;
	bool *place;

	if (!*text || *text == '#')
		return 0;
	value = text + strcspn(text, " \t");
	if (*value)
		*value++ = '\0';
	value = str_trim(value);
	place = find_word(policy, text);
	if (!place)
		return err_set(err, E_FORMAT,
			"/" POLICY_DIR "/policy.conf line %u: unknown word '%s'; one of: "
			"require-signature, unsigned-http, unsigned-injected",
			number, text);
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return err_set(err, E_FORMAT,
			"/" POLICY_DIR
			"/policy.conf line %u: '%s' is '%s'; must be yes or "
			"no",
			number, text, value);
	*place = strcmp(value, "yes") == 0;
	return 0;
}

static int load_conf(struct env *env, struct policy *policy, struct err *err)
{
	struct buf conf CLEANUP(buf_done) = BUF_INIT;
	unsigned int number = 0;
	char *line, *rest;
	int rc = fs_read(env->run_fd, POLICY_DIR "/policy.conf", PEM_MAX, &conf, err);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	rest = conf.bytes;
	while (rest && (line = strsep(&rest, "\n"))) {
		rc = parse_line(policy, line, ++number, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int policy_load(struct env *env, struct policy *ret, struct err *err)
{
	struct policy policy = {.require_signature = false};
	int rc = each_pem(env, POLICY_DIR "/ca", add_ca, &policy, err);

	if (rc == 0)
		rc = each_pem(env, POLICY_DIR "/keys", add_key, &policy, err);
	if (rc == 0)
		rc = load_conf(env, &policy, err);
	if (rc == 0) {
		rc = fs_read(env->run_fd, POLICY_DIR "/client.pem", PEM_MAX,
			&policy.client_pem, err);
		if (rc == -ENOENT)
			rc = 0;
	}
	if (rc < 0) {
		policy_done(&policy);
		return rc;
	}
	*ret = policy;
	return 0;
}

int policy_allows(const struct policy *policy, enum policy_origin origin, bool is_signed,
	struct err *err)
{
	if (is_signed || origin == POLICY_ORIGIN_LOCAL)
		return 0;
	if (policy->require_signature)
		return err_set(err, E_TRUST,
			"the role is not signed and the image's policy asks for a "
			"signature "
			"(require-signature); put ROLE.sig beside the role, made with "
			"'openssl dgst -sha256 -sign KEY -out ROLE.sig ROLE'");
	if (origin == POLICY_ORIGIN_HTTP && !policy->unsigned_http)
		return err_set(err, E_TRUST,
			"the role came over plain HTTP without a signature and the "
			"image's "
			"policy does not allow that; serve it over HTTPS or sign it");
	if (origin == POLICY_ORIGIN_INJECTED && !policy->unsigned_injected)
		return err_set(err, E_TRUST,
			"the role was injected without a signature and the image's "
			"policy "
			"does not allow that; sign it, or build the image with "
			"unsigned-injected yes if its iPXE is authenticated");
	return 0;
}

void policy_done(struct policy *policy)
{
	if (policy->client_pem.bytes)
		explicit_bzero(policy->client_pem.bytes, policy->client_pem.len);
	buf_done(&policy->client_pem);
	buf_done(&policy->ca_pem);
	strlist_done(&policy->keys);
}
