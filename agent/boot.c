/* SPDX-License-Identifier: MIT */
#include "boot.h"

#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "boot_parts.h"
#include "build_info.h"
#include "console.h"
#include "host/probe.h"
#include "init.h"
#include "model/plan.h"
#include "run.h"

/* Fewer lines than one a percent, more than one a minute. */
#define PROGRESS_EVERY_MS 2000U

/* How long a root that is on no disk may still appear. */
#define DISK_WAIT_MS 30000U

struct progress {
	struct boot *boot;
	uint64_t next_ms;
	bool complete; /* the last line said 100 % */
};

static void boot_done(struct boot *boot)
{
	report_free(&boot->report);
	syslog_close(&boot->syslog);
	fetch_free(&boot->fetch);
	net_free(boot->net);
	module_loader_free(&boot->modules);
	root_prepared_done(&boot->prepared);
	role_done(&boot->role);
	buf_done(&boot->role_text.bytes);
	policy_done(&boot->policy);
	strlist_done(&boot->headers);
	strlist_done(&boot->options.role_urls);
	strlist_done(&boot->options.ntp);
	str_free(&boot->options.report_url);
	facts_done(&boot->facts);
	env_done(&boot->env);
}

/* A bar that a person sees move and a machine can parse: "[#####.....]  50 % 6 of 12
 * MiB". */
static void show_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	char bar[21];
	uint64_t now = progress->boot->env.now_ms();
	size_t full = total ? (size_t)(done * 20 / total) : 0;
	bool complete = total && done == total;

	boot_pump(progress->boot);
	if (!total || (complete ? progress->complete : now < progress->next_ms))
		return;
	progress->complete = complete;
	progress->next_ms = now + PROGRESS_EVERY_MS;
	for (size_t i = 0; i < 20; i++)
		bar[i] = i < full ? '#' : '.';
	bar[20] = '\0';
	log_event(LOG_LEVEL_INFO, "fetch", "progress", "[%s] %3u %% %s, %llu of %llu KiB",
		bar, (unsigned int)(done * 100 / total), what,
		(unsigned long long)done / 1024, (unsigned long long)total / 1024);
}

/* Plans and runs one stage: up to root while the target is not known, the rest after. */
static int run_stage(struct boot *boot, struct run *run, size_t *from, struct err *err)
{
	struct plan plan;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = plan_make(&boot->facts, &boot->role, true, &plan, err);

	if (rc < 0)
		return rc;
	if (plan_render(&plan, &text) == 0)
		for (char *rest = text.bytes, *line;
			rest && (line = strsep(&rest, "\n"));)
			if (*line)
				log_event(LOG_LEVEL_DEBUG, "plan", "step", "%s", line);
	run->context->plan = &plan;
	rc = run_plan(run, *from, err);
	*from = plan.count;
	boot->pivot = plan.pivot;
	return rc;
}

/* The first stage; disks that are slow to appear (SAS, FC) are waited for as long as the
 * root is missing. */
static int run_first_stage(
	struct boot *boot, struct run *run, size_t *from, struct err *err)
{
	uint64_t until = boot->env.now_ms() + DISK_WAIT_MS;
	struct plan plan;
	int rc;

	for (;;) {
		rc = probe_machine(&boot->env, &boot->facts, err);
		if (rc == 0)
			rc = plan_make(&boot->facts, &boot->role, true, &plan, err);
		if (rc != -E_ROOT || boot->env.now_ms() >= until)
			break;
		log_event(LOG_LEVEL_NOTICE, "root", "wait",
			"%s; looking again for %llu s", err->text,
			(unsigned long long)((until - boot->env.now_ms()) / 1000));
		boot_wait_ms(boot, 3000);
	}
	return rc < 0 ? rc : run_stage(boot, run, from, err);
}

/* What an attempt of this boot wrote must not look to the next one like an earlier boot's
 * work: a reboot that was never reached would be left out. */
static int look_at_target(struct boot *boot, struct err *err)
{
	struct fact_target *target = &boot->facts.target;
	int rc = probe_target(&boot->env, &boot->facts, err);

	if (rc < 0)
		return rc;
	if (boot->target_seen) {
		target->prepared = boot->was_prepared;
		target->prepared_serial = boot->was_prepared_serial;
	}
	boot->target_seen = true;
	boot->was_prepared = target->prepared;
	boot->was_prepared_serial = target->prepared_serial;
	return 0;
}

/* From an accepted role to the moment before the pivot takes effect. */
static int prepare(struct boot *boot, struct err *err)
{
	struct progress progress = {.boot = boot};
	struct step_context context = {.env = &boot->env,
		.fetch = boot->fetch,
		.report = boot->report,
		.facts = &boot->facts,
		.role = &boot->role,
		.role_text = boot->role_text.bytes.bytes,
		.role_len = boot->role_text.bytes.len,
		.progress = show_progress,
		.progress_context = &progress};
	struct run run = {
		.context = &context, .journal = &boot->journal, .report = boot->report};
	size_t from = 0;
	int rc = run_first_stage(boot, &run, &from, err);

	if (rc == 0)
		rc = look_at_target(boot, err);
	if (rc == 0)
		rc = run_stage(boot, &run, &from, err);
	journal_close_target(&boot->journal);
	if (rc == 0)
		log_event(LOG_LEVEL_NOTICE, "boot", "done",
			"%u step(s) changed something, %u already so%s", run.applied,
			run.already, boot->role_is_stale ? ", role=stale" : "");
	return rc;
}

