/* SPDX-License-Identifier: MIT */
/*
 * SHA-256 with the SHA extensions of x86 (SHA-NI). mbedTLS has no such path (its hardware
 * SHA-256 is Armv8 only): measured on one core of an EPYC VM, 1.1 GB/s here against 0.21
 * GB/s there, and every byte of every artifact is hashed. On other CPUs
 * sha256_x86_works() is false and verify.c uses PSA.
 */
#ifndef PROMENADE_HOST_SHA256_X86_H
#define PROMENADE_HOST_SHA256_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* A running digest (FIPS 180-4 6.2). block holds the last len % 64 bytes. */
struct sha256_x86 {
	uint32_t state[8];
	uint64_t len;
	uint8_t block[64];
};

/* True when this CPU has SHA, SSSE3 and SSE4.1. */
bool sha256_x86_works(void) MUST_USE;

/* Starts a digest. */
void sha256_x86_init(struct sha256_x86 *sha);

/* Takes len more bytes. */
void sha256_x86_update(struct sha256_x86 *sha, const void *bytes, size_t len);

/* The digest of all bytes; the object must be started again before further use. */
void sha256_x86_finish(struct sha256_x86 *sha, uint8_t digest[32]);

#endif
