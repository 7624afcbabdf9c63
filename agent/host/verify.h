/* SPDX-License-Identifier: MIT */
/*
 * Digests, signatures and certificates over bytes that others sent: the only user of
 * mbedTLS on the host side (TLS itself is libcurl's). It decides nothing; callers compare
 * and refuse.
 */
#ifndef PROMENADE_HOST_VERIFY_H
#define PROMENADE_HOST_VERIFY_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"

#define VERIFY_SHA256_LEN 32U

/* A running SHA-256. */
struct verify_sha256;

/* A started digest. Caller verify_sha256_free()s. Does not block. Errors: -ENOMEM, E_BUG
 * when the crypto library cannot start. */
int verify_sha256_new(struct verify_sha256 **ret, struct err *err) MUST_USE;

/* Takes len more bytes. A failure inside is kept and reported by the finish. */
void verify_sha256_update(struct verify_sha256 *sha, const void *bytes, size_t len);

/* The digest of all bytes as 64 lower-case hex digits and a NUL. The object can only be
 * freed afterwards. Errors: E_BUG. */
int verify_sha256_finish(
	struct verify_sha256 *sha, char hex[65], struct err *err) MUST_USE;

/* Frees; takes NULL. */
void verify_sha256_free(struct verify_sha256 **sha);

/* SHA-256 of len bytes in memory as hex. Errors: as the three above. */
int verify_sha256_of(
	const void *bytes, size_t len, char hex[65], struct err *err) MUST_USE;

/* SHA-256 of everything from the current position of fd to its end, as hex; name is for
 * the message. Blocks on reading. Errors: errno of read, -ENOMEM, E_BUG. */
int verify_sha256_fd(int fd, const char *name, char hex[65], struct err *err) MUST_USE;

/* Public keys that may sign a role. */
struct verify_keys;

/* Reads every "PUBLIC KEY" block of pem (len bytes; text between the blocks is ignored).
 * Each must be an elliptic-curve key on P-256, as `openssl ec -pubout` writes it; name is
 * the file, for messages. Caller verify_keys_free()s. Errors: E_FORMAT naming the block,
 * also when there is none; -ENOMEM. */
int verify_keys_new(const void *pem, size_t len, const char *name,
	struct verify_keys **ret, struct err *err) MUST_USE;

/* Number of keys. */
size_t verify_keys_count(const struct verify_keys *keys) MUST_USE;

/* Frees; takes NULL. */
void verify_keys_free(struct verify_keys **keys);

/* A detached signature: DER as `openssl dgst -sha256 -sign KEY` writes it. Borrowed. */
struct verify_signature {
	const void *bytes;
	size_t len;
};

/* 0 when the signature is an ECDSA P-256/SHA-256 one over exactly these len bytes by any
 * of the keys. Errors: E_TRUST; the text says whether the signature has the wrong form
 * (PEM, base64, truncated) or is by no key of the policy. */
int verify_signature_check(const struct verify_keys *keys, const void *bytes, size_t len,
	const struct verify_signature *signature, struct err *err) MUST_USE;

/* What a file of certificates holds. Times in seconds since the epoch, UTC. */
struct verify_certificates {
	size_t count;
	int64_t latest_not_before; /* no clock before this is right: a floor for the clock
				    */
	int64_t earliest_not_after;
};

/* Checks that pem (len bytes) holds certificates and nothing that does not parse as one;
 * name is the file, for messages. Validity times are reported, not judged.
 * Errors: E_FORMAT. */
int verify_certificates_check(const void *pem, size_t len, const char *name,
	struct verify_certificates *ret, struct err *err) MUST_USE;

#endif
