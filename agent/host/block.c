/* SPDX-License-Identifier: MIT */
#include "host/block.h"

#include <blkid/blkid.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "host/block_id.h"

/* sysfs counts in units of 512 bytes whatever the device's sector is (block/genhd.c). */
#define SYSFS_SECTOR 512U

static void probe_free(blkid_probe *probe)
{
	blkid_free_probe(*probe); /* takes NULL */
	*probe = NULL;
}

static void copy_value(blkid_probe probe, const char *name, char *dest, size_t size)
{
	const char *value = NULL;

	dest[0] = '\0';
	if (blkid_probe_lookup_value(probe, name, &value, NULL) == 0 && value)
		(void)str_copy(dest, size, value); /* a longer label matches nothing */
}

int block_probe_content(int fd, struct fact_partition *ret)
{
	blkid_probe probe CLEANUP(probe_free) = blkid_new_probe();

	if (!probe)
		return -ENOMEM;
	errno = 0;
	if (blkid_probe_set_device(probe, fd, 0, 0) < 0)
		return errno ? -errno : -EIO;
	(void)blkid_probe_enable_superblocks(probe, 1);
	(void)blkid_probe_set_superblocks_flags(
		probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID);
	/* Ambivalent results (two signatures) count as unknown content: a wrong guess
	 * would mount the wrong thing. */
	if (blkid_do_safeprobe(probe) == 0) {
		copy_value(probe, "TYPE", ret->type, sizeof(ret->type));
		copy_value(probe, "LABEL", ret->label, sizeof(ret->label));
		copy_value(probe, "UUID", ret->uuid, sizeof(ret->uuid));
	}
	ret->size_bytes = (uint64_t)blkid_probe_get_size(probe);
	return 0;
}

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

/* PARTUUID and type of each partition of disk, from its partition table. */
static void probe_table(int fd, struct fact_disk *disk)
{
	blkid_probe probe CLEANUP(probe_free) = blkid_new_probe();
	blkid_partlist list;

	if (!probe || blkid_probe_set_device(probe, fd, 0, 0) < 0)
		return;
	(void)blkid_probe_enable_partitions(probe, 1);
	list = blkid_probe_get_partitions(probe);
	for (size_t i = 0; list && i < disk->partition_count; i++) {
		struct fact_partition *part = &disk->partitions[i];
		blkid_partition entry =
			blkid_partlist_get_partition_by_partno(list, (int)part->number);
		const char *uuid = entry ? blkid_partition_get_uuid(entry) : NULL;
		const char *type = entry ? blkid_partition_get_type_string(entry) : NULL;

		if (uuid)
			(void)str_copy(part->partuuid, sizeof(part->partuuid), uuid);
		if (type)
			(void)str_copy(part->part_type, sizeof(part->part_type), type);
		lower(part->part_type);
	}
}

static uint64_t read_u64(int dirfd, const char *path)
{
	char line[32];
	uint64_t value = 0;

	if (fs_read_line(dirfd, path, line, sizeof(line)) < 0 ||
		!str_to_u64(line, UINT64_MAX, &value))
		return 0;
	return value;
}

/* Names in sysfs have '!' where the device node's have '/' (cciss!c0d0). */
static void node_path(const char *name, char *path, size_t size)
{
	(void)snprintf(path, size, "/dev/%s", name);
	for (char *p = path; *p; p++)
		if (*p == '!')
			*p = '/';
}

