/* SPDX-License-Identifier: MIT */
/* What makes the machine able to ask for a role: command line, modules, clock, network.
 */
#include "boot_parts.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/fs.h"
#include "base/log.h"
#include "build_info.h"
#include "host/verify.h"
#include "net/clock.h"

/* Longest turn of a wait: uevents and the lease are looked at this often. */
#define TURN_MS 1000U

/* A server that does not answer is named this often. */
#define WAIT_SAY_MS 10000U

/* Modules that no device's modalias asks for and the boot needs: packets, the SMBIOS and
 * fw_cfg credentials, the module-backed consoles of rigs. Missing ones are built in, or
 * the image was packed without them on purpose. */
static const char *const wanted_modules[] = {
	"af_packet", "dmi_sysfs", "qemu_fw_cfg", "virtio_console", "overlay"};

static void say_word(const char *word, const struct err *err)
{
	log_event(LOG_LEVEL_ERROR, "cmdline", "warn",
		"kernel command line, %s: %s, ignoring", word, err->text);
}

static void read_ip(const struct cmdline *cmdline, struct boot_options *options)
{
	const char *value = cmdline_last(cmdline, "ip");
	struct err err = ERR_INIT;

	if (!value || !*value)
		return;
	if (cmdline_ip_parse(value, &options->ip, &err) < 0)
		say_word("ip=", &err);
	else
		options->has_ip = true;
}

static void read_rolewait(const struct cmdline *cmdline, struct boot_options *options)
{
	const char *value = cmdline_last(cmdline, "promenade.rolewait");
	struct err err = ERR_INIT;
	uint64_t seconds;

	options->rolewait_s = BOOT_ROLEWAIT_S;
	if (!value)
		return;
	if (str_to_u64(value, 86400, &seconds)) {
		options->rolewait_s = (unsigned int)seconds;
		return;
	}
	IGNORE_RESULT(err_set(
		&err, E_USAGE, "'%s' is no number of seconds up to 86400", value));
	say_word("promenade.rolewait=", &err);
}

static int read_words(
	const struct cmdline *cmdline, struct boot_options *options, struct err *err)
{
	struct err word = ERR_INIT;
	const char *report = cmdline_last(cmdline, "promenade.report");

	if (cmdline_all(cmdline, "promenade.role", &options->role_urls) < 0 ||
		cmdline_all(cmdline, "promenade.ntp", &options->ntp) < 0)
		return err_errno(err, ENOMEM, "read the kernel command line");
	options->report_url = strdup(report ? report : "");
	if (!options->report_url)
		return err_errno(err, ENOMEM, "read the kernel command line");
	if (cmdline_boot_mac(cmdline, options->boot_mac, &word) < 0 &&
		word.code != -ENOENT)
		say_word("BOOTIF=", &word);
	read_ip(cmdline, options);
	read_rolewait(cmdline, options);
	if (cmdline_last(cmdline, "promenade.debug"))
		log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

int boot_read_options(struct boot *boot, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct cmdline cmdline CLEANUP(cmdline_done) = {.text = NULL};
	int rc = fs_read(boot->env.run_fd, "proc/cmdline", CMDLINE_BYTES_MAX, &text, err);

	if (rc == 0)
		rc = cmdline_parse(buf_text(&text), &cmdline, err);
	return rc < 0 ? rc : read_words(&cmdline, &boot->options, err);
}

static void say_modules(const struct strlist *loaded, const struct strlist *failed)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	for (size_t i = 0; i < loaded->count; i++)
		if (buf_printf(&text, "%s%s", i ? " " : "", loaded->items[i]) < 0)
			break;
	if (text.len)
		log_event(LOG_LEVEL_INFO, "modules", "loaded", "%s", text.bytes);
	for (size_t i = 0; i < failed->count; i++)
		log_event(LOG_LEVEL_WARN, "modules", "warn", "%s, ignoring",
			failed->items[i]);
}

