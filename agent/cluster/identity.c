/* SPDX-License-Identifier: MIT */
#include "cluster/identity.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "cluster/certificate.h"
#include "cluster/kubeconfig.h"
#include "cluster/pem.h"
#include "cluster/secret.h"

/* kubelet renews long before the end; what has so little left would not live until it is
 * up. */
#define LEFT_MIN_S 600

static void take(struct buf *ret, struct buf *from)
{
	*ret = *from;
	*from = (struct buf)BUF_INIT;
}

int identity_parse(
	const struct buf *pem, const char *name, struct identity *ret, struct err *err)
{
	struct pem_bundle bundle CLEANUP(pem_bundle_done) = PEM_BUNDLE_INIT;
	int rc = pem_split(pem->bytes, pem->len, name, &bundle, err);
	const char *missing = NULL;

	if (rc < 0)
		return rc;
	if (!bundle.key.len)
		missing = "a private key";
	else if (!bundle.certificates.len)
		missing = "the node's certificate";
	else if (!bundle.authorities.len)
		missing = "the certificate of the cluster's CA";
	if (missing)
		return err_set(err, E_FORMAT,
			"%s: %s is missing; a worker's credential is the PEM file that "
			"'promenade render' writes",
			name, missing);
	take(&ret->ca, &bundle.authorities);
	take(&ret->certificates, &bundle.certificates);
	take(&ret->key, &bundle.key);
	return 0;
}

int identity_read(const struct env *env, struct identity *ret, struct err *err)
{
	struct pem_bundle bundle CLEANUP(pem_bundle_done) = PEM_BUNDLE_INIT;
	struct buf pem CLEANUP(secret_done) = BUF_INIT, ca CLEANUP(buf_done) = BUF_INIT;
	int rc =
		fs_read(env->target_fd, KUBECONFIG_KUBELET_PEM, PEM_BYTES_MAX, &pem, err);

	if (rc == 0)
		rc = fs_read(env->target_fd, IDENTITY_CA_PATH, PEM_BYTES_MAX, &ca, err);
	if (rc == -ENOENT || rc == -ENOTDIR)
		return 1;
	if (rc == 0)
		rc = pem_split(pem.bytes, pem.len, KUBECONFIG_KUBELET_PEM, &bundle, err);
	if (rc < 0)
		return rc;
	take(&ret->ca, &ca);
	take(&ret->certificates, &bundle.certificates);
	take(&ret->key, &bundle.key);
	return 0;
}

static int check_subject(const struct identity *identity,
	const struct identity_wanted *wanted, const char *name, struct err *err)
{
	struct certificate_info info CLEANUP(certificate_info_done) = {.ca = false};
	char subject[CERTIFICATE_NAME_MAX + 1];
	int rc = certificate_read(identity->certificates.bytes,
		identity->certificates.len, name, &info, err);

	if (rc < 0)
		return rc;
	(void)snprintf(subject, sizeof(subject), "system:node:%s", wanted->node);
	if (strcmp(info.common_name, subject) != 0)
		return err_set(err, E_TRUST,
			"%s: the certificate is for '%s', and this node is '%s': give "
			"each machine its own credential",
			name, info.common_name, subject);
	if (!strlist_has(&info.organizations, "system:nodes"))
		return err_set(err, E_TRUST,
			"%s: the certificate is not of the group system:nodes, so that "
			"the API server would not take it for a node's; make it anew",
			name);
	if (info.not_after - wanted->now < LEFT_MIN_S)
		return err_set(err, E_TRUST,
			"%s: the certificate expired, or is about to (%lld s left by "
			"this machine's clock); make a new one, or mend the clock",
			name, (long long)(info.not_after - wanted->now));
	return 0;
}

static int check_key(const struct identity *identity, const char *name, struct err *err)
{
	struct certificate_text leaf = {
		identity->certificates.bytes, identity->certificates.len, name};
	struct key *key CLEANUP(key_free) = NULL;
	int rc = key_parse(identity->key.bytes, identity->key.len, name, &key, err);

	return rc < 0 ? rc : certificate_key_check(&leaf, key, err);
}

int identity_check(const struct identity *identity, const struct identity_wanted *wanted,
	const char *name, struct err *err)
{
	struct certificate_text leaf = {
		identity->certificates.bytes, identity->certificates.len, name};
	struct certificate_text ca = {
		identity->ca.bytes, identity->ca.len, "the cluster's CA"};
	int rc;

	if (!identity->certificates.len || !identity->key.len || !identity->ca.len)
		return err_set(
			err, E_TRUST, "%s: certificate, key or CA is missing", name);
	rc = certificate_pin_check(&ca, wanted->pins, err);
	if (rc == 0)
		rc = check_subject(identity, wanted, name, err);
	if (rc == 0)
		rc = certificate_check_chain(&leaf, &ca, wanted->now, err);
	return rc < 0 ? rc : check_key(identity, name, err);
}

void identity_done(struct identity *identity)
{
	buf_done(&identity->ca);
	buf_done(&identity->certificates);
	secret_done(&identity->key);
}