static int open_node(struct env *env, const char *path)
{
	return fs_open(env->run_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

static int add_partition(struct fact_disk *disk, const struct fact_partition *part)
{
	struct fact_partition *all =
		realloc(disk->partitions, (disk->partition_count + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	disk->partitions = all;
	disk->partitions[disk->partition_count++] = *part;
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct fact_partition *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The partitions are the sub-folders of sys/block/DISK that have a file "partition". */
static int find_partitions(struct env *env, const char *name, struct fact_disk *disk)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	char path[512];

	(void)snprintf(path, sizeof(path), "sys/block/%s", name);
	if (fs_list(env->run_fd, path, &names) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++) {
		struct fact_partition part = {0};

		(void)snprintf(path, sizeof(path), "sys/block/%s/%s/partition", name,
			names.items[i]);
		part.number = (unsigned int)read_u64(env->run_fd, path);
		if (!part.number)
			continue;
		(void)snprintf(
			path, sizeof(path), "sys/block/%s/%s/size", name, names.items[i]);
		part.size_bytes = read_u64(env->run_fd, path) * SYSFS_SECTOR;
		node_path(names.items[i], part.path, sizeof(part.path));
		if (add_partition(disk, &part) < 0)
			return -ENOMEM;
	}
	if (disk->partition_count)
		qsort(disk->partitions, disk->partition_count,
			sizeof(disk->partitions[0]), by_number);
	return 0;
}

/* A disk without partitions may be one file system as a whole. */
static int probe_whole(int fd, struct fact_disk *disk)
{
	struct fact_partition whole = {0};

	if (block_probe_content(fd, &whole) < 0 || !whole.type[0])
		return 0;
	(void)str_copy(whole.path, sizeof(whole.path), disk->path);
	return add_partition(disk, &whole);
}

static int probe_disk(struct env *env, const char *name, struct fact_disk *disk)
{
	if (find_partitions(env, name, disk) < 0)
		return -ENOMEM;
	int fd CLEANUP(fd_close) = open_node(env, disk->path);

	if (fd < 0)
		return 0; /* listed without contents */
	if (!disk->partition_count)
		return probe_whole(fd, disk);
	probe_table(fd, disk);
	for (size_t i = 0; i < disk->partition_count; i++) {
		struct fact_partition *part = &disk->partitions[i];
		uint64_t size = part->size_bytes;
		int part_fd CLEANUP(fd_close) = open_node(env, part->path);

		if (part_fd < 0 || block_probe_content(part_fd, part) < 0)
			part->type[0] = '\0'; /* unreadable: nothing can be mounted */
		part->size_bytes = size ? size : part->size_bytes;
	}
	return 0;
}

/* Real hardware with a medium; nvme's hidden per-controller paths are left out. */
static bool is_disk(struct env *env, const char *name)
{
	char path[300];

	if (str_has_prefix(name, "sr") || str_has_prefix(name, "fd"))
		return false;
	(void)snprintf(path, sizeof(path), "sys/block/%s/device", name);
	if (!fs_exists(env->run_fd, path))
		return false;
	(void)snprintf(path, sizeof(path), "sys/block/%s/hidden", name);
	if (read_u64(env->run_fd, path))
		return false;
	(void)snprintf(path, sizeof(path), "sys/block/%s/size", name);
	return read_u64(env->run_fd, path) > 0;
}

static int add_disk(struct env *env, const char *name, struct facts *facts)
{
	struct fact_disk *all =
		realloc(facts->disks, (facts->disk_count + 1) * sizeof(*all));
	struct fact_disk *disk;
	char path[300];

	if (!all)
		return -ENOMEM;
	facts->disks = all;
	disk = &all[facts->disk_count++];
	memset(disk, 0, sizeof(*disk));
	node_path(name, disk->path, sizeof(disk->path));
	(void)snprintf(path, sizeof(path), "sys/block/%s/size", name);
	disk->size_bytes = read_u64(env->run_fd, path) * SYSFS_SECTOR;
	(void)snprintf(path, sizeof(path), "sys/block/%s/ro", name);
	disk->read_only = read_u64(env->run_fd, path) != 0;
	block_identify(env, name, disk);
	return probe_disk(env, name, disk);
}

static void forget_disks(struct facts *facts)
{
	for (size_t i = 0; i < facts->disk_count; i++)
		free(facts->disks[i].partitions);
	free(facts->disks);
	facts->disks = NULL;
	facts->disk_count = 0;
}

int block_probe(struct env *env, struct facts *facts, struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = fs_list(env->run_fd, "sys/block", &names);

	forget_disks(facts);
	if (rc == -ENOENT)
		return 0; /* a kernel without block devices */
	if (rc < 0)
		return err_errno(err, -rc, "list disks in '/sys/block'");
	for (size_t i = 0; i < names.count; i++) {
		if (!is_disk(env, names.items[i]))
			continue;
		if (add_disk(env, names.items[i], facts) < 0)
			return err_errno(err, ENOMEM, "list disk '%s'", names.items[i]);
	}
	return 0;
}
