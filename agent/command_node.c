/* SPDX-License-Identifier: MIT */
/* `promenade apply`, `plan`, `check`, `facts` and `validate`: the same engine and steps
 * as in the initramfs, on a mounted root or on "/". */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "build_info.h"
#include "command.h"
#include "host/fetch.h"
#include "host/journal.h"
#include "host/probe.h"
#include "host/report.h"
#include "model/plan.h"
#include "model/role.h"
#include "run.h"
#include "steps/step.h"

/* The CAs of a person's machine, where --ca names none (Debian, RHEL, SUSE). */
static const char *const system_cas[] = {"etc/ssl/certs/ca-certificates.crt",
	"etc/pki/tls/certs/ca-bundle.crt", "etc/ssl/ca-bundle.pem"};

#define CA_MAX (2U * 1024U * 1024U)

/* Everything that a command needs; filled in order, freed by node_done(). */
struct node {
	struct env env;
	struct facts facts;
	struct buf ca;
	struct fetch_config config;
	struct fetch *fetch;
	struct buf role_text;
	struct role role;
	struct plan plan;
	struct step_context context;
};

static void node_done(struct node *node)
{
	fetch_free(&node->fetch);
	role_done(&node->role);
	buf_done(&node->role_text);
	buf_done(&node->ca);
	facts_done(&node->facts);
	env_done(&node->env);
}

static int fail(const struct err *err)
{
	(void)fprintf(stderr, "promenade: %s\n", err->text);
	return err_exit_status(err->code);
}

static int print(const struct buf *text)
{
	return fputs(buf_text(text), stdout) < 0 || fflush(stdout) != 0 ? 1 : 0;
}

/* A path that a person typed: relative to where they are, links followed. */
static int read_path(const char *path, size_t max, struct buf *ret, struct err *err)
{
	int fd CLEANUP(fd_close) = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return err_errno(err, errno, "open '%s'", path);
	return fs_read_fd(fd, path, max, ret, err);
}

static int open_fetch(struct node *node, const struct options *options, struct err *err)
{
	int rc = 0;

	if (options->ca)
		rc = read_path(options->ca, CA_MAX, &node->ca, err);
	for (size_t i = 0; !options->ca && !node->ca.len && i < ARRAY_LEN(system_cas);
		i++)
		IGNORE_RESULT(fs_read(
			node->env.run_fd, system_cas[i], CA_MAX, &node->ca, NULL));
	if (rc < 0)
		return rc;
	node->config = (struct fetch_config){.ca_pem = node->ca.bytes,
		.ca_len = node->ca.len,
		.user_agent = "promenade/" BUILD_VERSION,
		.limits = FETCH_LIMITS_DEFAULT};
	return fetch_new(&node->env, &node->config, &node->fetch, err);
}

/* A person names ROLE: no policy but theirs; plain HTTP is still refused, since a role
 * may install anything. */
static int fetch_role(struct node *node, const char *url, struct err *err)
{
	struct fetch_answer answer = {.status = 0};
	struct fetch_request request = {.url = url, .limit = ROLE_BYTES_MAX};
	int rc = fetch_small(node->fetch, &request, &answer, err);

	if (rc < 0) {
		buf_done(&answer.body);
		return rc;
	}
	node->role_text = answer.body;
	return 0;
}

static int read_role_text(struct node *node, const char *role, struct err *err)
{
	if (strcmp(role, "-") == 0)
		return fs_read_fd(
			0, "standard input", ROLE_BYTES_MAX, &node->role_text, err);
	if (str_has_prefix(role, "https://") || str_has_prefix(role, "http://"))
		return fetch_role(node, role, err);
	return read_path(role, ROLE_BYTES_MAX, &node->role_text, err);
}

static void print_mistakes(const char *name, const struct role_mistakes *mistakes)
{
	size_t shown =
		mistakes->count < ROLE_MISTAKES_MAX ? mistakes->count : ROLE_MISTAKES_MAX;

	for (size_t i = 0; i < shown; i++)
		(void)fprintf(stderr, "%s:%u:%u: %s\n", name, mistakes->items[i].line,
			mistakes->items[i].column, mistakes->items[i].text);
	if (mistakes->count > shown)
		(void)fprintf(
			stderr, "%s: and %zu more\n", name, mistakes->count - shown);
}

