/* SPDX-License-Identifier: MIT */
/* PSA and the pk and x509 calls that mbedTLS 3.6 and 4.x share; none of the low-level
 * headers that 4.x drops (DESIGN.md). */
#include "host/verify.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

#include "base/str.h"
#include "host/sha256_x86.h"

#define KEY_BEGIN "-----BEGIN PUBLIC KEY-----"
#define KEY_END "-----END PUBLIC KEY-----"
#define CERTIFICATE_BEGIN "-----BEGIN CERTIFICATE-----"

/* Largest DER form of an ECDSA signature on P-256: two integers of 33 bytes with headers.
 */
#define SIGNATURE_MAX 72

struct verify_sha256 {
	bool hardware;
	bool failed;
	struct sha256_x86 x86;
	psa_hash_operation_t psa;
};

struct verify_keys {
	mbedtls_pk_context *items;
	size_t count;
};

int verify_sha256_new(struct verify_sha256 **ret, struct err *err)
{
	struct verify_sha256 *sha = calloc(1, sizeof(*sha));

	if (!sha)
		return err_errno(err, ENOMEM, "start a digest");
	sha->hardware = sha256_x86_works();
	sha->psa = psa_hash_operation_init();
	if (sha->hardware) {
		sha256_x86_init(&sha->x86);
	} else if (psa_crypto_init() != PSA_SUCCESS ||
		   psa_hash_setup(&sha->psa, PSA_ALG_SHA_256) != PSA_SUCCESS) {
		verify_sha256_free(&sha);
		return err_set(err, E_BUG, "start a digest: the crypto library refuses");
	}
	*ret = sha;
	return 0;
}

void verify_sha256_update(struct verify_sha256 *sha, const void *bytes, size_t len)
{
	if (sha->hardware)
		sha256_x86_update(&sha->x86, bytes, len);
	else if (psa_hash_update(&sha->psa, bytes, len) != PSA_SUCCESS)
		sha->failed = true;
}

int verify_sha256_finish(struct verify_sha256 *sha, char hex[65], struct err *err)
{
	uint8_t digest[VERIFY_SHA256_LEN];
	size_t len = 0;

	if (sha->hardware)
		sha256_x86_finish(&sha->x86, digest);
	else if (psa_hash_finish(&sha->psa, digest, sizeof(digest), &len) != PSA_SUCCESS)
		sha->failed = true;
	if (sha->failed)
		return err_set(err, E_BUG, "finish a digest: the crypto library refuses");
	str_hex32(digest, hex);
	return 0;
}

void verify_sha256_free(struct verify_sha256 **sha)
{
	if (*sha)
		(void)psa_hash_abort(&(*sha)->psa); /* an inactive one is fine too */
	free(*sha);
	*sha = NULL;
}

int verify_sha256_of(const void *bytes, size_t len, char hex[65], struct err *err)
{
	struct verify_sha256 *sha CLEANUP(verify_sha256_free) = NULL;
	int rc = verify_sha256_new(&sha, err);

	if (rc < 0)
		return rc;
	verify_sha256_update(sha, bytes, len);
	return verify_sha256_finish(sha, hex, err);
}

int verify_sha256_fd(int fd, const char *name, char hex[65], struct err *err)
{
	struct verify_sha256 *sha CLEANUP(verify_sha256_free) = NULL;
	unsigned char chunk[65536];
	ssize_t n;
	int rc = verify_sha256_new(&sha, err);

	if (rc < 0)
		return rc;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read '%s'", name);
		verify_sha256_update(sha, chunk, (size_t)n);
	}
	return verify_sha256_finish(sha, hex, err);
}

/* A copy with a NUL: the PEM parsers want it inside the length. */
static char *text_of(const void *bytes, size_t len)
{
	char *text = len < SIZE_MAX ? malloc(len + 1) : NULL;

	if (text) {
		if (len)
			memcpy(text, bytes, len);
		text[len] = '\0';
	}
	return text;
}

