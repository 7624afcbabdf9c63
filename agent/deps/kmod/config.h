/* SPDX-License-Identifier: MIT */
/* What kmod's meson.build would find for libkmod, the same on every host we build on. */
#define _GNU_SOURCE 1

/* Decompressors are linked, never dlopen()ed: the binary is static. */
#define ENABLE_XZ 1
#define ENABLE_XZ_DLOPEN 0
#define ENABLE_ZLIB 1
#define ENABLE_ZLIB_DLOPEN 0
#define ENABLE_ZSTD 1
#define ENABLE_ZSTD_DLOPEN 0

#define ENABLE_DEBUG 0
#define ENABLE_ELFDBG 0
#define ENABLE_LOGGING 1
#define ENABLE_OPENSSL 0 /* only prints signatures; the kernel checks them */

#define DISTCONFDIR "/lib"
#define KMOD_FEATURES "+ZSTD +XZ +ZLIB -LIBCRYPTO"
#define MODULE_DIRECTORY "/lib/modules"
#define PACKAGE "kmod"
#define SYSCONFDIR "/etc"
#define VERSION "34"

/* kmod counts on glibc's basename(), which leaves its argument alone. Older musl declares
 * its own in string.h without a prototype, hence: that header first, then kmod's
 * replacement by another name.
 */
#include <string.h>
#define HAVE_DECL_BASENAME 0
#define basename(path) kmod_basename(path)

#define HAVE_NORETURN 1
#define HAVE_SECURE_GETENV 1
#define HAVE_STATIC_ASSERT 1
#define HAVE_STRUCT_STAT_ST_MTIM 1
#define HAVE___BUILTIN_UADDLL_OVERFLOW 1
#define HAVE___BUILTIN_UADDL_OVERFLOW 1
#define HAVE___BUILTIN_UADD_OVERFLOW 1
#define HAVE___BUILTIN_UMULLL_OVERFLOW 1
#define HAVE___BUILTIN_UMULL_OVERFLOW 1
#define HAVE___BUILTIN_UMUL_OVERFLOW 1
