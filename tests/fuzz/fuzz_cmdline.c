/* SPDX-License-Identifier: MIT */
/*
 * The kernel command line, which whoever answers DHCP can write: its words, BOOTIF, ip=
 * and the URL template of promenade.role=.
 *
 * Links: model/cmdline model/cmdline_ip model/template base/err base/str
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "model/cmdline.h"
#include "model/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

static void check_mac(const struct cmdline *cmdline)
{
	char mac[18] = "";

	if (cmdline_boot_mac(cmdline, mac, NULL) == 0)
		demand(strlen(mac) == 17 && strspn(mac, "0123456789abcdef:") == 17);
	else
		demand(!*mac);
}

static void check_ip(const char *value)
{
	struct cmdline_ip ip;

	if (cmdline_ip_parse(value, &ip, NULL) < 0)
		return;
	demand((ip.method == CMDLINE_IP_STATIC) <= (*ip.address != '\0'));
	demand(!*ip.address || (ip.prefix_len >= 1 && ip.prefix_len <= 128));
	demand(strlen(ip.device) < sizeof(ip.device) && !strchr(ip.device, '/'));
}

/* What comes out is a URL on the host that the template names, without a space or a
 * brace. */
static void check_template(const char *template, const char *serial)
{
	const struct template_values values = {.uuid = "4C4C4544-0042", .serial = serial};
	struct buf url CLEANUP(buf_done) = BUF_INIT;
	size_t host;

	if (template_expand(template, &values, &url, NULL) < 0)
		return;
	host = (size_t)(strstr(template, "://") - template) + 3;
	host += strcspn(template + host, "/?");
	demand(url.len <= TEMPLATE_URL_MAX && strncmp(url.bytes, template, host) == 0);
	demand(!strpbrk(url.bytes, "{}# \n"));
	url.bytes[strcspn(url.bytes, "?")] = '\0';
	demand(!strstr(url.bytes + host, "/../"));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct cmdline cmdline CLEANUP(cmdline_done) = {NULL, NULL, 0};
	char *text CLEANUP(str_free) = malloc(len + 1);
	const char *serial;

	if (!text)
		return 0;
	memcpy(text, bytes, len);
	text[len] = '\0';
	if (cmdline_parse(text, &cmdline, NULL) < 0)
		return 0;
	check_mac(&cmdline);
	serial = cmdline_last(&cmdline, "serial");
	for (size_t i = 0; i < cmdline.count; i++) {
		if (!cmdline.words[i].value)
			continue;
		check_ip(cmdline.words[i].value);
		check_template(cmdline.words[i].value, serial);
	}
	return 0;
}
