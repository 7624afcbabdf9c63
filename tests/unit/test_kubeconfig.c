/* SPDX-License-Identifier: MIT */
/* cluster/kubeconfig: the texts of kubeadm and kubelet byte for byte, and reading what
 * they and people write. */
#include <errno.h>

#include "temp_root.h"

#include "cluster/kubeconfig.h"
#include "cluster/secret.h"

static const struct kubeconfig_cluster cluster = {
	"https://api.example.test:6443", "CA\n", 3, 33};

static int read_text(const char *text, struct kubeconfig *ret, struct err *err)
{
	return kubeconfig_read(text, strlen(text), "x.conf", ret, err);
}

static void user(void **state)
{
	char certificate[] = "C", key[] = "K";
	const struct buf certificate_pem = {certificate, 1, 2}, key_pem = {key, 1, 2};
	struct buf text CLEANUP(secret_done) = BUF_INIT;
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};

	(void)state;
	assert_int_equal(kubeconfig_write_user(&cluster, "system:kube-scheduler",
				 &certificate_pem, &key_pem, &text),
		0);
	assert_string_equal(text.bytes,
		"apiVersion: v1\n"
		"clusters:\n"
		"- cluster:\n"
		"    certificate-authority-data: Q0EK\n"
		"    server: https://api.example.test:6443\n"
		"  name: kubernetes\n"
		"contexts:\n"
		"- context:\n"
		"    cluster: kubernetes\n"
		"    user: system:kube-scheduler\n"
		"  name: system:kube-scheduler@kubernetes\n"
		"current-context: system:kube-scheduler@kubernetes\n"
		"kind: Config\n"
		"preferences: {}\n"
		"users:\n"
		"- name: system:kube-scheduler\n"
		"  user:\n"
		"    client-certificate-data: Qw==\n"
		"    client-key-data: Sw==\n");
	assert_int_equal(read_text(text.bytes, &config, NULL), 0);
	assert_string_equal(config.server, "https://api.example.test:6443");
	assert_string_equal(config.user, "system:kube-scheduler");
	assert_string_equal(config.ca_pem.bytes, "CA\n");
	assert_string_equal(config.certificate_pem.bytes, "C");
	assert_string_equal(config.key_pem.bytes, "K");
	assert_string_equal(config.token, "");
	assert_false(config.insecure);
}

static void kubelet(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};

	(void)state;
	assert_int_equal(kubeconfig_write_kubelet(&cluster, &text), 0);
	assert_string_equal(text.bytes,
		"apiVersion: v1\n"
		"clusters:\n"
		"- cluster:\n"
		"    certificate-authority-data: Q0EK\n"
		"    server: https://api.example.test:6443\n"
		"  name: default-cluster\n"
		"contexts:\n"
		"- context:\n"
		"    cluster: default-cluster\n"
		"    namespace: default\n"
		"    user: default-auth\n"
		"  name: default-context\n"
		"current-context: default-context\n"
		"kind: Config\n"
		"preferences: {}\n"
		"users:\n"
		"- name: default-auth\n"
		"  user:\n"
		"    client-certificate: "
		"/var/lib/kubelet/pki/kubelet-client-current.pem\n"
		"    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem\n");
	assert_int_equal(read_text(text.bytes, &config, NULL), 0);
	assert_string_equal(config.certificate_path, KUBECONFIG_KUBELET_PEM);
	assert_string_equal(config.key_path, KUBECONFIG_KUBELET_PEM);
	assert_int_equal(config.key_pem.len, 0);
}

static void bootstrap(void **state)
{
	const struct kubeconfig_cluster newer = {"https://[fd00::1]:6443", "CA\n", 3,
		KUBECONFIG_MINOR_WITHOUT_PREFERENCES};
	struct buf text CLEANUP(secret_done) = BUF_INIT;
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};

	(void)state;
	assert_int_equal(
		kubeconfig_write_bootstrap(&newer, "07401b.f395accd246ae52d", &text), 0);
	assert_string_equal(text.bytes,
		"apiVersion: v1\n"
		"clusters:\n"
		"- cluster:\n"
		"    certificate-authority-data: Q0EK\n"
		"    server: https://[fd00::1]:6443\n"
		"  name: kubernetes\n"
		"contexts:\n"
		"- context:\n"
		"    cluster: kubernetes\n"
		"    user: tls-bootstrap-token-user\n"
		"  name: tls-bootstrap-token-user@kubernetes\n"
		"current-context: tls-bootstrap-token-user@kubernetes\n"
		"kind: Config\n"
		"users:\n"
		"- name: tls-bootstrap-token-user\n"
		"  user:\n"
		"    token: 07401b.f395accd246ae52d\n");
	assert_int_equal(read_text(text.bytes, &config, NULL), 0);
	assert_string_equal(config.token, "07401b.f395accd246ae52d");
	assert_string_equal(config.server, "https://[fd00::1]:6443");
}

