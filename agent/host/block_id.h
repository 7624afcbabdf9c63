/* SPDX-License-Identifier: MIT */
/* Who a disk is: wwn, serial, model and by-path from sysfs, spelled as udev spells them,
 * so that an operator can copy them from `ls -l /dev/disk/by-path` of a running machine.
 */
#ifndef PROMENADE_HOST_BLOCK_ID_H
#define PROMENADE_HOST_BLOCK_ID_H

#include "host/env.h"
#include "model/facts.h"

/* Fills wwn, serial, model and by_path of the disk called name in sys/block; what sysfs
 * does not tell stays "". Sources: systemd rules.d/60-persistent-storage.rules and
 * src/udev/udev-builtin-path_id.c (virtio, NVMe, ATA and plain SCSI; USB, SAS and
 * FC have no by_path here). Reads only. */
void block_identify(struct env *env, const char *name, struct fact_disk *disk);

#endif
