/* SPDX-License-Identifier: MIT */
/* The inside of a key, for what signs with it: key.c and certificate*.c alone. */
#ifndef PROMENADE_CLUSTER_KEY_PARTS_H
#define PROMENADE_CLUSTER_KEY_PARTS_H

#include <mbedtls/pk.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>

/* mbedTLS 4 takes randomness from PSA alone and has lost these arguments. */
#if MBEDTLS_VERSION_MAJOR < 4
#include <mbedtls/psa_util.h>
#define KEY_RANDOM , mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE
#else
#define KEY_RANDOM
#endif

/* Room for any SubjectPublicKeyInfo that is built in, in DER: RSA of 8192 bits. */
#define KEY_SPKI_MAX 1100U
/* Room for any signature in DER. */
#define KEY_SIGNATURE_MAX 1100U

struct key {
	mbedtls_pk_context pk;
	psa_key_type_t type;
	size_t bits;
};

/* SubjectPublicKeyInfo in DER of a key, private or public; *ret_at points into spki,
 * which is filled from its end. Returns its length or a negative code of the library. */
int key_spki(const mbedtls_pk_context *pk, unsigned char spki[KEY_SPKI_MAX],
	const unsigned char **ret_at);

#endif
