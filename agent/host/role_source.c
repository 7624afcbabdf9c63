/* SPDX-License-Identifier: MIT */
#include "host/role_source.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "host/credential.h"
#include "host/verify.h"
#include "model/role.h"
#include "model/template.h"

#define INJECTED_PATH "promenade/role.yaml"
#define CREDENTIAL_NAME "promenade.role"

/* An ECDSA P-256 signature is at most 72 bytes of DER; more is no signature of ours. */
#define SIGNATURE_MAX 1024U

/* Reads every signing key of the policy into one set. NULL set when it has none. */
static int load_keys(
	const struct policy *policy, struct verify_keys **ret, struct err *err)
{
	struct buf pem CLEANUP(buf_done) = BUF_INIT;

	*ret = NULL;
	if (policy->keys.count == 0)
		return 0;
	for (size_t i = 0; i < policy->keys.count; i++)
		if (buf_add_str(&pem, policy->keys.items[i]) < 0 ||
			buf_add_str(&pem, "\n") < 0)
			return err_errno(err, ENOMEM, "read the policy's keys");
	return verify_keys_new(pem.bytes, pem.len, "/" POLICY_DIR "/keys", ret, err);
}

/* Judges bytes with their signature (NULL or empty: none) and the policy. */
static int judge(const struct policy *policy, const struct buf *signature,
	struct role_text *role, struct err *err)
{
	struct verify_keys *keys CLEANUP(verify_keys_free) = NULL;
	int rc = load_keys(policy, &keys, err);

	if (rc < 0)
		return rc;
	if (signature->len && keys) {
		struct verify_signature detached = {signature->bytes, signature->len};

		rc = verify_signature_check(
			keys, role->bytes.bytes, role->bytes.len, &detached, err);
		if (rc < 0)
			return err_wrap(err, "role from %s", role->from);
		role->is_signed = true;
	}
	rc = policy_allows(policy, role->origin, role->is_signed, err);
	return rc < 0 ? err_wrap(err, "role from %s", role->from) : 0;
}

/* The injected file, with its signature beside it. 1 when there is none. */
static int from_file(struct env *env, const struct policy *policy, struct role_text *role,
	struct err *err)
{
	struct buf signature CLEANUP(buf_done) = BUF_INIT;
	int rc = fs_read(env->run_fd, INJECTED_PATH, ROLE_BYTES_MAX, &role->bytes, err);

	if (rc == -ENOENT)
		return 1;
	if (rc < 0)
		return rc;
	(void)str_copy(role->from, sizeof(role->from), "/" INJECTED_PATH);
	role->origin = POLICY_ORIGIN_INJECTED;
	rc = fs_read(env->run_fd, INJECTED_PATH ".sig", SIGNATURE_MAX, &signature, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	return judge(policy, &signature, role, err);
}

/* SMBIOS and fw_cfg credentials. 1 when there is none. */
static int from_credential(struct env *env, const struct policy *policy,
	struct role_text *role, struct err *err)
{
	struct buf signature CLEANUP(buf_done) = BUF_INIT;
	int rc = credential_read(env, CREDENTIAL_NAME, ROLE_BYTES_MAX, &role->bytes, err);

	if (rc != 0)
		return rc;
	(void)str_copy(role->from, sizeof(role->from),
		"the systemd credential " CREDENTIAL_NAME);
	role->origin = POLICY_ORIGIN_INJECTED;
	rc = credential_read(env, CREDENTIAL_NAME ".sig", SIGNATURE_MAX, &signature, err);
	if (rc < 0)
		return rc;
	return judge(policy, &signature, role, err);
}

/* URL with ".sig" after the path, before the query (the layout of matchbox). */
static int signature_url(const char *url, struct buf *ret)
{
	size_t path = strcspn(url, "?#");

	if (buf_add(ret, url, path) < 0 || buf_add_str(ret, ".sig") < 0)
		return -ENOMEM;
	return buf_add_str(ret, url + path);
}

/* The signature is asked for only where a key could check it. "Not there" is no
 * signature; any other failure is a failure of this round, so that an unsigned role is
 * not taken because the signature's server stumbled. */
static int fetch_signature(const struct role_request *request, const char *url,
	struct buf *ret, struct err *err)
{
	struct buf sig_url CLEANUP(buf_done) = BUF_INIT;
	struct fetch_answer answer = {.status = 0};
	struct fetch_request get = {.limit = SIGNATURE_MAX, .allow_http = true};
	int rc;

