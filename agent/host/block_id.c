/* SPDX-License-Identifier: MIT */
#include "host/block_id.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"

/* SPC-4 7.8.15: byte 3 is the length, the ASCII serial follows. */
#define VPD_HEADER 4U

static bool read_attribute(struct env *env, const char *name, const char *attribute,
	char *value, size_t size)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "sys/block/%s/%s", name, attribute);
	if (fs_read_line(env->run_fd, path, value, size) < 0) {
		value[0] = '\0';
		return false;
	}
	str_make_printable(value);
	return value[0] != '\0';
}

/* SCSI and ATA disks: the unit serial number page, binary. */
static bool read_vpd_serial(struct env *env, const char *name, char *serial, size_t size)
{
	struct buf page CLEANUP(buf_done) = BUF_INIT;
	char path[300], text[256];
	size_t len;

	(void)snprintf(path, sizeof(path), "sys/block/%s/device/vpd_pg80", name);
	if (fs_read(env->run_fd, path, 4096, &page, NULL) < 0 || page.len <= VPD_HEADER)
		return false;
	len = page.len - VPD_HEADER;
	if (len > (unsigned char)page.bytes[3])
		len = (unsigned char)page.bytes[3];
	if (len >= sizeof(text))
		return false;
	memcpy(text, page.bytes + VPD_HEADER, len);
	text[len] = '\0';
	str_make_printable(text);
	return str_copy(serial, size, str_trim(text));
}

static void identify_wwn(struct env *env, const char *name, struct fact_disk *disk)
{
	char id[sizeof(disk->wwn)];

	/* nvme: sys/block/nvme0n1/wwid "eui.0025..."; scsi: device/wwid
	 * "naa.5000c500...", which udev spells 0x5000c500... */
	if (!read_attribute(env, name, "wwid", id, sizeof(id)) &&
		!read_attribute(env, name, "device/wwid", id, sizeof(id)))
		return;
	if (str_has_prefix(id, "naa."))
		(void)snprintf(disk->wwn, sizeof(disk->wwn), "0x%s", id + 4);
	else if (str_has_prefix(id, "eui.") || str_has_prefix(id, "uuid.") ||
		 str_has_prefix(id, "nvme."))
		(void)str_copy(disk->wwn, sizeof(disk->wwn), id);
	/* "t10.ATA  MODEL SERIAL" is no world-wide name. */
}

/* "0000:00:1f.2" */
static bool is_pci_address(const char *text, size_t len)
{
	static const char pattern[] = "xxxx:xx:xx.x";

	if (len != sizeof(pattern) - 1)
		return false;
	for (size_t i = 0; i < len; i++)
		if (pattern[i] == 'x' ? !isxdigit((unsigned char)text[i])
				      : text[i] != pattern[i])
			return false;
	return true;
}

struct component {
	const char *text;
	size_t len;
};

#define COMPONENTS_MAX 40

static size_t split_path(const char *path, struct component *ret)
{
	size_t count = 0;

	while (count < COMPONENTS_MAX) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (!len)
			break;
		ret[count++] = (struct component){path, len};
		path += len;
	}
	return count;
}

static const struct component *find_prefixed(
	const struct component *all, size_t count, const char *prefix)
{
	for (size_t i = 0; i < count; i++)
		if (all[i].len > strlen(prefix) && str_has_prefix(all[i].text, prefix) &&
			isdigit((unsigned char)all[i].text[strlen(prefix)]))
			return &all[i];
	return NULL;
}

/* "2:0:1:0": host, channel, target, lun. */
static const struct component *find_scsi_address(
	const struct component *all, size_t count, unsigned int address[4])
{
	for (size_t i = 0; i < count; i++) {
		char text[64];
		int used = 0;

		if (all[i].len >= sizeof(text))
			continue;
		memcpy(text, all[i].text, all[i].len);
		text[all[i].len] = '\0';
		if (sscanf(text, "%u:%u:%u:%u%n", &address[0], &address[1], &address[2],
			    &address[3], &used) == 4 &&
			text[used] == '\0')
			return &all[i];
	}
	return NULL;
}

/* sys/.../ataN/ata_port/ataN/port_no: the port's number on its controller. */
static bool read_ata_port(struct env *env, const struct component *all,
	const struct component *ata, char *port, size_t size)
{
	char path[1024];
	int len = (int)(ata->text + ata->len - all[0].text);

	(void)snprintf(path, sizeof(path), "sys/%.*s/ata_port/%.*s/port_no", len,
		all[0].text, (int)ata->len, ata->text);
	return fs_read_line(env->run_fd, path, port, size) == 0 && port[0];
}

