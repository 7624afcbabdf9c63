/* SPDX-License-Identifier: MIT */
/*
 * The error record: one code space, one fixed text, no allocation on the error path.
 * Codes below 1000 are errno values; ours start at 1000. Policy (retry, exit status, what
 * the console says) reads the class of a code, never its text.
 */
#ifndef PROMENADE_BASE_ERR_H
#define PROMENADE_BASE_ERR_H

#include "base/compiler.h"

enum err_code {
	E_FIRST = 1000,
	E_USAGE = E_FIRST, /* the command line is wrong */
	E_ROLE,            /* the role document does not parse or is refused */
	E_ROLE_MATCH,      /* the role is for another machine */
	E_ROLE_SERIAL,     /* the role is older than one accepted before */
	E_ROLE_EXPIRED,    /* the role's notAfter has passed */
	E_TRUST,           /* signature or authentication policy refuses */
	E_NOT_YET,      /* the server answers "not yet": 404, 408, 412, 425, 429, 5xx */
	E_HTTP,         /* the server refuses: 401, 403, other 4xx */
	E_NET,          /* no route, no answer, name not found, connection cut */
	E_TLS,          /* certificate or handshake */
	E_TOO_BIG,      /* a limit of size, depth or count is exceeded */
	E_TIMEOUT,      /* a deadline has passed */
	E_DIGEST,       /* SHA-256 differs from the role's */
	E_ARCHIVE,      /* an archive entry or format is refused */
	E_FORMAT,       /* a file of the installed OS is not what it must be */
	E_KERNEL,       /* the kernel is refused by a check */
	E_NIC,          /* a NIC is refused by a check */
	E_CHECK,        /* another machine check refuses */
	E_ROOT,         /* the installed OS cannot be found or mounted */
	E_UNSUPPORTED,  /* asked for what this agent does not do */
	E_VERIFY,       /* a step was applied and its check still says no */
	E_CHILD,        /* a child process failed or was killed */
	E_UNAUTHORIZED, /* the cluster does not accept the credential: HTTP 401 */
	E_FORBIDDEN,    /* the cluster's RBAC or admission refuses: HTTP 403 */
	E_NOT_FOUND,    /* the cluster has no such object or member: HTTP 404 */
	E_EXISTS,       /* the cluster has it already: HTTP 409 AlreadyExists */
	E_CONFLICT, /* it was changed meanwhile, or stands against another: HTTP 409 */
	E_INVALID,  /* the cluster refuses the object as it is: HTTP 400, 422 */
	E_REFUSED,  /* an effect was attempted where none is allowed (plan) */
	E_BUG,      /* cannot happen */
	E_LAST
};

enum err_class {
	ERR_CLASS_RETRY,    /* may heal by itself: try again with back-off */
	ERR_CLASS_OPERATOR, /* a person must mend something */
	ERR_CLASS_CHECK,    /* the machine is refused by a check */
	ERR_CLASS_USAGE,    /* usage or a bad role */
	ERR_CLASS_BUG
};

#define ERR_TEXT_MAX 512

/* code is 0 or negative (-errno or -E_*); text is one line without a trailing newline. */
struct err {
	int code;
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT                                                                         \
	{                                                                                \
		0                                                                        \
	}

/* Records code (positive errno or E_*) and a one-line text "action object: why; what to
 * do". Overwrites what was there. err may be NULL. Returns the negative code. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF(3, 4);

/* As err_set() with ": " and strerror(code) appended; code is an errno. errno unchanged.
 */
int err_errno(struct err *err, int code, const char *fmt, ...) PRINTF(3, 4);

/* Puts "context: " before the text of a complete error, once per module border; the code
 * stays. Truncates at the end. Returns err->code. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF(2, 3);

/* Class of a code (positive or negative). Unknown errno values are ERR_CLASS_RETRY when
 * they may pass (EIO is not), else ERR_CLASS_OPERATOR. */
enum err_class err_class(int code) MUST_USE;

/* Short stable name for logs and JSON: "E_DIGEST", "ENOENT". Static storage. */
const char *err_name(int code) MUST_USE;

/* Exit status by class (DESIGN.md): 0 done, 1 refused by a check, 2 usage or bad role, 3
 * retryable, 4 bug. Operator errors that are neither exit 1. */
int err_exit_status(int code) MUST_USE;

#endif
