/* SPDX-License-Identifier: MIT */
/* From the first column of fstab to a partition of facts. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "steps/root_parts.h"

enum tag { TAG_UUID, TAG_LABEL, TAG_PARTUUID, TAG_PATH };

static const struct {
	const char *prefix;
	enum tag tag;
} spellings[] = {
	{"UUID=", TAG_UUID},
	{"LABEL=", TAG_LABEL},
	{"PARTUUID=", TAG_PARTUUID},
	{"/dev/disk/by-uuid/", TAG_UUID},
	{"/dev/disk/by-label/", TAG_LABEL},
	{"/dev/disk/by-partuuid/", TAG_PARTUUID},
};

/* Volumes that need assembling (libblkid TYPE values). */
static const struct {
	const char *type;
	const char *name;
} stacks[] = {
	{"LVM2_member", "LVM"},
	{"linux_raid_member", "md RAID"},
	{"crypto_LUKS", "LUKS"},
	{"zfs_member", "ZFS"},
};

static bool has_tag(const struct fact_partition *part, enum tag tag, const char *value)
{
	switch (tag) {
	case TAG_UUID: /* vfat's are written in either case */
		return part->uuid[0] && strcasecmp(part->uuid, value) == 0;
	case TAG_LABEL:
		return part->label[0] && strcmp(part->label, value) == 0;
	case TAG_PARTUUID:
		return part->partuuid[0] && strcasecmp(part->partuuid, value) == 0;
	case TAG_PATH:
		return strcmp(part->path, value) == 0;
	}
	return false;
}

/* /dev/disk/by-path/pci-0000:00:04.0-part2 */
static bool has_by_path(
	const struct fact_disk *disk, const struct fact_partition *part, const char *spec)
{
	char path[200];

	if (!disk->by_path[0])
		return false;
	(void)snprintf(path, sizeof(path), "/dev/disk/by-path/%s-part%u", disk->by_path,
		part->number);
	return strcmp(path, spec) == 0;
}

/* The stack that this spec, found on no plain partition, will be in. */
static const char *stack_of(const struct facts *facts, const char *spec)
{
	if (str_has_prefix(spec, "/dev/md"))
		return "md RAID";
	for (size_t d = 0; d < facts->disk_count; d++)
		for (size_t p = 0; p < facts->disks[d].partition_count; p++)
			for (size_t s = 0; s < ARRAY_LEN(stacks); s++)
				if (strcmp(facts->disks[d].partitions[p].type,
					    stacks[s].type) == 0)
					return stacks[s].name;
	return str_has_prefix(spec, "/dev/mapper/") ? "LVM or LUKS" : NULL;
}

static int refuse_absent(const struct facts *facts, const char *spec, struct err *err)
{
	const char *stack = stack_of(facts, spec);

	if (stack)
		return err_set(err, E_ROOT,
			"it is on no plain partition; this machine has %s, which is not "
			"supported yet",
			stack);
	if (str_has_prefix(spec, "PARTLABEL=") ||
		str_has_prefix(spec, "/dev/disk/by-partlabel/") ||
		str_has_prefix(spec, "/dev/disk/by-id/"))
		return err_set(err, E_ROOT,
			"this spelling is not understood here; use UUID=, LABEL= or "
			"PARTUUID=");
	return 0;
}

int root_resolve_spec(const struct facts *facts, const char *spec,
	const struct fact_partition **ret, struct err *err)
{
	const struct fact_partition *found = NULL;
	enum tag tag = TAG_PATH;
	const char *value = spec;

	for (size_t i = 0; i < ARRAY_LEN(spellings); i++)
		if (str_has_prefix(spec, spellings[i].prefix)) {
			tag = spellings[i].tag;
			value = spec + strlen(spellings[i].prefix);
		}
	for (size_t d = 0; d < facts->disk_count; d++)
		for (size_t p = 0; p < facts->disks[d].partition_count; p++) {
			const struct fact_disk *disk = &facts->disks[d];
			const struct fact_partition *part = &disk->partitions[p];

			if (!has_tag(part, tag, value) && !has_by_path(disk, part, spec))
				continue;
			if (found)
				return err_set(err, E_ROOT,
					"both %s and %s have this name", found->path,
					part->path);
			found = part;
		}
	*ret = found;
	return found ? 0 : refuse_absent(facts, spec, err);
}
