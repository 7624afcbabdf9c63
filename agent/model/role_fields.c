/* SPDX-License-Identifier: MIT */
/* A row here, a property in role.schema.json and a paragraph in promenade-role(5) belong
 * together; tests/golden/role compares the first two. */
#include "model/role_fields.h"

#include "model/role.h"
#include "model/role_rows.h"

_Static_assert(
	sizeof(enum role_pivot) == sizeof(unsigned int), "CHOICE writes unsigned int");

COUNT_FOLLOWS(struct role, artifacts, artifact_count);
COUNT_FOLLOWS(struct role_node, files, file_count);
COUNT_FOLLOWS(struct role_node, units, unit_count);

#define SERIAL_MAX ((1ULL << 53) - 1) /* what every JSON reader holds exactly */

static const struct field_choice api_versions[] = {{"promenade/v1", 0}, {NULL, 0}};
static const struct field_choice kinds[] = {{"Role", 0}, {NULL, 0}};
static const struct field_choice nic_policies[] = {
	{"require-healthy", ROLE_NIC_REQUIRE_HEALTHY},
	{"warn", ROLE_NIC_WARN},
	{"ignore", ROLE_NIC_IGNORE},
	{NULL, 0},
};
static const struct field_choice pivots[] = {
	{"switch-root", ROLE_PIVOT_SWITCH_ROOT},
	{"kexec", ROLE_PIVOT_KEXEC},
	{"reboot", ROLE_PIVOT_REBOOT},
	{NULL, 0},
};
static const struct field_choice swaps[] = {
	{"disabled", ROLE_SWAP_DISABLED},
	{"keep", ROLE_SWAP_KEEP},
	{NULL, 0},
};
static const struct field_choice engines[] = {
	{"none", ROLE_ENGINE_NONE},
	{"containerd", ROLE_ENGINE_CONTAINERD},
	{"docker", ROLE_ENGINE_DOCKER},
	{NULL, 0},
};
static const struct field_choice cgroup_drivers[] = {
	{"systemd", true}, {"cgroupfs", false}, {NULL, 0}};
static const struct field match_fields[] = {
	{.key = "uuid", TEXT(value_uuid), .lower = true, AT(struct role_match, uuid)},
	{.key = "serial", TEXT(value_text), AT(struct role_match, serial)},
	{.key = "mac", TEXT(value_mac), .lower = true, AT(struct role_match, mac)},
	END,
};
const struct field_section role_match_section = {
	.fields = match_fields,
	.has_present = true,
	.present = offsetof(struct role_match, present),
	.not_empty = true,
};

static const struct field check_kernel_fields[] = {
	{.key = "newerThan",
		TEXT(value_version),
		AT(struct role_checks, kernel_newer_than)},
	END,
};
static const struct field_section check_kernel = {.fields = check_kernel_fields};

static const struct field check_nic_fields[] = {
	{.key = "broadcom", CHOICE(nic_policies), AT(struct role_checks, broadcom)},
	END,
};
static const struct field_section check_nic = {.fields = check_nic_fields};

static const struct field check_memory_fields[] = {
	{.key = "minMiB",
		.type = FIELD_NUMBER,
		.max = 1U << 24, /* 16 TiB */
		AT(struct role_checks, memory_min_mib)},
	END,
};
static const struct field_section check_memory = {.fields = check_memory_fields};

static const struct field check_cpu_fields[] = {
	{.key = "min",
		.type = FIELD_NUMBER,
		.max = 8192,
		AT(struct role_checks, cpu_min)},
	END,
};
static const struct field_section check_cpu = {.fields = check_cpu_fields};

static const struct field check_cgroup_fields[] = {
	{.key = "version",
		.type = FIELD_NUMBER,
		.min = 2,
		.max = 2,
		AT(struct role_checks, cgroup)},
	END,
};
static const struct field_section check_cgroup = {.fields = check_cgroup_fields};

static const struct field checks_fields[] = {
	{.key = "kernel", SECTION(check_kernel)},
	{.key = "nic", SECTION(check_nic)},
	{.key = "memory", SECTION(check_memory)},
	{.key = "cpu", SECTION(check_cpu)},
	{.key = "cgroup", SECTION(check_cgroup)},
	END,
};
const struct field_section role_checks_section = {.fields = checks_fields};

static const struct field disk_fields[] = {
	{.key = "wwn", TEXT(value_disk_id), AT(struct role_root, disk_wwn)},
	{.key = "serial", TEXT(value_disk_id), AT(struct role_root, disk_serial)},
	{.key = "byPath", TEXT(value_by_path), AT(struct role_root, disk_by_path)},
	END,
};
static const struct field_section disk_section = {.fields = disk_fields};

