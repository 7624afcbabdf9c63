/* SPDX-License-Identifier: MIT */
#include "boot_parts.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

/* Back-off of "not yet": doubles from the first to the last, with jitter, so that a rack
 * that was switched on at once does not ask at once. */
#define BACKOFF_FIRST_MS 1000U
#define BACKOFF_LAST_MS 60000U

/* What a person must mend is asked again this often (DESIGN.md: every few minutes), and
 * what waits is said again this often. */
#define MEND_MS 180000U
#define SAY_MS 30000U

static void log_mistakes(
	const struct role_text *text, const struct role_mistakes *mistakes)
{
	size_t shown =
		mistakes->count < ROLE_MISTAKES_MAX ? mistakes->count : ROLE_MISTAKES_MAX;

	for (size_t i = 0; i < shown; i++)
		log_event(LOG_LEVEL_ERROR, "role", "refused", "%s line %u column %u: %s",
			text->from, mistakes->items[i].line, mistakes->items[i].column,
			mistakes->items[i].text);
}

static int list_macs(const struct facts *facts, struct strlist *ret)
{
	for (size_t i = 0; i < facts->nic_count; i++)
		if (facts->nics[i].mac[0] && strlist_add(ret, facts->nics[i].mac) < 0)
			return -1;
	return 0;
}

/* What the role itself asks for: this machine, this time, no older than before. */
static int check_role(
	struct boot *boot, const struct role *role, bool is_signed, struct err *err)
{
	struct strlist macs CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = is_signed ? role_check_signed(role, err) : 0;

	if (rc == 0 && list_macs(&boot->facts, &macs) < 0)
		rc = err_set(err, E_BUG, "list MAC addresses: out of memory");
	if (rc == 0)
		rc = role_match_machine(
			role, boot->facts.uuid, boot->facts.serial, &macs, err);
	if (rc == 0)
		rc = role_check_fresh(
			role, (int64_t)time(NULL), boot->prepared.serial, err);
	return rc;
}

static void accept_role(struct boot *boot, struct role_text *text, struct role *role)
{
	role_done(&boot->role);
	buf_done(&boot->role_text.bytes);
	boot->role = *role;
	boot->role_text = *text;
	*role = (struct role){.name = NULL};
	text->bytes = (struct buf)BUF_INIT;
}

int boot_try_role(struct boot *boot, unsigned int *ret_retry_after_s, struct err *err)
{
	struct role_request request = {.urls = &boot->options.role_urls,
		.facts = &boot->facts,
		.policy = &boot->policy,
		.fetch = boot->fetch};
	struct role_text text = {.is_signed = false};
	struct role_mistakes mistakes = {.count = 0};
	struct role role = {.name = NULL};
	int rc = role_source_get(&boot->env, &request, &text, err);

	*ret_retry_after_s = text.retry_after_s;
	if (rc < 0)
		return rc;
	rc = role_parse(buf_text(&text.bytes), text.bytes.len, &role, &mistakes, err);
	if (rc < 0)
		log_mistakes(&text, &mistakes);
	else
		rc = check_role(boot, &role, text.is_signed, err);
	if (rc < 0) {
		IGNORE_RESULT(err_wrap(err, "role from %s", text.from));
	} else {
		accept_role(boot, &text, &role);
		boot->role_is_stale = false;
	}
	role_done(&role);
	buf_done(&text.bytes);
	return rc;
}

/* Trust was decided when it was accepted; it is still for this machine only. Its notAfter
 * is not looked at: a dead provisioning server holds no rack. */
int boot_take_kept_role(struct boot *boot, struct err *err)
{
	struct role_text text = {.origin = POLICY_ORIGIN_LOCAL};
	struct role_mistakes mistakes = {.count = 0};
	struct role role = {.name = NULL};
	int rc;

	(void)str_copy(
		text.from, sizeof(text.from), "/etc/promenade/role.yaml of the root");
	if (buf_add(&text.bytes, boot->prepared.role.bytes, boot->prepared.role.len) < 0)
		return err_set(err, E_BUG, "keep the role: out of memory");
	rc = role_parse(buf_text(&text.bytes), text.bytes.len, &role, &mistakes, err);
	if (rc < 0) {
		log_mistakes(&text, &mistakes);
		buf_done(&text.bytes);
		return err_wrap(err, "the role kept from an earlier boot");
	}
	accept_role(boot, &text, &role);
	boot->role_is_stale = true;
	return 0;
}

static unsigned int backoff_ms(struct boot *boot, unsigned int tries)
{
	unsigned int wait = BACKOFF_FIRST_MS;

	while (tries-- > 0 && wait < BACKOFF_LAST_MS)
		wait *= 2;
	if (wait > BACKOFF_LAST_MS)
		wait = BACKOFF_LAST_MS;
	return wait / 2 + env_jitter(&boot->env, wait);
}

static bool may_heal(int code)
{
	return err_class(code) == ERR_CLASS_RETRY;
}

static uint64_t waited_s(struct boot *boot)
{
	return (boot->env.now_ms() - boot->role_since_ms) / 1000;
}

