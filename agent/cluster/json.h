/* SPDX-License-Identifier: MIT */
/* Cleanup for jansson's values. */
#ifndef PROMENADE_CLUSTER_JSON_H
#define PROMENADE_CLUSTER_JSON_H

#include <jansson.h>

/* json_decref for CLEANUP; takes NULL. */
void json_done(json_t **value);

#endif