static const struct field root_fields[] = {
	{.key = "label", TEXT(value_text), AT(struct role_root, label)},
	{.key = "uuid", TEXT(value_fs_id), AT(struct role_root, uuid)},
	{.key = "partuuid", TEXT(value_fs_id), AT(struct role_root, partuuid)},
	{.key = "disk", SECTION(disk_section)},
	{.key = "partition",
		.type = FIELD_NUMBER,
		.min = 1,
		.max = 128, /* slots of a GPT */
		AT(struct role_root, partition)},
	END,
};
static const struct field_section root_section = {.fields = root_fields};

static const struct field modules_fields[] = {SOURCE(struct role_os, modules), END};
static const struct field_section modules_section = {.fields = modules_fields};

static const struct field os_fields[] = {
	{.key = "root",
		SECTION(root_section),
		.required = true,
		AT(struct role_os, root)},
	{.key = "pivot", CHOICE(pivots), AT(struct role_os, pivot)},
	{.key = "cmdline", TEXT(value_cmdline), AT(struct role_os, cmdline)},
	{.key = "init",
		TEXT(value_path),
		.absent_text = "/sbin/init",
		AT(struct role_os, init)},
	{.key = "modules", SECTION(modules_section)},
	{.key = "fsck", .type = FIELD_BOOL, .absent = true, AT(struct role_os, fsck)},
	END,
};
const struct field_section role_os_section = {.fields = os_fields};

static const struct field engine_fields[] = {
	{.key = "name",
		CHOICE(engines),
		.required = true,
		.absent = ROLE_ENGINE_NONE,
		AT(struct role_node, engine)},
	{.key = "snapshotter",
		TEXT(value_word),
		.absent_text = "overlayfs",
		AT(struct role_node, snapshotter)},
	{.key = "storageDriver",
		TEXT(value_word),
		.absent_text = "overlay2",
		AT(struct role_node, storage_driver)},
	{.key = "cgroupDriver",
		CHOICE(cgroup_drivers),
		.flag = true,
		.absent = true,
		AT(struct role_node, systemd_cgroup)},
	{.key = "sandboxImage", TEXT(value_image), AT(struct role_node, sandbox_image)},
	END,
};
static const struct field_section engine_section = {.fields = engine_fields};

static const struct field file_fields[] = {
	{.key = "path", TEXT(value_path), .required = true, AT(struct role_file, path)},
	{.key = "content", CONTENT, .required = true, AT(struct role_file, content)},
	{.key = "mode", .type = FIELD_MODE, .absent = 0644, AT(struct role_file, mode)},
	END,
};
static const struct field_section file_section = {
	.fields = file_fields, .item_size = sizeof(struct role_file)};

static const struct field unit_fields[] = {
	{.key = "name", TEXT(value_unit), .required = true, AT(struct role_unit, name)},
	{.key = "content", CONTENT, AT(struct role_unit, content)},
	{.key = "enable", .type = FIELD_BOOL, AT(struct role_unit, enable)},
	{.key = "mask", .type = FIELD_BOOL, AT(struct role_unit, mask)},
	END,
};
static const struct field_section unit_section = {
	.fields = unit_fields, .item_size = sizeof(struct role_unit)};

static const struct field kubelet_fields[] = {
	{.key = "binary",
		TEXT(value_path),
		.required = true,
		AT(struct role_kubelet, binary)},
	{.key = "clusterDomain",
		TEXT(value_dns_name),
		.absent_text = "cluster.local",
		AT(struct role_kubelet, cluster_domain)},
	{.key = "clusterDNS",
		.type = FIELD_TEXTS,
		.check = value_address,
		.max = 3, /* resolv.conf(5), MAXNS */
		AT(struct role_kubelet, cluster_dns)},
	{.key = "extraArgs",
		.type = FIELD_PAIRS,
		.check_key = value_flag,
		.check = value_line,
		.max = 128,
		.takes_int = true,
		.takes_bool = true,
		AT(struct role_kubelet, extra_args)},
	{.key = "labels",
		.type = FIELD_PAIRS,
		.check_key = value_label_key,
		.check = value_label_value,
		.max = 128,
		AT(struct role_kubelet, labels)},
	{.key = "taints",
		.type = FIELD_TEXTS,
		.check = value_taint,
		.max = 32,
		AT(struct role_kubelet, taints)},
	END,
};
static const struct field_section kubelet_section = {
	.fields = kubelet_fields,
	.has_present = true,
	.present = offsetof(struct role_kubelet, present),
};

