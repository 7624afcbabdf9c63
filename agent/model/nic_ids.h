/* SPDX-License-Identifier: MIT */
/* Which Linux driver serves a Broadcom NIC (rebranded ones included), by PCI id. */
#ifndef PROMENADE_MODEL_NIC_IDS_H
#define PROMENADE_MODEL_NIC_IDS_H

#include <stdint.h>

#include "base/compiler.h"

/* "tg3", "bnx2", "bnx2x", "bnxt_en", "b44" or "bnge"; NULL for an id of none of them. The
 * table is the alias list of the modules of Linux 6.12 (node.md Appendix A) and bnge's of
 * torvalds/linux bnge_core.c. Static storage. */
const char *nic_ids_driver(uint16_t vendor, uint16_t device) MUST_USE;

#endif
