/* SPDX-License-Identifier: MIT */
/*
 * The files of a cluster, for cluster.py and tests/cluster/test_objects.py:
 * `cluster_files DIR KEY=VALUE...` writes the objects (with caFile and token), the static
 * pods, the commands that they have and the kubelet configuration into DIR. The keys are
 * those of the tables; version comes first. `cluster_files --yaml` writes the JSON of
 * standard input as YAML, after it has read its own YAML back as the same value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/blueprint.h"
#include "cluster/json.h"
#include "cluster/kubelet_config.h"
#include "cluster/manifests.h"
#include "cluster/objects.h"
#include "cluster/yaml.h"

#define TEXT(name, member)                                                               \
	{                                                                                \
		name, offsetof(struct cluster_params, member),                           \
			sizeof(((struct cluster_params *)NULL)->member)                  \
	}
static const struct {
	const char *name;
	size_t offset, size;
} texts[] = {
	TEXT("clusterName", cluster_name),
	TEXT("endpoint", endpoint),
	TEXT("podCIDR", pod_cidr),
	TEXT("serviceCIDR", service_cidr),
	TEXT("dnsDomain", dns_domain),
	TEXT("repository", repository),
	TEXT("keyAlgorithm", key_algorithm),
	TEXT("nodeName", node_name),
	TEXT("advertiseAddress", advertise_address),
	TEXT("initialCluster", initial_cluster),
	TEXT("imageEtcd", images.etcd),
	TEXT("imageCoreDNS", images.core_dns),
};

static const struct {
	const char *name;
	size_t offset;
} bools[] = {
	{"existing", offsetof(struct cluster_params, initial_cluster_existing)},
	{"externalCA", offsetof(struct cluster_params, external_ca)},
	{"cgroupfs", offsetof(struct cluster_params, cgroupfs)},
	{"systemdResolved", offsetof(struct cluster_params, systemd_resolved)},
	{"etcPkiCaTrust", offsetof(struct cluster_params, ca_dirs.etc_pki_ca_trust)},
	{"etcPkiTlsCerts", offsetof(struct cluster_params, ca_dirs.etc_pki_tls_certs)},
	{"etcCaCertificates",
		offsetof(struct cluster_params, ca_dirs.etc_ca_certificates)},
	{"usrShareCaCertificates",
		offsetof(struct cluster_params, ca_dirs.usr_share_ca_certificates)},
	{"usrLocalShareCaCertificates",
		offsetof(struct cluster_params, ca_dirs.usr_local_share_ca_certificates)},
};

static const struct {
	const char *name;
	size_t offset;
} numbers[] = {
	{"probeFactor", offsetof(struct cluster_params, probe_factor)},
	{"leaseDuration", offsetof(struct cluster_params, lease_duration)},
	{"renewDeadline", offsetof(struct cluster_params, renew_deadline)},
	{"retryPeriod", offsetof(struct cluster_params, retry_period)},
};

static char ca_pem[65536] = "none";
static struct objects_token token;
static size_t token_count;

static NORETURN void fail(const char *what)
{
	(void)fprintf(stderr, "%s\n", what);
	exit(1);
}

static bool set_text(struct cluster_params *params, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (strcmp(texts[i].name, name) == 0)
			return str_copy(
				(char *)params + texts[i].offset, texts[i].size, value);
	return false;
}

static bool set_other(struct cluster_params *params, const char *name, const char *value)
{
	for (size_t i = 0; i < ARRAY_LEN(bools); i++)
		if (strcmp(bools[i].name, name) == 0) {
			*(bool *)((char *)params + bools[i].offset) =
				strcmp(value, "true") == 0;
			return true;
		}
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (strcmp(numbers[i].name, name) == 0) {
			*(unsigned int *)((char *)params + numbers[i].offset) =
				(unsigned int)strtoul(value, NULL, 10);
			return true;
		}
	return false;
}

static bool set_input(const char *name, const char *value)
{
	struct err err = ERR_INIT;

	if (strcmp(name, "caFile") == 0) {
		FILE *file = fopen(value, "r");
		size_t len = file ? fread(ca_pem, 1, sizeof(ca_pem) - 1, file) : 0;

		ca_pem[len] = '\0';
		return file && fclose(file) == 0 && len;
	}
	if (strcmp(name, "token") != 0)
		return false;
	if (jws_token_parse(value, strlen(value), &token.token, &err) < 0)
		fail(err.text);
	token.expires = 2000000000; /* 2033-05-18T03:33:20Z */
	token_count = 1;
	return true;
}

