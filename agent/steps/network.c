/* SPDX-License-Identifier: MIT */
/*
 * Pins the node's address in the network configuration that the installed OS has. The
 * OS's own files stay; ours is read before them or wins over them.
 */
#include "steps/network_pin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "steps/ops.h"

#define WRITTEN_BY                                                                       \
	"# Written by promenade: the node's address stays the one it was prepared "      \
	"with.\n"

const char *pin_line_value(const char *line, const char *key)
{
	size_t len = strlen(key);

	line += strspn(line, " \t");
	if (strncmp(line, key, len) != 0 || !strchr(" \t=:", line[len]) || !line[len])
		return NULL;
	line += len;
	line += strspn(line, " \t");
	line += *line == '=' || *line == ':';
	return line + strspn(line, " \t");
}

static bool value_is(const char *text, const char *value)
{
	size_t len = strcspn(text, " \t\r\n");

	return len == strlen(value) && strncmp(text, value, len) == 0;
}

static int refuse_text(const char *path, const char *text,
	const struct pin_conflict *conflicts, struct err *err)
{
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
		for (const struct pin_conflict *c = conflicts; c->key; c++) {
			const char *value = pin_line_value(text, c->key);

			if (!value || (c->value ? !value_is(value, c->value)
						: value_is(value, "none")))
				continue;
			return err_set(err, E_UNSUPPORTED,
				"pin the address: '%s' has '%.*s', and only plain links "
				"are pinned; give the bond, bridge or VLAN its address "
				"or "
				"client identifier there and set node.pinAddress: false",
				path, (int)strcspn(text, "\n"), text);
		}
	return 0;
}

static int refuse_file(const struct pin *pin, const char *path,
	const struct pin_conflict *conflicts, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = fs_read(pin->env->target_fd, path, FS_TEXT_MAX, &text, err);

	if (rc == -ENOENT || rc == -EISDIR)
		return 0;
	return rc < 0 ? rc : refuse_text(path, buf_text(&text), conflicts, err);
}

