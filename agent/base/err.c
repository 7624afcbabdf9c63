/* SPDX-License-Identifier: MIT */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct code_row {
	int code;
	enum err_class class;
	const char *name;
};

#define ROW(code, class)                                                                 \
	{                                                                                \
		code, ERR_CLASS_##class, #code                                           \
	}

/* errno rows name only what an operator meets; others fall to the default below. */
static const struct code_row codes[] = {
	ROW(E_USAGE, USAGE),
	ROW(E_ROLE, USAGE),
	ROW(E_ROLE_MATCH, USAGE),
	ROW(E_ROLE_SERIAL, USAGE),
	ROW(E_ROLE_EXPIRED, USAGE),
	ROW(E_TRUST, OPERATOR),
	ROW(E_NOT_YET, RETRY),
	ROW(E_HTTP, OPERATOR),
	ROW(E_NET, RETRY),
	ROW(E_TLS, OPERATOR),
	ROW(E_TOO_BIG, OPERATOR),
	ROW(E_TIMEOUT, RETRY),
	ROW(E_DIGEST, OPERATOR),
	ROW(E_ARCHIVE, OPERATOR),
	ROW(E_FORMAT, OPERATOR),
	ROW(E_KERNEL, CHECK),
	ROW(E_NIC, CHECK),
	ROW(E_CHECK, CHECK),
	ROW(E_ROOT, OPERATOR),
	ROW(E_UNSUPPORTED, OPERATOR),
	ROW(E_VERIFY, BUG),
	ROW(E_CHILD, OPERATOR),
	ROW(E_UNAUTHORIZED, OPERATOR),
	ROW(E_FORBIDDEN, OPERATOR),
	ROW(E_NOT_FOUND, OPERATOR),
	ROW(E_EXISTS, OPERATOR),
	ROW(E_CONFLICT, RETRY),
	ROW(E_INVALID, OPERATOR),
	ROW(E_REFUSED, BUG),
	ROW(E_BUG, BUG),
	ROW(EINTR, RETRY),
	ROW(EAGAIN, RETRY),
	ROW(EBUSY, RETRY),
	ROW(ENOMEM, RETRY),
	ROW(ENFILE, RETRY),
	ROW(EMFILE, RETRY),
	ROW(ETIMEDOUT, RETRY),
	ROW(ENETDOWN, RETRY),
	ROW(ENETUNREACH, RETRY),
	ROW(EHOSTUNREACH, RETRY),
	ROW(ECONNREFUSED, RETRY),
	ROW(ECONNRESET, RETRY),
	ROW(ENOENT, OPERATOR),
	ROW(EACCES, OPERATOR),
	ROW(EPERM, OPERATOR),
	ROW(EEXIST, OPERATOR),
	ROW(ENOTDIR, OPERATOR),
	ROW(EISDIR, OPERATOR),
	ROW(EINVAL, OPERATOR),
	ROW(EIO, OPERATOR),
	ROW(ENOSPC, OPERATOR),
	ROW(EROFS, OPERATOR),
	ROW(ELOOP, OPERATOR),
	ROW(EXDEV, OPERATOR),
	ROW(ENODEV, OPERATOR),
	ROW(ENXIO, OPERATOR),
	ROW(EFBIG, OPERATOR),
};

static const struct code_row *code_find(int code)
{
	int positive = code < 0 ? -code : code;

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (codes[i].code == positive)
			return &codes[i];
	return NULL;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err)
		return -code;
	err->code = -code;
	va_start(args, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return err->code;
}

int err_errno(struct err *err, int code, const char *fmt, ...)
{
	va_list args;
	size_t len;
	int saved = errno;

	if (err) {
		err->code = -code;
		va_start(args, fmt);
		(void)vsnprintf(err->text, sizeof(err->text), fmt, args);
		va_end(args);
		len = strlen(err->text);
		(void)snprintf(
			err->text + len, sizeof(err->text) - len, ": %s", strerror(code));
	}
	errno = saved;
	return -code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char inner[ERR_TEXT_MAX];
	va_list args;
	size_t len;

	if (!err)
		return -E_BUG;
	memcpy(inner, err->text, sizeof(inner));
	va_start(args, fmt);
	(void)vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	len = strlen(err->text);
	(void)snprintf(err->text + len, sizeof(err->text) - len, ": %s", inner);
	return err->code;
}

enum err_class err_class(int code)
{
	const struct code_row *row = code_find(code);

	return row ? row->class : ERR_CLASS_OPERATOR;
}

const char *err_name(int code)
{
	const struct code_row *row = code_find(code);

	return row ? row->name : "errno";
}

int err_exit_status(int code)
{
	if (code == 0)
		return 0;
	switch (err_class(code)) {
	case ERR_CLASS_RETRY:
		return 3;
	case ERR_CLASS_USAGE:
		return 2;
	case ERR_CLASS_BUG:
		return 4;
	case ERR_CLASS_OPERATOR:
	case ERR_CLASS_CHECK:
		return 1;
	}
	return 4;
}
