/* SPDX-License-Identifier: MIT */
#include "cluster/node_csr.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "cluster/base64.h"
#include "cluster/certificate.h"

#define CSR_PATH "/apis/certificates.k8s.io/v1/certificatesigningrequests"
#define SIGNER "kubernetes.io/kube-apiserver-client-kubelet"
#define POLL_MS 1000U
#define POLL_MAX_MS 4000U

/* What kubelet asks for, too; without "key encipherment" older clusters approve nothing
 * and say nothing (k8s.io/kubernetes pkg/apis/certificates/helpers.go). */
static const char *const usages[] = {
	"digital signature", "key encipherment", "client auth"};

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* The name is new with each key, so that one that is taken is our own doing: the answer
 * to the first POST was lost. */
static void name_it(struct node_csr *csr, const char *node)
{
	uint64_t hash = 14695981039346656037ULL; /* FNV-1a of the new public key */

	for (size_t i = 0; i < csr->request.len; i++)
		hash = (hash ^ (unsigned char)csr->request.bytes[i]) * 1099511628211ULL;
	(void)snprintf(csr->name, sizeof(csr->name), "node-csr-%s-%08" PRIx32, node,
		(uint32_t)(hash ^ hash >> 32));
}

int node_csr_init(
	struct node_csr *csr, enum key_kind kind, const char *node, struct err *err)
{
	char subject[CERTIFICATE_NAME_MAX + 1];
	int rc = key_generate(kind, &csr->key, err);

	(void)snprintf(subject, sizeof(subject), "system:node:%s", node);
	if (rc == 0)
		rc = certificate_request(
			csr->key, subject, "system:nodes", &csr->request, err);
	if (rc == 0)
		name_it(csr, node);
	return rc;
}

