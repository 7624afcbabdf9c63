/* SPDX-License-Identifier: MIT */
/*
 * What a single value of a role may look like. Each value_* check takes valid UTF-8
 * without control characters and returns NULL when it is fine, else what would be right,
 * as the end of "'path': must be ". Pure. agent/role.schema.json has the same rules as
 * patterns.
 */
#ifndef PROMENADE_MODEL_ROLE_VALUE_H
#define PROMENADE_MODEL_ROLE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

#define ROLE_URL_MAX 2048U

typedef const char *value_check(const char *text);

/* What a scalar without quotes is by the core schema of YAML 1.2.2, 10.3.2. */
enum value_kind { VALUE_TEXT, VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_FLOAT };

/* Classifies; every other reader of the document may resolve it so. */
enum value_kind value_kind_of(const char *text) MUST_USE;

/* Octal permission bits in quotes: "0644". False on anything else, and on setuid, setgid
 * and sticky bits. */
bool value_parse_mode(const char *text, unsigned int *ret) MUST_USE;

/* `2027-01-31T12:00:00Z` (RFC 3339 5.6, UTC only, no fraction, no leap second) as seconds
 * since the epoch; years 1970 to 9999. */
bool value_parse_time(const char *text, int64_t *ret) MUST_USE;

/* Host and network names */
value_check value_host_name; /* at most 63 bytes: what Linux, and a label's value, hold */
value_check value_dns_name;  /* RFC 1123 subdomain, at most 253 */
value_check value_address;   /* IPv4 or IPv6, no zone */
value_check value_address_or_name;
value_check value_cidr; /* a subnet with its prefix length */
value_check value_mac;  /* six pairs of hex digits with colons */
value_check value_url;  /* http or https, no user, no fragment */
value_check value_url_https;
value_check value_endpoint; /* https://host:port */
value_check value_syslog;   /* udp://host:port or tcp://host:port */

/* Identities */
value_check value_uuid;
value_check value_sha256;  /* 64 hex digits */
value_check value_ca_hash; /* "sha256:" and 64 hex digits */
value_check value_fs_id;   /* of a file system or a partition: hex digits and hyphens */
value_check value_disk_id; /* WWN or serial: printable ASCII without space */
value_check value_by_path; /* a name in /dev/disk/by-path */

/* Of the operating system */
value_check value_version; /* 4.8, 6.12.1, 6.8-rc3 */
value_check value_path;    /* absolute, normalized, not in /proc /sys /dev /run, not / */
value_check value_unit;    /* name of a systemd unit */
value_check value_sysctl_key;
value_check value_module;
value_check value_cmdline; /* printable ASCII */

/* Of Kubernetes and the engines */
value_check value_word;  /* a driver or snapshotter: a-z 0-9 and hyphens */
value_check value_image; /* reference of a container image */
value_check value_flag;  /* of kubelet, without dashes */
value_check value_label_key;
value_check value_label_value;
value_check value_taint;
value_check value_kube_version; /* 1.34.2 */
value_check value_cni_name;     /* NAME.conf, NAME.conflist or NAME.json */

value_check value_text;    /* not empty */
value_check value_line;    /* may be empty */
value_check value_content; /* any text but a private key */

#endif
