/* SPDX-License-Identifier: MIT */
#include "cluster/json.h"

#include <stddef.h>

void json_done(json_t **value)
{
	json_decref(*value); /* takes NULL */
	*value = NULL;
}