/* Once: a later role that names another server is honoured by the next boot. */
static void open_syslog(struct boot *boot)
{
	struct log_sink sink = syslog_sink(&boot->syslog);
	struct err err = ERR_INIT;

	if (!boot->role.report.syslog || boot->syslog.fd >= 0)
		return;
	if (syslog_open(&boot->syslog, boot->role.report.syslog, boot->role.name, &err) <
		0)
		log_event(LOG_LEVEL_WARN, "report", "warn", "%s, ignoring", err.text);
	else if (!log_add_sink(&sink))
		log_event(LOG_LEVEL_WARN, "report", "warn",
			"too many consoles for a syslog server too, ignoring");
}

static void open_report(struct boot *boot)
{
	const char *url =
		boot->role.report.url ? boot->role.report.url : boot->options.report_url;
	struct err err = ERR_INIT;

	report_set_facts(
		boot->report, &boot->facts, boot->role.name ? boot->role.name : "");
	if (url && url[0] &&
		report_open(boot->report, &boot->fetch_config, url, false, &err) < 0)
		log_event(LOG_LEVEL_WARN, "report", "warn", "%s, ignoring", err.text);
}

/* Machine, network, clock: what asking for a role needs. */
static int start(struct boot *boot, struct err *err)
{
	unsigned int network_ms;
	int rc = boot_read_options(boot, err);

	if (rc == 0)
		rc = policy_load(&boot->env, &boot->policy, err);
	if (rc == 0)
		rc = boot_load_modules(boot, err);
	console_open(boot->env.run_fd);
	log_line(LOG_LEVEL_NOTICE, "promenade %s", BUILD_VERSION);
	if (rc == 0)
		rc = probe_machine(&boot->env, &boot->facts, err);
	if (rc == 0)
		rc = root_find_prepared(&boot->env, &boot->facts, &boot->prepared, err);
	if (rc < 0)
		return rc;
	boot_floor_clock(boot);
	boot->role_since_ms = boot->env.now_ms();
	network_ms = boot->prepared.found ? boot->options.rolewait_s * 1000U : 0;
	rc = boot_open_network(boot, network_ms, err);
	if (rc < 0 && !(boot->prepared.found && rc == -E_TIMEOUT))
		return rc;
	rc = probe_machine(&boot->env, &boot->facts, err);
	/* A controller may take longer to show its disks than the network to come up. */
	if (rc == 0 && !boot->prepared.found)
		rc = root_find_prepared(&boot->env, &boot->facts, &boot->prepared, err);
	return rc < 0 ? rc : boot_open_fetch(boot, err);
}

static int exit_for(enum role_pivot pivot)
{
	switch (pivot) {
	case ROLE_PIVOT_SWITCH_ROOT:
		return INIT_EXIT_SWITCH_ROOT;
	case ROLE_PIVOT_KEXEC:
		return INIT_EXIT_KEXEC;
	case ROLE_PIVOT_REBOOT:
		return INIT_EXIT_REBOOT;
	}
	return err_exit_status(E_BUG);
}

/* What an attempt left behind: mounts of the target. The next one starts from none. */
static void clean_up(struct boot *boot)
{
	struct err err = ERR_INIT;

	journal_close_target(&boot->journal);
	boot->facts.target = (struct fact_target){.known = false};
	if (root_unmount(&boot->env, &err) < 0)
		log_event(LOG_LEVEL_WARN, "root", "warn", "%s, ignoring", err.text);
}

static int run_until_prepared(struct boot *boot)
{
	struct err err = ERR_INIT;

	for (unsigned int attempt = 0;; attempt++) {
		int rc = boot_get_role(boot, &err);

		if (rc < 0)
			break;
		open_report(boot);
		open_syslog(boot);
		boot_sync_clock(boot);
		rc = prepare(boot, &err);
		if (rc == 0)
			return exit_for(boot->pivot);
		clean_up(boot);
		boot_hold(boot, &err, attempt);
		boot->role_since_ms = boot->env.now_ms();
	}
	log_event(LOG_LEVEL_ERROR, "boot", "failed", "%s", err.text);
	return err_exit_status(err.code);
}

int boot_worker(void)
{
	struct boot boot CLEANUP(boot_done) = {
		.env = {.run_fd = -1, .target_fd = -1}, .syslog = {.fd = -1}};
	struct err err = ERR_INIT;
	int rc = env_init(&boot.env, &err);

	boot.env.initramfs = true;
	(void)str_copy(
		boot.env.target_path, sizeof(boot.env.target_path), ROOT_TARGET_DEFAULT);
	if (rc == 0)
		rc = report_new(&boot.env, &boot.report, &err);
	if (rc == 0) {
		journal_init(&boot.journal, &boot.env);
		clean_up(&boot); /* of a worker that was killed */
		rc = start(&boot, &err);
	}
	if (rc < 0) {
		log_event(LOG_LEVEL_ERROR, "boot", "failed", "%s", err.text);
		if (boot.report)
			boot_hold(&boot, &err, 0);
		return err_exit_status(rc); /* PID 1 starts a fresh worker */
	}
	return run_until_prepared(&boot);
}
