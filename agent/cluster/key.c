/* SPDX-License-Identifier: MIT */
#include "cluster/key.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/key_parts.h"
#include "cluster/pem.h"
#include "cluster/secret.h"

/* PEM of an RSA key of 8192 bits is 6.3 KB. */
#define KEY_PEM_MAX 8192U

static const struct {
	psa_key_type_t type;
	size_t bits;
	psa_algorithm_t algorithm;
} kinds[] = {
	[KEY_EC_P256] = {PSA_KEY_TYPE_ECC_KEY_PAIR(PSA_ECC_FAMILY_SECP_R1), 256,
		PSA_ALG_ECDSA(PSA_ALG_ANY_HASH)},
	[KEY_RSA_2048] = {PSA_KEY_TYPE_RSA_KEY_PAIR, 2048,
		PSA_ALG_RSA_PKCS1V15_SIGN(PSA_ALG_ANY_HASH)},
};

static struct key *key_new(void)
{
	struct key *key =
		psa_crypto_init() == PSA_SUCCESS ? calloc(1, sizeof(*key)) : NULL;

	if (key)
		mbedtls_pk_init(&key->pk);
	return key;
}

/* Notes what the library made of it. */
static bool key_describe(struct key *key)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	bool known = mbedtls_pk_get_psa_attributes(
			     &key->pk, PSA_KEY_USAGE_SIGN_HASH, &attributes) == 0;

	key->type = psa_get_key_type(&attributes);
	key->bits = psa_get_key_bits(&attributes);
	psa_reset_key_attributes(&attributes);
	return known &&
	       (PSA_KEY_TYPE_IS_RSA(key->type) ||
		       PSA_KEY_TYPE_ECC_GET_FAMILY(key->type) == PSA_ECC_FAMILY_SECP_R1);
}

static bool generate_into(struct key *key, enum key_kind kind)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id = 0;
	bool done;

	psa_set_key_type(&attributes, kinds[kind].type);
	psa_set_key_bits(&attributes, kinds[kind].bits);
	psa_set_key_algorithm(&attributes, kinds[kind].algorithm);
	psa_set_key_usage_flags(
		&attributes, PSA_KEY_USAGE_EXPORT | PSA_KEY_USAGE_SIGN_HASH);
	done = psa_generate_key(&attributes, &id) == PSA_SUCCESS &&
	       mbedtls_pk_copy_from_psa(id, &key->pk) == 0;
	(void)psa_destroy_key(id); /* the copy stays; 0 is no key and no error */
	return done && key_describe(key);
}

int key_generate(enum key_kind kind, struct key **ret, struct err *err)
{
	struct key *key CLEANUP(key_free) = key_new();

	if (!key)
		return err_errno(err, ENOMEM, "make a key");
	if (!generate_into(key, kind))
		return err_set(err, E_BUG, "make a key: the crypto library refuses");
	*ret = key;
	key = NULL;
	return 0;
}

static bool is_encrypted(const struct pem_block *block)
{
	static const char header[] = "Proc-Type: 4,ENCRYPTED"; /* RFC 1421 4.6.1.1 */

	return strncmp(block->label, "ENCRYPTED", strlen("ENCRYPTED")) == 0 ||
	       memmem(block->text, block->len, header, strlen(header));
}

/* The parser wants a NUL inside the length. */
static int parse_block(struct key *key, const struct pem_block *block)
{
	struct buf text CLEANUP(secret_done) = BUF_INIT;

	if (secret_add(&text, block->text, block->len) < 0)
		return -ENOMEM;
	return mbedtls_pk_parse_key(&key->pk, (const unsigned char *)text.bytes,
		text.len + 1, NULL, 0 KEY_RANDOM);
}

static int key_from_block(
	struct key *key, const struct pem_block *block, const char *name, struct err *err)
{
	int rc;

