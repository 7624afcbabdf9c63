/* SPDX-License-Identifier: MIT */
/* The parts of cluster/api that need no server: kinds, paths, words. tests/cluster has
 * the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cluster/api_kind.h"
#include "cluster/api_status.h"

static void kind_builtin(void **state)
{
	static const struct {
		const char *version, *kind, *plural;
		bool namespaced;
	} rows[] = {
		{"v1", "Node", "nodes", false},
		{"v1", "Secret", "secrets", true},
		{"apps/v1", "DaemonSet", "daemonsets", true},
		{"rbac.authorization.k8s.io/v1", "ClusterRoleBinding",
			"clusterrolebindings", false},
		{"policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true},
	};
	struct api_kind kind;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(api_kind_builtin(rows[i].version, rows[i].kind, &kind));
		assert_string_equal(kind.plural, rows[i].plural);
		assert_int_equal(kind.namespaced, rows[i].namespaced);
	}
	/* the same kind of another group is another kind */
	assert_false(api_kind_builtin("apps/v1", "Node", &kind));
	assert_false(api_kind_builtin("metrics.k8s.io/v1", "Node", &kind));
	assert_false(api_kind_builtin("v1", "DaemonSet", &kind));
	assert_false(api_kind_builtin("app/v1", "DaemonSet", &kind));
	assert_false(api_kind_builtin("v1", "", &kind));
}

static void path_is(const char *segment, const char *expected)
{
	struct buf path CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(api_kind_segment(&path, segment, &err), 0);
	assert_string_equal(buf_text(&path), expected);
}

static void path_segments(void **state)
{
	static const char *const refused[] = {"", ".", "..", "a/b", "/", "%2e", "a%"};

	(void)state;
	path_is("w1", "/w1");
	path_is("kubeadm:node-proxier", "/kubeadm:node-proxier");
	path_is("a?b#c d", "/a%3Fb%23c%20d");
	path_is("\xc3\xa9", "/%C3%A9");
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct buf path CLEANUP(buf_done) = BUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(api_kind_segment(&path, refused[i], &err), -E_INVALID);
	}
}

static void path_roots(void **state)
{
	static const struct {
		const char *version, *root;
	} rows[] = {{"v1", "/api/v1"}, {"apps/v1", "/apis/apps/v1"},
		{"rbac.authorization.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1"}};
	static const char *const refused[] = {"", "/", "a/", "/v1", "a/b/c", "../v1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf root CLEANUP(buf_done) = BUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(api_kind_root(rows[i].version, &root, &err), 0);
		assert_string_equal(buf_text(&root), rows[i].root);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct buf root CLEANUP(buf_done) = BUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(api_kind_root(refused[i], &root, &err), -E_INVALID);
	}
}

static void status_codes(void **state)
{
	static const struct {
		long status;
		const char *body;
		int code;
	} rows[] = {
		{401, "", E_UNAUTHORIZED},
		{409, "{\"reason\":\"AlreadyExists\"}", E_EXISTS},
		{409, "{\"reason\":\"Conflict\"}", E_CONFLICT},
		{409, "AlreadyExists", E_CONFLICT},
		{429, "", E_NOT_YET},
		{418, "", E_HTTP},
		{500, "", E_NOT_YET},
		{501, "", E_UNSUPPORTED},
		{599, "", E_NOT_YET},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf body CLEANUP(buf_done) = BUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(buf_add_str(&body, rows[i].body), 0);
		assert_int_equal(
			api_status_error("GET '/x'", rows[i].status, &body, &err),
			-rows[i].code);
		assert_int_equal(strncmp(err.text, "GET '/x': ", 10), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kind_builtin),
		cmocka_unit_test(path_segments),
		cmocka_unit_test(path_roots),
		cmocka_unit_test(status_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
