/* SPDX-License-Identifier: MIT */
/* The table of facts: what facts_text.c renders and parses and facts_done() frees. */
#include "model/facts_fields.h"

#include <stdlib.h>
#include <string.h>

#include "model/facts.h"
#include "model/nic_ids.h"

#define FIELD(owner, member, kind)                                                       \
	{                                                                                \
#member, FACT_##kind, offsetof(owner, member), 0, NULL                   \
	}
#define TEXT(owner, member)                                                              \
	{                                                                                \
#member, FACT_TEXT, offsetof(owner, member),                             \
			sizeof(((owner *)0)->member), NULL                               \
	}
#define AS(word, owner, member, kind)                                                    \
	{                                                                                \
		word, FACT_##kind, offsetof(owner, member), 0, NULL                      \
	}
#define TEXT_AS(word, owner, member)                                                     \
	{                                                                                \
		word, FACT_TEXT, offsetof(owner, member), sizeof(((owner *)0)->member),  \
			NULL                                                             \
	}
#define END                                                                              \
	{                                                                                \
		NULL, FACT_TEXT, 0, 0, NULL                                              \
	}
#define COUNT_FOLLOWS(owner, items, count)                                               \
	_Static_assert(                                                                  \
		offsetof(owner, count) == offsetof(owner, items) + sizeof(void *),       \
		"ITEMS: the count follows the pointer")

COUNT_FOLLOWS(struct facts, nics, nic_count);
COUNT_FOLLOWS(struct facts, swaps, swap_count);
COUNT_FOLLOWS(struct facts, disks, disk_count);
COUNT_FOLLOWS(struct fact_disk, partitions, partition_count);

static const struct fact_field nic_fields[] = {
	TEXT(struct fact_nic, name),
	TEXT(struct fact_nic, mac),
	TEXT(struct fact_nic, bdf),
	TEXT(struct fact_nic, driver),
	TEXT(struct fact_nic, state),
	FIELD(struct fact_nic, vendor, HEX16),
	FIELD(struct fact_nic, device, HEX16),
	FIELD(struct fact_nic, carrier, INT),
	FIELD(struct fact_nic, speed_mbps, INT),
	FIELD(struct fact_nic, config_readable, BOOL),
	FIELD(struct fact_nic, tx_timeouts, U64),
	FIELD(struct fact_nic, boot, BOOL),
	END,
};

static const struct fact_field swap_fields[] = {
	TEXT(struct fact_swap, device),
	FIELD(struct fact_swap, size_kib, U64),
	END,
};

static const struct fact_field partition_fields[] = {
	TEXT(struct fact_partition, path),
	FIELD(struct fact_partition, number, UINT),
	FIELD(struct fact_partition, size_bytes, U64),
	TEXT(struct fact_partition, type),
	TEXT(struct fact_partition, label),
	TEXT(struct fact_partition, uuid),
	TEXT(struct fact_partition, partuuid),
	TEXT(struct fact_partition, part_type),
	END,
};

static const struct fact_field disk_fields[] = {
	TEXT(struct fact_disk, path),
	TEXT(struct fact_disk, wwn),
	TEXT(struct fact_disk, serial),
	TEXT(struct fact_disk, model),
	TEXT(struct fact_disk, by_path),
	FIELD(struct fact_disk, size_bytes, U64),
	FIELD(struct fact_disk, read_only, BOOL),
	{"partition", FACT_ITEMS, offsetof(struct fact_disk, partitions),
		sizeof(struct fact_partition), partition_fields},
	END,
};

