/* SPDX-License-Identifier: MIT */
/* host/probe, host/block on a folder that looks like a machine: a Broadcom NIC that
 * works, one that no driver claimed, a virtio NIC, two disks of which one is a real image
 * with GPT, ext4 and swap made by the real tools. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "host/block.h"
#include "host/probe.h"

#define PCI "sys/devices/pci0000:00"

struct machine {
	char run[64];
	char target[64];
	struct env env;
	struct facts facts;
};

static void put_bytes(struct machine *m, const char *path, const void *bytes, size_t len)
{
	struct fs_content content = {bytes, len, 0644};
	struct err err = ERR_INIT;
	int fd CLEANUP(fd_close) = open(m->run, O_RDONLY | O_DIRECTORY);

	if (fs_replace(sys_real(), fd, path, &content, &err) < 0)
		fail_msg("%s", err.text);
}

static void put(struct machine *m, const char *path, const char *text)
{
	put_bytes(m, path, text, strlen(text));
}

static void put_link(struct machine *m, const char *path, const char *target)
{
	struct err err = ERR_INIT;
	int fd CLEANUP(fd_close) = open(m->run, O_RDONLY | O_DIRECTORY);

	if (fs_replace_link(sys_real(), fd, path, target, &err) < 0)
		fail_msg("%s", err.text);
}

static void run_tool(const char *const *argv, const char *input)
{
	struct proc_spec spec = {.argv = argv, .input = input, .timeout_ms = 60000};
	struct proc_result result = {0};
	struct err err = ERR_INIT;

	if (proc_run(sys_real(), &spec, &result, &err) < 0)
		fail_msg("%s", err.text);
	if (result.status != 0)
		fail_msg("%s: %s", argv[0], buf_text(&result.output));
	proc_result_done(&result);
}

static void put_pci(struct machine *m, const char *bdf, const char *vendor,
	const char *device, const char *class)
{
	char path[200], target[200];

	(void)snprintf(path, sizeof(path), PCI "/%s/vendor", bdf);
	put(m, path, vendor);
	(void)snprintf(path, sizeof(path), PCI "/%s/device", bdf);
	put(m, path, device);
	(void)snprintf(path, sizeof(path), PCI "/%s/class", bdf);
	put(m, path, class);
	(void)snprintf(path, sizeof(path), "sys/bus/pci/devices/%s", bdf);
	(void)snprintf(target, sizeof(target), "../../../devices/pci0000:00/%s", bdf);
	put_link(m, path, target);
}

static void put_nics(struct machine *m)
{
	put_pci(m, "0000:00:1c.0", "0x14e4\n", "0x165f\n", "0x020000\n");
	put_bytes(m, PCI "/0000:00:1c.0/config", "\xe4\x14\x5f\x16", 4);
	put_link(m, PCI "/0000:00:1c.0/driver", "../../../bus/pci/drivers/tg3");
	put(m, PCI "/0000:00:1c.0/net/eno1/address", "AA:bb:cc:00:00:01\n");
	put(m, PCI "/0000:00:1c.0/net/eno1/operstate", "up\n");
	put(m, PCI "/0000:00:1c.0/net/eno1/carrier", "1\n");
	put(m, PCI "/0000:00:1c.0/net/eno1/speed", "1000\n");
	put(m, PCI "/0000:00:1c.0/net/eno1/queues/tx-0/tx_timeout", "2\n");
	put(m, PCI "/0000:00:1c.0/net/eno1/queues/tx-1/tx_timeout", "1\n");
	put(m, PCI "/0000:00:1c.0/net/eno1/queues/rx-0/tx_timeout", "9\n");
	put_link(m, PCI "/0000:00:1c.0/net/eno1/device", "../../../0000:00:1c.0");
	put_link(m, "sys/class/net/eno1",
		"../../devices/pci0000:00/0000:00:1c.0/net/eno1");
	put_pci(m, "0000:00:1d.0", "0x14e4\n", "0x16d7\n", "0x020000\n");
	put_bytes(m, PCI "/0000:00:1d.0/config", "\xff\xff\xff\xff", 4);
	put_pci(m, "0000:00:03.0", "0x1af4\n", "0x1000\n", "0x020000\n");
	put(m, PCI "/0000:00:03.0/virtio0/net/eth0/address", "52:54:00:12:34:56\n");
	put(m, PCI "/0000:00:03.0/virtio0/net/eth0/speed", "-1\n");
	put_link(m, PCI "/0000:00:03.0/virtio0/driver", "../../../../bus/virtio_net");
	put_link(m, PCI "/0000:00:03.0/virtio0/net/eth0/device", "../../../virtio0");
	put_link(m, "sys/class/net/eth0",
		"../../devices/pci0000:00/0000:00:03.0/virtio0/net/eth0");
	put(m, "sys/devices/virtual/net/lo/address", "00:00:00:00:00:00\n");
	put_link(m, "sys/class/net/lo", "../../devices/virtual/net/lo");
	put_pci(m, "0000:00:02.0", "0x1234\n", "0x1111\n", "0x030000\n");
}

static void put_partition(struct machine *m, const char *dir, const char *name,
	const char *number, const char *sectors)
{
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/%s/partition", dir, name);
	put(m, path, number);
	(void)snprintf(path, sizeof(path), "%s/%s/size", dir, name);
	put(m, path, sectors);
}

/* vda: 8 MiB, GPT, ext4 in 1, swap in 2, nothing in 3. The partitions' nodes are images
 * of their own, as the kernel shows them. */