static int read_role(struct node *node, const struct options *options, struct err *err)
{
	struct role_mistakes mistakes = {.count = 0};
	int rc = read_role_text(node, options->role, err);

	if (rc < 0)
		return rc;
	rc = role_parse(buf_text(&node->role_text), node->role_text.len, &node->role,
		&mistakes, err);
	if (rc < 0)
		print_mistakes(options->role, &mistakes);
	return rc;
}

static int probe(struct node *node, const struct options *options, struct err *err)
{
	int rc;

	if (options->facts) {
		struct buf text CLEANUP(buf_done) = BUF_INIT;

		rc = read_path(options->facts, FS_TEXT_MAX, &text, err);
		return rc < 0 ? rc : facts_parse(text.bytes, text.len, &node->facts, err);
	}
	rc = env_set_target(&node->env, options->root, err);
	if (rc == 0)
		rc = probe_machine(&node->env, &node->facts, err);
	return rc;
}

static int check_role_fits(const struct node *node, struct err *err)
{
	struct strlist macs CLEANUP(strlist_done) = STRLIST_INIT;
	struct timespec now;
	int rc;

	for (size_t i = 0; i < node->facts.nic_count; i++)
		if (strlist_add(&macs, node->facts.nics[i].mac) < 0)
			return err_errno(err, ENOMEM, "list MAC addresses");
	rc = role_match_machine(
		&node->role, node->facts.uuid, node->facts.serial, &macs, err);
	if (rc < 0)
		return rc;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	return role_check_fresh(
		&node->role, (int64_t)now.tv_sec, node->facts.target.last_serial, err);
}

static void fill_context(struct node *node)
{
	node->context = (struct step_context){.env = &node->env,
		.fetch = node->fetch,
		.facts = &node->facts,
		.role = &node->role,
		.plan = &node->plan,
		.role_text = node->role_text.bytes,
		.role_len = node->role_text.len};
}

/* Role, facts and plan, as apply and plan share them. */
static int prepare(struct node *node, const struct options *options, struct err *err)
{
	int rc = open_fetch(node, options, err);

	if (rc == 0)
		rc = read_role(node, options, err);
	if (rc == 0)
		rc = probe(node, options, err);
	if (rc == 0 && !options->facts)
		rc = probe_target(&node->env, &node->facts, err);
	if (rc == 0 && !options->facts)
		rc = check_role_fits(node, err);
	if (rc == 0)
		rc = plan_make(&node->facts, &node->role, options->facts != NULL,
			&node->plan, err);
	if (rc == 0)
		fill_context(node);
	return rc;
}

static int run(struct node *node, struct err *err)
{
	struct journal journal;
	struct run run = {.context = &node->context, .journal = &journal};
	struct report *report CLEANUP(report_free) = NULL;
	int rc = report_new(&node->env, &report, err);

	if (rc < 0)
		return rc;
	report_set_facts(report, &node->facts, node->role.name);
	if (node->role.report.url)
		rc = report_open(
			report, &node->config, node->role.report.url, false, err);
	if (rc < 0)
		return rc;
	node->context.report = report;
	run.report = report;
	journal_init(&journal, &node->env);
	rc = run_plan(&run, 0, err);
	journal_close_target(&journal);
	if (rc == 0)
		log_line(LOG_LEVEL_NOTICE,
			"done: %u step(s) changed something, %u already so", run.applied,
			run.already);
	return rc;
}

int command_apply(const struct options *options)
{
	struct node node CLEANUP(node_done) = {.env = {.run_fd = -1, .target_fd = -1}};
	struct log_sink sink = log_sink_stderr();
	struct err err = ERR_INIT;
	int rc;

	(void)signal(SIGPIPE, SIG_IGN);
	(void)log_add_sink(&sink);
	rc = env_init(&node.env, &err);
	if (rc == 0)
		rc = prepare(&node, options, &err);
	if (rc == 0)
		rc = run(&node, &err);
	return rc < 0 ? fail(&err) : 0;
}

int command_plan(const struct options *options)
{
	struct node node CLEANUP(node_done) = {.env = {.run_fd = -1, .target_fd = -1}};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	size_t todo = 0;
	int rc = env_init(&node.env, &err);

	/* The one thing that makes plan safe: every effect is refused. */
	node.env.sys = sys_refusing();
	if (rc == 0)
		rc = prepare(&node, options, &err);
	if (rc == 0 && options->facts)
		rc = plan_render(&node.plan, &text);
	else if (rc == 0)
		rc = run_preview(&node.context, &text, &todo, &err);
	if (rc < 0)
		return fail(&err);
	return print(&text);
}

