/* SPDX-License-Identifier: MIT */
/* The only GNU extensions of the code base: attributes that gcc and clang share. */
#ifndef PROMENADE_BASE_COMPILER_H
#define PROMENADE_BASE_COMPILER_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF(fmt_index, args_index)                                                    \
	__attribute__((format(printf, fmt_index, args_index)))
#define NORETURN __attribute__((noreturn))
/* Runs x_done-style function on a local when it leaves scope; errno is preserved by it.
 */
#define CLEANUP(function) __attribute__((cleanup(function)))
#define UNUSED __attribute__((unused))

/* gcc does not let a cast to void silence MUST_USE; the reason stands beside the call. */
#define IGNORE_RESULT(call)                                                              \
	do {                                                                             \
		if (call) {                                                              \
		}                                                                        \
	} while (0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

#endif