static const struct fact_field top_fields[] = {
	TEXT(struct facts, kernel),
	TEXT(struct facts, arch),
	TEXT(struct facts, cmdline),
	TEXT(struct facts, uuid),
	TEXT(struct facts, serial),
	TEXT(struct facts, asset),
	TEXT(struct facts, vendor),
	TEXT(struct facts, product),
	TEXT(struct facts, firmware),
	FIELD(struct facts, memory_kib, U64),
	FIELD(struct facts, cpus, UINT),
	FIELD(struct facts, cgroup2, BOOL),
	FIELD(struct facts, overlay, INT),
	FIELD(struct facts, clock_unix, I64),
	FIELD(struct facts, clock_synced, BOOL),
	FIELD(struct facts, has_rtc, BOOL),
	{"nic", FACT_ITEMS, offsetof(struct facts, nics), sizeof(struct fact_nic),
		nic_fields},
	{"swap", FACT_ITEMS, offsetof(struct facts, swaps), sizeof(struct fact_swap),
		swap_fields},
	{"disk", FACT_ITEMS, offsetof(struct facts, disks), sizeof(struct fact_disk),
		disk_fields},
	AS("target.known", struct facts, target.known, BOOL),
	TEXT_AS("target.os_id", struct facts, target.os_id),
	TEXT_AS("target.os_version", struct facts, target.os_version),
	AS("target.has_modules", struct facts, target.has_modules, BOOL),
	TEXT_AS("target.newest_kernel", struct facts, target.newest_kernel),
	AS("target.has_containerd", struct facts, target.has_containerd, BOOL),
	AS("target.has_docker", struct facts, target.has_docker, BOOL),
	AS("target.has_kubelet", struct facts, target.has_kubelet, BOOL),
	AS("target.prepared", struct facts, target.prepared, BOOL),
	AS("target.prepared_serial", struct facts, target.prepared_serial, U64),
	AS("target.last_serial", struct facts, target.last_serial, U64),
	AS("target.network_manager", struct facts, target.network_manager, NETWORK),
	AS("lease.known", struct facts, lease.known, BOOL),
	TEXT_AS("lease.link", struct facts, lease.link),
	TEXT_AS("lease.mac", struct facts, lease.mac),
	TEXT_AS("lease.address", struct facts, lease.address),
	AS("lease.prefix_len", struct facts, lease.prefix_len, UINT),
	TEXT_AS("lease.gateway", struct facts, lease.gateway),
	AS("lease.dns", struct facts, lease.dns, LIST),
	AS("lease.ntp", struct facts, lease.ntp, LIST),
	TEXT_AS("lease.hostname", struct facts, lease.hostname),
	TEXT_AS("lease.domain", struct facts, lease.domain),
	AS("lease.mtu", struct facts, lease.mtu, UINT),
	TEXT_AS("lease.client_id", struct facts, lease.client_id),
	END,
};

const struct fact_field *facts_fields(void)
{
	return top_fields;
}

static void free_fields(const struct fact_field *field, char *base)
{
	for (; field->key; field++) {
		char *items;
		size_t count;

		if (field->type == FACT_LIST)
			strlist_done((struct strlist *)(void *)(base + field->offset));
		if (field->type != FACT_ITEMS)
			continue;
		items = fact_items(field, base, &count);
		for (size_t i = 0; i < count; i++)
			free_fields(field->items, items + i * field->size);
		free(items);
	}
}

void facts_done(struct facts *facts)
{
	free_fields(top_fields, (char *)facts);
	*facts = (struct facts){0};
}

char *fact_items(const struct fact_field *field, const char *base, size_t *ret_count)
{
	char *items;

	memcpy(&items, base + field->offset, sizeof(items));
	memcpy(ret_count, base + field->offset + sizeof(items), sizeof(*ret_count));
	return items;
}

bool fact_nic_is_broadcom(const struct fact_nic *nic)
{
	static const char *const drivers[] = {
		"tg3", "bnx2", "bnx2x", "bnxt_en", "bnge", "bng_en", "b44"};

	/* A card newer than the table is known by the driver that took it. */
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (strcmp(nic->driver, drivers[i]) == 0)
			return true;
	return nic_ids_driver(nic->vendor, nic->device) != NULL;
}
