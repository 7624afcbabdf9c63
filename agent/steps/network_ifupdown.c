/* SPDX-License-Identifier: MIT */
/*
 * Debian's ifupdown. A stanza of our own, chosen by MAC: `auto mac/...=promenade` brings
 * the link up whatever its name, and a mapping leads every name that the OS brings up
 * itself (auto, allow-hotplug) to our stanza when it is that link, so that the OS's
 * stanza does not come first with another client identifier (interfaces(5), PATTERN
 * MATCHING, MAPPINGS).
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "steps/network_pin.h"

#define INTERFACES "/etc/network/interfaces"
#define INTERFACES_DIR "/etc/network/interfaces.d"
/* No dot in the name: source-directory would leave the file out. */
#define OWN_FILE INTERFACES_DIR "/promenade"
#define MAPPING "/etc/network/promenade-mapping"
#define DHCLIENT_CONF "/etc/dhcp/dhclient.conf"

static const char mapping_script[] =
	"#!/bin/sh\n"
	"# Written by promenade. ifup asks which stanza interface $1 gets; the one with "
	"the\n"
	"# MAC on standard input gets ours.\n"
	"read -r mac\n"
	"if [ \"$(cat \"/sys/class/net/$1/address\" 2>/dev/null)\" = \"$mac\" ]; then\n"
	"\techo promenade\n"
	"else\n"
	"\techo \"$1\"\n"
	"fi\n";

/* What the OS's own files say. */
struct interfaces {
	struct strlist names; /* brought up by auto or allow-*, also as glob patterns */
	char inet6[8];        /* "auto" or "dhcp" where a stanza has that, else "" */
	bool sourced;         /* OWN_FILE is read */
};

static void interfaces_done(struct interfaces *interfaces)
{
	strlist_done(&interfaces->names);
}

/* One word of an auto or allow-* line. Words with '=' choose their stanza themselves and
 * are not asked about; "/GLOB" is a pattern of names, "mac/..." one of ours or of theirs.
 */
static int add_name(struct interfaces *interfaces, const char *word)
{
	if (*word == '/')
		word++;
	if (!*word || strchr(word, '=') || strchr(word, '/') || strcmp(word, "lo") == 0 ||
		strlist_has(&interfaces->names, word))
		return 0;
	return strlist_add(&interfaces->names, word);
}

static bool sources_own(const char *keyword, const char *word)
{
	char path[512];

	(void)snprintf(
		path, sizeof(path), "%s%s", *word == '/' ? "" : "/etc/network/", word);
	if (strcmp(keyword, "source-directory") == 0)
		return fnmatch(path, INTERFACES_DIR, 0) == 0 ||
		       fnmatch(path, INTERFACES_DIR "/", 0) == 0;
	return fnmatch(path, OWN_FILE, FNM_PATHNAME) == 0;
}

static void note_stanza(struct interfaces *interfaces, char **save)
{
	const char *name = strtok_r(NULL, " \t", save);
	const char *family = strtok_r(NULL, " \t", save);
	const char *method = strtok_r(NULL, " \t", save);

	if (!method || strcmp(name, "lo") == 0 || strcmp(family, "inet6") != 0)
		return;
	if (strcmp(method, "auto") == 0 || strcmp(method, "dhcp") == 0)
		(void)str_copy(interfaces->inet6, sizeof(interfaces->inet6), method);
}

static int parse_line(struct interfaces *interfaces, char *line)
{
	char *save = NULL, *keyword = strtok_r(line, " \t\r", &save);
	bool source = keyword && str_has_prefix(keyword, "source");
	int rc = 0;

	if (keyword && strcmp(keyword, "iface") == 0)
		note_stanza(interfaces, &save);
	if (!source && (!keyword || (strcmp(keyword, "auto") != 0 &&
					    !str_has_prefix(keyword, "allow-"))))
		return 0;
	for (char *word; rc == 0 && (word = strtok_r(NULL, " \t\r", &save));) {
		if (source)
			interfaces->sourced |= sources_own(keyword, word);
		else
			rc = add_name(interfaces, word);
	}
	return rc;
}

