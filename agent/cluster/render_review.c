/* SPDX-License-Identifier: MIT */
/* What the machines will make of their roles, to be read beforehand. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cluster/json.h"
#include "cluster/kubelet_config.h"
#include "cluster/manifests.h"
#include "cluster/objects.h"
#include "cluster/render_parts.h"
#include "cluster/yaml.h"

static int no_memory(const struct render *render)
{
	return err_errno(render->err, ENOMEM, "make files for review");
}

static int add_yaml(struct render *render, const char *path, const json_t *value)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	if (yaml_write(value, &text) < 0 ||
		render_add(render->files, path, 0644, &text) < 0)
		return no_memory(render);
	return 0;
}

/* All objects in one stream, in the order of applying. */
static int add_objects(struct render *render)
{
	struct objects_input input = {.params = &render->params,
		.ca_pem = buf_text(&render->authorities.ca.certificate_pem)};
	json_t *objects CLEANUP(json_done) = NULL;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc = objects_make(&input, &objects, render->err);

	for (size_t i = 0; i < json_array_size(objects) && rc == 0; i++)
		if ((i && buf_add_str(&text, "---\n") < 0) ||
			yaml_write(json_array_get(objects, i), &text) < 0)
			rc = no_memory(render);
	if (rc == 0 && render_add(render->files, "review/objects.yaml", 0644, &text) < 0)
		rc = no_memory(render);
	return rc;
}

static int add_kubelet_config(struct render *render)
{
	json_t *config CLEANUP(json_done) = NULL;
	int rc = kubelet_config_base(&render->params, &config, render->err);

	return rc < 0 ? rc : add_yaml(render, "review/kubelet-config.yaml", config);
}

static int add_static_pods(struct render *render, const struct cluster_machine *machine)
{
	struct cluster_params params = render->params;
	int rc;

	(void)str_copy(params.node_name, sizeof(params.node_name), machine->name);
	(void)str_copy(params.advertise_address, sizeof(params.advertise_address),
		machine->advertise_address);
	rc = params_finish(&params, render->err);
	for (int i = 0; i < COMPONENT_COUNT && rc == 0; i++) {
		struct buf text CLEANUP(buf_done) = BUF_INIT;
		char path[160];

		/* Who is in a joiner's etcd is known when it joins. */
		if (i == COMPONENT_ETCD && !machine->bootstrap)
			continue;
		(void)snprintf(path, sizeof(path),
			"review/%s/etc/kubernetes/manifests/%s.yaml", machine->name,
			component_name((enum component)i));
		rc = manifest_write(&params, (enum component)i, &text, render->err);
		if (rc == 0 && render_add(render->files, path, 0644, &text) < 0)
			rc = no_memory(render);
	}
	return rc;
}

/* Where the address is the node's own affair, the pods are not known beforehand. */
int render_review(struct render *render)
{
	const struct cluster_document *document = render->input->document;
	int rc = add_objects(render);

	if (rc == 0)
		rc = add_kubelet_config(render);
	for (size_t i = 0; i < document->machine_count && rc == 0; i++)
		if (document->machines[i].role == ROLE_NODE_CONTROL_PLANE &&
			document->machines[i].advertise_address)
			rc = add_static_pods(render, &document->machines[i]);
	return rc;
}
