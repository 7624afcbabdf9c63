/* SPDX-License-Identifier: MIT */
/* NICs of real hardware from sysfs: netdevs with a device behind them, and PCI network
 * functions that got no netdev (no driver, or its probe failed). */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"
#include "host/probe.h"

/* linux/pci_ids.h: base class 02, sub class 00 Ethernet or 80 other. */
#define PCI_CLASS_ETHERNET 0x0200U
#define PCI_CLASS_NETWORK_OTHER 0x0280U

static bool read_attribute(int fd, char *text, size_t size, const char *folder,
	const char *name, const char *attribute)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s/%s", folder, name, attribute);
	if (fs_read_line(fd, path, text, size) < 0) {
		text[0] = '\0';
		return false;
	}
	str_make_printable(text);
	return true;
}

static unsigned int read_hex(
	int fd, const char *folder, const char *name, const char *attribute)
{
	char text[32];

	if (!read_attribute(fd, text, sizeof(text), folder, name, attribute))
		return 0;
	return (unsigned int)strtoul(text, NULL, 16); /* "0x14e4" */
}

/* Last PCI address "dddd:bb:dd.f" in a path of sys/devices: virtio's netdev has the PCI
 * function as its device's parent. */
static void last_pci_address(const char *path, char *bdf, size_t size)
{
	bdf[0] = '\0';
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 12 && path[4] == ':' && path[7] == ':' && path[10] == '.' &&
			isxdigit((unsigned char)path[0]))
			(void)snprintf(bdf, size, "%.*s", (int)len, path);
		path += len;
		path += strspn(path, "/");
	}
}

static void read_driver(
	int fd, const char *folder, const char *name, char *driver, size_t size)
{
	char path[512], target[512];
	const char *slash;

	(void)snprintf(path, sizeof(path), "%s/%s/driver", folder, name);
	if (fs_read_link(fd, path, target, sizeof(target)) < 0)
		return;
	slash = strrchr(target, '/');
	(void)str_copy(driver, size, slash ? slash + 1 : target);
}

/* All ones: the function is off the bus (node.md 1.4 #16). A file that cannot be read at
 * all says nothing, except with EIO. */
static bool config_readable(int fd, const char *bdf)
{
	unsigned char dword[4] = {0};
	struct buf bytes CLEANUP(buf_done) = BUF_INIT;
	char path[300];
	int rc;

	(void)snprintf(path, sizeof(path), "sys/bus/pci/devices/%s/config", bdf);
	rc = fs_read(fd, path, 4096, &bytes, NULL);
	if (rc < 0)
		return rc != -EIO;
	if (bytes.len < sizeof(dword))
		return true;
	memcpy(dword, bytes.bytes, sizeof(dword));
	return !(dword[0] == 0xff && dword[1] == 0xff && dword[2] == 0xff &&
		 dword[3] == 0xff);
}

static uint64_t sum_tx_timeouts(int fd, const char *name)
{
	struct strlist queues CLEANUP(strlist_done) = STRLIST_INIT;
	char folder[300], text[32];
	uint64_t sum = 0, value;

	(void)snprintf(folder, sizeof(folder), "sys/class/net/%s/queues", name);
	if (fs_list(fd, folder, &queues) < 0)
		return 0;
	for (size_t i = 0; i < queues.count; i++)
		if (str_has_prefix(queues.items[i], "tx-") &&
			read_attribute(fd, text, sizeof(text), folder, queues.items[i],
				"tx_timeout") &&
			str_to_u64(text, UINT64_MAX, &value))
			sum += value;
	return sum;
}

static void read_pci(int fd, struct fact_nic *nic)
{
	static const char folder[] = "sys/bus/pci/devices";

	nic->vendor = (uint16_t)read_hex(fd, folder, nic->bdf, "vendor");
	nic->device = (uint16_t)read_hex(fd, folder, nic->bdf, "device");
	nic->config_readable = config_readable(fd, nic->bdf);
}

