/* SPDX-License-Identifier: MIT */
/* CNI: plugins by one atomic swap of their directory, and the role's configuration file.
 */
#include <errno.h>
#include <stdio.h>

#include "steps/artifact_step.h"
#include "steps/ops.h"

#define CONFIG_DIR "/etc/cni/net.d/"

/* How many artifacts there are: the plugins, or none. */
static size_t plugins_of(const struct role_cni *cni, struct artifact *ret)
{
	if (!cni->plugins.url)
		return 0;
	*ret = (struct artifact){
		.kind = ARTIFACT_PLUGINS,
		.url = cni->plugins.url,
		.sha256 = cni->plugins.sha256,
		.path = cni->dir,
	};
	return 1;
}

static int cni_compute(struct step_context *context, const struct step *step,
	struct edits *ret, struct err *err)
{
	const struct role_cni *cni = &context->role->cni;
	char path[512];

	(void)step;
	if (!cni->config_name)
		return 0;
	(void)snprintf(path, sizeof(path), CONFIG_DIR "%s", cni->config_name);
	if (edits_add_text(
		    ret, path, cni->config_content, "CNI configuration of the role") < 0)
		return err_errno(err, ENOMEM, "compute '%s'", path);
	return 0;
}

static int cni_check(struct step_context *context, const struct step *step,
	struct step_report *ret, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	struct artifact plugins;
	size_t count = plugins_of(&context->role->cni, &plugins);
	int rc = artifact_step_check(context, &plugins, count, &ret->changes, err);

	if (rc == 0)
		rc = cni_compute(context, step, &edits, err);
	if (rc == 0)
		rc = edits_check(context->env, &edits, &ret->changes, err);
	if (rc == 0)
		artifact_step_verdict(ret, step->reason);
	return rc;
}

/* Plugins before the configuration: an engine that sees a network without its plugins
 * fails every pod. */
static int cni_apply(
	struct step_context *context, const struct step *step, struct err *err)
{
	struct edits edits CLEANUP(edits_done) = EDITS_INIT;
	struct artifact plugins;
	size_t count = plugins_of(&context->role->cni, &plugins);
	int rc = 0;

	if (count)
		rc = artifact_step_apply(context, "cni plugins", &plugins, count, err);
	if (rc == 0)
		rc = cni_compute(context, step, &edits, err);
	return rc < 0 ? rc : edits_apply(context->env, &edits, err);
}

const struct step_ops step_cni_ops = {.name = "cni",
	.writes_target = true,
	.compute = cni_compute,
	.check = cni_check,
	.apply = cni_apply};
