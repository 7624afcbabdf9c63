/* SPDX-License-Identifier: MIT */
/* model/role: values and defaults, the checks against machine, clock and signature, and
 * input that is made to hurt. Verdicts and messages of single mistakes are in
 * tests/golden/role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/role.h"

#define HEAD "apiVersion: promenade/v1\nkind: Role\nname: worker-07\n"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SHA_UPPER "0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF"

static struct role_mistakes mistakes;

static struct role parse(const char *text)
{
	struct role role = {0};
	struct err err = ERR_INIT;

	if (role_parse(text, strlen(text), &role, &mistakes, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(mistakes.count, 0);
	return role;
}

static void fills_defaults(void **state)
{
	struct role role CLEANUP(role_done) = parse(HEAD);

	(void)state;
	assert_string_equal(role.name, "worker-07");
	assert_int_equal(role.serial, 0);
	assert_int_equal(role.not_after, 0);
	assert_false(role.match.present);
	assert_null(role.checks.kernel_newer_than);
	assert_int_equal(role.checks.broadcom, ROLE_NIC_REQUIRE_HEALTHY);
	assert_int_equal(role.checks.cgroup, 0);
	assert_null(role.os.root.label);
	assert_int_equal(role.os.pivot, ROLE_PIVOT_SWITCH_ROOT);
	assert_null(role.os.cmdline);
	assert_string_equal(role.os.init, "/sbin/init");
	assert_null(role.os.modules.url);
	assert_true(role.os.fsck);
	assert_int_equal(role.node.swap, ROLE_SWAP_DISABLED);
	assert_int_equal(role.node.engine, ROLE_ENGINE_NONE);
	assert_string_equal(role.node.snapshotter, "overlayfs");
	assert_string_equal(role.node.storage_driver, "overlay2");
	assert_true(role.node.systemd_cgroup);
	assert_null(role.node.sandbox_image);
	assert_true(role.node.pin_address);
	assert_true(role.node.install_agent);
	assert_false(role.node.kubelet.present);
	assert_null(role.node.kubelet.binary);
	assert_string_equal(role.node.kubelet.cluster_domain, "cluster.local");
	assert_int_equal(role.artifact_count, 0);
	assert_null(role.cni.plugins.url);
	assert_string_equal(role.cni.dir, "/opt/cni/bin");
	assert_int_equal(role.cluster.action, ROLE_CLUSTER_NONE);
	assert_null(role.report.url);
}

static void reads_head_and_os(void **state)
{
	struct role role CLEANUP(role_done) = parse(HEAD
		"serial: 9007199254740991\n"
		"notAfter: 2027-01-31T12:00:00Z\n"
		"match: {uuid: 4C4C4544-0042-3510-8052-B4C04F4A4D31, serial: aB, mac: "
		"52:54:00:AB:CD:EF}\n"
		"checks:\n"
		"  kernel: {newerThan: '4.8'}\n"
		"  nic: {broadcom: ignore}\n"
		"  memory: {minMiB: 2048}\n"
		"  cpu: {min: 4}\n"
		"  cgroup: {version: 2}\n"
		"os:\n"
		"  root: {disk: {wwn: naa.5000}, partition: 3}\n"
		"  pivot: kexec\n"
		"  cmdline: root=LABEL=x ro\n"
		"  init: /usr/lib/systemd/systemd\n"
		"  modules: {url: 'http://h/m.tar', sha256: '" SHA_UPPER "'}\n"
		"  fsck: false\n");

	(void)state;
	assert_true(role.serial == 9007199254740991ULL);
	assert_int_equal(role.not_after, 1801396800);
	assert_true(role.match.present);
	assert_string_equal(role.match.uuid, "4c4c4544-0042-3510-8052-b4c04f4a4d31");
	assert_string_equal(role.match.serial, "aB");
	assert_string_equal(role.match.mac, "52:54:00:ab:cd:ef");
	assert_string_equal(role.checks.kernel_newer_than, "4.8");
	assert_int_equal(role.checks.broadcom, ROLE_NIC_IGNORE);
	assert_int_equal(role.checks.memory_min_mib, 2048);
	assert_int_equal(role.checks.cpu_min, 4);
	assert_int_equal(role.checks.cgroup, 2);
	assert_string_equal(role.os.root.disk_wwn, "naa.5000");
	assert_int_equal(role.os.root.partition, 3);
	assert_int_equal(role.os.pivot, ROLE_PIVOT_KEXEC);
	assert_string_equal(role.os.cmdline, "root=LABEL=x ro");
	assert_string_equal(role.os.init, "/usr/lib/systemd/systemd");
	assert_string_equal(role.os.modules.url, "http://h/m.tar");
	assert_string_equal(role.os.modules.sha256, SHA);
	assert_false(role.os.fsck);
}

static void reads_node(void **state)
{
	struct role role CLEANUP(role_done) = parse(HEAD
		"node:\n"
		"  swap: keep\n"
		"  engine: {name: docker, storageDriver: btrfs, cgroupDriver: cgroupfs, "
		"sandboxImage: pause}\n"
		"  pinAddress: false\n"
		"  installAgent: false\n"
		"  sysctl: {net.ipv4.ip_forward: 1, kernel.panic: '10'}\n"
		"  modulesLoad: [overlay, br_netfilter]\n"
		"  files:\n"
		"  - {path: /etc/motd, content: \"a\\n\\tb\\n\", mode: '0600'}\n"
		"  - {path: /etc/issue, content: ''}\n"
		"  units:\n"
		"  - {name: a.service, content: x, enable: true}\n"
		"  - {name: b.timer, mask: true}\n"
		"  kubelet:\n"
		"    binary: /usr/bin/kubelet\n"
		"    clusterDomain: k8s.example\n"
		"    clusterDNS: [10.96.0.10]\n"
		"    extraArgs: {v: 2, rotate-certificates: true, node-ip: '::1'}\n"
		"    labels: {rack: r7}\n"
		"    taints: ['a=b:NoSchedule']\n");
	const struct role_node *node = &role.node;

	(void)state;
	assert_int_equal(node->swap, ROLE_SWAP_KEEP);
	assert_int_equal(node->engine, ROLE_ENGINE_DOCKER);
	assert_string_equal(node->storage_driver, "btrfs");
	assert_false(node->systemd_cgroup);
	assert_string_equal(node->sandbox_image, "pause");
	assert_false(node->pin_address);
	assert_false(node->install_agent);
	assert_int_equal(node->sysctl.count, 2);
	assert_string_equal(node->sysctl.items[0].key, "net.ipv4.ip_forward");
	assert_string_equal(node->sysctl.items[0].value, "1");
	assert_string_equal(node->sysctl.items[1].value, "10");
	assert_int_equal(node->modules_load.count, 2);
	assert_int_equal(node->file_count, 2);
	assert_string_equal(node->files[0].content, "a\n\tb\n");
	assert_int_equal(node->files[0].mode, 0600);
	assert_int_equal(node->files[1].mode, 0644);
	assert_int_equal(node->unit_count, 2);
	assert_true(node->units[0].enable && !node->units[0].mask);
	assert_true(node->units[1].mask && !node->units[1].enable);
	assert_null(node->units[1].content);
	assert_true(node->kubelet.present);
	assert_string_equal(node->kubelet.cluster_domain, "k8s.example");
	assert_string_equal(node->kubelet.cluster_dns.items[0], "10.96.0.10");
	assert_string_equal(node->kubelet.extra_args.items[1].value, "true");
	assert_string_equal(node->kubelet.labels.items[0].value, "r7");
	assert_string_equal(node->kubelet.taints.items[0], "a=b:NoSchedule");
}

static void reads_the_rest(void **state)
{
	struct role role CLEANUP(role_done) = parse(HEAD
		"artifacts:\n"
		"- {url: 'https://h/k', sha256: '" SHA
		"', path: /usr/bin/k, mode: '0755'}\n"
		"- {url: 'https://h/t', sha256: '" SHA "', path: /opt/t, unpack: true}\n"
		"cni:\n"
		"  plugins: {url: 'https://h/c', sha256: '" SHA "', dir: /usr/lib/cni}\n"
		"  config: {name: 10-x.conflist, content: '{}'}\n"
		"cluster:\n"
		"  action: join\n"
		"  role: control-plane\n"
		"  version: '1.34.2'\n"
		"  endpoint: https://api.example:6443\n"
		"  caCertHashes: ['sha256:" SHA_UPPER "']\n"
		"  credential: {url: 'https://h/cred'}\n"
		"report: {url: 'https://h/e', syslog: 'udp://h:514'}\n"
		"ntp: [ntp.example, '2001:db8::1']\n");

	(void)state;
	assert_int_equal(role.artifact_count, 2);
	assert_string_equal(role.artifacts[0].source.url, "https://h/k");
	assert_string_equal(role.artifacts[0].source.sha256, SHA);
	assert_int_equal(role.artifacts[0].mode, 0755);
	assert_false(role.artifacts[0].unpack);
	assert_true(role.artifacts[1].unpack);
	assert_string_equal(role.cni.plugins.url, "https://h/c");
	assert_string_equal(role.cni.dir, "/usr/lib/cni");
	assert_string_equal(role.cni.config_name, "10-x.conflist");
	assert_string_equal(role.cni.config_content, "{}");
	assert_int_equal(role.cluster.action, ROLE_CLUSTER_JOIN);
	assert_int_equal(role.cluster.role, ROLE_NODE_CONTROL_PLANE);
	assert_string_equal(role.cluster.endpoint, "https://api.example:6443");
	assert_string_equal(role.cluster.ca_cert_hashes.items[0], "sha256:" SHA);
	assert_string_equal(role.cluster.credential_url, "https://h/cred");
	assert_null(role.cluster.token_url);
	assert_string_equal(role.report.url, "https://h/e");
	assert_string_equal(role.report.syslog, "udp://h:514");
	assert_int_equal(role.ntp.count, 2);
}

static void reads_times(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} rows[] = {
		{"1970-01-01T00:00:01Z", 1},
		{"2000-02-29T23:59:59Z", 951868799},
		{"2038-01-19T03:14:08Z", 2147483648LL},
		{"2100-03-01T00:00:00Z", 4107542400LL},
		{"9999-12-31T23:59:59Z", 253402300799LL},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text), HEAD "notAfter: %s\n", rows[i].text);
		struct role role CLEANUP(role_done) = parse(text);

		assert_true(role.not_after == rows[i].want);
	}
}

static int refuse(const char *bytes, size_t len, struct err *err)
{
	struct role role, before;

	memset(&role, 0x5a, sizeof(role));
	before = role;
	memset(&mistakes, 0x5a, sizeof(mistakes));
	int rc = role_parse(bytes, len, &role, &mistakes, err);

	assert_true(rc < 0);
	assert_int_equal(err->code, rc);
	assert_memory_equal(&role, &before, sizeof(role));
	assert_true(mistakes.count > 0);
	return rc;
}

static void lists_all_mistakes_in_order(void **state)
{
	static const char text[] = "kind: Role\n"
				   "name: A\n"
				   "match: {}\n"
				   "swap: off\n"
				   "apiVersion: promenade/v1\n"
				   "serial: 0\n";
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(refuse(text, strlen(text), &err), -E_ROLE);
	assert_int_equal(mistakes.count, 4);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(mistakes.items[i].line, i + 2);
		assert_true(mistakes.items[i].column >= 1);
	}
	assert_int_equal(mistakes.items[3].line, 6);
	assert_string_equal(mistakes.items[2].text,
		"unknown key 'swap' here; it belongs into 'node'");
	assert_non_null(strstr(err.text, "4 mistakes"));
	assert_non_null(strstr(err.text, "line 2, column 7"));
}

static void counts_more_mistakes_than_it_holds(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(buf_add_str(&text, HEAD), 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(buf_printf(&text, "unknown-%u: 1\n", i), 0);
	assert_int_equal(refuse(text.bytes, text.len, &err), -E_ROLE);
	assert_int_equal(mistakes.count, 100);
	for (size_t i = 0; i < ROLE_MISTAKES_MAX; i++)
		assert_int_equal(mistakes.items[i].line, i + 4);
	assert_non_null(strstr(err.text, "100 mistakes"));
}

/* Neither a password in a URL nor a key may reach a log by way of a message. */
static void does_not_repeat_secrets(void **state)
{
	static const char text[] =
		HEAD "report: {url: 'https://me:hunter2@h/'}\n"
		     "cluster: {action: join, token: {url: 'http://h/?hunter2'}}\n"
		     "node: {files: [{path: /x, content: '-----BEGIN PRIVATE "
		     "KEY-----hunter2'}]}\n";
	struct err err = ERR_INIT;

	(void)state;
	(void)refuse(text, strlen(text), &err);
	for (size_t i = 0; i < mistakes.count; i++)
		assert_null(strstr(mistakes.items[i].text, "hunter2"));
	assert_null(strstr(err.text, "hunter2"));
}