static void cluster_info(void **state)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};

	(void)state;
	assert_int_equal(kubeconfig_write_cluster_info(&cluster, &text), 0);
	assert_string_equal(text.bytes, "apiVersion: v1\n"
					"clusters:\n"
					"- cluster:\n"
					"    certificate-authority-data: Q0EK\n"
					"    server: https://api.example.test:6443\n"
					"  name: \"\"\n"
					"contexts: null\n"
					"current-context: \"\"\n"
					"kind: Config\n"
					"preferences: {}\n"
					"users: null\n");
	assert_int_equal(read_text(text.bytes, &config, NULL), 0);
	assert_string_equal(config.ca_pem.bytes, "CA\n");
	assert_string_equal(config.user, "");
}

/* Tokens and names that YAML would take for something else come back as they were. */
static void quoting(void **state)
{
	static const char *const tokens[] = {"123456.1234567890123456",
		"0x1234.abcdefabcdefabcd", "123e45.1234567890123456", "a: b", "-dash",
		"#x", "null", "yes", "[a]", "a\\b\"c", "\xc3\xa4", "a ", "1:30", "a#b",
		"@x", "a:"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		struct buf text CLEANUP(secret_done) = BUF_INIT;
		struct kubeconfig config CLEANUP(kubeconfig_done) = {0};

		assert_int_equal(
			kubeconfig_write_bootstrap(&cluster, tokens[i], &text), 0);
		assert_non_null(strstr(text.bytes, "token: \""));
		assert_int_equal(read_text(text.bytes, &config, NULL), 0);
		assert_string_equal(config.token, tokens[i]);
	}
}

#define CLUSTERS                                                                         \
	"clusters: [{name: a, cluster: {server: 'https://a'}}, {name: b, cluster: "      \
	"{server: 'https://b', insecure-skip-tls-verify: true}}]\n"

static void read_by_context(void **state)
{
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};

	(void)state;
	assert_int_equal(
		read_text("kind: Config\n" CLUSTERS "current-context: two\n"
			  "contexts:\n"
			  "- {name: one, context: {cluster: a, user: u1}}\n"
			  "- {name: two, context: {cluster: b, user: u2, namespace: x}}\n"
			  "users:\n- {name: u1, user: {token: t1}}\n"
			  "- name: u2\n  user: {token: t2, exec: {command: x}}\n",
			&config, NULL),
		0);
	assert_string_equal(config.server, "https://b");
	assert_string_equal(config.user, "u2");
	assert_string_equal(config.token, "t2");
	assert_true(config.insecure);
	kubeconfig_done(&config);
	/* JSON is YAML */
	assert_int_equal(
		read_text("{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"clusters\":[{"
			  "\"name\":\"\",\"cluster\":{\"server\":\"https://j\","
			  "\"certificate-authority-data\":\"Q0EK\"}}]}",
			&config, NULL),
		0);
	assert_string_equal(config.server, "https://j");
	assert_string_equal(config.ca_pem.bytes, "CA\n");
}

static void refused(void **state)
{
	static const char *const rows[][2] = {
		{"", "empty"},
		{"[]", "no kubeconfig"},
		{"kind: Pod\n", "line 1: 'kind' is not Config"},
		{"kind: Config\n", "'clusters' has not"},
		{"kind: Config\nclusters: null\n", "line 2: 'clusters' has not"},
		{"kind: Config\nclusters: 7\n", "line 2: 'clusters' has not"},
		{"clusters: [7]\n", "'clusters' has not"},
		{"clusters: [{name: a, cluster: {}}]\n", "'server' is missing"},
		{"clusters: [{name: a, cluster: 7}]\n", "'server' is missing"},
		{CLUSTERS "current-context: x\n", "line 2: 'current-context' names"},
		{CLUSTERS "current-context: x\ncontexts: [{name: x, context: {cluster: "
			  "c}}]",
			"'clusters' has not"},
		{"clusters:\n- cluster:\n    server: x\n    certificate-authority-data: "
		 "'*'\n",
			"line 4: 'certificate-authority-data' is not base64"},
		{"a: [\n", "line 2"},
		{"a: &x b\n", "anchor"},
		{"clusters: []\nclusters: []\n", "given twice"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kubeconfig config = {0};
		struct err err = ERR_INIT;

		assert_int_equal(read_text(rows[i][0], &config, &err), -E_FORMAT);
		if (!strstr(err.text, rows[i][1]) ||
			!str_has_prefix(err.text, "read 'x.conf': "))
			fail_msg("'%s' lacks '%s'", err.text, rows[i][1]);
	}
}

static void junk(void **state)
{
	struct kubeconfig config = {0};
	size_t len = 1024 * 1024;
	char *bytes = malloc(len);
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, '[', len);
	assert_int_equal(kubeconfig_read(bytes, len, "x", &config, &err), -E_TOO_BIG);
	assert_int_equal(kubeconfig_read(bytes, 200000, "x", &config, &err), -E_TOO_BIG);
	memset(bytes, 0, len);
	assert_int_equal(kubeconfig_read(bytes, 200000, "x", &config, &err), -E_FORMAT);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(user),
		cmocka_unit_test(kubelet),
		cmocka_unit_test(bootstrap),
		cmocka_unit_test(cluster_info),
		cmocka_unit_test(quoting),
		cmocka_unit_test(read_by_context),
		cmocka_unit_test(refused),
		cmocka_unit_test(junk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