int command_validate(const struct options *options)
{
	struct node node CLEANUP(node_done) = {.env = {.run_fd = -1, .target_fd = -1}};
	struct err err = ERR_INIT;
	int rc = env_init(&node.env, &err);

	if (rc == 0)
		rc = open_fetch(&node, options, &err);
	if (rc == 0)
		rc = read_role(&node, options, &err);
	if (rc < 0)
		return fail(&err);
	(void)printf("%s: role '%s' is good\n", options->role, node.role.name);
	return fflush(stdout) != 0 ? 1 : 0;
}

static int add_check(struct buf *out, const char *name, const struct step_report *report,
	bool json, bool first)
{
	static const char *const words[] = {[STEP_DONE] = "pass",
		[STEP_TODO] = "fail",
		[STEP_WARN] = "warn",
		[STEP_REFUSED] = "fail"};

	if (!json)
		return buf_printf(out, "%-8s %-5s %s\n", name, words[report->state],
			report->reason);
	if (buf_printf(out,
		    "%s{\"check\": \"%s\", \"verdict\": \"%s\", \"code\": \"%s\", "
		    "\"reason\": \"",
		    first ? "[" : ",\n ", name, words[report->state],
		    report->code ? err_name(report->code) : "") < 0 ||
		buf_add_json(out, report->reason) < 0)
		return -ENOMEM;
	return buf_add_str(out, "\"}");
}

/* Runs the three gates; *ret_code is the first refusal's. */
static int run_checks(
	struct node *node, bool json, struct buf *out, int *ret_code, struct err *err)
{
	static const enum step_kind gates[] = {
		STEP_KIND_KERNEL, STEP_KIND_NIC, STEP_KIND_MACHINE};

	for (size_t i = 0; i < ARRAY_LEN(gates); i++) {
		struct step step = {.kind = gates[i]};
		struct step_report report = {.state = STEP_DONE};
		const struct step_ops *ops = step_ops_of(gates[i]);
		int rc = ops->check(&node->context, &step, &report, err);

		if (rc == 0 && report.state == STEP_REFUSED && !*ret_code)
			*ret_code = report.code ? report.code : E_CHECK;
		if (rc == 0 && add_check(out, ops->name, &report, json, i == 0) < 0)
			rc = err_errno(err, ENOMEM, "render the checks");
		step_report_done(&report);
		if (rc < 0)
			return rc;
	}
	return json && buf_add_str(out, "]\n") < 0 ? err_errno(err, ENOMEM, "render") : 0;
}

int command_check(const struct options *options)
{
	struct node node CLEANUP(node_done) = {.env = {.run_fd = -1, .target_fd = -1}};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	int code = 0, rc = env_init(&node.env, &err);

	node.env.sys = sys_refusing();
	if (rc == 0)
		rc = probe(&node, options, &err);
	if (rc == 0)
		/* A target that is no OS is no reason not to check the machine. */
		IGNORE_RESULT(probe_target(&node.env, &node.facts, NULL));
	fill_context(&node);
	if (rc == 0)
		rc = run_checks(&node, options->json, &text, &code, &err);
	if (rc < 0)
		return fail(&err);
	rc = print(&text);
	return rc ? rc : err_exit_status(code);
}

static int write_out(const struct node *node, const char *path, const struct buf *text,
	struct err *err)
{
	struct fs_content content = {buf_text(text), text->len, 0644};
	const char *slash = strrchr(path, '/');
	char dir[4096] = ".";
	int fd CLEANUP(fd_close) = -1;

	if (slash && (size_t)(slash - path) < sizeof(dir) - 1) {
		memcpy(dir, path, (size_t)(slash - path) + 1);
		dir[slash - path + 1] = '\0';
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(err, errno, "open directory '%s'", dir);
	return fs_replace(node->env.sys, fd, slash ? slash + 1 : path, &content, err);
}

int command_facts(const struct options *options)
{
	struct node node CLEANUP(node_done) = {.env = {.run_fd = -1, .target_fd = -1}};
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	int rc = env_init(&node.env, &err);

	if (rc == 0)
		rc = probe(&node, options, &err);
	if (rc == 0)
		IGNORE_RESULT(probe_target(&node.env, &node.facts, NULL)); /* see check */
	if (rc == 0 && facts_render(&node.facts, &text) < 0)
		rc = err_errno(&err, ENOMEM, "render the facts");
	if (rc == 0 && options->out)
		rc = write_out(&node, options->out, &text, &err);
	if (rc < 0)
		return fail(&err);
	return options->out ? 0 : print(&text);
}
