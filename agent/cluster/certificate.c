/* SPDX-License-Identifier: MIT */
/* Issuing. The order of fields and extensions is Go's (crypto/x509 CreateCertificate),
 * so that ours and kubeadm's differ in keys, times and serial numbers alone. */
#include "cluster/certificate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "cluster/certificate_parts.h"
#include "cluster/der.h"
#include "cluster/key_parts.h"
#include "cluster/pem.h"

#define IDENTIFIER_LEN 20U
#define DNS_NAME_MAX 253U

/* RFC 5280 and 5912 (names, extensions, usages), RFC 5758 3.2 and 8017 (signatures) */
static const struct der_oid oid_common_name = {3, {0x55, 0x04, 0x03}};
static const struct der_oid oid_organization = {3, {0x55, 0x04, 0x0a}};
static const struct der_oid oid_subject_key_id = {3, {0x55, 0x1d, 0x0e}};
static const struct der_oid oid_key_usage = {3, {0x55, 0x1d, 0x0f}};
static const struct der_oid oid_alt_names = {3, {0x55, 0x1d, 0x11}};
static const struct der_oid oid_constraints = {3, {0x55, 0x1d, 0x13}};
static const struct der_oid oid_authority_key_id = {3, {0x55, 0x1d, 0x23}};
static const struct der_oid oid_extended_usage = {3, {0x55, 0x1d, 0x25}};
static const struct der_oid oid_server = {8, {0x2b, 6, 1, 5, 5, 7, 3, 1}};
static const struct der_oid oid_client = {8, {0x2b, 6, 1, 5, 5, 7, 3, 2}};

struct signature_kind {
	size_t bits_max; /* of an ECDSA key; 0 for RSA */
	psa_algorithm_t hash;
	mbedtls_md_type_t md;
	struct der_oid oid;
};

/* The hash by the curve, as Go chooses. */
static const struct signature_kind signature_kinds[] = {
	{0, PSA_ALG_SHA_256, MBEDTLS_MD_SHA256,
		{9, {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11}}},
	{256, PSA_ALG_SHA_256, MBEDTLS_MD_SHA256,
		{8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}}},
	{384, PSA_ALG_SHA_384, MBEDTLS_MD_SHA384,
		{8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3}}},
	{521, PSA_ALG_SHA_512, MBEDTLS_MD_SHA512,
		{8, {0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4}}},
};

static const struct signature_kind *signature_kind_of(const struct key *key)
{
	size_t i = 0;

	if (PSA_KEY_TYPE_IS_ECC(key->type))
		while (++i < ARRAY_LEN(signature_kinds) - 1 &&
			key->bits > signature_kinds[i].bits_max)
			;
	return &signature_kinds[i];
}

static void write_algorithm(struct der *der, const struct signature_kind *kind)
{
	der_open(der, DER_SEQUENCE);
	der_oid(der, &kind->oid);
	if (kind->bits_max == 0) /* RFC 4055 5: RSA has NULL parameters, ECDSA none */
		der_value(der, DER_NULL, "", 0);
	der_close(der);
}

/* What a name or address of ours must not be, or NULL. */
static const char *name_mistake(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	if (len == 0)
		return "is empty";
	if (len > CERTIFICATE_NAME_MAX)
		return "is longer than 255 bytes";
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return "holds a control character";
	return NULL;
}

static void write_attribute(struct der *der, const struct der_oid *oid, const char *text)
{
	der_open(der, DER_SET);
	der_open(der, DER_SEQUENCE);
	der_oid(der, oid);
	der_name_text(der, text);
	der_close(der);
	der_close(der);
}

/* Go's order: the organization comes first. */
static void write_name(struct der *der, const char *common_name, const char *organization)
{
	der_open(der, DER_SEQUENCE);
	if (organization)
		write_attribute(der, &oid_organization, organization);
	write_attribute(der, &oid_common_name, common_name);
	der_close(der);
}

/* Opens an extension up to its contents; closed by extension_close(). */
static void extension_open(struct der *der, const struct der_oid *oid, bool critical)
{
	der_open(der, DER_SEQUENCE);
	der_oid(der, oid);
	if (critical)
		der_value(der, DER_BOOLEAN, "\xff", 1);
	der_open(der, DER_OCTET_STRING);
}

