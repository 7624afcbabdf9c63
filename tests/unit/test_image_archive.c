/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "cluster/image_archive.h"

#define DIGEST "sha256:2222222222222222222222222222222222222222222222222222222222222222"

static struct buf text_of(const char *text)
{
	struct buf buf = BUF_INIT;

	assert_int_equal(buf_add_str(&buf, text), 0);
	return buf;
}

/* Names, or the error, of an archive with these two files (NULL: not there). */
static int parse(
	const char *index, const char *manifest, struct strlist *names, struct err *err)
{
	struct buf a CLEANUP(buf_done) = text_of(index ? index : "");
	struct buf b CLEANUP(buf_done) = text_of(manifest ? manifest : "");

	return image_archive_parse(
		index ? &a : NULL, manifest ? &b : NULL, "x.tar", names, err);
}

static void expect_names(
	const char *index, const char *manifest, const char *const *wanted)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	struct err err = ERR_INIT;

	if (parse(index, manifest, &names, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; wanted[i] || i < names.count; i++) {
		assert_true(wanted[i] && i < names.count);
		assert_string_equal(names.items[i], wanted[i]);
	}
}

static void expect_refused(const char *index, const char *manifest, const char *words)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(parse(index, manifest, &names, &err), -E_ARCHIVE);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not say '%s'", err.text, words);
}

#define ENTRY(annotation, name)                                                          \
	"{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"size\":1,"      \
	"\"digest\":\"" DIGEST "\",\"annotations\":{\"" annotation "\":\"" name "\"}}"

static void test_index(void **state)
{
	const char *const wanted[] = {DIGEST " registry.k8s.io/pause:3.10",
		DIGEST " docker.io/library/busybox:1", NULL};

	(void)state;
	expect_names(
		"{\"schemaVersion\":2,\"manifests\":[" ENTRY("io.containerd.image.name",
			"registry.k8s.io/pause:3.10") "," ENTRY("org.opencontainers."
								"image.ref.name",
			"docker.io/library/busybox:1") "]}",
		NULL, wanted);
}

/* containerd looks at manifest.json only where there is no index.json. */
static void test_both(void **state)
{
	const char *const wanted[] = {DIGEST " a.example/b:1", NULL};

	(void)state;
	expect_names("{\"manifests\":[" ENTRY(
			     "io.containerd.image.name", "a.example/b:1") "]}",
		"[{\"RepoTags\":[\"c:2\"]}]", wanted);
}

static void test_docker_save(void **state)
{
	const char *const wanted[] = {"- docker.io/library/busybox:1",
		"- docker.io/library/busybox:latest", "- docker.io/flannel/flannel:v1",
		"- quay.io/coreos/etcd:v3", "- localhost/x:1", "- reg:5000/y:1", NULL};

	(void)state;
	expect_names(NULL,
		"[{\"Config\":\"c.json\",\"RepoTags\":[\"busybox:1\",\"busybox:latest\"],"
		"\"Layers\":[]},{\"RepoTags\":[\"flannel/flannel:v1\","
		"\"quay.io/coreos/etcd:v3\",\"localhost/x:1\",\"reg:5000/y:1\"]}]",
		wanted);
}

static void test_refused(void **state)
{
	(void)state;
	expect_refused(NULL, NULL, "neither index.json nor manifest.json");
	expect_refused("{\"manifests\":[]}", NULL, "holds no image");
	expect_refused("[]", NULL, "holds no image");
	expect_refused("{", NULL, "index.json: line 1");
	expect_refused(NULL, "{", "manifest.json: line 1");
	expect_refused(
		"{\"manifests\":[{\"digest\":\"" DIGEST "\"}]}", NULL, "no full name");
	/* Becomes import-DATE:3.10 there, which nothing refers to. */
	expect_refused("{\"manifests\":[" ENTRY(
			       "org.opencontainers.image.ref.name", "3.10") "]}",
		NULL, "no full name");
	expect_refused(NULL, "[{\"RepoTags\":null}]", "no full name");
	expect_refused(NULL, "[{\"RepoTags\":[7]}]", "no full name");
}

/* Names become words of a list and arguments of a program. */
static void test_hostile_names(void **state)
{
	static const char *const names[] = {
		"a/b:1 --all", "-a/b:1", "a/b:1\\n", "a/$(x)", "a/b;c", "", "a/\\u0000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct strlist list CLEANUP(strlist_done) = STRLIST_INIT;
		struct buf text CLEANUP(buf_done) = BUF_INIT;
		struct err err = ERR_INIT;

		assert_int_equal(buf_printf(&text,
					 "{\"manifests\":[{\"digest\":\"" DIGEST
					 "\",\"annotations\":{"
					 "\"io.containerd.image.name\":\"%s\"}}]}",
					 names[i]),
			0);
		assert_int_equal(image_archive_parse(&text, NULL, "x.tar", &list, &err),
			-E_ARCHIVE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_index),
		cmocka_unit_test(test_both),
		cmocka_unit_test(test_docker_save),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