static bool key_is_p256(const mbedtls_pk_context *key)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	bool p256 = mbedtls_pk_get_psa_attributes(
			    key, PSA_KEY_USAGE_VERIFY_HASH, &attributes) == 0 &&
		    psa_get_key_bits(&attributes) == 256 &&
		    psa_get_key_type(&attributes) ==
			    PSA_KEY_TYPE_ECC_PUBLIC_KEY(PSA_ECC_FAMILY_SECP_R1);

	psa_reset_key_attributes(&attributes);
	return p256;
}

/* Adds the key of one block; text ends right after its END line. */
static int keys_add(
	struct verify_keys *keys, const char *text, const char *name, struct err *err)
{
	size_t number = keys->count + 1;
	mbedtls_pk_context *items = realloc(keys->items, number * sizeof(*items));

	if (!items)
		return err_errno(err, ENOMEM, "read '%s'", name);
	keys->items = items;
	mbedtls_pk_init(&items[keys->count]);
	keys->count = number;
	if (mbedtls_pk_parse_public_key(&items[number - 1], (const unsigned char *)text,
		    strlen(text) + 1) != 0)
		return err_set(err, E_FORMAT,
			"read '%s': public key %zu does not parse; write it with "
			"'openssl ec -in KEY -pubout'",
			name, number);
	if (!key_is_p256(&items[number - 1]))
		return err_set(err, E_FORMAT,
			"read '%s': public key %zu is not an elliptic-curve key on "
			"P-256; "
			"make one with 'openssl ecparam -name prime256v1 -genkey'",
			name, number);
	return 0;
}

static int keys_read(
	struct verify_keys *keys, char *text, const char *name, struct err *err)
{
	char *begin = strstr(text, KEY_BEGIN);

	while (begin) {
		char *end = strstr(begin, KEY_END), saved;
		int rc;

		if (!end)
			return err_set(err, E_FORMAT,
				"read '%s': public key %zu is cut off, no '%s'", name,
				keys->count + 1, KEY_END);
		end += strlen(KEY_END);
		saved = *end;
		*end = '\0';
		rc = keys_add(keys, begin, name, err);
		*end = saved;
		if (rc < 0)
			return rc;
		begin = strstr(end, KEY_BEGIN);
	}
	if (keys->count == 0)
		return err_set(err, E_FORMAT,
			"read '%s': no '%s' in it; public keys in PEM belong here", name,
			KEY_BEGIN);
	return 0;
}

int verify_keys_new(const void *pem, size_t len, const char *name,
	struct verify_keys **ret, struct err *err)
{
	char *text CLEANUP(str_free) = text_of(pem, len);
	struct verify_keys *keys CLEANUP(verify_keys_free) = calloc(1, sizeof(*keys));
	int rc;

	if (!text || !keys)
		return err_errno(err, ENOMEM, "read '%s'", name);
	if (psa_crypto_init() != PSA_SUCCESS)
		/* cppcheck-suppress memleak ; CLEANUP frees keys */
		return err_set(err, E_BUG, "read '%s': the crypto library refuses", name);
	rc = keys_read(keys, text, name, err);
	if (rc < 0)
		return rc;
	*ret = keys;
	keys = NULL;
	return 0;
}

size_t verify_keys_count(const struct verify_keys *keys)
{
	return keys->count;
}

void verify_keys_free(struct verify_keys **keys)
{
	if (!*keys)
		return;
	for (size_t i = 0; i < (*keys)->count; i++)
		mbedtls_pk_free(&(*keys)->items[i]);
	free((*keys)->items);
	free(*keys);
	*keys = NULL;
}

