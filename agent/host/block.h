/* SPDX-License-Identifier: MIT */
/*
 * Disks and partitions: names and identities from sysfs, contents by libblkid (its only
 * user). Devices are opened read-only and nothing is written, also not libblkid's cache.
 */
#ifndef PROMENADE_HOST_BLOCK_H
#define PROMENADE_HOST_BLOCK_H

#include "base/compiler.h"
#include "base/err.h"
#include "host/env.h"
#include "model/facts.h"

/* Replaces facts->disks by the disks that are there now: every block device of real
 * hardware (sys/block/NAME/device exists, so no loop, ram, zram, dm, md), not optical and
 * not empty, each with its partitions; a disk whose whole is one file system has it as
 * partition number 0. Identities are spelled as udev spells them (wwn 0x..., eui...;
 * by-path pci-...). Blocks on the reads of each device; one that cannot be read is listed
 * without contents. Errors: errno of sys/block, ENOMEM. */
int block_probe(struct env *env, struct facts *facts, struct err *err) MUST_USE;

/* Fills path-less fields of ret (type, label, uuid) from the device or image open at fd,
 * size_bytes too. An unknown content leaves "". Errors: -errno. */
int block_probe_content(int fd, struct fact_partition *ret) MUST_USE;

#endif