/* Waits, saying every SAY_MS what for. End of the wait at the latest at deadline_ms. */
static void wait_and_say(struct boot *boot, unsigned int wait_ms, uint64_t deadline_ms,
	const struct err *err)
{
	uint64_t until = boot->env.now_ms() + wait_ms;

	if (until > deadline_ms)
		until = deadline_ms;
	while (boot->env.now_ms() < until) {
		uint64_t left = until - boot->env.now_ms();

		boot_wait_ms(boot, (unsigned int)(left < SAY_MS ? left : SAY_MS));
		if (boot->env.now_ms() < until)
			log_event(LOG_LEVEL_NOTICE, "role", "wait",
				"%llu s so far; next try in %llu s; last answer: %s",
				(unsigned long long)waited_s(boot),
				(unsigned long long)((until - boot->env.now_ms()) / 1000),
				err->text);
	}
}

/* The end of patience with the server: never without a prepared root. */
static uint64_t role_deadline(const struct boot *boot)
{
	if (!boot->prepared.found)
		return UINT64_MAX;
	return boot->role_since_ms + 1000ULL * boot->options.rolewait_s;
}

/* One refusal: said with its cause, and how long to wait for the next try. */
static unsigned int note_refusal(struct boot *boot, unsigned int tries,
	unsigned int retry_after_s, const struct err *err)
{
	unsigned int wait;

	if (may_heal(err->code)) {
		wait = retry_after_s
			       ? retry_after_s * 1000U + env_jitter(&boot->env, 1000U)
			       : backoff_ms(boot, tries);
		log_event(LOG_LEVEL_NOTICE, "role", "wait", "try %u: %s; next in %u.%u s",
			tries + 1, err->text, wait / 1000, wait % 1000 / 100);
		return wait;
	}
	wait = MEND_MS + env_jitter(&boot->env, MEND_MS / 4);
	log_event(LOG_LEVEL_ERROR, "role", "held",
		"a person must mend this: %s; this machine asks again in %u s, mending "
		"the "
		"server is enough",
		err->text, wait / 1000);
	journal_add(&boot->journal, "role", "held", err->text);
	report_finish(boot->report, "role", REPORT_FAIL, err->text);
	return wait;
}

static int use_kept_role(struct boot *boot, const struct err *last)
{
	struct err err = ERR_INIT;

	if (boot_take_kept_role(boot, &err) < 0) {
		log_event(LOG_LEVEL_ERROR, "role", "failed", "%s", err.text);
		boot->prepared.found = false; /* nothing to fall back on: ask for ever */
		return -1;
	}
	log_event(LOG_LEVEL_WARN, "role", "stale",
		"role=stale: no new role in %llu s (%s); going on with the last accepted "
		"one, "
		"serial %llu",
		(unsigned long long)waited_s(boot), last->text,
		(unsigned long long)boot->role.serial);
	journal_add(&boot->journal, "role", "stale", last->text);
	report_finish(boot->report, "role", REPORT_WARN, "role=stale");
	return 0;
}

int boot_get_role(struct boot *boot, struct err *err)
{
	struct err last = ERR_INIT;

	if (!boot->role_since_ms)
		boot->role_since_ms = boot->env.now_ms();
	report_start(boot->report, "role", "asking for the role");
	for (unsigned int tries = 0;; tries++) {
		unsigned int retry_after_s = 0, wait;
		int rc = boot_try_role(boot, &retry_after_s, &last);

		if (rc == 0)
			break;
		if (rc == -E_BUG) {
			*err = last;
			return rc;
		}
		wait = note_refusal(boot, tries, retry_after_s, &last);
		wait_and_say(boot, wait, role_deadline(boot), &last);
		if (boot->env.now_ms() >= role_deadline(boot) &&
			use_kept_role(boot, &last) == 0)
			return 0;
	}
	log_event(LOG_LEVEL_NOTICE, "role", "accepted", "'%s' from %s%s, serial %llu",
		boot->role.name, boot->role_text.from,
		boot->role_text.is_signed ? ", signed" : "",
		(unsigned long long)boot->role.serial);
	journal_add(&boot->journal, "role", "accepted", boot->role_text.from);
	report_finish(boot->report, "role", REPORT_SUCCESS, "accepted");
	return 0;
}

void boot_hold(struct boot *boot, const struct err *err, unsigned int attempt)
{
	unsigned int wait = may_heal(err->code)
				    ? backoff_ms(boot, attempt + 2)
				    : MEND_MS + env_jitter(&boot->env, MEND_MS / 4);
	uint64_t until = boot->env.now_ms() + wait;

	report_finish(boot->report, "prepare", REPORT_FAIL, err->text);
	journal_add(&boot->journal, "prepare", "held", err->text);
	while (boot->env.now_ms() < until) {
		uint64_t left = until - boot->env.now_ms();

		log_event(LOG_LEVEL_ERROR, "boot", "held", "what happened: %s (%s)",
			err->text, err_name(err->code));
		log_event(LOG_LEVEL_ERROR, "boot", "held",
			"machine: '%s' uuid %s serial %s address %s on %s",
			boot->role.name ? boot->role.name : "?", boot->facts.uuid,
			boot->facts.serial, boot->facts.lease.address,
			boot->facts.lease.link);
		log_event(LOG_LEVEL_ERROR, "boot", "held",
			"next: it tries again in %llu s; mend the cause (server, role or "
			"machine), nobody needs to come here",
			(unsigned long long)(left / 1000));
		boot_wait_ms(boot, (unsigned int)(left < SAY_MS * 2 ? left : SAY_MS * 2));
	}
}