static void extension_close(struct der *der)
{
	der_close(der);
	der_close(der);
}

/* digitalSignature (0), keyEncipherment (2), of a CA keyCertSign (5) too: the bits from
 * the left behind the number of unused ones (X.690 11.2.2 drops zeros at the end). */
static void write_usages(struct der *der, const struct certificate_spec *spec)
{
	extension_open(der, &oid_key_usage, true);
	if (spec->ca)
		der_value(der, DER_BIT_STRING, "\x02\xa4", 2);
	else
		der_value(der, DER_BIT_STRING, "\x05\xa0", 2);
	extension_close(der);
	if (!spec->server && !spec->client)
		return;
	extension_open(der, &oid_extended_usage, false);
	der_open(der, DER_SEQUENCE);
	if (spec->server)
		der_oid(der, &oid_server);
	if (spec->client)
		der_oid(der, &oid_client);
	der_close(der);
	extension_close(der);
}

static void write_constraints(struct der *der, bool ca)
{
	extension_open(der, &oid_constraints, true);
	der_open(der, DER_SEQUENCE);
	if (ca)
		der_value(der, DER_BOOLEAN, "\xff", 1);
	der_close(der);
	extension_close(der);
}

/* The identifier of a CA's key is copied, never computed anew: there are several ways to
 * make one, and OpenSSL refuses a chain in which the two differ. */
static void write_identifiers(struct der *der, const uint8_t *subject_id,
	const struct certificate_parent *parent)
{
	if (subject_id) {
		extension_open(der, &oid_subject_key_id, false);
		der_value(der, DER_OCTET_STRING, subject_id, IDENTIFIER_LEN);
		extension_close(der);
	}
	if (parent && parent->crt.subject_key_id.len) {
		extension_open(der, &oid_authority_key_id, false);
		der_open(der, DER_SEQUENCE);
		der_value(der, DER_CONTEXT | 0, parent->crt.subject_key_id.p,
			parent->crt.subject_key_id.len);
		der_close(der);
		extension_close(der);
	}
}

/* GeneralName: dNSName is [2], iPAddress [7] */
static int write_dns(struct der *der, const char *name, struct err *err)
{
	const char *mistake = name_mistake(name);

	if (!mistake && strlen(name) > DNS_NAME_MAX)
		mistake = "is longer than 253 bytes";
	for (const char *p = name; !mistake && *p; p++)
		if ((unsigned char)*p > '~' || *p == ' ')
			mistake = "holds other than printable ASCII";
	if (mistake)
		return err_set(
			err, E_FORMAT, "issue a certificate: a DNS name %s", mistake);
	der_value(der, DER_CONTEXT | 2, name, strlen(name));
	return 0;
}

static int write_address(struct der *der, const char *address, struct err *err)
{
	uint8_t bytes[16];

	if (inet_pton(AF_INET, address, bytes) == 1)
		der_value(der, DER_CONTEXT | 7, bytes, 4);
	else if (inet_pton(AF_INET6, address, bytes) == 1)
		der_value(der, DER_CONTEXT | 7, bytes, 16);
	else
		return err_set(err, E_FORMAT,
			"issue a certificate: '%.60s' is no IPv4 or IPv6 address",
			address);
	return 0;
}

static int write_alt_names(
	struct der *der, const struct certificate_spec *spec, struct err *err)
{
	size_t dns = spec->dns ? spec->dns->count : 0;
	size_t addresses = spec->addresses ? spec->addresses->count : 0;
	int rc = 0;

	if (dns + addresses == 0)
		return 0;
	extension_open(der, &oid_alt_names, false);
	der_open(der, DER_SEQUENCE);
	for (size_t i = 0; rc == 0 && i < dns; i++)
		rc = write_dns(der, spec->dns->items[i], err);
	for (size_t i = 0; rc == 0 && i < addresses; i++)
		rc = write_address(der, spec->addresses->items[i], err);
	der_close(der);
	extension_close(der);
	return rc;
}