static void set(struct cluster_params *params, char *word)
{
	char *value = strchr(word, '=');

	if (!value)
		fail(word);
	*value++ = '\0';
	if (!set_text(params, word, value) && !set_other(params, word, value) &&
		!set_input(word, value))
		fail(word);
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[4096];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		fail(path);
}

static void write_component(
	const struct cluster_params *params, enum component component, const char *dir)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT, words CLEANUP(buf_done) = BUF_INIT;
	struct strlist command CLEANUP(strlist_done) = STRLIST_INIT;
	struct err err = ERR_INIT;
	char name[64];

	if (manifest_write(params, component, &text, &err) < 0 ||
		manifest_command(params, component, &command, &err) < 0)
		fail(err.text);
	(void)snprintf(name, sizeof(name), "%s.yaml", component_name(component));
	write_file(dir, name, buf_text(&text));
	for (size_t i = 0; i < command.count; i++)
		if (buf_printf(&words, "%s\n", command.items[i]) < 0)
			fail("memory");
	(void)snprintf(name, sizeof(name), "%s.command", component_name(component));
	write_file(dir, name, buf_text(&words));
}

static void write_blueprints(const struct cluster_params *params, const char *dir)
{
	for (int i = 0; i < BLUEPRINT_COUNT; i++) {
		struct buf text CLEANUP(buf_done) = BUF_INIT;
		json_t *documents CLEANUP(json_done) = NULL;
		struct err err = ERR_INIT;
		char name[64];

		if (blueprint_expand((enum blueprint)i, params, &documents, &err) < 0)
			fail(err.text);
		if (yaml_write(documents, &text) < 0)
			fail("memory");
		(void)snprintf(name, sizeof(name), "blueprint-%d.yaml", i);
		write_file(dir, name, buf_text(&text));
	}
}

static void write_objects(const struct cluster_params *params, const char *dir)
{
	const struct objects_input input = {params, ca_pem, &token, token_count};
	json_t *objects CLEANUP(json_done) = NULL;
	struct err err = ERR_INIT;
	char *text;

	if (objects_make(&input, &objects, &err) < 0)
		fail(err.text);
	text = json_dumps(objects, JSON_INDENT(1));
	if (!text)
		fail("memory");
	write_file(dir, "objects.json", text);
	free(text);
}

static void write_mark(const struct cluster_params *params, const char *dir)
{
	json_t *mark CLEANUP(json_done) = NULL;
	char *text;

	if (objects_control_plane_mark(params, &mark) < 0)
		fail("memory");
	text = json_dumps(mark, 0);
	if (!text)
		fail("memory");
	write_file(dir, "mark.json", text);
	free(text);
}

static void write_kubelet_config(const struct cluster_params *params, const char *dir)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	json_t *config CLEANUP(json_done) = NULL;
	struct err err = ERR_INIT;

	if (kubelet_config_base(params, &config, &err) < 0)
		fail(err.text);
	if (yaml_write(config, &text) < 0)
		fail("memory");
	write_file(dir, "kubelet-config.yaml", buf_text(&text));
}

static int echo_yaml(void)
{
	json_error_t why;
	json_t *value CLEANUP(json_done) =
		json_loadf(stdin, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);
	json_t *again CLEANUP(json_done) = NULL;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	if (!value || yaml_write(value, &text) < 0)
		fail(why.text);
	if (yaml_read(text.bytes, text.len, "own", &again, &err) < 0)
		fail(err.text);
	if (!json_equal(value, again))
		fail("reads back as another value");
	return fputs(buf_text(&text), stdout) < 0;
}

int main(int argc, char **argv)
{
	struct cluster_params params;
	struct err err = ERR_INIT;

	if (argc == 2 && strcmp(argv[1], "--yaml") == 0)
		return echo_yaml();
	if (argc < 3 || strncmp(argv[2], "version=", 8) != 0)
		fail("usage: cluster_files DIR version=VERSION [KEY=VALUE...]");
	if (params_init(&params, argv[2] + 8, &err) < 0)
		fail(err.text);
	for (int i = 3; i < argc; i++)
		set(&params, argv[i]);
	if (params_finish(&params, &err) < 0)
		fail(err.text);
	for (int i = 0; i < COMPONENT_COUNT; i++)
		write_component(&params, (enum component)i, argv[1]);
	write_kubelet_config(&params, argv[1]);
	write_blueprints(&params, argv[1]);
	write_objects(&params, argv[1]);
	write_mark(&params, argv[1]);
	return 0;
}
