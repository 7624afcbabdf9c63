/* SPDX-License-Identifier: MIT */
/* `ip=` of the kernel command line; cmdline.h has the forms. */
#include <arpa/inet.h>
#include <string.h>

#include "model/cmdline.h"

#define FIELDS_MAX 10U
#define FIELD_SIZE 256U

/* Of the long form. */
enum ip_field {
	IP_CLIENT,
	IP_SERVER,
	IP_GATEWAY,
	IP_NETMASK,
	IP_HOSTNAME,
	IP_DEVICE,
	IP_METHOD,
	IP_DNS0, /* or the MTU, and nothing behind it */
	IP_DNS1,
	IP_NTP
};

struct fields {
	char text[FIELDS_MAX][FIELD_SIZE]; /* "" when there is none */
	size_t count;
	const char *value; /* the whole, for messages */
};

static int refuse(const struct fields *fields, const char *why, struct err *err)
{
	char shown[128];

	(void)str_copy(shown, sizeof(shown), fields->value);
	str_make_printable(shown);
	return err_set(err, E_USAGE, "kernel command line: ip=%s: %s", shown, why);
}

/* Reads the field at p, an IPv6 address in brackets without them. Returns its end or
 * NULL. */
static const char *take_field(const char *p, char field[FIELD_SIZE])
{
	bool bracket = *p == '[';
	size_t len;

	p += bracket;
	len = strcspn(p, bracket ? "]" : ":");
	if (len >= FIELD_SIZE || (bracket && p[len] != ']'))
		return NULL;
	memcpy(field, p, len);
	field[len] = '\0';
	p += len + bracket;
	return !*p || *p == ':' ? p : NULL;
}

static int split(const char *value, struct fields *ret, struct err *err)
{
	const char *p = value;

	*ret = (struct fields){.count = 0, .value = value};
	while (true) {
		if (ret->count == FIELDS_MAX)
			return refuse(ret, "more than ten fields", err);
		p = take_field(p, ret->text[ret->count++]);
		if (!p)
			return refuse(ret,
				"brackets that do not pair, or a field of more "
				"than 255 bytes",
				err);
		if (!*p)
			return 0;
		p++;
	}
}

struct method_word {
	const char *word;
	enum cmdline_ip_method method;
};

static bool read_method(const char *text, enum cmdline_ip_method *ret)
{
	static const struct method_word words[] = {
		{"off", CMDLINE_IP_OFF},
		{"none", CMDLINE_IP_OFF},
		{"static", CMDLINE_IP_STATIC},
		{"on", CMDLINE_IP_DHCP},
		{"any", CMDLINE_IP_DHCP},
		{"dhcp", CMDLINE_IP_DHCP},
		{"single-dhcp", CMDLINE_IP_DHCP},
		{"both", CMDLINE_IP_DHCP},
		{"bootp", CMDLINE_IP_DHCP},
		{"rarp", CMDLINE_IP_DHCP},
		{"dhcp6", CMDLINE_IP_DHCP6},
		{"auto6", CMDLINE_IP_AUTO6},
		{"either6", CMDLINE_IP_AUTO6},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(text, words[i].word) != 0)
			continue;
		*ret = words[i].method;
		return true;
	}
	return false;
}

static int take_device(const struct fields *fields, const char *text,
	struct cmdline_ip *ip, struct err *err)
{
	if (strcmp(text, "BOOTIF") == 0) {
		ip->boot_device = true;
		return 0;
	}
	/* IFNAMSIZ, and what the kernel's dev_valid_name() refuses */
	if (strlen(text) >= sizeof(ip->device) || strpbrk(text, "/ \t\n\v\f\r") ||
		strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return refuse(fields, "the device is not the name of a link", err);
	(void)str_copy(ip->device, sizeof(ip->device), text);
	return 0;
}

static int take_mtu(const struct fields *fields, const char *text, struct cmdline_ip *ip,
	struct err *err)
{
	uint64_t mtu;

	/* 68 is the least of IPv4 (RFC 791 3.2). */
	if (!str_to_u64(text, 65535, &mtu) || mtu < 68)
		return refuse(fields, "the MTU is not a number from 68 to 65535", err);
	ip->mtu = (unsigned int)mtu;
	return 0;
}

/* METHOD or DEVICE:METHOD[:MTU] */
static int read_short(const struct fields *fields, struct cmdline_ip *ip, struct err *err)
{
	int rc;

	if (!read_method(fields->text[fields->count > 1], &ip->method) ||
		ip->method == CMDLINE_IP_STATIC)
		return refuse(
			fields, "not a method (dhcp, dhcp6, auto6, off) by itself", err);
	if (fields->count > 3)
		return refuse(fields, "nothing may stand behind the MTU", err);
	if (fields->count == 1)
		return 0;
	rc = take_device(fields, fields->text[0], ip, err);
	if (rc < 0 || !*fields->text[2])
		return rc;
	return take_mtu(fields, fields->text[2], ip, err);
}

static bool is_v6(const char *text)
{
	return strchr(text, ':') != NULL;
}

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(is_v6(text) ? AF_INET6 : AF_INET, text, &address) == 1;
}