/* 1 to 2^63 - 1, as kubeadm; never zero (RFC 5280 4.1.2.2). */
static void write_serial(struct der *der)
{
	uint8_t bytes[8];
	size_t skip = 0;

	if (psa_generate_random(bytes, sizeof(bytes)) != PSA_SUCCESS)
		der->failed = true;
	bytes[0] &= 0x7f;
	bytes[7] |= 1;
	/* DER: no zero byte in front unless it keeps the number positive */
	while (skip < 7 && bytes[skip] == 0 && bytes[skip + 1] < 0x80)
		skip++;
	der_value(der, DER_INTEGER, bytes + skip, sizeof(bytes) - skip);
}

static void write_validity(struct der *der, const struct certificate_spec *spec)
{
	der_open(der, DER_SEQUENCE);
	der_time(der, spec->not_before);
	der_time(der, spec->not_after);
	der_close(der);
}

static void write_public_key(struct der *der, const struct key *key)
{
	unsigned char spki[KEY_SPKI_MAX];
	const unsigned char *at;
	int len = key_spki(&key->pk, spki, &at);

	if (len > 0)
		der_raw(der, at, (size_t)len);
	else
		der->failed = true;
}

/* RFC 7093 2, method 1: the first 160 bits of SHA-256 over the bits of the public key; Go
 * has made it so since 1.25. The bits are what follows the algorithm in the SPKI. */
static bool key_identifier(const struct key *key, uint8_t id[IDENTIFIER_LEN])
{
	unsigned char spki[KEY_SPKI_MAX], *p, hash[32];
	const unsigned char *at;
	size_t len, hash_len;
	int total = key_spki(&key->pk, spki, &at);

	p = spki + KEY_SPKI_MAX - (total > 0 ? total : 0);
	if (total <= 0 || !certificate_spki_bits(&p, spki + KEY_SPKI_MAX, &len) ||
		psa_hash_compute(PSA_ALG_SHA_256, p, len, hash, sizeof(hash),
			&hash_len) != PSA_SUCCESS)
		return false;
	memcpy(id, hash, IDENTIFIER_LEN);
	return true;
}

/* The tree is what to be signed and its signature around it: the outer SEQUENCE is open,
 * the inner one begins at `from`. */
static int sign(struct der *der, size_t from, const struct key *key, struct err *err)
{
	const struct signature_kind *kind = signature_kind_of(key);
	unsigned char hash[64], signature[KEY_SIGNATURE_MAX];
	size_t hash_len, signature_len = 0;
	mbedtls_pk_context *pk =
		(mbedtls_pk_context *)&key->pk; /* const but for caches */

	if (der->failed)
		return err_errno(err, ENOMEM, "sign a certificate");
	if (psa_hash_compute(kind->hash, (const uint8_t *)der->out.bytes + from,
		    der->out.len - from, hash, sizeof(hash), &hash_len) != PSA_SUCCESS ||
		mbedtls_pk_sign(pk, kind->md, hash, hash_len, signature,
			sizeof(signature), &signature_len KEY_RANDOM) != 0)
		return err_set(
			err, E_BUG, "sign a certificate: the crypto library refuses");
	write_algorithm(der, kind);
	der_open_bits(der);
	der_raw(der, signature, signature_len);
	der_close(der);
	return 0;
}

/* TBSCertificate, RFC 5280 4.1 */
static int write_certificate(struct der *der, const struct certificate_spec *spec,
	const struct key *subject, const struct certificate_parent *parent,
	struct err *err)
{
	const struct key *signer = parent ? parent->key : subject;
	uint8_t id[IDENTIFIER_LEN];
	int rc;