static void matches_the_machine(void **state)
{
	struct role role CLEANUP(role_done) = parse(HEAD
		"match: {uuid: 4c4c4544-0042-3510-8052-b4c04f4a4d31, serial: aB, mac: "
		"52:54:00:ab:cd:ef}\n");
	struct role any CLEANUP(role_done) = parse(HEAD);
	char other[] = "00:11:22:33:44:55", own[] = "52:54:00:AB:cd:ef";
	char *macs[] = {other, own};
	const struct strlist both = {macs, 2, 2}, first = {macs, 1, 1},
			     none = STRLIST_INIT;
	const char *uuid = "4C4C4544-0042-3510-8052-B4C04F4A4D31";
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(role_match_machine(&role, uuid, "aB", &both, &err), 0);
	assert_int_equal(role_match_machine(&any, "", "", &none, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(role_match_machine(&role, "", "aB", &both, &err), -E_ROLE_MATCH);
	assert_non_null(strstr(err.text, "4c4c4544-0042-3510-8052-b4c04f4a4d31"));
	assert_non_null(strstr(err.text, "'none'"));
	assert_int_equal(
		role_match_machine(&role, uuid, "AB", &both, &err), -E_ROLE_MATCH);
	assert_non_null(strstr(err.text, "'aB'"));
	assert_non_null(strstr(err.text, "'AB'"));
	assert_int_equal(
		role_match_machine(&role, uuid, "aB", &first, &err), -E_ROLE_MATCH);
	assert_non_null(strstr(err.text, "52:54:00:ab:cd:ef"));
	assert_non_null(strstr(err.text, "00:11:22:33:44:55"));
	assert_int_equal(
		role_match_machine(&role, uuid, "aB", &none, &err), -E_ROLE_MATCH);
}

static void checks_freshness(void **state)
{
	struct role role CLEANUP(role_done) =
		parse(HEAD "serial: 7\nnotAfter: 1970-01-01T00:01:40Z\n");
	struct role bare CLEANUP(role_done) = parse(HEAD);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(role_check_fresh(&role, 100, 7, &err), 0);
	assert_int_equal(role_check_fresh(&role, 99, 0, &err), 0);
	assert_int_equal(role_check_fresh(&bare, INT64_MAX, 0, &err), 0);
	assert_int_equal(err.code, 0);
	assert_int_equal(role_check_fresh(&role, 101, 7, &err), -E_ROLE_EXPIRED);
	assert_int_equal(role_check_fresh(&role, 100, 8, &err), -E_ROLE_SERIAL);
	assert_non_null(strstr(err.text, "7"));
	assert_non_null(strstr(err.text, "8"));
	assert_int_equal(role_check_fresh(&bare, 0, 1, &err), -E_ROLE_SERIAL);
}

static void demands_of_signed_roles(void **state)
{
	static const struct {
		const char *text, *missing;
	} rows[] = {
		{HEAD "serial: 1\nnotAfter: 2027-01-31T12:00:00Z\n", "'match'"},
		{HEAD "serial: 1\nmatch: {serial: a}\n", "'notAfter'"},
		{HEAD "notAfter: 2027-01-31T12:00:00Z\nmatch: {serial: a}\n", "'serial'"},
	};
	struct role whole CLEANUP(role_done) = parse(
		HEAD "serial: 1\nnotAfter: 2027-01-31T12:00:00Z\nmatch: {serial: a}\n");
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(role_check_signed(&whole, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		struct role role CLEANUP(role_done) = parse(rows[i].text);

		assert_int_equal(role_check_signed(&role, &err), -E_TRUST);
		assert_non_null(strstr(err.text, rows[i].missing));
	}
}

static void done_takes_nothing(void **state)
{
	struct role role = {0};

	(void)state;
	role_done(&role);
	role_done(&role);
}

/* unit, as often as it fits, behind head: ROLE_BYTES_MAX bytes in all. */
static size_t fill(char *bytes, const char *head, const char *unit)
{
	size_t len = strlen(head), step = strlen(unit);

	memcpy(bytes, head, len);
	for (; len + step <= ROLE_BYTES_MAX; len += step)
		memcpy(bytes + len, unit, step);
	return len;
}

/* A bound that only something worse than linear reaches: each takes 10 ms (60 ms under
 * ASan), and libyaml alone would take a minute for some. */
static void is_quick(char *bytes, size_t len, const char *what)
{
	struct role role = {0};
	struct err err = ERR_INIT;
	clock_t start = clock();
	int rc = role_parse(bytes, len, &role, &mistakes, &err);
	double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;

	role_done(&role);
	if (rc == 0 || rc == -E_BUG)
		fail_msg("%s: %d %s", what, rc, err.text);
	if (seconds > 0.5)
		fail_msg("%s: %.1f s", what, seconds);
}

static void hostile_input_is_refused_quickly(void **state)
{
	static const char *const heads[] = {"", "[", "[[[[[[[[[[[[[[[", "{",
		"a: ", "a: |\n ", "a: >-\n ", "\"", "'", "- ", "# ",
		HEAD "node:\n  files:\n  - path: /x\n    x: "};
	static const char *const units[] = {"[", "{", "]", "}", "{a: ", "a: [", "- ",
		"? ", "- - ", "[[", "[{", "{a", "[a, ", "[a]: ", "[]: ", "{}: ", "? - ",
		"- ? ", "- [", "{? ", "{? [", "'", "\"", "''", "a: b\n", "- a\n", "a,",
		"a: ", "a:\n ", ": ", ":", ",", "!!a ", "!", "!<", "&a ", "*a ", "&a *a ",
		"|\n ", "a: |\n  ", ">", "#", "%a\n", "%YAML 1.1\n", "---\n", "--- ",
		"...\n", "\n", "\r", "\r\n", " ", "\t", "\n ", "a", "a ", "\xc3\xa4",
		"\xe2\x80\xa8", "\xef\xbb\xbf", "\xff", "\x01", "\\", "\\x", "\"\\n\" ",
		"- [[[[[[[[[[[[[[[\n", "[[[[[[[[[[]]]]]]]]]]\n", "'a':\n", "{a: b, ",
		"\"a\": ", "-\n ", "<<: *a\n", "? a\n", "? a\n: b\n", "@", "`", "0",
		"~\n"};
	char *bytes = malloc(ROLE_BYTES_MAX + 1);

	(void)state;
	for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++)
		for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
			char what[160];

			(void)snprintf(
				what, sizeof(what), "'%s' then '%s'", heads[h], units[u]);
			is_quick(bytes, fill(bytes, heads[h], units[u]), what);
		}
	free(bytes);
}

/* Blocks of growing indent: 16 levels and 700 levels in as many bytes as fit. */
static void deep_blocks_are_refused_quickly(void **state)
{
	char *bytes = malloc(ROLE_BYTES_MAX + 1);
	size_t len = 0;

	(void)state;
	for (size_t depth = 0; len + depth + 3 <= ROLE_BYTES_MAX; depth++) {
		memset(bytes + len, ' ', depth);
		memcpy(bytes + len + depth, "a:\n", 3);
		len += depth + 3;
	}
	is_quick(bytes, len, "nested block");
	assert_non_null(strstr(mistakes.items[0].text, "nested deeper"));
	free(bytes);
}

/* Distinct keys, as many as fit: comparing each with each would be 10^9 comparisons. */
static void many_keys_are_refused_quickly(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	assert_int_equal(buf_add_str(&text, "match:\n"), 0);
	for (unsigned int i = 0; text.len < ROLE_BYTES_MAX - 16; i++)
		assert_int_equal(buf_printf(&text, " k%u: 1\n", i), 0);
	is_quick(text.bytes, text.len, "many keys");
	assert_non_null(strstr(mistakes.items[0].text, "more than 512"));
}

/* As large as a role may be, and right: one file; brackets in it are text. */
static void a_large_role_is_fine(void **state)
{
	static const char *const units[] = {
		"[", "{a: ", "'", "\"", "- ", "# ", "a\n      "};
	static const char head[] =
		HEAD "node:\n  files:\n  - path: /x\n    content: |\n      ";
	char *bytes = malloc(ROLE_BYTES_MAX + 1);

	(void)state;
	for (size_t u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		size_t len = fill(bytes, head, units[u]);
		clock_t start = clock();
		struct role role = {0};
		struct err err = ERR_INIT;

		if (role_parse(bytes, len, &role, &mistakes, &err) < 0)
			fail_msg("'%s': %s", units[u], err.text);
		assert_int_equal(role.node.file_count, 1);
		assert_true(strlen(role.node.files[0].content) > ROLE_BYTES_MAX / 8);
		assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
		role_done(&role);
	}
	free(bytes);
}

static void bounds_bytes(void **state)
{
	char *bytes = malloc(ROLE_BYTES_MAX + 1);
	struct role role = {0};
	struct err err = ERR_INIT;

	(void)state;
	memset(bytes, '\n', ROLE_BYTES_MAX + 1);
	memcpy(bytes, HEAD, strlen(HEAD));
	assert_int_equal(role_parse(bytes, ROLE_BYTES_MAX, &role, &mistakes, &err), 0);
	role_done(&role);
	assert_int_equal(refuse(bytes, ROLE_BYTES_MAX + 1, &err), -E_TOO_BIG);
	assert_int_equal(mistakes.items[0].line, 1);
	assert_int_equal(refuse(bytes, 0, &err), -E_ROLE);
	assert_int_equal(refuse(NULL, 0, &err), -E_ROLE);
	free(bytes);
}

/* 16 levels are read (and refused for what they are), the 17th is too deep, in flow style
 * and in block style alike. */
static void bounds_depth(void **state)
{
	char text[512];
	struct err err = ERR_INIT;

	(void)state;
	for (unsigned int depth = 14; depth <= 18; depth++) {
		bool deep =
			depth + 1 > ROLE_DEPTH_MAX; /* the map around them is one more */

		(void)snprintf(text, sizeof(text), HEAD "ntp: %.*s%.*s\n", (int)depth,
			"[[[[[[[[[[[[[[[[[[[[", (int)depth, "]]]]]]]]]]]]]]]]]]]]");
		assert_int_equal(
			refuse(text, strlen(text), &err), deep ? -E_TOO_BIG : -E_ROLE);
		(void)snprintf(text, sizeof(text), HEAD "ntp:\n %.*sa\n", (int)depth * 2,
			"- - - - - - - - - - - - - - - - - - - - ");
		assert_int_equal(
			refuse(text, strlen(text), &err), deep ? -E_TOO_BIG : -E_ROLE);
	}
}

/* Every prefix of a role, and every role with one byte changed: a verdict, never a crash.
 * What ASan, UBSan and LeakSanitizer say counts. */
static void survives_cuts_and_flips(void **state)
{
	static const char text[] =
		HEAD "match: {uuid: 4c4c4544-0042-3510-8052-b4c04f4a4d31}\n"
		     "os: {root: {label: root}}\n"
		     "node:\n"
		     "  sysctl: {net.ipv4.ip_forward: 1}\n"
		     "  files: [{path: /x, content: \"a\\x41\\n\"}]\n"
		     "  units:\n"
		     "  - {name: a.service, content: |-\n    x\n  , enable: true}\n"
		     "ntp: [a, 'b''c']\n";
	static const unsigned char others[] = {0, '\n', '\t', ' ', '\'', '"', '[', '{',
		'}', ':', '-', '?', '#', '&', '*', '!', '|', '%', '\\', 0x80, 0xc2, 0xff};
	size_t len = strlen(text);
	char copy[sizeof(text)];

	(void)state;
	for (size_t i = 0; i < len; i++) {
		struct role role = {0};

		(void)!role_parse(text, i, &role, &mistakes, NULL);
		role_done(&role);
		for (size_t k = 0; k < sizeof(others); k++) {
			memcpy(copy, text, sizeof(text));
			copy[i] = (char)others[k];
			(void)!role_parse(copy, len, &role, &mistakes, NULL);
			role_done(&role);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_defaults),
		cmocka_unit_test(reads_head_and_os),
		cmocka_unit_test(reads_node),
		cmocka_unit_test(reads_the_rest),
		cmocka_unit_test(reads_times),
		cmocka_unit_test(lists_all_mistakes_in_order),
		cmocka_unit_test(counts_more_mistakes_than_it_holds),
		cmocka_unit_test(does_not_repeat_secrets),
		cmocka_unit_test(matches_the_machine),
		cmocka_unit_test(checks_freshness),
		cmocka_unit_test(demands_of_signed_roles),
		cmocka_unit_test(done_takes_nothing),
		cmocka_unit_test(hostile_input_is_refused_quickly),
		cmocka_unit_test(deep_blocks_are_refused_quickly),
		cmocka_unit_test(many_keys_are_refused_quickly),
		cmocka_unit_test(a_large_role_is_fine),
		cmocka_unit_test(bounds_bytes),
		cmocka_unit_test(bounds_depth),
		cmocka_unit_test(survives_cuts_and_flips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
