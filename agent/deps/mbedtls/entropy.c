/* SPDX-License-Identifier: MIT */
/* mbedTLS's only entropy source (MBEDTLS_ENTROPY_HARDWARE_ALT): the kernel, by
 * getrandom(2). Built into libmbedcrypto.
 */
#include <errno.h>
#include <stddef.h>
#include <sys/random.h>

#include "entropy_poll.h"
#include "mbedtls/entropy.h"

/* Fills output with len bytes. Blocks until the kernel's pool is seeded, never before:
 * flags 0. */
int mbedtls_hardware_poll(void *data, unsigned char *output, size_t len, size_t *olen)
{
	(void)data;
	*olen = 0;
	while (*olen < len) {
		ssize_t got = getrandom(output + *olen, len - *olen, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
		*olen += (size_t)got;
	}
	return 0;
}