static int take_address(
	const struct fields *fields, enum ip_field field, char ret[64], struct err *err)
{
	static const char *const whys[FIELDS_MAX] = {
		[IP_CLIENT] = "the client (field 1) is not an address",
		[IP_SERVER] = "the server (field 2) is not an address",
		[IP_GATEWAY] = "the gateway (field 3) is not an address",
		[IP_DNS0] = "the first name server (field 8) is not an address",
		[IP_DNS1] = "the second name server (field 9) is not an address",
		[IP_NTP] = "the time server (field 10) is not an address",
	};
	const char *text = fields->text[field];

	if (!*text)
		return 0;
	if (!is_address(text))
		return refuse(fields, whys[field], err);
	(void)str_copy(ret, 64, text);
	return 0;
}

/* 255.255.240.0 -> 20; false for a mask with holes. */
static bool read_mask(const char *text, unsigned int *ret)
{
	struct in_addr mask;
	uint32_t bits;
	unsigned int len = 0;

	if (inet_pton(AF_INET, text, &mask) != 1)
		return false;
	bits = ntohl(mask.s_addr);
	while (len < 32 && bits & 0x80000000U >> len)
		len++;
	*ret = len;
	return len == 32 || (uint32_t)(bits << len) == 0;
}

static int take_netmask(
	const struct fields *fields, struct cmdline_ip *ip, struct err *err)
{
	const char *text = fields->text[IP_NETMASK];
	uint64_t len = 0;

	if (!*text && *ip->address)
		return refuse(fields,
			"the netmask (field 4) is missing; give 255.255.255.0 or 24",
			err);
	if (!*text)
		return 0;
	if (!is_v6(ip->address) && read_mask(text, &ip->prefix_len)) {
		len = ip->prefix_len;
	} else if (!str_to_u64(text, is_v6(ip->address) ? 128 : 32, &len)) {
		return refuse(fields,
			"the netmask (field 4) is neither a mask nor a length", err);
	}
	if (!len)
		return refuse(fields, "the netmask (field 4) is empty", err);
	ip->prefix_len = (unsigned int)len;
	return 0;
}

static int take_addresses(
	const struct fields *fields, struct cmdline_ip *ip, struct err *err)
{
	int rc = take_address(fields, IP_CLIENT, ip->address, err);

	if (rc == 0)
		rc = take_address(fields, IP_SERVER, ip->server, err);
	if (rc == 0)
		rc = take_address(fields, IP_GATEWAY, ip->gateway, err);
	return rc == 0 ? take_netmask(fields, ip, err) : rc;
}

static int take_tail(const struct fields *fields, struct cmdline_ip *ip, struct err *err)
{
	const char *first = fields->text[IP_DNS0];
	int rc;

	if (*first && strspn(first, "0123456789") == strlen(first)) {
		if (*fields->text[IP_DNS1] || *fields->text[IP_NTP])
			return refuse(fields, "nothing may stand behind the MTU", err);
		return take_mtu(fields, first, ip, err);
	}
	rc = take_address(fields, IP_DNS0, ip->dns[0], err);
	if (rc == 0)
		rc = take_address(fields, IP_DNS1, ip->dns[1], err);
	return rc == 0 ? take_address(fields, IP_NTP, ip->ntp, err) : rc;
}

/* A host name is only ever written into files and DHCP requests; what it may hold is what
 * sethostname(2)'s callers accept. */
static bool is_host_name(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567"
			    "89-_.") == strlen(text);
}

static int take_method(
	const struct fields *fields, struct cmdline_ip *ip, struct err *err)
{
	const char *text = fields->text[IP_METHOD];

	ip->method = *ip->address ? CMDLINE_IP_STATIC : CMDLINE_IP_DHCP;
	if (*text && !read_method(text, &ip->method))
		return refuse(fields, "the method (field 7) is unknown", err);
	/* "none: do not autoconfigure", which means static when there is an address */
	if (ip->method == CMDLINE_IP_OFF && *ip->address)
		ip->method = CMDLINE_IP_STATIC;
	if (ip->method == CMDLINE_IP_STATIC && !*ip->address)
		return refuse(fields, "static without an address (field 1)", err);
	return 0;
}

static int read_long(const struct fields *fields, struct cmdline_ip *ip, struct err *err)
{
	int rc = take_addresses(fields, ip, err);

	if (rc < 0)
		return rc;
	if (!is_host_name(fields->text[IP_HOSTNAME]))
		return refuse(fields, "the host name (field 5) is not one", err);
	(void)str_copy(ip->hostname, sizeof(ip->hostname), fields->text[IP_HOSTNAME]);
	if (*fields->text[IP_DEVICE])
		rc = take_device(fields, fields->text[IP_DEVICE], ip, err);
	if (rc == 0)
		rc = take_method(fields, ip, err);
	return rc == 0 ? take_tail(fields, ip, err) : rc;
}

int cmdline_ip_parse(const char *value, struct cmdline_ip *ret, struct err *err)
{
	struct cmdline_ip ip = {.method = CMDLINE_IP_OFF};
	enum cmdline_ip_method method;
	struct fields fields;
	int rc = split(value, &fields, err);

	if (rc < 0)
		return rc;
	if (fields.count == 1 || read_method(fields.text[1], &method))
		rc = read_short(&fields, &ip, err);
	else
		rc = read_long(&fields, &ip, err);
	if (rc == 0)
		*ret = ip;
	return rc;
}
