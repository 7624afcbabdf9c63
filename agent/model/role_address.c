/* SPDX-License-Identifier: MIT */
/* The checks of role_value.h that are about names of machines and addresses. */
#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "model/role_value.h"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 1123 2.1. underscore: names of hosts that are asked for may hold one (many sites
 * have such names in their DNS); names that we give may not. */
static bool is_name(const char *text, size_t max, bool underscore)
{
	size_t len = strlen(text), label = 0;

	if (!len || len > max)
		return false;
	for (size_t i = 0; i <= len; i++) {
		if (i == len || text[i] == '.') {
			if (!label || label > 63 || text[i - 1] == '-')
				return false;
			label = 0;
			continue;
		}
		if (text[i] == '-'
				? label == 0
				: !is_alnum(text[i]) && !(underscore && text[i] == '_'))
			return false;
		label++;
	}
	return true;
}

static bool has_upper(const char *text)
{
	for (; *text; text++)
		if (*text >= 'A' && *text <= 'Z')
			return true;
	return false;
}

const char *value_host_name(const char *text)
{
	if (is_name(text, 63, false) && !has_upper(text))
		return NULL;
	return "a host name of at most 63 bytes: a-z, 0-9, hyphens, and dots between "
	       "parts";
}

const char *value_dns_name(const char *text)
{
	if (is_name(text, 253, false) && !has_upper(text))
		return NULL;
	return "a DNS name: a-z, 0-9, hyphens, and dots between parts";
}

/* A name whose last part is a number would be taken for an IPv4 address by whoever
 * resolves it (WHATWG URL 3.5), so that a mistyped address is not asked from DNS. */
static bool ends_in_number(const char *text)
{
	const char *last = strrchr(text, '.');

	last = last ? last + 1 : text;
	return strspn(last, "0123456789") == strlen(last);
}

static bool is_ipv4(const char *text)
{
	struct in_addr address;

	return inet_pton(AF_INET, text, &address) == 1;
}

static bool is_ipv6(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, text, &address) == 1;
}

static bool is_host(const char *text)
{
	return is_ipv4(text) || (is_name(text, 253, true) && !ends_in_number(text));
}

const char *value_address(const char *text)
{
	return is_ipv4(text) || is_ipv6(text) ? NULL : "an IPv4 or IPv6 address";
}

const char *value_address_or_name(const char *text)
{
	return is_ipv6(text) || is_host(text) ? NULL : "an address or a host name";
}

const char *value_cidr(const char *text)
{
	static const char wanted[] = "a subnet like 10.244.0.0/16";
	const char *slash = strchr(text, '/');
	char address[64];
	uint64_t bits;

	if (!slash || (size_t)(slash - text) >= sizeof(address))
		return wanted;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!str_to_u64(slash + 1, is_ipv4(address) ? 32 : 128, &bits) ||
		(slash[1] == '0' && slash[2]) || strlen(slash) > 4)
		return wanted;
	return value_address(address) ? wanted : NULL;
}

const char *value_mac(const char *text)
{
	for (size_t i = 0; i < 17; i++)
		if (i % 3 == 2 ? text[i] != ':'
			       : !text[i] || !strchr("0123456789abcdefABCDEF", text[i]))
			return "a MAC address like 52:54:00:12:34:56";
	return text[17] ? "a MAC address like 52:54:00:12:34:56" : NULL;
}

/* Reads HOST[:PORT] at text, HOST being a name, an IPv4 or a bracketed IPv6 address.
 * Returns what follows, or NULL. */
static const char *skip_authority(const char *text, bool *ret_port)
{
	size_t len = *text == '[' ? strcspn(text, "]/?#") : strcspn(text, ":/?#");
	const char *host = text;
	char copy[256], port[6];
	uint64_t number;

	if (*text == '[') {
		host++;
		len--;
		if (host[len] != ']')
			return NULL;
	}
	if (len >= sizeof(copy))
		return NULL;
	memcpy(copy, host, len);
	copy[len] = '\0';
	if (host != text ? !is_ipv6(copy) : !is_host(copy))
		return NULL;
	text = host + len + (host != text);
	*ret_port = *text == ':';
	if (*text != ':')
		return text;
	text++;
	len = strspn(text, "0123456789");
	if (!len || len >= sizeof(port) || *text == '0')
		return NULL;
	memcpy(port, text, len);
	port[len] = '\0';
	return str_to_u64(port, 65535, &number) ? text + len : NULL;
}

/* Path and query of RFC 3986; '%' only before two hex digits. */
static bool is_path_and_query(const char *text)
{
	if (*text && *text != '/' && *text != '?')
		return false;
	for (; *text; text++) {
		if (*text == '%') {
			if (strspn(text + 1, "0123456789abcdefABCDEF") < 2)
				return false;
		} else if (!is_alnum(*text) && !strchr("-._~!$&'()*+,;=:@/?", *text)) {
			return false;
		}
	}
	return true;
}

static const char *check_url(const char *text, const char *rest, const char *wanted)
{
	bool has_port;

	if (strlen(text) > ROLE_URL_MAX)
		return "a URL of at most 2048 bytes";
	if (memchr(rest, '@', strcspn(rest, "/?#")))
		return "a URL without user name and password; secrets do not belong into "
		       "a "
		       "role";
	rest = skip_authority(rest, &has_port);
	if (!rest)
		return wanted;
	if (strchr(rest, '#'))
		return "a URL without '#': a fragment is never sent to the server";
	if (!is_path_and_query(rest))
		return "a URL whose path and query are ASCII with %XX for other bytes";
	return NULL;
}

const char *value_url(const char *text)
{
	static const char wanted[] = "an http:// or https:// URL with a host";

	if (str_has_prefix(text, "https://"))
		return check_url(text, text + 8, wanted);
	if (str_has_prefix(text, "http://"))
		return check_url(text, text + 7, wanted);
	return wanted;
}

const char *value_url_https(const char *text)
{
	static const char wanted[] =
		"an https:// URL with a host: what it delivers is secret";

	if (str_has_prefix(text, "https://"))
		return check_url(text, text + 8, wanted);
	return wanted;
}

static const char *check_host_port(const char *rest, const char *wanted)
{
	bool has_port;

	rest = skip_authority(rest, &has_port);
	return rest && !*rest && has_port ? NULL : wanted;
}

const char *value_endpoint(const char *text)
{
	static const char wanted[] =
		"https://HOST:PORT of the API server, without a path";

	return str_has_prefix(text, "https://") ? check_host_port(text + 8, wanted)
						: wanted;
}

const char *value_syslog(const char *text)
{
	static const char wanted[] = "udp://HOST:PORT or tcp://HOST:PORT";

	return str_has_prefix(text, "udp://") || str_has_prefix(text, "tcp://")
		       ? check_host_port(text + 6, wanted)
		       : wanted;
}
