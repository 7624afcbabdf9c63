/* SPDX-License-Identifier: MIT */
#include "model/plan.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "model/version.h"

static const char *const kind_names[STEP_KIND_COUNT] = {
	[STEP_KIND_KERNEL] = "kernel",
	[STEP_KIND_NIC] = "nic",
	[STEP_KIND_MACHINE] = "machine",
	[STEP_KIND_ROOT] = "root",
	[STEP_KIND_MODULES] = "modules",
	[STEP_KIND_SWAP] = "swap",
	[STEP_KIND_ENGINE] = "engine",
	[STEP_KIND_ARTIFACTS] = "artifacts",
	[STEP_KIND_CNI] = "cni",
	[STEP_KIND_IMAGES] = "images",
	[STEP_KIND_KUBELET] = "kubelet",
	[STEP_KIND_AGENT] = "agent",
	[STEP_KIND_NETWORK] = "network",
	[STEP_KIND_FILES] = "files",
	[STEP_KIND_UNITS] = "units",
	[STEP_KIND_HOSTNAME] = "hostname",
	[STEP_KIND_SYSCTL] = "sysctl",
	[STEP_KIND_STATE] = "state",
	[STEP_KIND_CLUSTER] = "cluster",
	[STEP_KIND_REPORT] = "report",
	[STEP_KIND_PIVOT] = "pivot",
};

static const char *const network_names[] = {
	[FACT_NETWORK_NONE] = "none found",
	[FACT_NETWORK_NETWORKD] = "systemd-networkd",
	[FACT_NETWORK_NETWORKMANAGER] = "NetworkManager",
	[FACT_NETWORK_IFUPDOWN] = "ifupdown",
	[FACT_NETWORK_NETPLAN] = "netplan",
};

const char *step_kind_name(enum step_kind kind)
{
	return kind < STEP_KIND_COUNT ? kind_names[kind] : "?";
}

/* Storage stacks that need assembling before they hold a file system: named and stop
 * (libblkid TYPE values, libblkid/src/superblocks). */
static const char *const unsupported_types[][2] = {
	{"LVM2_member", "an LVM physical volume"},
	{"linux_raid_member", "an md RAID member"},
	{"crypto_LUKS", "a LUKS volume"},
	{"zfs_member", "a ZFS member"},
};

static const char *const root_types[] = {"ext4", "ext3", "xfs", "btrfs"};

static const char *unsupported_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(unsupported_types); i++)
		if (strcmp(unsupported_types[i][0], type) == 0)
			return unsupported_types[i][1];
	return NULL;
}

static bool is_root_type(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(root_types); i++)
		if (strcmp(root_types[i], type) == 0)
			return true;
	return false;
}

static bool disk_matches(const struct role_root *root, const struct fact_disk *disk)
{
	if (root->disk_wwn)
		return strcasecmp(root->disk_wwn, disk->wwn) == 0;
	if (root->disk_serial)
		return strcmp(root->disk_serial, disk->serial) == 0;
	if (root->disk_by_path)
		return strcmp(root->disk_by_path, disk->by_path) == 0;
	return true;
}

static bool partition_matches(
	const struct role_root *root, const struct fact_partition *partition)
{
	if (root->label)
		return strcmp(root->label, partition->label) == 0;
	if (root->uuid)
		return strcasecmp(root->uuid, partition->uuid) == 0;
	if (root->partuuid)
		return strcasecmp(root->partuuid, partition->partuuid) == 0;
	return partition->number == root->partition;
}

static bool root_is_named(const struct role_root *root)
{
	return root->label || root->uuid || root->partuuid || root->disk_wwn ||
	       root->disk_serial || root->disk_by_path;
}

/* "label 'root'", as the messages name what was asked for. */
static void root_text(const struct role_root *root, char *text, size_t size)
{
	if (root->label)
		(void)snprintf(text, size, "label '%s'", root->label);
	else if (root->uuid)
		(void)snprintf(text, size, "UUID %s", root->uuid);
	else if (root->partuuid)
		(void)snprintf(text, size, "PARTUUID %s", root->partuuid);
	else
		(void)snprintf(text, size, "partition %u of disk %s", root->partition,
			root->disk_wwn      ? root->disk_wwn
			: root->disk_serial ? root->disk_serial
					    : root->disk_by_path);
}

/* The volumes that were looked at, as evidence in "not found". */
static void volumes_text(const struct facts *facts, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t d = 0; d < facts->disk_count; d++)
		for (size_t p = 0; p < facts->disks[d].partition_count; p++) {
			const struct fact_partition *part =
				&facts->disks[d].partitions[p];

			if (len >= size - 1)
				return;
			len += (size_t)snprintf(text + len, size - len, "%s%s %s '%s'",
				len ? ", " : "", part->path,
				part->type[0] ? part->type : "?", part->label);
		}
	if (!text[0])
		(void)snprintf(
			text, size, "no partition on %zu disks", facts->disk_count);
}