	if (request->policy->keys.count == 0)
		return 0;
	if (signature_url(url, &sig_url) < 0)
		return err_errno(err, ENOMEM, "name the signature");
	get.url = sig_url.bytes;
	rc = fetch_small(request->fetch, &get, &answer, err);
	if (rc < 0) {
		buf_done(&answer.body);
		return answer.status == 404 || answer.status == 410 ? 0 : rc;
	}
	*ret = answer.body;
	return 0;
}

/* Plain HTTP is fetched only where the policy could still accept what comes: unsigned, or
 * signed by a key that it has. */
static bool http_could_do(const struct policy *policy)
{
	return policy->keys.count > 0 ||
	       (policy->unsigned_http && !policy->require_signature);
}

static int from_url(const struct role_request *request, const char *url,
	struct role_text *role, struct err *err)
{
	struct buf signature CLEANUP(buf_done) = BUF_INIT;
	struct fetch_answer answer = {.status = 0};
	struct fetch_request get = {.url = url,
		.limit = ROLE_BYTES_MAX,
		.allow_http = http_could_do(request->policy),
		.accept = "application/yaml, text/yaml, text/plain;q=0.9, */*;q=0.1"};
	int rc;

	fetch_url_printable(url, role->from, sizeof(role->from));
	if (str_has_prefix(url, "http:") && !get.allow_http) {
		role->origin = POLICY_ORIGIN_HTTP;
		rc = policy_allows(request->policy, POLICY_ORIGIN_HTTP, false, err);
		return rc < 0 ? err_wrap(err, "role from %s", role->from) : rc;
	}
	rc = fetch_small(request->fetch, &get, &answer, err);
	role->retry_after_s = answer.retry_after_s;
	if (rc < 0) {
		buf_done(&answer.body);
		return err_wrap(err, "role from %s", role->from);
	}
	role->bytes = answer.body;
	if (role->bytes.len == 0)
		return err_set(err, E_NOT_YET,
			"role from %s: the answer is empty: this machine has no role yet",
			role->from);
	role->origin =
		str_has_prefix(url, "https:") ? POLICY_ORIGIN_HTTPS : POLICY_ORIGIN_HTTP;
	rc = fetch_signature(request, url, &signature, err);
	return rc < 0 ? rc : judge(request->policy, &signature, role, err);
}

static const char *boot_mac(const struct facts *facts)
{
	for (size_t i = 0; i < facts->nic_count; i++)
		if (facts->nics[i].boot)
			return facts->nics[i].mac;
	return facts->lease.mac;
}

static int expand(
	const char *template, const struct facts *facts, struct buf *ret, struct err *err)
{
	const struct template_values values = {.uuid = facts->uuid,
		.serial = facts->serial,
		.mac = boot_mac(facts),
		.hostname = facts->lease.hostname,
		.asset = facts->asset,
		.arch = facts->arch};

	return template_expand(template, &values, ret, err);
}

/* What a person must mend is worth more than "not yet" of another URL. */
static bool is_worse(const struct err *a, const struct err *b)
{
	return b->code == 0 || (err_class(a->code) != ERR_CLASS_RETRY &&
				       err_class(b->code) == ERR_CLASS_RETRY);
}

static int from_urls(
	const struct role_request *request, struct role_text *role, struct err *err)
{
	struct err worst = ERR_INIT;

	for (size_t i = 0; i < request->urls->count; i++) {
		struct buf url CLEANUP(buf_done) = BUF_INIT;
		struct err this_err = ERR_INIT;
		int rc = expand(request->urls->items[i], request->facts, &url, &this_err);

		if (rc == 0)
			rc = from_url(request, url.bytes, role, &this_err);
		if (rc == 0)
			return 0;
		buf_done(&role->bytes);
		if (is_worse(&this_err, &worst))
			worst = this_err;
	}
	*err = worst;
	return err->code;
}

int role_source_get(struct env *env, const struct role_request *request,
	struct role_text *ret, struct err *err)
{
	struct role_text role = {.is_signed = false};
	int rc = from_file(env, request->policy, &role, err);

	if (rc == 1)
		rc = from_credential(env, request->policy, &role, err);
	if (rc == 1 && request->urls->count && request->fetch)
		rc = from_urls(request, &role, err);
	if (rc == 1)
		rc = err_set(err, E_NOT_YET,
			"no role: /" INJECTED_PATH " is not there, no credential "
			"'" CREDENTIAL_NAME
			"' in SMBIOS or fw_cfg, no promenade.role=URL on "
			"the kernel command line; give one of them");
	if (rc < 0) {
		buf_done(&role.bytes);
		ret->retry_after_s = role.retry_after_s;
		return rc;
	}
	*ret = role;
	return 0;
}