static void read_netdev(int fd, struct fact_nic *nic)
{
	static const char folder[] = "sys/class/net";
	char path[300], target[1024], text[32];
	uint64_t value;

	(void)read_attribute(
		fd, nic->mac, sizeof(nic->mac), folder, nic->name, "address");
	(void)read_attribute(
		fd, nic->state, sizeof(nic->state), folder, nic->name, "operstate");
	/* EINVAL while the link is administratively down (net-sysfs.c carrier_show). */
	if (read_attribute(fd, text, sizeof(text), folder, nic->name, "carrier") &&
		text[0])
		nic->carrier = text[0] == '1';
	if (read_attribute(fd, text, sizeof(text), folder, nic->name, "speed") &&
		str_to_u64(text, 10000000, &value))
		nic->speed_mbps = (int)value;
	nic->tx_timeouts = sum_tx_timeouts(fd, nic->name);
	(void)snprintf(path, sizeof(path), "%s/device", nic->name);
	read_driver(fd, folder, path, nic->driver, sizeof(nic->driver));
	(void)snprintf(path, sizeof(path), "sys/class/net/%s", nic->name);
	if (fs_read_link(fd, path, target, sizeof(target)) == 0)
		last_pci_address(target, nic->bdf, sizeof(nic->bdf));
	if (nic->bdf[0])
		read_pci(fd, nic);
}

/* BOOTIF=01-aa-bb-cc-dd-ee-ff (pxelinux, the 01 is ARP's hardware type) or with colons.
 */
static bool is_boot_mac(const char *cmdline, const char *mac)
{
	const char *p = cmdline;
	size_t len = strlen(mac);

	while ((p = strstr(p, "BOOTIF="))) {
		if (p == cmdline || p[-1] == ' ')
			break;
		p++;
	}
	if (!p || len != 17)
		return false;
	p += strlen("BOOTIF=");
	if (strncasecmp(p, "01-", 3) == 0 || strncasecmp(p, "01:", 3) == 0)
		p += strcspn(p, " ") == 20 ? 3 : 0;
	for (size_t i = 0; i < len; i++)
		if (mac[i] == ':' ? p[i] != '-' && p[i] != ':'
				  : tolower((unsigned char)p[i]) != mac[i])
			return false;
	return true;
}

static int add_nic(struct facts *facts, const struct fact_nic *nic)
{
	struct fact_nic *all =
		realloc(facts->nics, (facts->nic_count + 1) * sizeof(*all));

	if (!all)
		return -ENOMEM;
	facts->nics = all;
	facts->nics[facts->nic_count++] = *nic;
	return 0;
}

static int add_netdevs(struct env *env, struct facts *facts)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	char path[300];

	if (fs_list(env->run_fd, "sys/class/net", &names) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++) {
		struct fact_nic nic = {
			.carrier = -1, .speed_mbps = -1, .config_readable = true};

		(void)snprintf(
			path, sizeof(path), "sys/class/net/%s/device", names.items[i]);
		if (!fs_exists(env->run_fd, path) ||
			!str_copy(nic.name, sizeof(nic.name), names.items[i]))
			continue;
		read_netdev(env->run_fd, &nic);
		nic.boot = is_boot_mac(facts->cmdline, nic.mac);
		if (add_nic(facts, &nic) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool has_bdf(const struct facts *facts, const char *bdf)
{
	for (size_t i = 0; i < facts->nic_count; i++)
		if (strcmp(facts->nics[i].bdf, bdf) == 0)
			return true;
	return false;
}

static int add_unclaimed(struct env *env, struct facts *facts)
{
	static const char folder[] = "sys/bus/pci/devices";
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;

	if (fs_list(env->run_fd, folder, &names) < 0)
		return 0;
	for (size_t i = 0; i < names.count; i++) {
		struct fact_nic nic = {.carrier = -1, .speed_mbps = -1};
		unsigned int class =
			read_hex(env->run_fd, folder, names.items[i], "class") >> 8;

		if ((class != PCI_CLASS_ETHERNET && class != PCI_CLASS_NETWORK_OTHER) ||
			has_bdf(facts, names.items[i]) ||
			!str_copy(nic.bdf, sizeof(nic.bdf), names.items[i]))
			continue;
		read_pci(env->run_fd, &nic);
		read_driver(env->run_fd, folder, nic.bdf, nic.driver, sizeof(nic.driver));
		if (add_nic(facts, &nic) < 0)
			return -ENOMEM;
	}
	return 0;
}

int probe_nics(struct env *env, struct facts *facts, struct err *err)
{
	free(facts->nics);
	facts->nics = NULL;
	facts->nic_count = 0;
	if (add_netdevs(env, facts) < 0 || add_unclaimed(env, facts) < 0)
		return err_errno(err, ENOMEM, "list NICs");
	return 0;
}