static int root_refuse_type(
	const struct fact_partition *found, const char *asked, struct err *err)
{
	const char *stack = unsupported_type(found->type);

	if (stack)
		return err_set(err, E_ROOT,
			"root %s is %s (%s): not supported yet; put the root on a plain "
			"partition or boot this machine without promenade",
			asked, stack, found->path);
	if (!is_root_type(found->type))
		return err_set(err, E_ROOT,
			"root %s (%s) holds '%s', not ext4, xfs or btrfs; install the OS "
			"there or correct os.root of the role",
			asked, found->path, found->type[0] ? found->type : "nothing");
	return 0;
}

static int root_find(const struct facts *facts, const struct role_root *root,
	const struct fact_partition **ret, struct err *err)
{
	const struct fact_partition *found = NULL;
	char asked[200], seen[240];

	if (!root_is_named(root))
		return err_set(err, E_ROLE,
			"os.root: missing; a netbooted machine must know which file "
			"system to "
			"boot: name it by label, uuid, partuuid or disk and partition");
	root_text(root, asked, sizeof(asked));
	for (size_t d = 0; d < facts->disk_count; d++) {
		const struct fact_disk *disk = &facts->disks[d];

		for (size_t p = 0; p < disk->partition_count; p++) {
			if (!disk_matches(root, disk) ||
				!partition_matches(root, &disk->partitions[p]))
				continue;
			if (found)
				return err_set(err, E_ROOT,
					"root %s is on both %s and %s; name one by "
					"partuuid, or by disk wwn or serial",
					asked, found->path, disk->partitions[p].path);
			found = &disk->partitions[p];
		}
	}
	if (!found) {
		volumes_text(facts, seen, sizeof(seen));
		return err_set(err, E_ROOT,
			"root %s is on no disk; found: %s; correct os.root of the role "
			"or "
			"install the OS",
			asked, seen);
	}
	*ret = found;
	return root_refuse_type(found, asked, err);
}

/* Adds a step and returns it for its reason. plan has room for every kind once. */
static struct step *add(struct plan *plan, enum step_kind kind)
{
	struct step *step = &plan->steps[plan->count++];

	*step = (struct step){.kind = kind};
	return step;
}

#define SAY(step, ...) (void)snprintf((step)->reason, sizeof((step)->reason), __VA_ARGS__)

static size_t broadcom_count(const struct facts *facts)
{
	size_t count = 0;

	for (size_t i = 0; i < facts->nic_count; i++)
		count += fact_nic_is_broadcom(&facts->nics[i]) ? 1 : 0;
	return count;
}

static void add_gates(
	const struct facts *facts, const struct role *role, struct plan *plan)
{
	static const char *const nic_policy[] = {
		[ROLE_NIC_REQUIRE_HEALTHY] = "must be healthy",
		[ROLE_NIC_WARN] = "warn only",
		[ROLE_NIC_IGNORE] = "ignored",
	};
	size_t broadcom = broadcom_count(facts);

	if (role->checks.kernel_newer_than)
		SAY(add(plan, STEP_KIND_KERNEL), "%s must be newer than %s (role)",
			facts->kernel, role->checks.kernel_newer_than);
	else if (broadcom)
		SAY(add(plan, STEP_KIND_KERNEL),
			"%s must be newer than 4.8: %zu Broadcom NIC(s)", facts->kernel,
			broadcom);
	else
		SAY(add(plan, STEP_KIND_KERNEL), "%s, no rule: no Broadcom NIC",
			facts->kernel);
	SAY(add(plan, STEP_KIND_NIC), "%zu NIC(s), %zu Broadcom, %s", facts->nic_count,
		broadcom, nic_policy[role->checks.broadcom]);
	SAY(add(plan, STEP_KIND_MACHINE), "%llu MiB memory, %u CPU(s), %zu disk(s)",
		(unsigned long long)facts->memory_kib / 1024, facts->cpus,
		facts->disk_count);
}

/* A reboot is for a machine that was prepared just now. One that comes back has a
 * firmware that boots from the network first: rebooting it again would never end. The
 * serial only rises, so a new one reboots once more. */
static bool came_back(const struct facts *facts, const struct role *role)
{
	return role->os.pivot == ROLE_PIVOT_REBOOT && facts->target.prepared &&
	       facts->target.prepared_serial >= role->serial;
}