int boot_load_modules(struct boot *boot, struct err *err)
{
	struct strlist loaded CLEANUP(strlist_done) = STRLIST_INIT;
	struct strlist failed CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = module_loader_new(&boot->env, &boot->modules, err);

	if (rc == 0)
		rc = module_load_present(boot->modules, &loaded, &failed, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ARRAY_LEN(wanted_modules); i++) {
		struct err one = ERR_INIT;

		if (module_load_name(boot->modules, wanted_modules[i], &one) < 0 &&
			one.code != -ENOENT)
			log_event(LOG_LEVEL_WARN, "modules", "warn", "%s, ignoring",
				one.text);
	}
	say_modules(&loaded, &failed);
	return 0;
}

void boot_pump(void *context)
{
	struct boot *boot = context;
	struct strlist loaded CLEANUP(strlist_done) = STRLIST_INIT;
	struct strlist failed CLEANUP(strlist_done) = STRLIST_INIT;

	if (!boot->modules)
		return;
	/* Out of memory while a device arrives: it is asked for again with the next one.
	 */
	IGNORE_RESULT(module_load_arrived(boot->modules, &loaded, &failed, NULL));
	say_modules(&loaded, &failed);
}

/* What is left of rolewait on a prepared machine, else no end. */
static unsigned int network_patience_ms(const struct boot *boot)
{
	uint64_t end = boot->role_since_ms + 1000ULL * boot->options.rolewait_s;
	uint64_t now = boot->env.now_ms();

	if (!boot->prepared.found)
		return 0;
	return now + 1000 < end ? (unsigned int)(end - now) : 1000;
}

/* A lost lease is asked for again: nobody can say more to this machine before it is back.
 */
static void keep_lease(struct boot *boot)
{
	struct err err = ERR_INIT;

	if (!boot->net || net_keep(boot->net, &err) == 0)
		return;
	log_event(LOG_LEVEL_WARN, "network", "lost", "%s", err.text);
	if (boot_open_network(boot, network_patience_ms(boot), &err) < 0)
		log_event(LOG_LEVEL_ERROR, "network", "failed", "%s", err.text);
}

void boot_wait_ms(struct boot *boot, unsigned int ms)
{
	uint64_t until = boot->env.now_ms() + ms;

	for (;;) {
		struct pollfd fd = {
			.fd = boot->modules ? module_uevent_fd(boot->modules) : -1,
			.events = POLLIN};
		uint64_t now = boot->env.now_ms();
		uint64_t left = now < until ? until - now : 0;

		if (!left)
			return;
		(void)poll(&fd, 1, (int)(left < TURN_MS ? left : TURN_MS));
		boot_pump(boot);
		keep_lease(boot);
	}
}

/* The CA's own notBefore is a floor too: no clock before it is right. */
static int64_t clock_floor(const struct boot *boot)
{
	struct verify_certificates certificates = {.count = 0};
	int64_t floor = clock_build_floor();

	if (boot->policy.ca_pem.len &&
		verify_certificates_check(boot->policy.ca_pem.bytes,
			boot->policy.ca_pem.len, "/" POLICY_DIR "/ca", &certificates,
			NULL) == 0 &&
		certificates.latest_not_before > floor)
		floor = certificates.latest_not_before;
	return floor;
}

void boot_floor_clock(struct boot *boot)
{
	enum clock_floor_change change = CLOCK_FLOOR_KEPT;
	struct err err = ERR_INIT;

	if (clock_apply_floor(&boot->env, clock_floor(boot), &change, &err) < 0)
		log_event(LOG_LEVEL_WARN, "clock", "warn", "%s, ignoring", err.text);
	else if (change != CLOCK_FLOOR_KEPT)
		log_event(LOG_LEVEL_WARN, "clock", "floor",
			"the clock was %s the credible time and was set to this image's "
			"build "
			"time; check the RTC battery",
			change == CLOCK_FLOOR_RAISED ? "before" : "after");
}