static const struct field node_fields[] = {
	{.key = "swap", CHOICE(swaps), AT(struct role_node, swap)},
	{.key = "engine", SECTION(engine_section)},
	{.key = "pinAddress",
		.type = FIELD_BOOL,
		.absent = true,
		AT(struct role_node, pin_address)},
	{.key = "installAgent",
		.type = FIELD_BOOL,
		.absent = true,
		AT(struct role_node, install_agent)},
	{.key = "sysctl",
		.type = FIELD_PAIRS,
		.check_key = value_sysctl_key,
		.check = value_line,
		.max = 256,
		.takes_int = true,
		AT(struct role_node, sysctl)},
	{.key = "modulesLoad",
		.type = FIELD_TEXTS,
		.check = value_module,
		.max = 128,
		AT(struct role_node, modules_load)},
	{.key = "files",
		.type = FIELD_ITEMS,
		.section = &file_section,
		.max = 256,
		AT(struct role_node, files)},
	{.key = "units",
		.type = FIELD_ITEMS,
		.section = &unit_section,
		.max = 256,
		AT(struct role_node, units)},
	{.key = "kubelet", SECTION(kubelet_section), AT(struct role_node, kubelet)},
	END,
};
const struct field_section role_node_section = {.fields = node_fields};

static const struct field artifact_fields[] = {
	SOURCE(struct role_artifact, source),
	{.key = "path",
		TEXT(value_path),
		.required = true,
		AT(struct role_artifact, path)},
	{.key = "mode",
		.type = FIELD_MODE,
		.absent = 0644,
		AT(struct role_artifact, mode)},
	{.key = "unpack", .type = FIELD_BOOL, AT(struct role_artifact, unpack)},
	END,
};
const struct field_section role_artifact_section = {
	.fields = artifact_fields, .item_size = sizeof(struct role_artifact)};

static const struct field plugins_fields[] = {
	SOURCE(struct role_cni, plugins),
	{.key = "dir",
		TEXT(value_path),
		.absent_text = "/opt/cni/bin",
		AT(struct role_cni, dir)},
	END,
};
static const struct field_section plugins_section = {.fields = plugins_fields};

static const struct field cni_config_fields[] = {
	{.key = "name",
		TEXT(value_cni_name),
		.required = true,
		AT(struct role_cni, config_name)},
	{.key = "content",
		CONTENT,
		.required = true,
		AT(struct role_cni, config_content)},
	END,
};
static const struct field_section cni_config_section = {.fields = cni_config_fields};

static const struct field cni_fields[] = {
	{.key = "plugins", SECTION(plugins_section)},
	{.key = "config", SECTION(cni_config_section)},
	END,
};
const struct field_section role_cni_section = {.fields = cni_fields};

static const struct field report_fields[] = {
	{.key = "url", URL(value_url), AT(struct role_report, url)},
	{.key = "syslog", TEXT(value_syslog), AT(struct role_report, syslog)},
	END,
};
const struct field_section role_report_section = {.fields = report_fields};

static const struct field top_fields[] = {
	{.key = "apiVersion",
		.type = FIELD_CONSTANT,
		.choices = api_versions,
		.required = true},
	{.key = "kind", .type = FIELD_CONSTANT, .choices = kinds, .required = true},
	{.key = "name", TEXT(value_host_name), .required = true, AT(struct role, name)},
	{.key = "serial",
		.type = FIELD_NUMBER,
		.wide = true,
		.min = 1,
		.max = SERIAL_MAX,
		AT(struct role, serial)},
	{.key = "notAfter", .type = FIELD_TIME, AT(struct role, not_after)},
	{.key = "match", SECTION(role_match_section), AT(struct role, match)},
	{.key = "checks", SECTION(role_checks_section), AT(struct role, checks)},
	{.key = "os", SECTION(role_os_section), AT(struct role, os)},
	{.key = "node", SECTION(role_node_section), AT(struct role, node)},
	{.key = "artifacts",
		.type = FIELD_ITEMS,
		.section = &role_artifact_section,
		.max = 256,
		AT(struct role, artifacts)},
	{.key = "cni", SECTION(role_cni_section), AT(struct role, cni)},
	{.key = "cluster", SECTION(role_cluster_section), AT(struct role, cluster)},
	{.key = "report", SECTION(role_report_section), AT(struct role, report)},
	{.key = "ntp",
		.type = FIELD_TEXTS,
		.check = value_address_or_name,
		.max = 8,
		AT(struct role, ntp)},
	END,
};
static const struct field_section top_section = {.fields = top_fields};

const struct field_section *role_fields(void)
{
	return &top_section;
}
