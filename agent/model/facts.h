/* SPDX-License-Identifier: MIT */
/*
 * What was observed, as plain data. Filled by host/probe.c, or from a facts file
 * (`promenade facts --out`). Absent is "" or 0; "not looked at" is told apart by the
 * known flags.
 */
#ifndef PROMENADE_MODEL_FACTS_H
#define PROMENADE_MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

struct fact_nic {
	char name[16];   /* "" for a PCI function without a netdev */
	char mac[18];    /* lower-case, colons */
	char bdf[16];    /* PCI address 0000:01:00.0; "" when not PCI */
	char driver[32]; /* "" when no driver is bound */
	char state[16];  /* operstate */
	uint16_t vendor; /* PCI vendor and device id, 0 when not PCI */
	uint16_t device;
	int carrier;          /* 1, 0, -1 unknown (EINVAL while down) */
	int speed_mbps;       /* -1 unknown */
	bool config_readable; /* first config dword is not all ones (node.md 1.4 #16) */
	uint64_t tx_timeouts; /* sum of queues/tx-N/tx_timeout */
	bool boot;            /* the one that BOOTIF names */
};

struct fact_swap {
	char device[128];
	uint64_t size_kib;
};

struct fact_partition {
	char path[64]; /* /dev/vda1 */
	unsigned int number;
	uint64_t size_bytes;
	char type[32]; /* libblkid TYPE: ext4, xfs, swap, LVM2_member, ... */
	char label[128];
	char uuid[64];
	char partuuid[64];
	char part_type[40]; /* GPT type GUID, lower-case */
};

struct fact_disk {
	char path[64]; /* /dev/vda */
	char wwn[80];
	char serial[80];
	char model[80];
	char by_path[128];
	uint64_t size_bytes;
	bool read_only;
	struct fact_partition *partitions;
	size_t partition_count;
};

enum fact_network_manager {
	FACT_NETWORK_NONE,
	FACT_NETWORK_NETWORKD,
	FACT_NETWORK_NETWORKMANAGER,
	FACT_NETWORK_IFUPDOWN,
	FACT_NETWORK_NETPLAN
};

/* The installed OS; known only once it is mounted. */
struct fact_target {
	bool known;
	char os_id[32];      /* os-release ID */
	char os_version[32]; /* os-release VERSION_ID */
	bool has_modules;    /* /lib/modules/RELEASE/modules.dep of the running kernel */
	char newest_kernel[128]; /* release of the newest kernel with modules there, or ""
				  */
	bool has_containerd;
	bool has_docker;
	bool has_kubelet;
	/* Did an earlier boot prepare it (/etc/promenade/role.yaml), up to which serial?
	 * What this boot wrote meanwhile is in last_serial alone. */
	bool prepared;
	uint64_t prepared_serial;
	uint64_t last_serial; /* the highest accepted one */
	enum fact_network_manager network_manager;
};

/* The address this machine has on the boot link, for the node IP. */
struct fact_lease {
	bool known;
	char link[16];
	char mac[18];
	char address[64]; /* 192.0.2.7 */
	unsigned int prefix_len;
	char gateway[64];
	struct strlist dns;
	struct strlist ntp;
	char hostname[256];
	char domain[256];
	unsigned int mtu;    /* 0: not given */
	char client_id[128]; /* option 61 sent, as hex; "" when none was sent */
};

struct facts {
	char kernel[128]; /* uname -r */
	char arch[32];    /* uname -m */
	char cmdline[4096];
	char uuid[64]; /* DMI, lower-case; "" unknown */
	char serial[128];
	char asset[128];
	char vendor[128];
	char product[128];
	char firmware[8]; /* "bios" or "efi" */
	uint64_t memory_kib;
	unsigned int cpus;
	bool cgroup2;       /* the kernel has cgroup2 */
	int overlay;        /* 1 in /proc/filesystems or loadable, 0 not, -1 unknown */
	int64_t clock_unix; /* CLOCK_REALTIME when probed */
	bool clock_synced;  /* by SNTP in this boot */
	bool has_rtc;
	struct fact_nic *nics;
	size_t nic_count;
	struct fact_swap *swaps;
	size_t swap_count;
	struct fact_disk *disks;
	size_t disk_count;
	struct fact_target target;
	struct fact_lease lease;
};

/* Renders as sorted-by-topic `key=value` lines (values escaped as in C: \n \t \\ \xNN),
 * one fact a line, arrays as nic.0.name. No secrets are in facts. Errors: -ENOMEM. */
int facts_render(const struct facts *facts, struct buf *ret) MUST_USE;

/* Reads what facts_render() wrote. On success *ret owns its arrays (facts_done()).
 * Errors: E_FORMAT with the line number. */
int facts_parse(
	const char *text, size_t len, struct facts *ret, struct err *err) MUST_USE;

/* True for a PCI function of the Broadcom drivers tg3, bnx2, bnx2x, bnxt_en, bnge and
 * b44, rebranded vendor ids included (node.md 1.1, Appendix A). */
bool fact_nic_is_broadcom(const struct fact_nic *nic) MUST_USE;

/* Frees the arrays and zeroes; takes a zeroed one. */
void facts_done(struct facts *facts);

#endif