void boot_sync_clock(struct boot *boot)
{
	struct strlist servers CLEANUP(strlist_done) = STRLIST_INIT;
	const struct strlist *lists[] = {
		&boot->options.ntp, &boot->facts.lease.ntp, &boot->role.ntp};
	struct clock_result result;
	struct err err = ERR_INIT;

	if (boot->facts.clock_synced)
		return;
	for (size_t l = 0; l < ARRAY_LEN(lists); l++)
		for (size_t i = 0; i < lists[l]->count; i++)
			if (strlist_add(&servers, lists[l]->items[i]) < 0)
				return;
	if (!servers.count) {
		log_event(LOG_LEVEL_INFO, "clock", "kept",
			"no time server is named (promenade.ntp=, DHCP option 42)");
		return;
	}
	if (clock_sync(&boot->env, &servers, clock_floor(boot), &result, &err) < 0) {
		log_event(LOG_LEVEL_WARN, "clock", "warn", "%s, going on", err.text);
		return;
	}
	boot->facts.clock_synced = true;
	log_event(LOG_LEVEL_INFO, "clock", "done", "%s says we were off by %lld ms%s",
		result.server, (long long)result.skew_ms, result.stepped ? ", set" : "");
}

static int open_net(struct boot *boot, unsigned int timeout_ms, struct err *err)
{
	net_free(boot->net);
	boot->net = NULL;
	boot->net_request = (struct net_request){
		.ip = boot->options.has_ip ? &boot->options.ip : NULL,
		.timeout_ms = timeout_ms,
		.idle = boot_pump,
		.context = boot,
		.idle_fd = module_uevent_fd(boot->modules),
	};
	(void)str_copy(boot->net_request.boot_mac, sizeof(boot->net_request.boot_mac),
		boot->options.boot_mac);
	return net_new(&boot->env, &boot->net_request, &boot->net, err);
}

int boot_open_network(struct boot *boot, unsigned int timeout_ms, struct err *err)
{
	struct fact_lease lease = {.known = false};
	int rc = open_net(boot, timeout_ms, err);

	if (rc == 0)
		rc = net_up(boot->net, &lease, err);
	if (rc < 0)
		return err_wrap(err, "network");
	strlist_done(&boot->facts.lease.dns);
	strlist_done(&boot->facts.lease.ntp);
	boot->facts.lease = lease;
	log_event(LOG_LEVEL_NOTICE, "network", "up", "%s/%u on %s (%s), router %s",
		lease.address, lease.prefix_len, lease.link, lease.mac,
		lease.gateway[0] ? lease.gateway : "none");
	journal_add(&boot->journal, "network", "up", lease.address);
	boot_sync_clock(boot);
	return 0;
}

/* While a server takes its time: devices that arrive, and a word every WAIT_SAY_MS. */
static void idle(void *context, const char *url, uint64_t waited_ms)
{
	struct boot *boot = context;

	boot_pump(boot);
	if (waited_ms < boot->said_waiting_ms) /* another request */
		boot->said_waiting_ms = 0;
	if (waited_ms - boot->said_waiting_ms < WAIT_SAY_MS)
		return;
	boot->said_waiting_ms = waited_ms;
	log_event(LOG_LEVEL_NOTICE, "fetch", "wait", "'%s' has not answered for %llu s",
		url, (unsigned long long)(waited_ms / 1000));
}

int boot_open_fetch(struct boot *boot, struct err *err)
{
	bool mtls = boot->policy.client_pem.len > 0;

	strlist_done(&boot->headers);
	if (fetch_identity_headers(&boot->facts, &boot->headers) < 0)
		return err_errno(err, ENOMEM, "make the identity headers");
	boot->fetch_config = (struct fetch_config){
		.ca_pem = boot->policy.ca_pem.len ? boot->policy.ca_pem.bytes : NULL,
		.ca_len = boot->policy.ca_pem.len,
		/* One file holds certificate and key; each reader takes its own block. */
		.client_cert_pem = mtls ? boot->policy.client_pem.bytes : NULL,
		.client_key_pem = mtls ? boot->policy.client_pem.bytes : NULL,
		.user_agent = "promenade/" BUILD_VERSION,
		.headers = &boot->headers,
		.limits = FETCH_LIMITS_DEFAULT,
		.idle = idle,
		.idle_context = boot,
	};
	fetch_free(&boot->fetch);
	return fetch_new(&boot->env, &boot->fetch_config, &boot->fetch, err);
}
