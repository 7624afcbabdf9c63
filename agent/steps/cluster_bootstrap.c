/* SPDX-License-Identifier: MIT */
/* The machine makes its cluster, before the pivot and once in its life. Whether it has is
 * read from the target alone (cluster/genesis_record.h). */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "cluster/genesis.h"
#include "steps/cluster_parts.h"
#include "steps/kubelet_parts.h"

static void say(void *context, const char *what)
{
	(void)context;
	log_event(LOG_LEVEL_DEBUG, "cluster", "bootstrap", "%s", what);
}

static int config_of(struct step_context *context, struct genesis_config *ret,
	char address[64], struct err *err)
{
	const char *given = context->role->cluster.advertise_address;
	struct timespec now;
	int rc = 0;

	if (given)
		(void)str_copy(address, 64, given);
	else
		rc = kubelet_node_ip(context, address, 64);
	if (rc < 0)
		return err_errno(err, -rc, "read the node's address");
	(void)clock_gettime(CLOCK_REALTIME, &now);
	*ret = (struct genesis_config){.env = context->env,
		.fetch = context->fetch,
		.facts = context->facts,
		.role = context->role,
		.address = address,
		.local = cluster_kubelet_local(context),
		.now = (int64_t)now.tv_sec,
		.say = say};
	return 0;
}

int cluster_bootstrap_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	static const char *const changes[] = {
		[GENESIS_NEW] = "make a new cluster and its etcd data",
		[GENESIS_BROKEN_OFF] =
			"wipe the etcd data of a broken bootstrap, start again",
		[GENESIS_UNFINISHED] =
			"write the static pods of the cluster that was made"};
	struct genesis_config config;
	enum genesis_state state = GENESIS_NEW;
	char address[64];
	int rc = config_of(context, &config, address, err);

	if (rc == 0)
		rc = genesis_look(&config, &state, err);
	if (rc < 0)
		return rc;
	if (state == GENESIS_DONE) {
		step_report_set(ret, STEP_DONE, 0, "already so: %s", step->reason);
		return 0;
	}
	if (strlist_add(&ret->changes, changes[state]) < 0)
		return err_errno(err, ENOMEM, "check the cluster");
	step_report_set(ret, STEP_TODO, 0, "%s", changes[state]);
	return 0;
}

int cluster_bootstrap_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct genesis_config config;
	char address[64];
	int rc = config_of(context, &config, address, err);

	(void)step;
	return rc < 0 ? rc : genesis_run(&config, err);
}