/* What a signature that is no DER SEQUENCE of the right length looks like, or NULL. */
static const char *signature_form_mistake(const struct verify_signature *signature)
{
	const unsigned char *p = signature->bytes;

	if (signature->len == 0)
		return "is empty";
	if (signature->len == 64)
		return "has the raw form r||s; DER is needed";
	if (p[0] == '-')
		return "is in PEM; DER is needed";
	if (p[0] == 'M' && signature->len >= 88)
		return "is in base64; DER is needed";
	if (p[0] != 0x30 || signature->len < 8 || p[1] > SIGNATURE_MAX - 2)
		return "is not an ECDSA P-256 signature in DER";
	if (p[1] != signature->len - 2) /* DER: 0x30, length, the two integers */
		return "is cut off or has bytes too many";
	return NULL;
}

int verify_signature_check(const struct verify_keys *keys, const void *bytes, size_t len,
	const struct verify_signature *signature, struct err *err)
{
	const char *mistake = signature_form_mistake(signature);
	uint8_t digest[VERIFY_SHA256_LEN];
	size_t digest_len;

	if (mistake)
		return err_set(err, E_TRUST,
			"the signature %s; sign with 'openssl dgst -sha256 -sign KEY "
			"-out ROLE.sig ROLE'",
			mistake);
	if (psa_hash_compute(PSA_ALG_SHA_256, bytes, len, digest, sizeof(digest),
		    &digest_len) != PSA_SUCCESS)
		return err_set(err, E_BUG, "the crypto library refuses to hash");
	for (size_t i = 0; i < keys->count; i++)
		if (mbedtls_pk_verify(&keys->items[i], MBEDTLS_MD_SHA256, digest,
			    digest_len, signature->bytes, signature->len) == 0)
			return 0;
	return err_set(err, E_TRUST,
		"the signature is by no key of the policy (it has %zu), or over other "
		"bytes; sign the file again after its last change",
		keys->count);
}

/* Days from civil date; the proleptic Gregorian calendar (timegm is no C11). */
static int64_t time_of(const mbedtls_x509_time *t)
{
	int64_t year = t->mon <= 2 ? t->year - 1 : t->year;
	int64_t era = year / 400, of_era = year % 400;
	int64_t month = (t->mon + 9) % 12; /* March is 0 */
	int64_t days = era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
		       (153 * month + 2) / 5 + t->day - 1 - 719468;

	return ((days * 24 + t->hour) * 60 + t->min) * 60 + t->sec;
}

static size_t count_of(const char *text, const char *word)
{
	size_t count = 0;

	while ((text = strstr(text, word))) {
		count++;
		text += strlen(word);
	}
	return count;
}

int verify_certificates_check(const void *pem, size_t len, const char *name,
	struct verify_certificates *ret, struct err *err)
{
	char *text CLEANUP(str_free) = text_of(pem, len);
	mbedtls_x509_crt chain CLEANUP(mbedtls_x509_crt_free);
	struct verify_certificates found = {0, INT64_MIN, INT64_MAX};
	size_t blocks;

	mbedtls_x509_crt_init(&chain);
	if (!text)
		return err_errno(err, ENOMEM, "read '%s'", name);
	if (psa_crypto_init() != PSA_SUCCESS)
		return err_set(err, E_BUG, "read '%s': the crypto library refuses", name);
	blocks = count_of(text, CERTIFICATE_BEGIN);
	if (blocks == 0)
		return err_set(err, E_FORMAT,
			"read '%s': no '%s' in it; CA certificates in PEM belong here",
			name, CERTIFICATE_BEGIN);
	/* > 0: that many did not parse, the others did */
	if (mbedtls_x509_crt_parse(&chain, (const unsigned char *)text, len + 1) != 0)
		return err_set(err, E_FORMAT,
			"read '%s': one of its %zu certificates does not parse; look "
			"with "
			"'openssl x509 -noout -text'",
			name, blocks);
	for (const mbedtls_x509_crt *crt = &chain; crt && crt->raw.len; crt = crt->next) {
		int64_t from = time_of(&crt->valid_from), to = time_of(&crt->valid_to);

		found.count++;
		if (from > found.latest_not_before)
			found.latest_not_before = from;
		if (to < found.earliest_not_after)
			found.earliest_not_after = to;
	}
	*ret = found;
	return 0;
}
