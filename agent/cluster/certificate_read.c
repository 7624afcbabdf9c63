/* SPDX-License-Identifier: MIT */
/* Reading and checking: what others hand us is parsed by mbedTLS alone. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <mbedtls/asn1.h>

#include "cluster/certificate.h"
#include "cluster/certificate_parts.h"
#include "cluster/key_parts.h"
#include "cluster/pem.h"

#define OID_COMMON_NAME "\x55\x04\x03"
#define OID_ORGANIZATION "\x55\x04\x0a"
#define OID_SERVER "\x2b\x06\x01\x05\x05\x07\x03\x01"
#define OID_CLIENT "\x2b\x06\x01\x05\x05\x07\x03\x02"

int64_t certificate_time_of(const mbedtls_x509_time *time)
{
	struct tm tm = {
		.tm_year = time->year - 1900,
		.tm_mon = time->mon - 1,
		.tm_mday = time->day,
		.tm_hour = time->hour,
		.tm_min = time->min,
		.tm_sec = time->sec,
	};

	return timegm(&tm);
}

const char *certificate_time_text(int64_t time, char text[CERTIFICATE_TIME_SIZE])
{
	time_t seconds = (time_t)time;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) ||
		!strftime(text, CERTIFICATE_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm))
		(void)str_copy(text, CERTIFICATE_TIME_SIZE, "?");
	return text;
}

bool certificate_spki_bits(unsigned char **p, const unsigned char *end, size_t *ret_len)
{
	size_t len;

	if (mbedtls_asn1_get_tag(p, end, &len,
		    MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0 ||
		mbedtls_asn1_get_tag(p, end, &len,
			MBEDTLS_ASN1_CONSTRUCTED | MBEDTLS_ASN1_SEQUENCE) != 0)
		return false;
	*p += len;
	return mbedtls_asn1_get_bitstring_null(p, end, ret_len) == 0;
}

static int add_block(mbedtls_x509_crt *chain, const struct pem_block *block,
	const char *name, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT; /* the parser wants a NUL */

	if (buf_add(&text, block->text, block->len) < 0)
		return err_errno(err, ENOMEM, "read '%s'", name);
	if (mbedtls_x509_crt_parse(
		    chain, (const unsigned char *)text.bytes, text.len + 1) != 0)
		return err_set(err, E_FORMAT,
			"read '%s': a certificate does not parse; look with 'openssl "
			"x509 -noout -text'",
			name);
	return 0;
}

/* Up to `most` certificates into an initialized chain; at least one. */
static int read_chain(mbedtls_x509_crt *chain, const struct certificate_text *text,
	unsigned int most, struct err *err)
{
	const char *at = text->len ? text->pem : "", *end = at + text->len;
	struct pem_block block;
	unsigned int count = 0;
	int rc = 0;

	if (psa_crypto_init() != PSA_SUCCESS)
		return err_set(
			err, E_BUG, "read '%s': the crypto library refuses", text->name);
	while (count < most && (rc = pem_next(&at, end, text->name, &block, err)) > 0) {
		if (strcmp(block.label, "CERTIFICATE") != 0)
			continue;
		rc = add_block(chain, &block, text->name, err);
		if (rc < 0)
			return rc;
		count++;
	}
	if (rc < 0)
		return rc;
	if (count == 0)
		return err_set(err, E_FORMAT,
			"read '%s': no '-----BEGIN CERTIFICATE-----' in it; certificates "
			"in PEM belong here",
			text->name);
	return 0;
}

/* The value of the first attribute of this type; "" when there is none. A NUL inside
 * would make two names one. */
static int name_field(const mbedtls_x509_name *names, const char *oid, char *field)
{
	field[0] = '\0';
	for (const mbedtls_x509_name *name = names; name; name = name->next) {
		if (name->oid.len != strlen(oid) ||
			memcmp(name->oid.p, oid, name->oid.len) != 0)
			continue;
		if (name->val.len > CERTIFICATE_NAME_MAX ||
			memchr(name->val.p, 0, name->val.len))
			return -E_FORMAT;
		memcpy(field, name->val.p, name->val.len);
		field[name->val.len] = '\0';
		return 0;
	}
	return 0;
}

static int read_organizations(const mbedtls_x509_name *names, struct strlist *ret)
{
	int rc = 0;

	for (; rc == 0 && names; names = names->next) {
		char field[CERTIFICATE_NAME_MAX + 1];
		mbedtls_x509_name one = *names;

		one.next = NULL;
		rc = name_field(&one, OID_ORGANIZATION, field);
		if (rc == 0 && field[0])
			rc = strlist_add(ret, field);
	}
	return rc;
}

