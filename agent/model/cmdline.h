/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line as the kernel itself splits it (lib/cmdline.c next_arg()):
 * words at white space, double quotes around a word or a value keep white space in, '-'
 * and '_' in names are the same. Words that nobody asks for are ignored: an image name
 * that UEFI puts first, "--", options of the kernel. Pure.
 */
#ifndef PROMENADE_MODEL_CMDLINE_H
#define PROMENADE_MODEL_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/str.h"

/* COMMAND_LINE_SIZE is 2048 on x86 and arm64, 4096 at most elsewhere. */
#define CMDLINE_BYTES_MAX 4096U

/* One word; value is NULL without '='. Both point into the text of struct cmdline. */
struct cmdline_word {
	const char *name;
	const char *value;
};

struct cmdline {
	char *text;
	struct cmdline_word *words;
	size_t count;
};

enum cmdline_ip_method {
	CMDLINE_IP_OFF,    /* ip=off or ip=none without an address: no address at all */
	CMDLINE_IP_STATIC, /* address, and what else is given */
	CMDLINE_IP_DHCP, /* on, any, dhcp, single-dhcp, both; bootp and rarp are served so
			  */
	CMDLINE_IP_DHCP6,
	CMDLINE_IP_AUTO6 /* router advertisement: auto6, either6 */
};

/* One `ip=`. Absent is "" or 0. Addresses are as written and valid, IPv6 without
 * brackets. */
struct cmdline_ip {
	enum cmdline_ip_method method;
	char address[64];
	unsigned int prefix_len;
	char server[64];
	char gateway[64];
	char hostname[256];
	char device[16];  /* name of the link; "" when not given or the boot link */
	bool boot_device; /* the device was written as BOOTIF (MAAS) */
	char dns[2][64];
	char ntp[64];
	unsigned int mtu;
};

/* Splits text. ret: caller cmdline_done()s. Errors: E_TOO_BIG, -ENOMEM. */
int cmdline_parse(const char *text, struct cmdline *ret, struct err *err) MUST_USE;

/* The value of the last word with this name, as the kernel lets the last one win: "" for
 * a word without '=', NULL when there is none. Borrowed from cmdline. */
const char *cmdline_last(const struct cmdline *cmdline, const char *name) MUST_USE;

/* The values of all words with this name that have one, in order; for what may be
 * repeated (promenade.role=, ip=). ret: caller strlist_done()s. Errors: -ENOMEM. */
int cmdline_all(
	const struct cmdline *cmdline, const char *name, struct strlist *ret) MUST_USE;

/* The MAC address of the boot NIC, lower-case with colons, from BOOTIF= (01-aa-bb-.. as
 * pxelinux has it, with hyphens, colons or neither, with or without the hardware type
 * 01), else hw_addr= (Tinkerbell). Errors: ENOENT when neither is there; E_USAGE when one
 * is no MAC. */
int cmdline_boot_mac(
	const struct cmdline *cmdline, char ret[18], struct err *err) MUST_USE;

/* Reads the value of one ip=: `METHOD`, `DEVICE:METHOD[:MTU]` or
 * `CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:METHOD[:DNS0[:DNS1[:NTP0]]]` (kernel's
 * Documentation/admin-guide/nfs/nfsroot.rst; an MTU may stand for DNS0, as in
 * dracut.cmdline(7)). Any field may be empty. NETMASK is dotted or a prefix length.
 * Without METHOD it is static with CLIENT, else DHCP. Errors: E_USAGE, naming the field.
 */
int cmdline_ip_parse(const char *value, struct cmdline_ip *ret, struct err *err) MUST_USE;

/* Frees; takes an empty one. */
void cmdline_done(struct cmdline *cmdline);

#endif
