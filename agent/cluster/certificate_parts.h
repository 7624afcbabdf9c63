/* SPDX-License-Identifier: MIT */
/* What certificate.c and certificate_read.c share. */
#ifndef PROMENADE_CLUSTER_CERTIFICATE_PARTS_H
#define PROMENADE_CLUSTER_CERTIFICATE_PARTS_H

#include <mbedtls/x509_crt.h>

#include "cluster/certificate.h"

#define CERTIFICATE_TIME_SIZE 24U

/* An issuer, read. */
struct certificate_parent {
	mbedtls_x509_crt crt;
	const struct key *key;
	bool read;
};

#define CERTIFICATE_PARENT_INIT                                                          \
	{                                                                                \
		.key = NULL, .read = false                                               \
	}

/* Reads the issuer's certificate and checks that it is a CA's and that the key is its
 * own. Caller certificate_parent_done()s, also after a failure. Errors: E_FORMAT,
 * E_TRUST, -ENOMEM. */
int certificate_parent_read(struct certificate_parent *parent,
	const struct certificate_issuer *issuer, struct err *err) MUST_USE;

/* Frees; takes one that was never read. */
void certificate_parent_done(struct certificate_parent *parent);

/* Seconds since the epoch. */
int64_t certificate_time_of(const mbedtls_x509_time *time);

/* "2026-11-22T19:00:00Z" into text, which is returned. */
const char *certificate_time_text(int64_t time, char text[CERTIFICATE_TIME_SIZE]);

/* Moves *p from a SubjectPublicKeyInfo to the bits of its key, *ret_len bytes. False when
 * it is none. */
bool certificate_spki_bits(
	unsigned char **p, const unsigned char *end, size_t *ret_len) MUST_USE;

#endif