int pin_refuse(const struct pin *pin, const char *dir, const char *suffix,
	const struct pin_conflict *conflicts, struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;

	if (!str_has_suffix(dir, "/"))
		return refuse_file(pin, dir, conflicts, err);
	if (fs_list(pin->env->target_fd, dir, &names) < 0)
		return 0; /* no such directory */
	for (size_t i = 0; i < names.count; i++) {
		char path[512];
		int rc;

		if (!str_has_suffix(names.items[i], suffix) ||
			strstr(names.items[i], "promenade"))
			continue;
		(void)snprintf(path, sizeof(path), "%s%s", dir, names.items[i]);
		rc = refuse_file(pin, path, conflicts, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* format, which has one %s, for each server, or once for all joined by separator. */
static int add_dns(const struct pin *pin, struct buf *text, const char *before,
	const char *separator, const char *after)
{
	const struct strlist *dns = &pin->lease->dns;
	int rc = dns->count ? buf_add_str(text, before) : 0;

	for (size_t i = 0; i < dns->count && rc == 0; i++)
		rc = buf_printf(text, "%s%s", i ? separator : "", dns->items[i]);
	return rc == 0 && dns->count ? buf_add_str(text, after) : rc;
}

static int networkd_fixed(const struct pin *pin, struct buf *text)
{
	const struct fact_lease *lease = pin->lease;
	int rc = buf_printf(text, "Address=%s/%u\n", lease->address, lease->prefix_len);

	if (rc == 0 && pin->has_gateway)
		rc = buf_printf(text, "Gateway=%s\n", lease->gateway);
	if (rc == 0)
		rc = add_dns(pin, text, "DNS=", " ", "\n");
	if (rc == 0 && lease->domain[0])
		rc = buf_printf(text, "Domains=%s\n", lease->domain);
	return rc;
}

/*
 * networkd takes the first file that matches, by name: 05 is before what installers and
 * netplan (10-) write. Kind=!* keeps bridges, VLANs and the like out, which carry the MAC
 * of the link below them.
 */
static int pin_networkd(const struct pin *pin, struct edits *edits, struct err *err)
{
	static const struct pin_conflict conflicts[] = {{"Bond", NULL}, {"Bridge", NULL},
		{"VLAN", NULL}, {"VRF", NULL}, {"MACVLAN", NULL}, {"IPVLAN", NULL},
		{NULL, NULL}};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	char path[128];
	int rc = pin_refuse(pin, "/etc/systemd/network/", ".network", conflicts, err);

	if (rc < 0)
		return rc;
	rc = buf_printf(
		&text, WRITTEN_BY "[Match]\nMACAddress=%s\nKind=!*\n\n", pin->lease->mac);
	if (rc == 0 && pin->lease->mtu)
		rc = buf_printf(&text, "[Link]\nMTUBytes=%u\n\n", pin->lease->mtu);
	if (rc == 0)
		rc = buf_add_str(&text, "[Network]\n");
	if (rc == 0 && pin->dhcp)
		rc = buf_add_str(&text, "DHCP=ipv4\n\n[DHCPv4]\nClientIdentifier=mac\n");
	if (rc == 0 && !pin->dhcp)
		rc = networkd_fixed(pin, &text);
	(void)snprintf(path, sizeof(path), "/etc/systemd/network/05-promenade-%s.network",
		pin->mac_hex);
	if (rc == 0)
		rc = edits_add_file(edits, path, &text, 0644, "node address by MAC");
	return rc < 0 ? err_errno(err, ENOMEM, "pin the address") : 0;
}

static int keyfile_fixed(const struct pin *pin, struct buf *text)
{
	const struct fact_lease *lease = pin->lease;
	int rc = buf_printf(text, "method=%s\naddress1=%s/%u%s%s\n",
		pin->ipv6 ? "auto" : "manual", lease->address, lease->prefix_len,
		pin->has_gateway ? "," : "", pin->has_gateway ? lease->gateway : "");

	if (rc == 0)
		rc = add_dns(pin, text, "dns=", ";", ";\n");
	if (rc == 0 && lease->domain[0])
		rc = buf_printf(text, "dns-search=%s;\n", lease->domain);
	return rc;
}

static int keyfile_families(const struct pin *pin, struct buf *text)
{
	int rc = buf_add_str(text, "\n[ipv4]\n");

	if (rc == 0 && pin->dhcp)
		rc = buf_add_str(text, "method=auto\ndhcp-client-id=mac\n");
	else if (rc == 0 && pin->ipv6)
		rc = buf_add_str(text, "method=auto\n");
	else if (rc == 0)
		rc = keyfile_fixed(pin, text);
	if (rc == 0)
		rc = buf_add_str(text, "\n[ipv6]\n");
	if (rc == 0 && pin->ipv6)
		return keyfile_fixed(pin, text);
	return rc == 0 ? buf_add_str(text, "method=auto\n") : rc;
}

/* The highest autoconnect priority wins over the OS's own profiles (nm-settings(5)). The
 * UUID is of version 8 (RFC 9562), "promenad" and the MAC: the same at every boot.
 * NetworkManager ignores a keyfile that others may read. */
static int pin_networkmanager(const struct pin *pin, struct edits *edits, struct err *err)
{
	static const struct pin_conflict conflicts[] = {{"type", "bond"},
		{"type", "bridge"}, {"type", "team"}, {"master", NULL},
		{"controller", NULL}, {NULL, NULL}};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	char path[128];
	/* NetworkManager of the RHEL family reads these too (nm-settings-ifcfg-rh(5)). */
	static const struct pin_conflict ifcfg[] = {
		{"BRIDGE", NULL}, {"MASTER", NULL}, {NULL, NULL}};
	int rc = pin_refuse(
		pin, "/etc/NetworkManager/system-connections/", "", conflicts, err);

	if (rc == 0)
		rc = pin_refuse(pin, "/etc/sysconfig/network-scripts/", "", ifcfg, err);
	if (rc < 0)
		return rc;
	rc = buf_printf(&text,
		WRITTEN_BY "[connection]\n"
			   "id=promenade-%s\n"
			   "uuid=70726f6d-656e-8164-a065-%s\n"
			   "type=ethernet\n"
			   "autoconnect=true\n"
			   "autoconnect-priority=999\n"
			   "\n[ethernet]\n"
			   "mac-address=%s\n",
		pin->mac_hex, pin->mac_hex, pin->lease->mac);
	if (rc == 0 && pin->lease->mtu)
		rc = buf_printf(&text, "mtu=%u\n", pin->lease->mtu);
	if (rc == 0)
		rc = keyfile_families(pin, &text);
	(void)snprintf(path, sizeof(path),
		"/etc/NetworkManager/system-connections/promenade-%s.nmconnection",
		pin->mac_hex);
	if (rc == 0)
		rc = edits_add_file(edits, path, &text, 0600, "node address by MAC");
	return rc < 0 ? err_errno(err, ENOMEM, "pin the address") : 0;
}

static bool netplan_uses_networkmanager(const struct pin *pin)
{
	static const struct pin_conflict renderer[] = {
		{"renderer", "NetworkManager"}, {NULL, NULL}};

	return pin_refuse(pin, "/etc/netplan/", ".yaml", renderer, NULL) < 0;
}

static int netplan_fixed(const struct pin *pin, struct buf *text)
{
	const struct fact_lease *lease = pin->lease;
	int rc = buf_printf(text,
		"      dhcp4: false\n"
		"      addresses: [\"%s/%u\"]\n",
		lease->address, lease->prefix_len);

	if (rc == 0 && pin->has_gateway)
		rc = buf_printf(text, "      routes: [{to: \"%s\", via: \"%s\"}]\n",
			pin->ipv6 ? "::/0" : "0.0.0.0/0", lease->gateway);
	if (rc == 0 && (lease->dns.count || lease->domain[0]))
		rc = buf_add_str(text, "      nameservers:\n");
	if (rc == 0)
		rc = add_dns(pin, text, "        addresses: [\"", "\", \"", "\"]\n");
	if (rc == 0 && lease->domain[0])
		rc = buf_printf(text, "        search: [\"%s\"]\n", lease->domain);
	return rc;
}

static int netplan_text(const struct pin *pin, bool networkmanager, struct buf *text)
{
	int rc = buf_printf(text,
		WRITTEN_BY "network:\n"
			   "  version: 2\n"
			   "  ethernets:\n"
			   "    00-promenade:\n"
			   "      match: {macaddress: \"%s\"}\n",
		pin->lease->mac);

	if (rc == 0)
		rc = pin->dhcp ? buf_add_str(text, "      dhcp4: true\n"
						   "      dhcp-identifier: mac\n")
			       : netplan_fixed(pin, text);
	if (rc < 0 || !networkmanager)
		return rc;
	/* dhcp-identifier is networkd's alone; NetworkManager is told by its own words.
	 */
	rc = buf_add_str(text, "      networkmanager:\n"
			       "        passthrough:\n"
			       "          connection.autoconnect-priority: \"999\"\n");
	if (rc == 0 && pin->dhcp)
		rc = buf_add_str(text, "          ipv4.dhcp-client-id: \"mac\"\n");
	if (rc == 0 && pin->lease->mtu)
		rc = buf_printf(
			text, "          ethernet.mtu: \"%u\"\n", pin->lease->mtu);
	return rc;
}

/* netplan's own `mtu` makes it write a .link file without NamePolicy=, and udev would
 * then leave the link its kernel name (eth0): told to networkd directly instead. */
static int netplan_mtu(const struct pin *pin, struct edits *edits)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc;

	if (!pin->lease->mtu)
		return 0;
	rc = buf_printf(&text, WRITTEN_BY "[Link]\nMTUBytes=%u\n", pin->lease->mtu);
	if (rc == 0)
		rc = edits_add_file(edits,
			"/etc/systemd/network/10-netplan-00-promenade.network.d/"
			"promenade.conf",
			&text, 0644, "MTU of the link");
	return rc;
}

/* The name of the definition becomes part of a file name of networkd (10-netplan-NAME):
 * it must sort before those of the OS, hence "00-". netplan wants its files unreadable
 * for others. */
static int pin_netplan(const struct pin *pin, struct edits *edits, struct err *err)
{
	static const struct pin_conflict conflicts[] = {
		{"bonds", NULL}, {"bridges", NULL}, {NULL, NULL}};
	bool networkmanager = netplan_uses_networkmanager(pin);
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = pin_refuse(pin, "/etc/netplan/", ".yaml", conflicts, err);

	if (rc < 0)
		return rc;
	rc = netplan_text(pin, networkmanager, &text);
	if (rc == 0)
		rc = edits_add_file(edits, "/etc/netplan/90-promenade.yaml", &text, 0600,
			"node address by MAC");
	if (rc == 0 && !networkmanager)
		rc = netplan_mtu(pin, edits);
	return rc < 0 ? err_errno(err, ENOMEM, "pin the address") : 0;
}

static int pin_init(struct pin *pin, const struct env *env,
	const struct fact_lease *lease, struct err *err)
{
	char expected[16];
	size_t at = 0;

	*pin = (struct pin){.env = env, .lease = lease};
	for (const char *p = lease->mac; *p && at < sizeof(pin->mac_hex) - 1; p++)
		if (*p != ':')
			pin->mac_hex[at++] = *p;
	if (at != sizeof(pin->mac_hex) - 1)
		return err_set(err, E_UNSUPPORTED,
			"pin the address: link '%s' has no Ethernet MAC ('%s'); set "
			"node.pinAddress: false",
			lease->link, lease->mac);
	pin->dhcp = lease->client_id[0] != '\0';
	(void)snprintf(expected, sizeof(expected), "01%s", pin->mac_hex);
	if (pin->dhcp && strcmp(lease->client_id, expected) != 0)
		return err_set(err, E_BUG,
			"pin the address: client identifier %s is not that of the MAC %s",
			lease->client_id, lease->mac);
	pin->ipv6 = strchr(lease->address, ':') != NULL;
	pin->has_gateway = lease->gateway[0] &&
			   !str_has_prefix(lease->gateway, "fe80:") &&
			   !strchr(lease->gateway, ':') == !pin->ipv6;
	return 0;
}

static int network_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	const struct facts *facts = context->facts;
	struct pin pin;
	int rc;

	(void)step;
	if (!context->role->node.pin_address || !facts->lease.known)
		return 0;
	rc = pin_init(&pin, context->env, &facts->lease, err);
	if (rc < 0)
		return rc;
	switch (facts->target.network_manager) {
	case FACT_NETWORK_NETWORKD:
		return pin_networkd(&pin, ret, err);
	case FACT_NETWORK_NETWORKMANAGER:
		return pin_networkmanager(&pin, ret, err);
	case FACT_NETWORK_IFUPDOWN:
		return pin_ifupdown(&pin, ret, err);
	case FACT_NETWORK_NETPLAN:
		return pin_netplan(&pin, ret, err);
	case FACT_NETWORK_NONE:
		break;
	}
	return err_set(err, E_UNSUPPORTED,
		"pin the address: the installed OS enables none of systemd-networkd, "
		"NetworkManager, ifupdown and netplan; enable one, or set "
		"node.pinAddress: false");
}

const struct step_ops step_network_ops = {
	.name = "network", .writes_target = true, .compute = network_compute};
