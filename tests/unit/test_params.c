/* SPDX-License-Identifier: MIT */
/* Settings of a cluster: versions, addresses that follow from networks, gates at their
 * borders, and what reads a role. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/manifests.h"
#include "cluster/params.h"

static struct cluster_params made(const char *version)
{
	struct cluster_params params;
	struct err err = ERR_INIT;

	assert_int_equal(params_init(&params, version, &err), 0);
	return params;
}

static void knows_versions(void **state)
{
	static const char *const refused[] = {"", "1", "1.34", "1.34.2.1", "1.034.2",
		"2.34.2", "1.34.x", "1.19.16", "1.38.0", "latest", "1.34.2-rc.1", "v",
		"1.34.99999"};
	struct cluster_params params = made("v1.34.2");
	struct err err = ERR_INIT;

	(void)state;
	assert_string_equal(params.version, "1.34.2");
	assert_int_equal(params.minor, 34);
	assert_int_equal(params.patch, 2);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		assert_int_equal(params_init(&params, refused[i], &err), -E_UNSUPPORTED);
	assert_string_equal(params.version, "1.34.2"); /* untouched */
}

static void derives_addresses(void **state)
{
	static const struct {
		const char *cidr, *service, *dns;
	} rows[] = {
		{"10.96.0.0/12", "10.96.0.1", "10.96.0.10"},
		{"10.97.3.4/16", "10.97.0.1", "10.97.0.10"},
		{"192.0.2.32/27", "192.0.2.33", "192.0.2.42"},
		{"fd00:1::/108", "fd00:1::1", "fd00:1::a"},
		{"10.96.0.0/12,fd00:1::/108", "10.96.0.1", "10.96.0.10"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cluster_params params = made("1.34.2");
		struct err err = ERR_INIT;

		(void)str_copy(
			params.service_cidr, sizeof(params.service_cidr), rows[i].cidr);
		assert_int_equal(params_finish(&params, &err), 0);
		assert_string_equal(params.service_ip, rows[i].service);
		assert_string_equal(params.dns_ip, rows[i].dns);
	}
}

static void refuses_networks(void **state)
{
	static const char *const wrong[] = {"", "10.96.0.0", "10.96.0.0/33",
		"10.96.0.0/28", "10.96.0/12", "fd00::/124", "a/8"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct cluster_params params = made("1.34.2");
		struct err err = ERR_INIT;

		(void)str_copy(
			params.service_cidr, sizeof(params.service_cidr), wrong[i]);
		assert_int_equal(params_finish(&params, &err), -E_ROLE);
		assert_non_null(strstr(err.text, "serviceCIDR"));
	}
}

static void refuses_addresses(void **state)
{
	static const char *const wrong[] = {
		"127.0.0.1", "127.9.9.9", "::1", "host", "10.0.0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct cluster_params params = made("1.34.2");
		struct err err = ERR_INIT;

		(void)str_copy(params.advertise_address, sizeof(params.advertise_address),
			wrong[i]);
		assert_int_equal(params_finish(&params, &err), -E_ROLE);
		assert_non_null(strstr(err.text, "advertiseAddress"));
	}
}

static bool has(const char *version, const char *feature)
{
	struct cluster_params params = made(version);
	struct err err = ERR_INIT;
	bool known = false, there;

	assert_int_equal(params_finish(&params, &err), 0);
	there = params_has(&params, feature, &known);
	assert_true(known);
	return there;
}

static void gates_at_their_borders(void **state)
{
	bool known = true;
	struct cluster_params params = made("1.34.2");

	(void)state;
	assert_true(has("1.21.14", "insecurePort"));
	assert_false(has("1.22.0", "insecurePort"));
	assert_false(has("1.33.9", "probePort"));
	assert_true(has("1.34.0", "probePort"));
	assert_true(has("1.37.2", "probePort"));
	assert_true(has("1.33.0", "etcd35"));
	assert_true(has("1.34.0", "etcd36"));
	assert_false(params_has(&params, "noSuchFeature", &known));
	assert_false(known);
	assert_null(params_text(&params, "noSuchText"));
}

/* The image decides which flags etcd knows. */
static void looks_at_the_image_of_etcd(void **state)
{
	static const struct {
		const char *image;
		unsigned int minor;
	} rows[] = {
		{"registry.example:5000/etcd:3.5.24-0", 5},
		{"etcd:v3.6.1", 6},
		{"etcd:3.7.0-0", 7},
		{"etcd:latest", 6}, /* that of 1.35 */
		{"registry.example:5000/etcd", 6},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cluster_params params = made("1.35.4");
		struct err err = ERR_INIT;

		(void)str_copy(params.images.etcd, PARAMS_IMAGE_SIZE, rows[i].image);
		assert_int_equal(params_finish(&params, &err), 0);
		assert_int_equal(params.etcd_minor, rows[i].minor);
	}
}

static void reads_a_role(void **state)
{
	static const char text[] = "apiVersion: promenade/v1\n"
				   "kind: Role\n"
				   "name: cp-01\n"
				   "os: {root: {label: root}}\n"
				   "cluster:\n"
				   "  action: bootstrap\n"
				   "  role: control-plane\n"
				   "  version: \"1.35.4\"\n"
				   "  endpoint: https://api.example:6443\n"
				   "  advertiseAddress: fd00::5\n"
				   "  keys: rsa-2048\n"
				   "  probes: {factor: 15}\n"
				   "  images: {repository: registry.example/k8s}\n";
	struct role role CLEANUP(role_done) = {.name = NULL};
	struct role_mistakes mistakes;
	struct cluster_params params;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(role_parse(text, strlen(text), &role, &mistakes, &err), 0);
	assert_int_equal(params_from_role(&role, &params, &err), 0);
	assert_int_equal(params_finish(&params, &err), 0);
	assert_string_equal(params.node_name, "cp-01");
	assert_string_equal(params.endpoint, "api.example:6443");
	assert_string_equal(params.advertise_host, "[fd00::5]");
	assert_string_equal(params.members, "cp-01=https://[fd00::5]:2380");
	assert_string_equal(params.key_algorithm, "RSA-2048");
	assert_string_equal(params.images.pause, "registry.example/k8s/pause:3.10.1");
	assert_int_equal(params.probe_factor, 15);
	assert_int_equal(params.lease_duration, 0); /* the components' own defaults */
}

static void sets_flags_of_a_command(void **state)
{
	struct strlist command CLEANUP(strlist_done) = STRLIST_INIT;

	(void)state;
	assert_int_equal(strlist_add(&command, "etcd"), 0);
	assert_int_equal(strlist_add(&command, "--name=a"), 0);
	assert_int_equal(strlist_add(&command, "--name-of=b"), 0);
	assert_int_equal(command_set(&command, "name", "c"), 0);
	assert_int_equal(command_set(&command, "bind-address", "127.0.0.1"), 0);
	assert_int_equal(command.count, 4);
	assert_string_equal(command.items[1], "--name=c");
	assert_string_equal(command.items[2], "--name-of=b");
	assert_string_equal(command.items[3], "--bind-address=127.0.0.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_versions),
		cmocka_unit_test(derives_addresses),
		cmocka_unit_test(refuses_networks),
		cmocka_unit_test(refuses_addresses),
		cmocka_unit_test(gates_at_their_borders),
		cmocka_unit_test(looks_at_the_image_of_etcd),
		cmocka_unit_test(reads_a_role),
		cmocka_unit_test(sets_flags_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
