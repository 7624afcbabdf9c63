/* SPDX-License-Identifier: MIT */
/* Alone in its file so that a test can link another default table in its place. */
#include "base/sys.h"

const struct sys_ops *sys_default(void)
{
	return sys_real();
}