static void put_image_disk(struct machine *m)
{
	static const char dir[] = PCI "/0000:00:04.0/virtio1/block/vda";
	char path[200], disk[128], part[3][128];
	const char *const sfdisk[] = {"/sbin/sfdisk", "-q", disk, NULL};
	const char *const mke2fs[] = {"/sbin/mke2fs", "-q", "-t", "ext4", "-L",
		"root disk", "-U", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", part[0], NULL};
	const char *const mkswap[] = {"/sbin/mkswap", "-q", part[1], NULL};

	(void)snprintf(disk, sizeof(disk), "%s/dev/vda", m->run);
	put(m, "dev/vda", "");
	assert_int_equal(truncate(disk, 8 << 20), 0);
	for (int i = 0; i < 3; i++) {
		(void)snprintf(path, sizeof(path), "dev/vda%d", i + 1);
		put(m, path, "");
		(void)snprintf(part[i], sizeof(part[i]), "%s/dev/vda%d", m->run, i + 1);
		assert_int_equal(truncate(part[i], (3 - i) << 20), 0);
	}
	run_tool(sfdisk,
		"label: gpt\n"
		"size=6144, type=linux, uuid=11111111-2222-3333-4444-555555555555\n"
		"size=4096, type=swap\nsize=2048, type=linux\n");
	run_tool(mke2fs, NULL);
	run_tool(mkswap, NULL);
	(void)snprintf(path, sizeof(path), "%s/size", dir);
	put(m, path, "16384\n");
	(void)snprintf(path, sizeof(path), "%s/ro", dir);
	put(m, path, "0\n");
	(void)snprintf(path, sizeof(path), "%s/serial", dir);
	put(m, path, "disk-1\n");
	(void)snprintf(path, sizeof(path), "%s/device/x", dir);
	put(m, path, "");
	put_partition(m, dir, "vda1", "1\n", "6144\n");
	put_partition(m, dir, "vda2", "2\n", "4096\n");
	put_partition(m, dir, "vda3", "3\n", "2048\n");
	put_link(m, "sys/block/vda",
		"../devices/pci0000:00/0000:00:04.0/virtio1/block/vda");
}

static void put_other_disks(struct machine *m)
{
	static const char ata[] = PCI "/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0";
	static const char vpd[] = "\x00\x80\x00\x08 WD-1234";
	char path[200];

	(void)snprintf(path, sizeof(path), "%s/block/sda/size", ata);
	put(m, path, "1953525168\n");
	(void)snprintf(path, sizeof(path), "%s/model", ata);
	put(m, path, "WDC WD10EZEX    \n");
	(void)snprintf(path, sizeof(path), "%s/wwid", ata);
	put(m, path, "naa.50014ee2b5e7d0a1\n");
	(void)snprintf(path, sizeof(path), "%s/vpd_pg80", ata);
	put_bytes(m, path, vpd, sizeof(vpd) - 1);
	(void)snprintf(path, sizeof(path), "%s/block/sda/device", ata);
	put_link(m, path, "../../../2:0:0:0");
	put(m, PCI "/0000:00:1f.2/ata3/ata_port/ata3/port_no", "3\n");
	put_link(m, "sys/block/sda",
		"../devices/pci0000:00/0000:00:1f.2/ata3/host2/target2:0:0/2:0:0:0/block/"
		"sda");
	put(m, PCI "/0000:01:00.0/nvme/nvme0/nvme0n1/size", "2048\n");
	put(m, PCI "/0000:01:00.0/nvme/nvme0/nvme0n1/nsid", "1\n");
	put(m, PCI "/0000:01:00.0/nvme/nvme0/nvme0n1/wwid", "eui.0025385a91b01234\n");
	put(m, PCI "/0000:01:00.0/nvme/nvme0/nvme0n1/device/serial", "S4EV\n");
	put_link(m, "sys/block/nvme0n1",
		"../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1");
	put(m, "sys/block/loop0/size", "100\n"); /* no device: not hardware */
	put(m, "sys/block/sr0/device/x", "");    /* optical */
	put(m, "sys/block/sr0/size", "100\n");
	put(m, "sys/block/sdb/device/x", ""); /* card reader, no medium */
	put(m, "sys/block/sdb/size", "0\n");
}

static void put_machine(struct machine *m)
{
	put(m, "proc/sys/kernel/osrelease", "6.12.57+deb13-amd64\n");
	put(m, "proc/sys/kernel/arch", "x86_64\n");
	put(m, "proc/cmdline", "console=ttyS0 BOOTIF=01-52-54-00-12-34-56 quiet\n");
	put(m, "proc/meminfo", "MemTotal:        2023456 kB\nMemFree: 1 kB\n");
	put(m, "proc/filesystems", "nodev\tcgroup2\nnodev\tfuse.overlay2\n\text4\n");
	put(m, "proc/swaps",
		"Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
		"/dev/vda2                               partition\t2044\t\t0\t\t-2\n"
		"/my\\040swap.img                        file\t1024\t0\t-3\n");
	put(m, "sys/class/dmi/id/product_uuid", "4C4C4544-0042-3510-8052-B4C04F4E4E31\n");
	put(m, "sys/class/dmi/id/product_serial", " S/N 1 \n");
	put(m, "sys/class/dmi/id/sys_vendor", "Dell\xff\n");
	put(m, "sys/devices/system/cpu/online", "0-3,8,10-11\n");
	put(m, "sys/firmware/efi/x", "");
	put(m, "sys/class/rtc/rtc0/name", "rtc_cmos\n");
	put(m, "lib/modules/6.12.57+deb13-amd64/modules.dep",
		"kernel/fs/overlayfs/overlay.ko.xz:\n");
	put_nics(m);
	put_image_disk(m);
	put_other_disks(m);
}

static void open_env(struct machine *m)
{
	m->env = (struct env){.run_fd = open(m->run, O_RDONLY | O_DIRECTORY),
		.target_fd = -1,
		.sys = sys_refusing()};
	assert_true(m->env.run_fd >= 0);
}

static int set_up(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	(void)snprintf(m->run, sizeof(m->run), "/tmp/test_probe.XXXXXX");
	if (!mkdtemp(m->run))
		return -1;
	open_env(m);
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	struct machine *m = *state;
	const char *name = strrchr(m->run, '/') + 1;
	int tmp CLEANUP(fd_close) = open("/tmp", O_RDONLY | O_DIRECTORY);

	facts_done(&m->facts);
	env_done(&m->env);
	IGNORE_RESULT(fs_remove_tree(sys_real(), tmp, name, NULL));
	free(m);
	return 0;
}

static void probe(struct machine *m)
{
	struct err err = ERR_INIT;

	if (probe_machine(&m->env, &m->facts, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_machine(void **state)
{
	struct machine *m = *state;
	const struct facts *f = &m->facts;

	put_machine(m);
	m->facts.clock_synced = true;
	probe(m);
	assert_string_equal(f->kernel, "6.12.57+deb13-amd64");
	assert_string_equal(f->arch, "x86_64");
	assert_string_equal(f->uuid, "4c4c4544-0042-3510-8052-b4c04f4e4e31");
	assert_string_equal(f->serial, "S/N 1");
	assert_string_equal(f->vendor, "Dell?");
	assert_string_equal(f->asset, "");
	assert_string_equal(f->firmware, "efi");
	assert_int_equal(f->memory_kib, 2023456);
	assert_int_equal(f->cpus, 7);
	assert_true(f->cgroup2);
	assert_int_equal(f->overlay, 1); /* by the module; fuse.overlay2 is none */
	assert_true(f->has_rtc);
	assert_true(f->clock_synced); /* net/clock's: kept */
	assert_true(f->clock_unix > 1600000000);
	assert_int_equal(f->swap_count, 2);
	assert_string_equal(f->swaps[1].device, "/my swap.img");
	assert_int_equal(f->swaps[0].size_kib, 2044);
	probe(m); /* again: replaced, not added (ASan sees a leak) */
	assert_int_equal(f->swap_count, 2);
	assert_int_equal(f->nic_count, 3);
	assert_int_equal(f->disk_count, 3);
}

static void test_nics(void **state)
{
	struct machine *m = *state;
	const struct fact_nic *nic;

	put_machine(m);
	probe(m);
	nic = m->facts.nics;
	assert_int_equal(m->facts.nic_count, 3); /* not lo, not the VGA function */
	assert_string_equal(nic[0].name, "eno1");
	assert_string_equal(nic[0].bdf, "0000:00:1c.0");
	assert_string_equal(nic[0].driver, "tg3");
	assert_int_equal(nic[0].vendor, 0x14e4);
	assert_int_equal(nic[0].device, 0x165f);
	assert_int_equal(nic[0].carrier, 1);
	assert_int_equal(nic[0].speed_mbps, 1000);
	assert_int_equal(nic[0].tx_timeouts, 3);
	assert_true(nic[0].config_readable);
	assert_false(nic[0].boot);
	assert_string_equal(nic[1].name, "eth0");
	assert_string_equal(nic[1].bdf, "0000:00:03.0"); /* virtio's parent */
	assert_string_equal(nic[1].driver, "virtio_net");
	assert_int_equal(nic[1].carrier, -1);
	assert_int_equal(nic[1].speed_mbps, -1);
	assert_true(nic[1].boot);
	assert_string_equal(nic[2].name, ""); /* claimed by no driver */
	assert_string_equal(nic[2].bdf, "0000:00:1d.0");
	assert_string_equal(nic[2].driver, "");
	assert_int_equal(nic[2].device, 0x16d7);
	assert_false(nic[2].config_readable);
}

static const struct fact_disk *find_disk(const struct facts *facts, const char *path)
{
	for (size_t i = 0; i < facts->disk_count; i++)
		if (strcmp(facts->disks[i].path, path) == 0)
			return &facts->disks[i];
	fail_msg("no disk %s", path);
	return NULL;
}

static void test_disks(void **state)
{
	struct machine *m = *state;
	const struct fact_disk *d;

	put_machine(m);
	probe(m);
	assert_int_equal(m->facts.disk_count, 3);
	d = find_disk(&m->facts, "/dev/vda");
	assert_string_equal(d->serial, "disk-1");
	assert_string_equal(d->by_path, "pci-0000:00:04.0");
	assert_int_equal(d->size_bytes, 16384 * 512);
	assert_int_equal(d->partition_count, 3);
	assert_string_equal(d->partitions[0].path, "/dev/vda1");
	assert_int_equal(d->partitions[0].size_bytes, 6144 * 512);
	assert_string_equal(d->partitions[0].type, "ext4");
	assert_string_equal(d->partitions[0].label, "root disk");
	assert_string_equal(
		d->partitions[0].uuid, "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
	assert_string_equal(
		d->partitions[0].partuuid, "11111111-2222-3333-4444-555555555555");
	assert_string_equal(
		d->partitions[0].part_type, "0fc63daf-8483-4772-8e79-3d69d8477de4");
	assert_string_equal(d->partitions[1].type, "swap");
	assert_string_equal(
		d->partitions[1].part_type, "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f");
	assert_string_equal(d->partitions[2].type, "");
	d = find_disk(&m->facts, "/dev/sda");
	assert_string_equal(d->wwn, "0x50014ee2b5e7d0a1");
	assert_string_equal(d->serial, "WD-1234");
	assert_string_equal(d->model, "WDC WD10EZEX");
	assert_string_equal(d->by_path, "pci-0000:00:1f.2-ata-3.0");
	d = find_disk(&m->facts, "/dev/nvme0n1");
	assert_string_equal(d->wwn, "eui.0025385a91b01234");
	assert_string_equal(d->serial, "S4EV");
	assert_string_equal(d->by_path, "pci-0000:01:00.0-nvme-1");
}

/* A machine that shows nothing but its kernel is still a machine; without even that
 * nothing can be decided. */
static void test_bare(void **state)
{
	struct machine *m = *state;
	struct err err = ERR_INIT;

	assert_int_equal(probe_machine(&m->env, &m->facts, &err), -ENOENT);
	assert_non_null(strstr(err.text, "osrelease"));
	put(m, "proc/sys/kernel/osrelease", "4.4.0-21-generic\n");
	probe(m);
	assert_int_equal(m->facts.disk_count + m->facts.nic_count, 0);
	assert_int_equal(m->facts.overlay, -1);
	assert_string_equal(m->facts.firmware, "bios");
}

static void open_target(struct machine *m)
{
	(void)snprintf(m->target, sizeof(m->target), "%s/t", m->run);
	put(m, "t/etc/os-release",
		"PRETTY_NAME=\"Debian\"\nVERSION_ID=\"13\"\nID=debian\nID_LIKE=x\n");
	m->env.target_fd = open(m->target, O_RDONLY | O_DIRECTORY);
	assert_true(m->env.target_fd >= 0);
	(void)str_copy(m->facts.kernel, sizeof(m->facts.kernel), "6.12.57+deb13-amd64");
	m->facts.overlay = -1;
}

static void look_at_target(struct machine *m)
{
	struct err err = ERR_INIT;

	if (probe_target(&m->env, &m->facts, &err) < 0)
		fail_msg("%s", err.text);
}

static void test_target(void **state)
{
	struct machine *m = *state;
	const struct fact_target *t = &m->facts.target;

	open_target(m);
	look_at_target(m);
	assert_true(t->known);
	assert_string_equal(t->os_id, "debian");
	assert_string_equal(t->os_version, "13");
	assert_string_equal(t->newest_kernel, "");
	assert_false(t->has_modules || t->has_docker || t->has_kubelet || t->prepared);
	put_link(m, "t/lib", "usr/lib");
	put(m, "t/usr/lib/modules/6.9.0-rc1/modules.dep", "");
	put(m, "t/usr/lib/modules/6.12.57+deb13-amd64/modules.dep", "kernel/x.ko:\n");
	put(m, "t/usr/lib/modules/6.12.57+deb13-amd64/modules.builtin",
		"kernel/fs/overlayfs/overlay.ko\n");
	put(m, "t/usr/lib/modules/6.100.0/kernel/x", ""); /* removed, leftovers */
	put(m, "t/usr/bin/containerd", "");
	put(m, "t/usr/sbin/dockerd", "");
	put(m, "t/usr/local/bin/kubelet", "");
	put(m, "t/etc/promenade/role.yaml", "x");
	put(m, "t/etc/promenade/serial", "41\n");
	look_at_target(m);
	assert_true(t->has_modules);
	assert_string_equal(t->newest_kernel, "6.12.57+deb13-amd64");
	assert_int_equal(m->facts.overlay, 1);
	assert_true(t->has_containerd && t->has_docker && t->has_kubelet && t->prepared);
	assert_int_equal(t->prepared_serial, 41);
	assert_int_equal(t->last_serial, 41);
}

static void test_no_target(void **state)
{
	struct machine *m = *state;
	struct err err = ERR_INIT;

	assert_int_equal(probe_target(&m->env, &m->facts, &err), -E_ROOT);
	m->env.target_fd = open(m->run, O_RDONLY | O_DIRECTORY);
	assert_int_equal(probe_target(&m->env, &m->facts, &err), -E_FORMAT);
	assert_non_null(strstr(err.text, "os-release"));
	assert_false(m->facts.target.known);
}

static enum fact_network_manager manager_of(struct machine *m)
{
	look_at_target(m);
	return m->facts.target.network_manager;
}

/* Each layer is put on top of the last one: the later is the stronger. */
static void test_network_manager(void **state)
{
	struct machine *m = *state;

	open_target(m);
	assert_int_equal(manager_of(m), FACT_NETWORK_NONE);
	put(m, "t/etc/network/interfaces", "auto lo\n");
	assert_int_equal(manager_of(m), FACT_NETWORK_NONE); /* no ifup there */
	put(m, "t/usr/sbin/ifup", "");
	assert_int_equal(manager_of(m), FACT_NETWORK_IFUPDOWN);
	put(m, "t/usr/lib/systemd/systemd-networkd", "");
	assert_int_equal(manager_of(m), FACT_NETWORK_IFUPDOWN); /* not enabled */
	put_link(m,
		"t/etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
		"/usr/lib/systemd/system/systemd-networkd.service");
	assert_int_equal(manager_of(m), FACT_NETWORK_NETWORKD);
	put(m, "t/usr/sbin/NetworkManager", "");
	put_link(m, "t/etc/systemd/system/multi-user.target.wants/NetworkManager.service",
		"/usr/lib/systemd/system/NetworkManager.service");
	assert_int_equal(manager_of(m), FACT_NETWORK_NETWORKMANAGER);
	put_link(m, "t/etc/systemd/system/NetworkManager.service", "/dev/null");
	assert_int_equal(manager_of(m), FACT_NETWORK_NETWORKD); /* masked */
	put(m, "t/usr/sbin/netplan", "");
	assert_int_equal(manager_of(m), FACT_NETWORK_NETWORKD); /* no yaml */
	put(m, "t/etc/netplan/50-cloud-init.yaml", "network: {}\n");
	assert_int_equal(manager_of(m), FACT_NETWORK_NETPLAN);
}

/* A link of the installed OS cannot lead a reader out of it. */
static void test_target_links(void **state)
{
	struct machine *m = *state;

	open_target(m);
	put(m, "secret", "ID=outside\n");
	put_link(m, "t/etc/os-release", "../../secret");
	put(m, "t/usr/lib/os-release", "ID=inside\n");
	look_at_target(m);
	assert_string_equal(m->facts.target.os_id, "inside");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_machine),
		TEST(test_nics),
		TEST(test_disks),
		TEST(test_bare),
		TEST(test_target),
		TEST(test_no_target),
		TEST(test_network_manager),
		TEST(test_target_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