/* How a machine enters its OS from here, when it is not by a reboot. */
static enum role_pivot pivot_from_here(const struct role *role)
{
	if (role->os.pivot == ROLE_PIVOT_REBOOT)
		return role->os.cmdline ? ROLE_PIVOT_KEXEC : ROLE_PIVOT_SWITCH_ROOT;
	return role->os.pivot;
}

static enum role_pivot pivot_now(const struct facts *facts, const struct role *role)
{
	if (role->os.pivot == ROLE_PIVOT_REBOOT && !came_back(facts, role))
		return ROLE_PIVOT_REBOOT;
	return pivot_from_here(role);
}

/* Before a reboot too: the machine may come back. */
static bool wants_modules(const struct facts *facts, const struct role *role)
{
	return role->os.modules.url && !facts->target.has_modules &&
	       pivot_from_here(role) == ROLE_PIVOT_SWITCH_ROOT;
}

static void add_engine(
	const struct facts *facts, const struct role *role, struct plan *plan)
{
	const struct role_node *node = &role->node;
	const char *cgroup = node->systemd_cgroup ? "systemd" : "cgroupfs";

	if (node->engine == ROLE_ENGINE_CONTAINERD)
		SAY(add(plan, STEP_KIND_ENGINE),
			"containerd%s: snapshotter %s, cgroup driver %s",
			facts->target.has_containerd ? "" : " (not installed yet)",
			node->snapshotter, cgroup);
	else if (node->engine == ROLE_ENGINE_DOCKER)
		SAY(add(plan, STEP_KIND_ENGINE),
			"docker%s: storage driver %s, cgroup driver %s",
			facts->target.has_docker ? "" : " (not installed yet)",
			node->storage_driver, cgroup);
}

static void add_downloads(const struct role *role, struct plan *plan)
{
	if (role->artifact_count)
		SAY(add(plan, STEP_KIND_ARTIFACTS), "%zu artifact(s)",
			role->artifact_count);
	if (role->cni.plugins.url)
		SAY(add(plan, STEP_KIND_CNI), "plugins into %s", role->cni.dir);
	else if (role->cni.config_name)
		SAY(add(plan, STEP_KIND_CNI), "configuration %s", role->cni.config_name);
	if (role->cluster.archive_count)
		SAY(add(plan, STEP_KIND_IMAGES), "%zu archive(s) of images",
			role->cluster.archive_count);
}

static void add_cluster(const struct role *role, struct plan *plan)
{
	const struct role_cluster *cluster = &role->cluster;
	const char *by = cluster->token_url        ? "bootstrap token"
			 : cluster->credential_url ? "credential"
						   : "injected credential";

	if (cluster->action == ROLE_CLUSTER_JOIN)
		SAY(add(plan, STEP_KIND_CLUSTER), "join %.120s as %s by %s",
			cluster->endpoint, role->name, by);
	else if (cluster->action == ROLE_CLUSTER_BOOTSTRAP)
		SAY(add(plan, STEP_KIND_CLUSTER),
			"bootstrap %.120s as %s, Kubernetes %.30s, by %s",
			cluster->endpoint, role->name, cluster->version, by);
}

static void add_os_files(
	const struct facts *facts, const struct role *role, struct plan *plan)
{
	const struct role_node *node = &role->node;

	if (node->kubelet.present)
		SAY(add(plan, STEP_KIND_KUBELET), "unit and configuration for %s",
			node->kubelet.binary);
	if (node->install_agent)
		SAY(add(plan, STEP_KIND_AGENT), "the agent itself");
	if (node->pin_address && facts->lease.known)
		SAY(add(plan, STEP_KIND_NETWORK), "%s pinned to %s (%s)",
			facts->lease.address, facts->lease.mac,
			network_names[facts->target.network_manager]);
	if (node->file_count)
		SAY(add(plan, STEP_KIND_FILES), "%zu file(s)", node->file_count);
	if (node->unit_count)
		SAY(add(plan, STEP_KIND_UNITS), "%zu unit(s)", node->unit_count);
	SAY(add(plan, STEP_KIND_HOSTNAME), "%s", role->name);
	SAY(add(plan, STEP_KIND_SYSCTL), "%zu key(s), %zu module(s)", node->sysctl.count,
		node->modules_load.count);
	SAY(add(plan, STEP_KIND_STATE), "accepted role, serial %llu",
		(unsigned long long)role->serial);
}

static void add_last(const struct facts *facts, const struct role *role, bool pivots,
	struct plan *plan)
{
	const char *back = "";
	struct step *step;