/* A missing file is an empty one. */
static int parse_file(const struct pin *pin, const char *path,
	struct interfaces *interfaces, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	char *save = NULL;
	int rc = fs_read(pin->env->target_fd, path, FS_TEXT_MAX, &text, err);

	if (rc == -ENOENT || rc == -EISDIR)
		return 0;
	if (rc == 0)
		rc = buf_add(&text, "", 0);
	if (rc < 0)
		return rc;
	for (char *line = strtok_r(text.bytes, "\n", &save); line && rc == 0;
		line = strtok_r(NULL, "\n", &save))
		rc = parse_line(interfaces, line);
	return rc < 0 ? err_errno(err, -rc, "read '%s'", path) : 0;
}

static int parse_all(
	const struct pin *pin, struct interfaces *interfaces, struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = parse_file(pin, INTERFACES, interfaces, err);

	if (fs_list(pin->env->target_fd, INTERFACES_DIR, &names) < 0)
		return rc; /* no such directory */
	for (size_t i = 0; i < names.count && rc == 0; i++) {
		char path[512];

		if (strcmp(names.items[i], "promenade") == 0)
			continue;
		(void)snprintf(path, sizeof(path), INTERFACES_DIR "/%s", names.items[i]);
		rc = parse_file(pin, path, interfaces, err);
	}
	return rc;
}

static bool has_program(const struct pin *pin, const char *name)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/usr/sbin/%s", name);
	if (fs_exists(pin->env->target_fd, path))
		return true;
	(void)snprintf(path, sizeof(path), "/sbin/%s", name);
	return fs_exists(pin->env->target_fd, path);
}

static int add_fixed(const struct pin *pin, struct buf *text)
{
	const struct fact_lease *lease = pin->lease;
	int rc = buf_printf(text, "iface promenade %s static\n\taddress %s/%u\n",
		pin->ipv6 ? "inet6" : "inet", lease->address, lease->prefix_len);

	if (rc == 0 && pin->ipv6)
		rc = buf_add_str(text, "\taccept_ra 2\n");
	if (rc == 0 && pin->has_gateway)
		rc = buf_printf(text, "\tgateway %s\n", lease->gateway);
	if (rc == 0 && lease->mtu)
		rc = buf_printf(text, "\tmtu %u\n", lease->mtu);
	for (size_t i = 0; i < lease->dns.count && rc == 0; i++)
		rc = buf_printf(text, "%s%s%s", i ? " " : "\tdns-nameservers ",
			lease->dns.items[i], i + 1 < lease->dns.count ? "" : "\n");
	if (rc == 0 && lease->domain[0])
		rc = buf_printf(text, "\tdns-search %s\n", lease->domain);
	return rc;
}

/* ifup runs dhclient before udhcpc before dhcpcd. udhcpc sends the MAC by itself; dhcpcd
 * is told by "client"; dhclient by its own file. */
static int add_dhcp(const struct pin *pin, struct buf *text)
{
	int rc = buf_add_str(text, "iface promenade inet dhcp\n");

	if (rc == 0 && !has_program(pin, "dhclient") && !has_program(pin, "udhcpc"))
		rc = buf_printf(text, "\tclient 01:%s\n", pin->lease->mac);
	return rc;
}

static int add_mapping(
	const struct pin *pin, const struct interfaces *interfaces, struct buf *text)
{
	int rc;

	if (!interfaces->names.count)
		return 0;
	rc = buf_add_str(text, "\nmapping");
	for (size_t i = 0; i < interfaces->names.count && rc == 0; i++)
		rc = buf_printf(text, " %s", interfaces->names.items[i]);
	if (rc == 0)
		rc = buf_printf(
			text, "\n\tscript " MAPPING "\n\tmap %s\n", pin->lease->mac);
	return rc;
}

