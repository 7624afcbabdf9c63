/* SPDX-License-Identifier: MIT */
/* What a machine may be: a worker's short-lived client certificate for exactly one node
 * name, a control plane's shared PKI; and the operator's own admin.conf. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cluster/certificate.h"
#include "cluster/json.h"
#include "cluster/kubeadm_certs.h"
#include "cluster/kubeconfig.h"
#include "cluster/pem.h"
#include "cluster/pki.h"
#include "cluster/render_parts.h"
#include "cluster/secret.h"

#define ADMIN_NAME "kubernetes-admin"
#define HOUR_S 3600

void render_credential_path(
	const struct cluster_machine *machine, char *path, size_t size)
{
	(void)snprintf(path, size, "credentials/%s.%s", machine->name,
		machine->role == ROLE_NODE_WORKER ? "pem" : "json");
}

static int no_memory(const struct render *render)
{
	return err_errno(render->err, ENOMEM, "make credentials");
}

static enum key_kind key_kind_of(const struct render *render)
{
	return render->input->document->shared.keys == ROLE_KEYS_RSA_2048 ? KEY_RSA_2048
									  : KEY_EC_P256;
}

/* Why a credential that is there is of no use; NULL when it is good. */
static const char *why_not(
	const struct render *render, const struct buf *pem, const char *common_name)
{
	const struct buf *ca = &render->authorities.ca.certificate_pem;
	struct certificate_text leaf = {pem->bytes, pem->len, "credential"};
	struct certificate_text authority = {ca->bytes, ca->len, "pki/ca.crt"};
	struct certificate_info info CLEANUP(certificate_info_done) = {.ca = false};

	if (certificate_read(pem->bytes, pem->len, "credential", &info, NULL) < 0)
		return "holds no certificate";
	if (strcmp(info.common_name, common_name) != 0)
		return "is for another name";
	if (render->input->now >= info.not_after)
		return "has expired";
	return certificate_check_chain(&leaf, &authority, render->input->now, NULL) < 0
		       ? "is not by this cluster's CA"
		       : NULL;
}

/* Whether the file must be made: it is missing, or renewing is asked for. One that is of
 * no use is said and stays, because the machine may have fetched it already. */
static int is_wanted(
	const struct render *render, const char *path, const char *common_name, bool *ret)
{
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	int rc = render_read(render, path, &pem);
	const char *why;

	*ret = !pem.len || render->input->renew;
	if (rc < 0 || *ret || !common_name)
		return rc;
	why = why_not(render, &pem, common_name);
	if (why && strlist_printf(&render->files->remarks,
			   "'%s' %s and was kept: --renew makes it anew", path, why) < 0)
		return no_memory(render);
	return 0;
}

static int make_client(const struct render *render, const struct pki_client *client,
	struct buf *certificate, struct buf *key)
{
	return pki_client_make(
		&render->authorities.ca, client, certificate, key, render->err);
}

static int add_worker(struct render *render, const char *node, const char *path)
{
	const struct buf *ca = &render->authorities.ca.certificate_pem;
	struct buf bundle CLEANUP(secret_done) = BUF_INIT,
			  key CLEANUP(secret_done) = BUF_INIT;
	char name[96];
	struct pki_client client = {.common_name = name,
		.organization = "system:nodes",
		.keys = key_kind_of(render),
		.now = render->input->now,
		.seconds = (int64_t)render->input->document->credential_hours * HOUR_S};
	bool wanted;
	int rc;

	(void)snprintf(name, sizeof(name), "system:node:%s", node);
	rc = is_wanted(render, path, name, &wanted);
	if (rc < 0 || !wanted)
		return rc;
	rc = make_client(render, &client, &bundle, &key);
	if (rc < 0)
		return rc;
	if (secret_add(&bundle, key.bytes, key.len) < 0 ||
		secret_add(&bundle, ca->bytes, ca->len) < 0 ||
		render_add(render->files, path, 0600, &bundle) < 0)
		return no_memory(render);
	return 0;
}

/* A control plane's credential holds no time of its own: it is made whenever it is not
 * what it would be now. */
static int add_control_plane(struct render *render, const char *path)
{
	json_t *secret CLEANUP(json_done) = NULL;
	struct buf bytes CLEANUP(secret_done) = BUF_INIT;
	char *text CLEANUP(secret_text_free) = NULL;
	bool wanted;
	int rc = is_wanted(render, path, NULL, &wanted);

	if (rc < 0 || !wanted)
		return rc;
	rc = kubeadm_certs_write(&render->authorities, NULL, &secret, render->err);
	if (rc < 0)
		return rc;
	text = json_dumps(secret, JSON_INDENT(2));
	if (!text || secret_add_str(&bytes, text) < 0 ||
		secret_add_str(&bytes, "\n") < 0 ||
		render_add(render->files, path, 0600, &bytes) < 0)
		return no_memory(render);
	return 0;
}

static int add_admin(struct render *render)
{
	const struct buf *ca = &render->authorities.ca.certificate_pem;
	const struct kubeconfig_cluster cluster = {render->input->document->endpoint,
		ca->bytes, ca->len, render->params.minor};
	const struct pki_client client = {.common_name = ADMIN_NAME,
		.organization = PKI_ADMIN_GROUP,
		.keys = key_kind_of(render),
		.now = render->input->now,
		.seconds = PKI_VALID_S};
	struct buf certificate CLEANUP(buf_done) = BUF_INIT,
			       key CLEANUP(secret_done) = BUF_INIT,
			       text CLEANUP(secret_done) = BUF_INIT;
	bool wanted;
	int rc = is_wanted(render, "admin.conf", NULL, &wanted);

	if (rc < 0 || !wanted)
		return rc;
	rc = make_client(render, &client, &certificate, &key);
	if (rc < 0)
		return rc;
	if (kubeconfig_write_user(&cluster, ADMIN_NAME, &certificate, &key, &text) < 0 ||
		render_add(render->files, "admin.conf", 0600, &text) < 0)
		return no_memory(render);
	return 0;
}

int render_credentials(struct render *render)
{
	const struct cluster_document *document = render->input->document;
	int rc = add_admin(render);

	for (size_t i = 0; i < document->machine_count && rc == 0; i++) {
		const struct cluster_machine *machine = &document->machines[i];
		char path[96];

		render_credential_path(machine, path, sizeof(path));
		rc = machine->role == ROLE_NODE_WORKER
			     ? add_worker(render, machine->name, path)
			     : add_control_plane(render, path);
	}
	return rc;
}