static int add_alt_name(
	const mbedtls_x509_subject_alternative_name *san, struct certificate_info *info)
{
	const mbedtls_x509_buf *value = &san->san.unstructured_name;
	char text[INET6_ADDRSTRLEN];

	if (san->type == MBEDTLS_X509_SAN_DNS_NAME) {
		if (memchr(value->p, 0, value->len))
			return -E_FORMAT;
		return strlist_printf(
			&info->dns, "%.*s", (int)value->len, (const char *)value->p);
	}
	if (san->type != MBEDTLS_X509_SAN_IP_ADDRESS)
		return 0;
	if (!inet_ntop(
		    value->len == 4 ? AF_INET : AF_INET6, value->p, text, sizeof(text)))
		return -E_FORMAT;
	return strlist_add(&info->addresses, text);
}

static int read_alt_names(const mbedtls_x509_crt *crt, struct certificate_info *info)
{
	int rc = 0;

	for (const mbedtls_x509_sequence *at = &crt->subject_alt_names;
		rc == 0 && at && at->buf.len; at = at->next) {
		mbedtls_x509_subject_alternative_name san;

		/* kinds that the library does not know are of no use here */
		if (mbedtls_x509_parse_subject_alt_name(&at->buf, &san) != 0)
			continue;
		rc = add_alt_name(&san, info);
		mbedtls_x509_free_subject_alt_name(&san);
	}
	return rc;
}

static bool may_be_used_as(const mbedtls_x509_crt *crt, const char *oid)
{
	return mbedtls_x509_crt_check_extended_key_usage(crt, oid, strlen(oid)) == 0;
}

static int pin_of(const mbedtls_x509_crt *crt, char pin[CERTIFICATE_PIN_SIZE])
{
	unsigned char hash[32];
	size_t len;

	if (psa_hash_compute(PSA_ALG_SHA_256, crt->pk_raw.p, crt->pk_raw.len, hash,
		    sizeof(hash), &len) != PSA_SUCCESS)
		return -E_BUG;
	memcpy(pin, "sha256:", 7);
	str_hex32(hash, pin + 7);
	return 0;
}

static int fill_info(const mbedtls_x509_crt *crt, struct certificate_info *info)
{
	int rc = name_field(&crt->subject, OID_COMMON_NAME, info->common_name);

	if (rc == 0)
		rc = name_field(&crt->issuer, OID_COMMON_NAME, info->issuer_name);
	if (rc == 0)
		rc = read_organizations(&crt->subject, &info->organizations);
	if (rc == 0)
		rc = read_alt_names(crt, info);
	if (rc == 0)
		rc = pin_of(crt, info->spki_pin);
	info->ca = mbedtls_x509_crt_get_ca_istrue(crt) == 1;
	info->client = may_be_used_as(crt, OID_CLIENT);
	info->server = may_be_used_as(crt, OID_SERVER);
	info->not_before = certificate_time_of(&crt->valid_from);
	info->not_after = certificate_time_of(&crt->valid_to);
	for (size_t i = 0; i < crt->serial.len && 2 * i + 2 < sizeof(info->serial); i++)
		(void)snprintf(info->serial + 2 * i, 3, "%02x", crt->serial.p[i]);
	return rc;
}

int certificate_read(const void *pem, size_t len, const char *name,
	struct certificate_info *ret, struct err *err)
{
	struct certificate_info info CLEANUP(certificate_info_done) = {0};
	const struct certificate_text text = {pem, len, name};
	mbedtls_x509_crt crt CLEANUP(mbedtls_x509_crt_free);
	int rc;

	mbedtls_x509_crt_init(&crt);
	rc = read_chain(&crt, &text, 1, err);
	if (rc < 0)
		return rc;
	rc = fill_info(&crt, &info);
	if (rc == -ENOMEM)
		return err_errno(err, ENOMEM, "read '%s'", name);
	if (rc < 0)
		return err_set(err, -rc,
			"read '%s': a certificate has a name that is too long or no text",
			name);
	*ret = info;
	info = (struct certificate_info){0};
	return 0;
}

void certificate_info_done(struct certificate_info *info)
{
	strlist_done(&info->organizations);
	strlist_done(&info->dns);
	strlist_done(&info->addresses);
}