	if (is_encrypted(block))
		return err_set(err, E_UNSUPPORTED,
			"read '%s': the private key is encrypted; take the passphrase "
			"off with 'openssl pkey -in KEY -out PLAIN'",
			name);
	rc = parse_block(key, block);
	if (rc == -ENOMEM)
		return err_errno(err, ENOMEM, "read '%s'", name);
	if (rc == MBEDTLS_ERR_PK_UNKNOWN_PK_ALG ||
		rc == MBEDTLS_ERR_PK_UNKNOWN_NAMED_CURVE ||
		(rc == 0 && !key_describe(key)))
		return err_set(err, E_UNSUPPORTED,
			"read '%s': the private key is neither RSA nor ECDSA on P-256, "
			"P-384 or P-521",
			name);
	if (rc < 0)
		return err_set(err, E_FORMAT,
			"read '%s': the private key ('%s') does not parse; look with "
			"'openssl pkey -noout -check -in KEY'",
			name, block->label);
	return 0;
}

int key_parse(
	const void *pem, size_t len, const char *name, struct key **ret, struct err *err)
{
	struct key *key CLEANUP(key_free) = key_new();
	const char *at = pem;
	struct pem_block block;
	int rc;

	if (!key)
		return err_errno(err, ENOMEM, "read '%s'", name);
	do {
		rc = len ? pem_next(&at, (const char *)pem + len, name, &block, err) : 0;
	} while (rc > 0 && !pem_is_key(&block));
	if (rc < 0)
		return rc;
	if (rc == 0)
		return err_set(err, E_FORMAT,
			"read '%s': no private key in PEM ('-----BEGIN PRIVATE KEY-----' "
			"or its EC and RSA forms)",
			name);
	rc = key_from_block(key, &block, name, err);
	if (rc < 0)
		return rc;
	*ret = key;
	key = NULL;
	return 0;
}

int key_pem(const struct key *key, struct buf *ret, struct err *err)
{
	unsigned char text[KEY_PEM_MAX];
	int rc = mbedtls_pk_write_key_pem(&key->pk, text, sizeof(text));

	if (rc == 0)
		rc = secret_add_str(ret, (const char *)text);
	else
		rc = -E_BUG;
	explicit_bzero(text, sizeof(text));
	return rc == 0 ? 0 : err_set(err, -rc, "write a private key as PEM");
}

int key_spki(const mbedtls_pk_context *pk, unsigned char spki[KEY_SPKI_MAX],
	const unsigned char **ret_at)
{
	int len = mbedtls_pk_write_pubkey_der(pk, spki, KEY_SPKI_MAX);

	if (len > 0)
		*ret_at = spki + KEY_SPKI_MAX - len;
	return len;
}

int key_public_pem(const struct key *key, struct buf *ret, struct err *err)
{
	unsigned char spki[KEY_SPKI_MAX];
	const unsigned char *at;
	int len = key_spki(&key->pk, spki, &at);

	if (len <= 0)
		return err_set(err, E_BUG, "write a public key as PEM");
	if (pem_add(ret, "PUBLIC KEY", at, (size_t)len) < 0)
		return err_errno(err, ENOMEM, "write a public key as PEM");
	return 0;
}

bool key_equal(const struct key *a, const struct key *b)
{
	struct buf a_pem CLEANUP(buf_done) = BUF_INIT, b_pem CLEANUP(buf_done) = BUF_INIT;

	return key_public_pem(a, &a_pem, NULL) == 0 &&
	       key_public_pem(b, &b_pem, NULL) == 0 &&
	       strcmp(buf_text(&a_pem), buf_text(&b_pem)) == 0;
}

bool key_is(const struct key *key, enum key_kind kind)
{
	return key->type == kinds[kind].type && key->bits == kinds[kind].bits;
}

void key_free(struct key **key)
{
	if (*key)
		mbedtls_pk_free(&(*key)->pk); /* wipes the numbers */
	free(*key);
	*key = NULL;
}
