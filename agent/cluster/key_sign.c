/* SPDX-License-Identifier: MIT */
#include "cluster/key_sign.h"

#include <errno.h>
#include <mbedtls/pk.h>
#include <psa/crypto.h>

#include "cluster/key_parts.h"

int key_sign(const struct key *key, const void *bytes, size_t len, struct buf *ret,
	struct err *err)
{
	mbedtls_pk_context *pk =
		(mbedtls_pk_context *)&key->pk; /* the call is not const */
	unsigned char digest[32], signature[KEY_SIGNATURE_MAX];
	size_t digest_len, signature_len;

	if (!key_is(key, KEY_EC_P256))
		return err_set(err, E_UNSUPPORTED,
			"the signing key must be an elliptic-curve key on P-256; make "
			"one with "
			"'openssl ecparam -name prime256v1 -genkey -noout'");
	if (psa_hash_compute(PSA_ALG_SHA_256, bytes, len, digest, sizeof(digest),
		    &digest_len) != PSA_SUCCESS ||
		mbedtls_pk_sign(pk, MBEDTLS_MD_SHA256, digest, digest_len, signature,
			sizeof(signature), &signature_len KEY_RANDOM) != 0)
		return err_set(err, E_BUG, "the crypto library does not sign");
	return buf_add(ret, signature, signature_len) < 0 ? err_errno(err, ENOMEM, "sign")
							  : 0;
}