/* The common name for a message. */
static const char *shown_name(
	const mbedtls_x509_name *names, char field[CERTIFICATE_NAME_MAX + 1])
{
	if (name_field(names, OID_COMMON_NAME, field) < 0 || !field[0])
		return "?";
	field[64] = '\0';
	str_make_printable(field);
	return field;
}

static int check_time(
	const mbedtls_x509_crt *crt, const char *name, int64_t now, struct err *err)
{
	char subject[CERTIFICATE_NAME_MAX + 1];
	char limit_text[CERTIFICATE_TIME_SIZE], now_text[CERTIFICATE_TIME_SIZE];
	int64_t from = certificate_time_of(&crt->valid_from);
	int64_t to = certificate_time_of(&crt->valid_to);

	if (now < from)
		return err_set(err, E_TRUST,
			"check '%s': the certificate of '%s' is valid from %s, and the "
			"clock says %s; set the clock, or issue it anew",
			name, shown_name(&crt->subject, subject),
			certificate_time_text(from, limit_text),
			certificate_time_text(now, now_text));
	if (now > to)
		return err_set(err, E_TRUST,
			"check '%s': the certificate of '%s' expired at %s, and the "
			"clock says %s; issue a new one",
			name, shown_name(&crt->subject, subject),
			certificate_time_text(to, limit_text),
			certificate_time_text(now, now_text));
	return 0;
}

/* What the walk over a chain found out about time, which the library reads from a clock
 * of its own. */
struct chain_check {
	const char *leaf_name, *authority_name;
	int64_t now;
	struct err err;
	int rc;
};

static int check_link(void *context, mbedtls_x509_crt *crt, int depth, uint32_t *flags)
{
	struct chain_check *check = context;

	*flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
	if (check->rc == 0)
		check->rc = check_time(crt,
			depth == 0 ? check->leaf_name : check->authority_name, check->now,
			&check->err);
	return 0;
}

static bool same_name(const mbedtls_x509_crt *leaf, const mbedtls_x509_crt *authority)
{
	return leaf->issuer_raw.len == authority->subject_raw.len &&
	       memcmp(leaf->issuer_raw.p, authority->subject_raw.p,
		       leaf->issuer_raw.len) == 0;
}

/* Says why a chain does not hold, in the words of whoever must mend it. */
static int explain(const mbedtls_x509_crt *leaf, const mbedtls_x509_crt *authority,
	const struct chain_check *check, uint32_t flags, struct err *err)
{
	char issuer[CERTIFICATE_NAME_MAX + 1], subject[CERTIFICATE_NAME_MAX + 1];
	const mbedtls_x509_crt *named = authority;

	while (named && !same_name(leaf, named))
		named = named->next;
	if (!named)
		return err_set(err, E_TRUST,
			"check '%s': it was issued by '%s', which is not in '%s' (the "
			"first there is '%s')",
			check->leaf_name, shown_name(&leaf->issuer, issuer),
			check->authority_name, shown_name(&authority->subject, subject));
	if (mbedtls_x509_crt_get_ca_istrue(named) != 1)
		return err_set(err, E_TRUST,
			"check '%s': '%s' of '%s' is not a CA certificate",
			check->leaf_name, shown_name(&named->subject, subject),
			check->authority_name);
	if (flags & (MBEDTLS_X509_BADCERT_BAD_KEY | MBEDTLS_X509_BADCERT_BAD_MD |
			    MBEDTLS_X509_BADCERT_BAD_PK))
		return err_set(err, E_TRUST,
			"check '%s': a key or hash of the chain is too weak (RSA from "
			"2048 bits, SHA-256)",
			check->leaf_name);
	return err_set(err, E_TRUST,
		"check '%s': it was issued by another CA of the name '%s' than the one "
		"in '%s'; was the cluster made anew?",
		check->leaf_name, shown_name(&leaf->issuer, issuer),
		check->authority_name);
}

int certificate_check_chain(const struct certificate_text *leaf,
	const struct certificate_text *authority, int64_t now, struct err *err)
{
	struct chain_check check = {leaf->name, authority->name, now, ERR_INIT, 0};
	mbedtls_x509_crt chain CLEANUP(mbedtls_x509_crt_free);
	mbedtls_x509_crt trusted CLEANUP(mbedtls_x509_crt_free);
	uint32_t flags = 0;
	int rc;

	mbedtls_x509_crt_init(&chain);
	mbedtls_x509_crt_init(&trusted);
	rc = read_chain(&chain, leaf, PEM_BLOCKS_MAX, err);
	if (rc == 0)
		rc = read_chain(&trusted, authority, PEM_BLOCKS_MAX, err);
	if (rc < 0)
		return rc;
	rc = mbedtls_x509_crt_verify_with_profile(&chain, &trusted, NULL,
		&mbedtls_x509_crt_profile_default, NULL, &flags, check_link, &check);
	if (rc != 0)
		return explain(&chain, &trusted, &check, flags, err);
	if (check.rc < 0)
		return err_set(err, -check.rc, "%s", check.err.text);
	return 0;
}

