/* SPDX-License-Identifier: MIT */
#include "cluster/authorities.h"

#include <errno.h>
#include <string.h>

#include "cluster/certificate.h"
#include "cluster/pem.h"
#include "cluster/secret.h"

/* kubeadm's CertificateAuthorityDefaultValidity, and 1 h where it takes 5 minutes. */
#define VALID_S (3650 * (int64_t)86400)
#define BACKDATE_S 3600

#define CA offsetof(struct authorities, ca)
#define FRONT_PROXY offsetof(struct authorities, front_proxy)
#define ETCD offsetof(struct authorities, etcd)

/* kubeadm: phases/copycerts/copycerts.go certsToTransfer */
const struct authorities_part authorities_parts[AUTHORITIES_PARTS] = {
	{"ca.crt", "ca.crt", CA, PART_CERTIFICATE},
	{"ca.key", "ca.key", CA, PART_KEY},
	{"front-proxy-ca.crt", "front-proxy-ca.crt", FRONT_PROXY, PART_CERTIFICATE},
	{"front-proxy-ca.key", "front-proxy-ca.key", FRONT_PROXY, PART_KEY},
	{"etcd-ca.crt", "etcd/ca.crt", ETCD, PART_CERTIFICATE},
	{"etcd-ca.key", "etcd/ca.key", ETCD, PART_KEY},
	{"sa.pub", "sa.pub", 0, PART_SA_PUB},
	{"sa.key", "sa.key", 0, PART_SA_KEY},
};

static struct authority *authority_of(
	struct authorities *authorities, const struct authorities_part *part)
{
	return (struct authority *)(void *)((char *)authorities + part->authority);
}

static int create(struct authority *authority, const char *name, enum key_kind kind,
	int64_t now, struct err *err)
{
	struct strlist dns CLEANUP(strlist_done) = STRLIST_INIT;
	struct certificate_spec spec = {.common_name = name,
		.ca = true,
		.dns = &dns, /* the name again, as client-go's NewSelfSignedCACert does */
		.not_before = now - BACKDATE_S,
		.not_after = now + VALID_S};
	int rc = key_generate(kind, &authority->key, err);

	if (rc == 0 && strlist_add(&dns, name) < 0)
		rc = err_errno(err, ENOMEM, "make a CA");
	return rc < 0 ? rc
		      : certificate_issue(&spec, authority->key, NULL,
				&authority->certificate_pem, err);
}

int authorities_create(
	enum key_kind kind, int64_t now, struct authorities *ret, struct err *err)
{
	struct authorities made CLEANUP(authorities_done) = {0};
	int rc = create(&made.ca, "kubernetes", kind, now, err);

	if (rc == 0)
		rc = create(&made.front_proxy, "front-proxy-ca", kind, now, err);
	if (rc == 0)
		rc = create(&made.etcd, "etcd-ca", kind, now, err);
	if (rc == 0)
		rc = key_generate(kind, &made.service_account, err);
	if (rc == 0)
		rc = key_public_pem(made.service_account, &made.service_account_pub, err);
	if (rc < 0)
		return rc;
	*ret = made;
	made = (struct authorities){0};
	return 0;
}

int authorities_part_pem(const struct authorities *authorities,
	const struct authorities_part *part, struct buf *ret, struct err *err)
{
	const struct authority *authority =
		(const struct authority *)(const void *)((const char *)authorities +
							 part->authority);
	const struct buf *text = part->kind == PART_SA_PUB
					 ? &authorities->service_account_pub
					 : &authority->certificate_pem;

	if (part->kind == PART_KEY)
		return key_pem(authority->key, ret, err);
	if (part->kind == PART_SA_KEY)
		return key_pem(authorities->service_account, ret, err);
	if (secret_add(ret, text->bytes, text->len) < 0)
		return err_errno(err, ENOMEM, "write '%s'", part->key);
	return 0;
}

/* The text as it is, once it is known to hold a block of this label. */
static int take_text(struct buf *place, const struct authorities_part *part,
	const void *pem, size_t len, struct err *err)
{
	const char *label = part->kind == PART_SA_PUB ? "PUBLIC KEY" : "CERTIFICATE";
	const char *at = pem;
	struct pem_block block;
	int rc = len ? pem_next(&at, (const char *)pem + len, part->key, &block, err) : 0;

	if (rc < 0)
		return rc;
	if (rc == 0 || strcmp(block.label, label) != 0)
		return err_set(err, E_FORMAT, "read '%s': it does not begin with '%s'",
			part->key, label);
	buf_done(place);
	if (buf_add(place, pem, len) < 0)
		return err_errno(err, ENOMEM, "read '%s'", part->key);
	return 0;
}

int authorities_part_take(struct authorities *authorities,
	const struct authorities_part *part, const void *pem, size_t len, struct err *err)
{
	struct authority *authority = authority_of(authorities, part);
	struct key **place = part->kind == PART_SA_KEY ? &authorities->service_account
						       : &authority->key;

	if (len > PEM_BYTES_MAX)
		return err_set(err, E_TOO_BIG, "read '%s': %zu bytes; at most %u",
			part->key, len, PEM_BYTES_MAX);
	if (part->kind == PART_SA_PUB)
		return take_text(&authorities->service_account_pub, part, pem, len, err);
	if (part->kind == PART_CERTIFICATE)
		return take_text(&authority->certificate_pem, part, pem, len, err);
	key_free(place);
	return key_parse(pem, len, part->key, place, err);
}

static int check_authority(
	const struct authority *authority, const char *name, int64_t now, struct err *err)
{
	const struct certificate_text text = {
		authority->certificate_pem.bytes, authority->certificate_pem.len, name};
	int rc;

	if (!authority->certificate_pem.len || !authority->key)
		return err_set(err, E_FORMAT,
			"read the cluster's CAs: '%s' or its key is missing; all eight "
			"parts of kubeadm-certs are needed",
			name);
	rc = certificate_key_check(&text, authority->key, err);
	/* by itself: a CA that an unknown root has signed is trusted as it stands */
	return rc < 0 ? rc : certificate_check_authority(&text, now, err);
}

int authorities_check(struct authorities *authorities, int64_t now, struct err *err)
{
	int rc = check_authority(&authorities->ca, "ca.crt", now, err);

	if (rc == 0)
		rc = check_authority(
			&authorities->front_proxy, "front-proxy-ca.crt", now, err);
	if (rc == 0)
		rc = check_authority(&authorities->etcd, "etcd-ca.crt", now, err);
	if (rc < 0)
		return rc;
	if (!authorities->service_account)
		return err_set(err, E_FORMAT,
			"read the cluster's CAs: 'sa.key' is missing; all eight parts of "
			"kubeadm-certs are needed");
	if (authorities->service_account_pub.len)
		return 0;
	return key_public_pem(
		authorities->service_account, &authorities->service_account_pub, err);
}

static void authority_done(struct authority *authority)
{
	buf_done(&authority->certificate_pem);
	key_free(&authority->key);
}

void authorities_done(struct authorities *authorities)
{
	authority_done(&authorities->ca);
	authority_done(&authorities->front_proxy);
	authority_done(&authorities->etcd);
	key_free(&authorities->service_account);
	buf_done(&authorities->service_account_pub);
}
