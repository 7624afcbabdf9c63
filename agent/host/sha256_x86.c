/* SPDX-License-Identifier: MIT */
/* The round structure is the one of Intel's "New Instructions Supporting the Secure Hash
 * Algorithm on Intel Architecture Processors" (2013): two rounds an instruction, the
 * state as ABEF and CDGH. Tested against PSA at every length around the block size. */
#include "host/sha256_x86.h"

#include <string.h>

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

#define TARGET_SHA __attribute__((target("sha,sse4.1,ssse3")))

/* FIPS 180-4 4.2.2. */
static const uint32_t round_constants[64] __attribute__((aligned(16))) = {
	0x428a2f98,
	0x71374491,
	0xb5c0fbcf,
	0xe9b5dba5,
	0x3956c25b,
	0x59f111f1,
	0x923f82a4,
	0xab1c5ed5,
	0xd807aa98,
	0x12835b01,
	0x243185be,
	0x550c7dc3,
	0x72be5d74,
	0x80deb1fe,
	0x9bdc06a7,
	0xc19bf174,
	0xe49b69c1,
	0xefbe4786,
	0x0fc19dc6,
	0x240ca1cc,
	0x2de92c6f,
	0x4a7484aa,
	0x5cb0a9dc,
	0x76f988da,
	0x983e5152,
	0xa831c66d,
	0xb00327c8,
	0xbf597fc7,
	0xc6e00bf3,
	0xd5a79147,
	0x06ca6351,
	0x14292967,
	0x27b70a85,
	0x2e1b2138,
	0x4d2c6dfc,
	0x53380d13,
	0x650a7354,
	0x766a0abb,
	0x81c2c92e,
	0x92722c85,
	0xa2bfe8a1,
	0xa81a664b,
	0xc24b8b70,
	0xc76c51a3,
	0xd192e819,
	0xd6990624,
	0xf40e3585,
	0x106aa070,
	0x19a4c116,
	0x1e376c08,
	0x2748774c,
	0x34b0bcb5,
	0x391c0cb3,
	0x4ed8aa4a,
	0x5b9cca4f,
	0x682e6ff3,
	0x748f82ee,
	0x78a5636f,
	0x84c87814,
	0x8cc70208,
	0x90befffa,
	0xa4506ceb,
	0xbef9a3f7,
	0xc67178f2,
};

bool sha256_x86_works(void)
{
	unsigned int a, b, c, d;

	/* leaf 1 ECX: bit 9 SSSE3, bit 19 SSE4.1; leaf 7 EBX: bit 29 SHA (Intel SDM 3A)
	 */
	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1U << 9)) || !(c & (1U << 19)))
		return false;
	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1U << 29));
}

/* Four message words for rounds 4*i.. from the sixteen before them. */
TARGET_SHA static __m128i schedule(__m128i w0, __m128i w1, __m128i w2, __m128i w3)
{
	__m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w1),
		_mm_alignr_epi8(w3, w2, 4)); /* w[t-16] + s0(w[t-15]) + w[t-7] */

	return _mm_sha256msg2_epu32(sum, w3);
}

TARGET_SHA static void four_rounds(
	__m128i *abef, __m128i *cdgh, __m128i w, unsigned int i)
{
	__m128i k =
		_mm_load_si128((const __m128i *)(const void *)&round_constants[4 * i]);
	__m128i wk = _mm_add_epi32(w, k);

	*cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, wk);
	*abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(wk, 0x0e));
}

TARGET_SHA static void one_block(__m128i *abef, __m128i *cdgh, const uint8_t *p)
{
	const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i start_abef = *abef, start_cdgh = *cdgh, w[4];

	for (unsigned int i = 0; i < 4; i++) {
		w[i] = _mm_shuffle_epi8(
			_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)),
			swap);
		four_rounds(abef, cdgh, w[i], i);
	}
	for (unsigned int i = 4; i < 16; i += 4) {
		for (unsigned int j = 0; j < 4; j++) {
			w[j] = schedule(
				w[j], w[(j + 1) & 3], w[(j + 2) & 3], w[(j + 3) & 3]);
			four_rounds(abef, cdgh, w[j], i + j);
		}
	}
	*abef = _mm_add_epi32(*abef, start_abef);
	*cdgh = _mm_add_epi32(*cdgh, start_cdgh);
}

TARGET_SHA static void blocks(uint32_t state[8], const uint8_t *p, size_t count)
{
	__m128i dcba = _mm_loadu_si128((const __m128i *)(const void *)&state[0]);
	__m128i hgfe = _mm_loadu_si128((const __m128i *)(const void *)&state[4]);
	__m128i cdab = _mm_shuffle_epi32(dcba, 0xb1);
	__m128i efgh = _mm_shuffle_epi32(hgfe, 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8);
	__m128i cdgh = _mm_blend_epi16(efgh, cdab, 0xf0);

	for (; count; count--, p += 64)
		one_block(&abef, &cdgh, p);

	__m128i feba = _mm_shuffle_epi32(abef, 0x1b);
	__m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);

	_mm_storeu_si128((__m128i *)(void *)&state[0], _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(void *)&state[4], _mm_alignr_epi8(dchg, feba, 8));
}

#else

bool sha256_x86_works(void)
{
	return false;
}

/* Never reached: sha256_x86_works() said no. */
static void blocks(uint32_t state[8], const uint8_t *p, size_t count)
{
	(void)state;
	(void)p;
	(void)count;
}

#endif

void sha256_x86_init(struct sha256_x86 *sha)
{
	static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}; /* FIPS 180-4 5.3.3 */

	memset(sha, 0, sizeof(*sha));
	memcpy(sha->state, start, sizeof(start));
}

void sha256_x86_update(struct sha256_x86 *sha, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	size_t used = sha->len % 64;

	sha->len += len;
	if (used) {
		size_t part = len < 64 - used ? len : 64 - used;

		memcpy(sha->block + used, p, part);
		p += part;
		len -= part;
		if (used + part < 64)
			return;
		blocks(sha->state, sha->block, 1);
	}
	blocks(sha->state, p, len / 64);
	if (len % 64)
		memcpy(sha->block, p + len - len % 64, len % 64);
}

void sha256_x86_finish(struct sha256_x86 *sha, uint8_t digest[32])
{
	static const uint8_t padding[64] = {0x80};
	uint64_t bits = sha->len * 8;
	uint8_t tail[8];

	sha256_x86_update(sha, padding, 1 + (119 - sha->len % 64) % 64);
	for (unsigned int i = 0; i < 8; i++)
		tail[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_x86_update(sha, tail, sizeof(tail));
	for (unsigned int i = 0; i < 32; i++)
		digest[i] = (uint8_t)(sha->state[i / 4] >> (24 - 8 * (i % 4)));
}