/* udev counts the SCSI hosts of one controller from 0: the lowest hostN beside ours. */
static unsigned int lowest_host(struct env *env, const struct component *all,
	const struct component *host, unsigned int own)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	unsigned int lowest = own;
	char path[1024];

	(void)snprintf(path, sizeof(path), "sys/%.*s", (int)(host->text - all[0].text),
		all[0].text);
	if (fs_list(env->run_fd, path, &names) < 0)
		return lowest;
	for (size_t i = 0; i < names.count; i++) {
		uint64_t number;

		if (str_has_prefix(names.items[i], "host") &&
			str_to_u64(names.items[i] + 4, lowest, &number))
			lowest = (unsigned int)number;
	}
	return lowest;
}

static void scsi_suffix(struct env *env, const struct component *all, size_t count,
	char *text, size_t size)
{
	const struct component *ata = find_prefixed(all, count, "ata");
	const struct component *host = find_prefixed(all, count, "host");
	unsigned int address[4];
	char port[16];

	if (!find_scsi_address(all, count, address) || !host)
		return;
	if (ata && read_ata_port(env, all, ata, port, sizeof(port))) {
		if (address[1]) /* behind a port multiplier */
			(void)snprintf(text, size, "-ata-%s.%u.0", port, address[1]);
		else
			(void)snprintf(text, size, "-ata-%s.%u", port, address[2]);
		return;
	}
	(void)snprintf(text, size, "-scsi-%u:%u:%u:%u",
		address[0] - lowest_host(env, all, host, address[0]), address[1],
		address[2], address[3]);
}

/* What stands between the PCI function and the disk. "?" marks a transport whose by-path
 * name is not made here. */
static void path_suffix(struct env *env, const char *name, const struct component *all,
	size_t count, char *text, size_t size)
{
	char nsid[16];

	text[0] = '\0';
	if (find_prefixed(all, count, "end_device-") ||
		find_prefixed(all, count, "rport-") ||
		find_prefixed(all, count, "session")) {
		(void)str_copy(text, size, "?");
		return;
	}
	if (read_attribute(env, name, "nsid", nsid, sizeof(nsid)))
		(void)snprintf(text, size, "-nvme-%s", nsid);
	else
		scsi_suffix(env, all, count, text, size);
}

/* The real place of the disk in /sys/devices, which sys/block/NAME links to. */
static void identify_path(struct env *env, const char *name, struct fact_disk *disk)
{
	struct component all[COMPONENTS_MAX];
	const struct component *pci = NULL;
	char path[300], target[1024], suffix[64];
	const char *devices;
	size_t count, after = 0;

	(void)snprintf(path, sizeof(path), "sys/block/%s", name);
	if (fs_read_link(env->run_fd, path, target, sizeof(target)) < 0)
		return;
	devices = strstr(target, "devices/");
	if (!devices)
		return;
	count = split_path(devices, all);
	for (size_t i = 0; i < count; i++)
		if (is_pci_address(all[i].text, all[i].len)) {
			pci = &all[i];
			after = i + 1;
		}
	if (!pci || (after < count && str_has_prefix(all[after].text, "usb")))
		return;
	path_suffix(env, name, all, count, suffix, sizeof(suffix));
	if (suffix[0] != '?')
		(void)snprintf(disk->by_path, sizeof(disk->by_path), "pci-%.*s%s",
			(int)pci->len, pci->text, suffix);
}

void block_identify(struct env *env, const char *name, struct fact_disk *disk)
{
	identify_wwn(env, name, disk);
	/* virtio-blk has it at the disk, nvme at the controller, SCSI in VPD page 0x80.
	 */
	if (!read_attribute(env, name, "serial", disk->serial, sizeof(disk->serial)) &&
		!read_attribute(
			env, name, "device/serial", disk->serial, sizeof(disk->serial)) &&
		!read_vpd_serial(env, name, disk->serial, sizeof(disk->serial)))
		disk->serial[0] = '\0';
	(void)read_attribute(
		env, name, "device/model", disk->model, sizeof(disk->model)); /* or "" */
	identify_path(env, name, disk);
}
