/* SPDX-License-Identifier: MIT */
/*
 * The role document: bytes of YAML -> struct role, strictly. Unknown keys, duplicate
 * keys, wrong types, values out of range, anchors, aliases, tags and more than one
 * document are mistakes; all of them are reported in one go, each with line and column
 * and what would be right. Pure: no fd, clock, environment or log. Same bytes, same
 * answer.
 */
#ifndef PROMENADE_MODEL_ROLE_H
#define PROMENADE_MODEL_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"
#include "model/role_cluster.h"

#define ROLE_BYTES_MAX (256U * 1024U)
#define ROLE_DEPTH_MAX 16U

enum role_nic_policy { ROLE_NIC_REQUIRE_HEALTHY, ROLE_NIC_WARN, ROLE_NIC_IGNORE };
enum role_pivot { ROLE_PIVOT_SWITCH_ROOT, ROLE_PIVOT_KEXEC, ROLE_PIVOT_REBOOT };
enum role_swap { ROLE_SWAP_DISABLED, ROLE_SWAP_KEEP };
enum role_engine { ROLE_ENGINE_NONE, ROLE_ENGINE_CONTAINERD, ROLE_ENGINE_DOCKER };

/* One key of a map of strings, in document order. */
struct role_pair {
	char *key;
	char *value;
};

struct role_map {
	struct role_pair *items;
	size_t count;
};

/* An artifact: a file at path with mode; or, when unpack is set, an archive (tar, plain
 * or gz, bz2, xz, zst) whose tree becomes the directory path. */
struct role_artifact {
	struct role_source source;
	char *path; /* absolute, normalized */
	unsigned int mode;
	bool unpack;
};

struct role_file {
	char *path;
	char *content;
	unsigned int mode;
};

struct role_unit {
	char *name;    /* "x.service", "x.timer", ... */
	char *content; /* NULL: the OS has the unit, only enable or mask it */
	bool enable;
	bool mask;
};

/* Each field NULL when absent; at least one is set in an accepted role that has match. */
struct role_match {
	bool present;
	char *uuid; /* lower-case */
	char *serial;
	char *mac; /* lower-case, colons */
};

/* How the root file system is named: exactly one of label, uuid, partuuid or a disk
 * (wwn, serial or byPath) with a partition number. */
struct role_root {
	char *label;
	char *uuid;
	char *partuuid;
	char *disk_wwn;
	char *disk_serial;
	char *disk_by_path;
	unsigned int partition;
};

struct role_checks {
	char *kernel_newer_than; /* NULL: the default rule (4.8, if a Broadcom NIC is
				    present) */
	enum role_nic_policy broadcom;
	unsigned int memory_min_mib; /* 0: no minimum */
	unsigned int cpu_min;
	unsigned int cgroup; /* 0: any, 2: version 2 must be available */
};

struct role_os {
	struct role_root root;
	enum role_pivot pivot;
	char *cmdline;              /* kexec only */
	char *init;                 /* default /sbin/init */
	struct role_source modules; /* url NULL when absent */
	bool fsck;                  /* default true */
};

struct role_kubelet {
	bool present;
	char *binary;               /* absolute path of kubelet in the installed OS */
	char *cluster_domain;       /* default cluster.local */
	struct strlist cluster_dns; /* addresses */
	struct role_map extra_args; /* name without dashes -> value */
	struct role_map labels;
	struct strlist taints; /* key=value:Effect */
};

struct role_node {
	enum role_swap swap;
	enum role_engine engine;
	char *snapshotter;    /* containerd; default overlayfs */
	char *storage_driver; /* docker; default overlay2 */
	bool systemd_cgroup;  /* default true */
	char *sandbox_image;  /* NULL: the engine's default */
	bool pin_address;     /* step network; default true */
	bool install_agent;   /* default true */
	struct role_map sysctl;
	struct strlist modules_load;
	struct role_file *files;
	size_t file_count;
	struct role_unit *units;
	size_t unit_count;
	struct role_kubelet kubelet;
};

struct role_cni {
	struct role_source plugins; /* url NULL when absent */
	char *dir;                  /* default /opt/cni/bin */
	char *config_name;          /* file in /etc/cni/net.d; NULL when absent */
	char *config_content;
};

struct role_report {
	char *url;    /* cloud-init webhook events; NULL when absent */
	char *syslog; /* udp://host:port or tcp://host:port; NULL when absent */
};

struct role {
	char *name; /* host name and Node name: RFC 1123 subdomain of at most 63 bytes */
	uint64_t serial;   /* 0 when absent */
	int64_t not_after; /* seconds since the epoch, 0 when absent */
	struct role_match match;
	struct role_checks checks;
	struct role_os os;
	struct role_node node;
	struct role_artifact *artifacts;
	size_t artifact_count;
	struct role_cni cni;
	struct role_cluster cluster;
	struct role_report report;
	struct strlist ntp; /* addresses or names */
};

/* One mistake; line and column count from 1. */
struct role_mistake {
	unsigned int line;
	unsigned int column;
	char text[240]; /* "'swap': unknown value 'off'; one of: disabled, keep" */
};

#define ROLE_MISTAKES_MAX 64

/* All mistakes found; count may exceed what items holds. */
struct role_mistakes {
	struct role_mistake items[ROLE_MISTAKES_MAX];
	size_t count;
};

/* Parses and checks len bytes. On success *ret owns everything (role_done()). On failure
 * ret is untouched, mistakes (may not be NULL) lists every mistake in order of line, and
 * err holds the first with the total count. Does not block; time is linear in len (size,
 * depth and event count are bounded before libyaml sees them; node.md 8.2).
 * Errors: E_ROLE, E_TOO_BIG, -ENOMEM. */
int role_parse(const char *bytes, size_t len, struct role *ret,
	struct role_mistakes *mistakes, struct err *err) MUST_USE;

/* Refuses a role that was made for another machine: every given field of match must be
 * equal (uuid and mac case-insensitively). mac_list holds all MAC addresses. A role
 * without match fits every machine. Errors: E_ROLE_MATCH, naming both sides. */
int role_match_machine(const struct role *role, const char *uuid, const char *serial,
	const struct strlist *mac_list, struct err *err) MUST_USE;

/* Refuses an expired role (notAfter) and one with a lower serial than last accepted on
 * this machine. now in seconds since the epoch. Errors: E_ROLE_EXPIRED, E_ROLE_SERIAL. */
int role_check_fresh(const struct role *role, int64_t now, uint64_t last_serial,
	struct err *err) MUST_USE;

/* A signed role must carry match, notAfter and serial (DESIGN.md, Trust).
 * Errors: E_TRUST, naming what is missing. */
int role_check_signed(const struct role *role, struct err *err) MUST_USE;

/* Frees everything and zeroes; takes a zeroed one. */
void role_done(struct role *role);

#endif
