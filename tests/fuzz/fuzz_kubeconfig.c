/* SPDX-License-Identifier: MIT */
/*
 * A kubeconfig, such as the one in cluster-info, which anybody on the path may have
 * written. What is read can be written and says the same then.
 *
 * Links: cluster/base64 cluster/kubeconfig cluster/kubeconfig_read cluster/secret
 * Links: model/role_mistake model/role_tree base/err base/str
 * Flags: -isystem build/host/sysroot/include -Lbuild/host/sysroot/lib -lyaml
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster/kubeconfig.h"
#include "cluster/secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void demand(bool holds)
{
	if (!holds)
		abort();
}

/* libyaml gives text in which these cannot be told from what was written: \u escapes of
 * the writer are of the Basic Multilingual Plane, and controls were refused. */
static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || (unsigned char)*text > 0x7e)
			return false;
	return true;
}

static void check_again(const struct kubeconfig *config)
{
	const struct kubeconfig_cluster cluster = {
		config->server, config->ca_pem.bytes, config->ca_pem.len, 33};
	struct kubeconfig again CLEANUP(kubeconfig_done) = {0};
	struct buf text CLEANUP(secret_done) = BUF_INIT;

	if (!is_ascii(config->server) || !is_ascii(config->token))
		return;
	demand(kubeconfig_write_bootstrap(&cluster, config->token, &text) == 0);
	demand(kubeconfig_read(text.bytes, text.len, "again", &again, NULL) == 0);
	demand(strcmp(again.server, config->server) == 0);
	demand(strcmp(again.token, config->token) == 0);
	demand(again.ca_pem.len == config->ca_pem.len);
	demand(memcmp(buf_text(&again.ca_pem), buf_text(&config->ca_pem),
		       again.ca_pem.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};
	struct err err = ERR_INIT;
	int rc = kubeconfig_read(bytes, len, "fuzz", &config, &err);

	if (rc < 0) {
		demand(err.code == rc && (rc == -E_FORMAT || rc == -E_TOO_BIG));
		demand(is_ascii(err.text));
		return 0;
	}
	demand(config.server[0] && config.user && config.token);
	check_again(&config);
	return 0;
}