int certificate_check_authority(
	const struct certificate_text *text, int64_t now, struct err *err)
{
	mbedtls_x509_crt crt CLEANUP(mbedtls_x509_crt_free);
	char subject[CERTIFICATE_NAME_MAX + 1];
	int rc;

	mbedtls_x509_crt_init(&crt);
	rc = read_chain(&crt, text, 1, err);
	if (rc < 0)
		return rc;
	if (mbedtls_x509_crt_get_ca_istrue(&crt) != 1)
		return err_set(err, E_TRUST, "check '%s': '%s' is not a CA certificate",
			text->name, shown_name(&crt.subject, subject));
	return check_time(&crt, text->name, now, err);
}

static bool pins_match(const struct strlist *pins, const char *pin)
{
	for (size_t i = 0; i < pins->count; i++)
		if (strcasecmp(pins->items[i], pin) == 0)
			return true;
	return false;
}

int certificate_pin_check(
	const struct certificate_text *text, const struct strlist *pins, struct err *err)
{
	mbedtls_x509_crt chain CLEANUP(mbedtls_x509_crt_free);
	char pin[CERTIFICATE_PIN_SIZE] = "", first[CERTIFICATE_PIN_SIZE];
	int rc;

	mbedtls_x509_crt_init(&chain);
	rc = read_chain(&chain, text, PEM_BLOCKS_MAX, err);
	if (rc < 0)
		return rc;
	for (const mbedtls_x509_crt *crt = &chain; crt; crt = crt->next) {
		if (pin_of(crt, pin) < 0)
			return err_set(
				err, E_BUG, "check '%s': hash refused", text->name);
		if (pins_match(pins, pin))
			return 0;
		if (crt == &chain)
			memcpy(first, pin, sizeof(first));
	}
	return err_set(err, E_TRUST,
		"check '%s': its public key is %s, which none of the %zu pins names; the "
		"role is for another cluster, or somebody stands in between",
		text->name, first, pins->count);
}

static int check_key(const mbedtls_x509_crt *crt, const char *name, const struct key *key,
	struct err *err)
{
	unsigned char a[KEY_SPKI_MAX], b[KEY_SPKI_MAX];
	const unsigned char *a_at, *b_at;
	int a_len = key_spki(&crt->pk, a, &a_at), b_len = key_spki(&key->pk, b, &b_at);

	if (a_len <= 0 || a_len != b_len || memcmp(a_at, b_at, (size_t)a_len) != 0)
		return err_set(err, E_TRUST,
			"check '%s': the certificate is for another key than the one "
			"that comes with it",
			name);
	return 0;
}

int certificate_key_check(
	const struct certificate_text *text, const struct key *key, struct err *err)
{
	mbedtls_x509_crt crt CLEANUP(mbedtls_x509_crt_free);
	int rc;

	mbedtls_x509_crt_init(&crt);
	rc = read_chain(&crt, text, 1, err);
	return rc < 0 ? rc : check_key(&crt, text->name, key, err);
}

int certificate_parent_read(struct certificate_parent *parent,
	const struct certificate_issuer *issuer, struct err *err)
{
	const struct certificate_text text = {
		issuer->certificate_pem, issuer->certificate_len, "the CA's certificate"};
	int rc;

	mbedtls_x509_crt_init(&parent->crt);
	parent->read = true;
	parent->key = issuer->key;
	rc = read_chain(&parent->crt, &text, 1, err);
	if (rc < 0)
		return rc;
	if (mbedtls_x509_crt_get_ca_istrue(&parent->crt) != 1)
		return err_set(err, E_FORMAT,
			"issue a certificate: the issuer is not a CA (no CA:TRUE in its "
			"basic constraints)");
	return check_key(&parent->crt, text.name, issuer->key, err);
}

void certificate_parent_done(struct certificate_parent *parent)
{
	if (parent->read)
		mbedtls_x509_crt_free(&parent->crt);
	parent->read = false;
}
