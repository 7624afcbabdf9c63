/* SPDX-License-Identifier: MIT */
/* model/ when memory runs out: each allocation fails once, libyaml's included. Every one
 * must come back as ENOMEM, with nothing leaked (LeakSanitizer) and nothing half-built
 * handed out. Linked with --wrap for the four functions below (tests.mk). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "model/cmdline.h"
#include "model/facts.h"
#include "model/role.h"
#include "model/template.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

/* Calls until the one that fails; below zero none does. */
static long calls_left = -1;
static bool has_failed;

static bool fails(void)
{
	if (calls_left < 0 || calls_left-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
	return fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static int parse_role(struct err *err)
{
	static const char text[] =
		"apiVersion: promenade/v1\nkind: Role\nname: a\n"
		"match: {serial: b}\n"
		"node:\n"
		"  sysctl: {kernel.panic: 1}\n"
		"  modulesLoad: [a, b, c, d, e, f, g, h, i]\n"
		"  files: [{path: /x, content: \"long enough for libyaml to grow its "
		"buffer\"}]\n"
		"  units: [{name: a.service, enable: true}]\n"
		"  kubelet: {binary: /k, clusterDNS: [10.0.0.1], labels: {a: b}}\n";
	static struct role_mistakes mistakes;
	struct role role CLEANUP(role_done) = {0};

	return role_parse(text, sizeof(text) - 1, &role, &mistakes, err);
}

static int parse_facts(struct err *err)
{
	static const char text[] = "kernel=a\nnic.0.name=b\nnic.1.name=c\nlease.dns.0=d\n"
				   "disk.0.partition.0.path=e\n";
	struct facts facts CLEANUP(facts_done) = {0};

	return facts_parse(text, sizeof(text) - 1, &facts, err);
}

static int parse_cmdline(struct err *err)
{
	struct cmdline cmdline CLEANUP(cmdline_done) = {NULL, NULL, 0};

	return cmdline_parse("a b=c \"d e\"", &cmdline, err);
}

static int expand_template(struct err *err)
{
	const struct template_values values = {.uuid = "a", .serial = "b c"};
	struct buf url CLEANUP(buf_done) = BUF_INIT;

	return template_expand(
		"https://prov.example/a/path/of/some/length/{uuid}/{serial}.yaml"
		"?and={uuid}&a={asset}&query={serial}{serial}{serial}{serial}",
		&values, &url, err);
}

static void fail_each(int (*run)(struct err *err), long at_least)
{
	long failures = 0;

	for (has_failed = true; has_failed; failures++) {
		struct err err = ERR_INIT;
		int rc;

		has_failed = false;
		calls_left = failures;
		rc = run(&err);
		calls_left = -1;
		assert_int_equal(rc, has_failed ? -ENOMEM : 0);
		assert_int_equal(err.code, rc);
	}
	assert_true(failures > at_least);
}

static void role(void **state)
{
	(void)state;
	fail_each(parse_role, 100);
}

static void facts(void **state)
{
	(void)state;
	fail_each(parse_facts, 5);
}

static void cmdline(void **state)
{
	(void)state;
	fail_each(parse_cmdline, 1);
}

static void template(void **state)
{
	(void)state;
	fail_each(expand_template, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(role),
		cmocka_unit_test(facts),
		cmocka_unit_test(cmdline),
		cmocka_unit_test(template),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