static json_t *make_object(const struct node_csr *csr, const char *request)
{
	json_t *list = json_array();

	for (size_t i = 0; i < ARRAY_LEN(usages); i++)
		if (json_array_append_new(list, json_string(usages[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:{s:s}, s:{s:s, s:s, s:o}}", "apiVersion",
		"certificates.k8s.io/v1", "kind", "CertificateSigningRequest", "metadata",
		"name", csr->name, "spec", "request", request, "signerName", SIGNER,
		"usages", list);
}

static int send(struct node_csr *csr, struct api *api, struct err *err)
{
	struct buf request CLEANUP(buf_done) = BUF_INIT;
	json_t *object CLEANUP(api_json_free) = NULL,
		       *answer CLEANUP(api_json_free) = NULL;
	int rc = base64_add(&request, csr->request.bytes, csr->request.len);

	object = rc == 0 ? make_object(csr, request.bytes) : NULL;
	if (!object)
		return err_errno(err, ENOMEM, "ask for a certificate");
	rc = api_post(api, CSR_PATH, object, &answer, err);
	if (rc == 0)
		(void)str_copy(csr->uid, sizeof(csr->uid),
			text_at(json_object_get(answer, "metadata"), "uid"));
	return rc == -E_EXISTS ? 0 : rc;
}

static const json_t *condition_of(const json_t *object, const char *type)
{
	const json_t *list =
		json_object_get(json_object_get(object, "status"), "conditions");
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (strcmp(text_at(item, "type"), type) == 0)
			return item;
	}
	return NULL;
}

/* Denied and Failed are final (certificates/v1 types.go). */
static int check_conditions(
	const struct node_csr *csr, const json_t *object, struct err *err)
{
	const json_t *denied = condition_of(object, "Denied");
	const json_t *failed = condition_of(object, "Failed");
	const char *uid = text_at(json_object_get(object, "metadata"), "uid");

	if (*csr->uid && strcmp(uid, csr->uid) != 0)
		return err_set(err, E_INVALID,
			"CSR %s was replaced by another one of its name: somebody else "
			"joins as this node",
			csr->name);
	if (denied)
		return err_set(err, E_FORBIDDEN,
			"CSR %s was denied: %s %s; ask who approves nodes there",
			csr->name, text_at(denied, "reason"), text_at(denied, "message"));
	if (failed)
		return err_set(err, E_INVALID, "CSR %s could not be signed: %s %s",
			csr->name, text_at(failed, "reason"), text_at(failed, "message"));
	return 0;
}

/* The approver compares the request itself; an admission webhook may have changed it. */
static bool was_changed(const struct node_csr *csr, const json_t *object)
{
	const json_t *spec = json_object_get(object, "spec");
	struct buf request CLEANUP(buf_done) = BUF_INIT;

	if (base64_add(&request, csr->request.bytes, csr->request.len) < 0)
		return false;
	return strcmp(text_at(spec, "request"), buf_text(&request)) != 0 ||
	       strcmp(text_at(spec, "signerName"), SIGNER) != 0 ||
	       json_array_size(json_object_get(spec, "usages")) != ARRAY_LEN(usages);
}

/* Asks what the approver itself asks (pkg/controller/certificates/approver, its
 * SubjectAccessReview). 1: yes, 0: no, -1: it was not answered. */
static int may_be_approved(struct api *api)
{
	json_t *answer CLEANUP(api_json_free) = NULL;
	json_t *review CLEANUP(api_json_free) =
		json_pack("{s:s, s:s, s:{s:{s:s, s:s, s:s, s:s}}}", "apiVersion",
			"authorization.k8s.io/v1", "kind", "SelfSubjectAccessReview",
			"spec", "resourceAttributes", "group", "certificates.k8s.io",
			"resource", "certificatesigningrequests", "subresource",
			"nodeclient", "verb", "create");
	struct err ignored = ERR_INIT;

	if (!review ||
		api_post(api, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
			review, &answer, &ignored) < 0)
		return -1;
	return json_is_true(
		json_object_get(json_object_get(answer, "status"), "allowed"));
}

/* Why nobody answered, as far as the token can see. */
static int diagnose(const struct node_csr *csr, struct api *api, const json_t *object,
	unsigned int timeout_s, struct err *err)
{
	int allowed;

	if (condition_of(object, "Approved"))
		return err_set(err, E_TIMEOUT,
			"CSR %s is approved, but was not signed in %u s: "
			"kube-controller-manager has no signing key "
			"(--cluster-signing-cert-file, --cluster-signing-key-file) or "
			"its csrsigning controller is off",
			csr->name, timeout_s);
	if (was_changed(csr, object))
		return err_set(err, E_TIMEOUT,
			"CSR %s was changed on its way into the cluster, so that it is "
			"not approved by itself: look for an admission webhook, or run "
			"'kubectl certificate approve %s' in time",
			csr->name, csr->name);
	allowed = may_be_approved(api);
	if (allowed == 0)
		return err_set(err, E_TIMEOUT,
			"CSR %s is pending for %u s: nodes of this token's groups are "
			"not approved by themselves; add the ClusterRoleBinding "
			"kubeadm:node-autoapprove-bootstrap, or run 'kubectl certificate "
			"approve %s' in time",
			csr->name, timeout_s, csr->name);
	return err_set(err, E_TIMEOUT,
		"CSR %s is pending for %u s%s: kube-controller-manager is not running, "
		"or "
		"its csrapproving controller is off; look at it, or run 'kubectl "
		"certificate approve %s' in time",
		csr->name, timeout_s, allowed > 0 ? ", although it may be approved" : "",
		csr->name);
}

/* 1: not yet. */
static int take_certificate(const json_t *object, struct buf *ret, struct err *err)
{
	const char *text = text_at(json_object_get(object, "status"), "certificate");
	int rc = *text ? base64_decode(text, strlen(text), ret) : 1;

	if (rc == -EINVAL)
		return err_set(err, E_FORMAT, "the certificate of the CSR is not base64");
	return rc < 0 ? err_errno(err, -rc, "keep the certificate") : rc;
}

static int poll_once(const struct node_csr *csr, struct api *api, json_t **object,
	struct buf *ret, struct err *err)
{
	char path[sizeof(CSR_PATH) + sizeof(csr->name) + 1];
	int rc;

	json_decref(*object);
	*object = NULL;
	(void)snprintf(path, sizeof(path), CSR_PATH "/%s", csr->name);
	rc = api_get(api, path, object, err);
	if (rc == -E_NOT_FOUND)
		return err_set(err, E_NOT_FOUND,
			"CSR %s is gone: somebody deleted it before it was signed",
			csr->name);
	if (rc == 0)
		rc = check_conditions(csr, *object, err);
	return rc < 0 ? rc : take_certificate(*object, ret, err);
}

int node_csr_run(struct node_csr *csr, struct env *env, struct api *api,
	unsigned int timeout_s, struct buf *ret, struct err *err)
{
	json_t *object CLEANUP(api_json_free) = NULL;
	unsigned int pause = POLL_MS / 4;
	int rc = csr->sent ? 0 : send(csr, api, err);

	if (rc < 0)
		return rc;
	if (!csr->sent)
		csr->deadline_ms = env->now_ms() + 1000ULL * timeout_s;
	csr->sent = true;
	while ((rc = poll_once(csr, api, &object, ret, err)) == 1) {
		if (env->now_ms() >= csr->deadline_ms)
			return diagnose(csr, api, object, timeout_s, err);
		env->sleep_ms(pause + env_jitter(env, pause / 4));
		pause = pause * 2 < POLL_MAX_MS ? pause * 2 : POLL_MAX_MS;
	}
	return rc;
}

void node_csr_done(struct node_csr *csr)
{
	key_free(&csr->key);
	buf_done(&csr->request);
}
