/* SPDX-License-Identifier: MIT */
#include "cluster/kubelet_config.h"

#include <errno.h>

#include "cluster/blueprint.h"
#include "cluster/json.h"

int kubelet_config_base(
	const struct cluster_params *params, json_t **ret, struct err *err)
{
	json_t *documents CLEANUP(json_done) = NULL;
	int rc = blueprint_expand(BLUEPRINT_KUBELET_CONFIG, params, &documents, err);

	if (rc < 0)
		return rc;
	*ret = json_incref(json_array_get(documents, 0));
	return 0;
}

static int set(json_t *config, const char *key, json_t *value)
{
	return json_object_set_new(config, key, value) < 0 ? -ENOMEM : 0;
}

int kubelet_config_localize(
	json_t *config, unsigned int minor, const struct kubelet_config_local *local)
{
	int rc = set(config, "cgroupDriver",
		json_string(local->cgroupfs ? "cgroupfs" : "systemd"));

	/* The flag of this name left kubelet's documentation with 1.27, which has the
	 * field. */
	if (rc == 0 && minor >= 27 && local->runtime_endpoint)
		rc = set(config, "containerRuntimeEndpoint",
			json_string(local->runtime_endpoint));
	if (rc == 0 && local->swap)
		rc = set(config, "failSwapOn", json_false());
	/* The stub resolver is on the loopback of the host; CoreDNS would ask itself
	 * there. */
	if (rc == 0 && local->systemd_resolved)
		rc = set(config, "resolvConf",
			json_string("/run/systemd/resolve/resolv.conf"));
	return rc;
}