static int add_own_file(
	const struct pin *pin, const struct interfaces *interfaces, struct edits *edits)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_printf(&text,
		"# Written by promenade: the node's address stays the one it was "
		"prepared "
		"with.\n"
		"auto mac/%s=promenade\n",
		pin->lease->mac);

	if (rc == 0)
		rc = pin->dhcp ? add_dhcp(pin, &text) : add_fixed(pin, &text);
	if (rc == 0 && interfaces->inet6[0] && !pin->ipv6)
		rc = buf_printf(&text, "\niface promenade inet6 %s\n", interfaces->inet6);
	if (rc == 0)
		rc = add_mapping(pin, interfaces, &text);
	if (rc == 0)
		rc = edits_add_file(edits, OWN_FILE, &text, 0644, "node address by MAC");
	if (rc < 0 || !interfaces->names.count)
		return rc;
	rc = edits_add_text(edits, MAPPING, mapping_script,
		"leads the OS's own names of the link to that stanza");
	if (rc == 0)
		edits_find(edits, MAPPING)->mode = 0755;
	return rc;
}

/* The main file must read ours. */
static int add_source(const struct pin *pin, struct edits *edits, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = fs_read(pin->env->target_fd, INTERFACES, FS_TEXT_MAX, &text, err);

	if (rc == -ENOENT)
		rc = buf_add_str(&text, "auto lo\niface lo inet loopback\n");
	else if (rc < 0)
		return rc;
	if (rc == 0 && text.len && text.bytes[text.len - 1] != '\n')
		rc = buf_add_str(&text, "\n");
	if (rc == 0)
		rc = buf_add_str(&text, "\nsource " OWN_FILE "\n");
	if (rc == 0)
		rc = edits_add_file(edits, INTERFACES, &text, 0644, "read our stanza");
	return rc < 0 ? err_errno(err, -rc, "edit '" INTERFACES "'") : 0;
}

/* dhclient is started with -i, which sends a DUID unless its configuration names a client
 * identifier (dhclient.c, make_client_options). "hardware" is type 1 and the MAC, of each
 * link its own. */
static int add_dhclient(const struct pin *pin, struct edits *edits, struct err *err)
{
	static const char key[] = "send dhcp-client-identifier";
	struct buf text CLEANUP(buf_done) = BUF_INIT, out CLEANUP(buf_done) = BUF_INIT;
	int rc = fs_read(pin->env->target_fd, DHCLIENT_CONF, FS_TEXT_MAX, &text, err);
	const char *line;
	size_t len;

	if (rc < 0 && rc != -ENOENT)
		return rc;
	rc = 0;
	for (line = buf_text(&text); *line && rc == 0; line += len) {
		len = strcspn(line, "\n");
		len += line[len] == '\n';
		if (!pin_line_value(line, key))
			rc = buf_add(&out, line, len);
	}
	if (rc == 0 && out.len && out.bytes[out.len - 1] != '\n')
		rc = buf_add_str(&out, "\n");
	if (rc == 0)
		rc = buf_printf(&out, "%s = hardware;\n", key);
	if (rc == 0)
		rc = edits_add_file(edits, DHCLIENT_CONF, &out, 0644,
			"the client identifier that the lease has");
	return rc < 0 ? err_errno(err, -rc, "edit '" DHCLIENT_CONF "'") : 0;
}

int pin_ifupdown(const struct pin *pin, struct edits *edits, struct err *err)
{
	static const struct pin_conflict conflicts[] = {{"bridge_ports", NULL},
		{"bridge-ports", NULL}, {"bond-slaves", NULL}, {"bond_slaves", NULL},
		{"slaves", NULL}, {"bond-master", NULL}, {NULL, NULL}};
	struct interfaces interfaces CLEANUP(interfaces_done) = {.sourced = false};
	int rc = pin_refuse(pin, INTERFACES, "", conflicts, err);

	if (rc == 0)
		rc = pin_refuse(pin, INTERFACES_DIR "/", "", conflicts, err);
	if (rc == 0)
		rc = parse_all(pin, &interfaces, err);
	if (rc < 0)
		return rc;
	if (add_own_file(pin, &interfaces, edits) < 0)
		return err_errno(err, ENOMEM, "pin the address");
	if (!interfaces.sourced)
		rc = add_source(pin, edits, err);
	if (rc == 0 && pin->dhcp && has_program(pin, "dhclient"))
		rc = add_dhclient(pin, edits, err);
	return rc;
}