	add_cluster(role, plan);
	if (role->report.url)
		SAY(add(plan, STEP_KIND_REPORT), "to %.180s", role->report.url);
	if (!pivots)
		return;
	step = add(plan, STEP_KIND_PIVOT);
	step->pivot = pivot_now(facts, role);
	plan->pivot = step->pivot;
	if (came_back(facts, role))
		back = " (it was rebooted for this role and came back)";
	if (step->pivot == ROLE_PIVOT_SWITCH_ROOT)
		SAY(step, "switch_root, init %.90s, kernel %.50s stays%s", role->os.init,
			facts->kernel, back);
	else if (step->pivot == ROLE_PIVOT_KEXEC)
		SAY(step, "kexec into %s%s", facts->target.newest_kernel, back);
	else
		SAY(step, "reboot");
}

/* A way into the OS that would end in a machine that is of no use. */
static int refuse_pivot(
	const struct facts *facts, const struct role *role, struct err *err)
{
	enum role_pivot pivot = pivot_now(facts, role);
	bool no_modules = !facts->target.has_modules && !role->os.modules.url;

	if (pivot == ROLE_PIVOT_SWITCH_ROOT && no_modules && came_back(facts, role))
		return err_set(err, E_KERNEL,
			"os.pivot reboot: this machine was rebooted for serial %llu and "
			"came back here, it is not rebooted again; let its firmware boot "
			"the disk, or add os.cmdline (kexec) or os.modules for %s",
			(unsigned long long)role->serial, facts->kernel);
	if (pivot == ROLE_PIVOT_SWITCH_ROOT && no_modules)
		return err_set(err, E_KERNEL,
			"the installed OS has no /lib/modules/%s and the role has no "
			"os.modules: after switch_root no module could be loaded; add "
			"os.modules, install that kernel's package, or use pivot kexec",
			facts->kernel);
	if (pivot == ROLE_PIVOT_KEXEC && !facts->target.newest_kernel[0])
		return err_set(err, E_KERNEL,
			"os.pivot %s: the installed OS has no kernel in /boot with "
			"modules in /lib/modules; install a kernel package there",
			role->os.pivot == ROLE_PIVOT_KEXEC ? "kexec" : "reboot");
	return 0;
}

/* What can be refused before anything is done. */
static int refuse(
	const struct facts *facts, const struct role *role, bool pivots, struct err *err)
{
	/* Two machines that both bootstrap would be two clusters of one name. */
	if (role->cluster.action == ROLE_CLUSTER_BOOTSTRAP && !role->match.present)
		return err_set(err, E_ROLE,
			"a bootstrap must name its machine: add match (uuid, serial or "
			"mac) to the role, or a second machine that gets it makes a "
			"second cluster");
	if (role->cluster.action == ROLE_CLUSTER_JOIN &&
		role->cluster.role == ROLE_NODE_CONTROL_PLANE)
		return err_set(err, E_UNSUPPORTED,
			"role 'cluster': this agent joins workers, not control planes "
			"yet; use kubeadm after the boot, or a newer agent");
	return pivots && facts->target.known ? refuse_pivot(facts, role, err) : 0;
}

int plan_make(const struct facts *facts, const struct role *role, bool pivots,
	struct plan *ret, struct err *err)
{
	struct plan plan = {.count = 0};
	const struct fact_partition *root = NULL;
	int rc = refuse(facts, role, pivots, err);

	if (rc == 0 && pivots)
		rc = root_find(facts, &role->os.root, &root, err);
	if (rc < 0)
		return rc;
	add_gates(facts, role, &plan);
	if (pivots) {
		struct step *step = add(&plan, STEP_KIND_ROOT);

		step->root = root;
		SAY(step, "%s, %s '%s', at /sysroot", root->path, root->type,
			root->label);
	}
	plan.complete = facts->target.known;
	if (plan.complete) {
		if (pivots && wants_modules(facts, role))
			SAY(add(&plan, STEP_KIND_MODULES), "modules of %s from %.100s",
				facts->kernel, role->os.modules.url);
		if (role->node.swap == ROLE_SWAP_DISABLED)
			SAY(add(&plan, STEP_KIND_SWAP), "off for good, %zu in use now",
				facts->swap_count);
		add_engine(facts, role, &plan);
		add_downloads(role, &plan);
		add_os_files(facts, role, &plan);
		add_last(facts, role, pivots, &plan);
	}
	*ret = plan;
	return 0;
}

int plan_render(const struct plan *plan, struct buf *ret)
{
	for (size_t i = 0; i < plan->count; i++)
		if (buf_printf(ret, "%-10s %s\n", step_kind_name(plan->steps[i].kind),
			    plan->steps[i].reason) < 0)
			return -ENOMEM;
	if (!plan->complete &&
		buf_add_str(ret,
			"...        the rest is decided when the root is mounted\n") < 0)
		return -ENOMEM;
	return 0;
}