	if (spec->ca && !key_identifier(subject, id))
		return err_set(err, E_BUG, "issue a certificate: its key has no name");
	der_open(der, DER_SEQUENCE);
	der_open(der, DER_CONTEXT_CONSTRUCTED | 0);
	der_value(der, DER_INTEGER, "\x02", 1); /* v3 */
	der_close(der);
	write_serial(der);
	write_algorithm(der, signature_kind_of(signer));
	if (parent) /* byte by byte: Go finds a CA by comparing them */
		der_raw(der, parent->crt.subject_raw.p, parent->crt.subject_raw.len);
	else
		write_name(der, spec->common_name, spec->organization);
	write_validity(der, spec);
	write_name(der, spec->common_name, spec->organization);
	write_public_key(der, subject);
	der_open(der, DER_CONTEXT_CONSTRUCTED | 3);
	der_open(der, DER_SEQUENCE);
	write_usages(der, spec);
	write_constraints(der, spec->ca);
	write_identifiers(der, spec->ca ? id : NULL, parent);
	rc = write_alt_names(der, spec, err);
	der_close(der);
	der_close(der);
	der_close(der);
	return rc;
}

static int finish(
	struct der *der, const char *label, struct buf *ret_pem, struct err *err)
{
	der_close(der);
	if (!der_finish(der))
		return err_set(err, E_BUG, "issue a %s: it cannot be encoded", label);
	if (pem_add(ret_pem, label, der->out.bytes, der->out.len) < 0)
		return err_errno(err, ENOMEM, "issue a %s", label);
	return 0;
}

static int check_spec(const char *common_name, const char *organization, struct err *err)
{
	const char *mistake = name_mistake(common_name);

	if (mistake)
		return err_set(err, E_FORMAT, "issue a certificate: the common name %s",
			mistake);
	mistake = organization ? name_mistake(organization) : NULL;
	if (mistake)
		return err_set(err, E_FORMAT, "issue a certificate: the organization %s",
			mistake);
	return 0;
}

/* Bounds the validity by the issuer's. */
static int fit_times(struct certificate_spec *spec,
	const struct certificate_parent *parent, struct err *err)
{
	char text[CERTIFICATE_TIME_SIZE];
	int64_t from, to;

	if (parent) {
		from = certificate_time_of(&parent->crt.valid_from);
		to = certificate_time_of(&parent->crt.valid_to);
		if (spec->not_before < from)
			spec->not_before = from;
		if (spec->not_after > to)
			spec->not_after = to;
	}
	if (spec->not_after <= spec->not_before)
		return err_set(err, E_TRUST,
			"issue a certificate for '%s': it would end (%s) before it "
			"begins; is its CA expired, or the clock wrong?",
			spec->common_name, certificate_time_text(spec->not_after, text));
	return 0;
}

int certificate_issue(const struct certificate_spec *spec, const struct key *subject,
	const struct certificate_issuer *issuer, struct buf *ret_pem, struct err *err)
{
	struct certificate_parent parent CLEANUP(certificate_parent_done) =
		CERTIFICATE_PARENT_INIT;
	struct der der CLEANUP(der_done) = DER_INIT;
	struct certificate_spec fitted = *spec;
	int rc = check_spec(spec->common_name, spec->organization, err);

	if (rc == 0 && issuer)
		rc = certificate_parent_read(&parent, issuer, err);
	if (rc == 0)
		rc = fit_times(&fitted, issuer ? &parent : NULL, err);
	if (rc < 0)
		return rc;
	der_open(&der, DER_SEQUENCE);
	rc = write_certificate(&der, &fitted, subject, issuer ? &parent : NULL, err);
	if (rc == 0)
		rc = sign(&der, der.open[0], issuer ? issuer->key : subject, err);
	return rc < 0 ? rc : finish(&der, "CERTIFICATE", ret_pem, err);
}

/* CertificationRequest, RFC 2986 4 */
int certificate_request(const struct key *key, const char *common_name,
	const char *organization, struct buf *ret_pem, struct err *err)
{
	struct der der CLEANUP(der_done) = DER_INIT;
	int rc = check_spec(common_name, organization, err);

	if (rc < 0)
		return rc;
	der_open(&der, DER_SEQUENCE);
	der_open(&der, DER_SEQUENCE);
	der_value(&der, DER_INTEGER, "", 1); /* version 0 */
	write_name(&der, common_name, organization);
	write_public_key(&der, key);
	der_value(&der, DER_CONTEXT_CONSTRUCTED | 0, "", 0); /* no attributes */
	der_close(&der);
	rc = sign(&der, der.open[0], key, err);
	return rc < 0 ? rc : finish(&der, "CERTIFICATE REQUEST", ret_pem, err);
}
