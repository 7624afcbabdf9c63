/* SPDX-License-Identifier: MIT */
/* Making: every file of the entries that are to be anew. */
#include "cluster/pki.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cluster/kubeconfig.h"
#include "cluster/pki_parts.h"
#include "cluster/secret.h"

#define KUBELET_FOLDER "/var/lib/kubelet/pki/"

/* A new file at the end, empty; NULL without memory. */
static struct pki_file *add_file(
	struct pki_files *files, const char *name, const char *suffix, mode_t mode)
{
	struct pki_file *items =
		realloc(files->items, (files->count + 1) * sizeof(*items));
	struct buf path CLEANUP(buf_done) = BUF_INIT;

	if (!items)
		return NULL;
	files->items = items;
	if (buf_printf(&path, "%s%s%s", name[0] == '/' ? "" : PKI_FOLDER, name, suffix) <
		0)
		return NULL;
	items[files->count] = (struct pki_file){buf_steal(&path), mode, BUF_INIT, NULL};
	return &items[files->count++];
}

static int no_memory(struct err *err, const char *name)
{
	return err_errno(err, ENOMEM, "make '%s'", name);
}

static int add_text(struct pki_files *files, const struct pki_row *row,
	const char *suffix, mode_t mode, const struct buf *text, struct err *err)
{
	struct pki_file *file = add_file(files, row->name, suffix, mode);

	if (!file || secret_add(&file->bytes, text->bytes, text->len) < 0)
		return no_memory(err, row->name);
	return 0;
}

static int add_key(struct pki_files *files, const struct pki_row *row,
	const struct key *key, struct err *err)
{
	struct pki_file *file = add_file(files, row->name, ".key", 0600);

	return file ? key_pem(key, &file->bytes, err) : no_memory(err, row->name);
}

/* Certificate and new key of a row. */
static int issue(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct buf *certificate, struct key **ret_key,
	struct err *err)
{
	const struct authority *signer = pki_signer(spec, row);
	const struct certificate_issuer issuer = {
		signer->certificate_pem.bytes, signer->certificate_pem.len, signer->key};
	const struct certificate_spec certificate_spec = {
		.common_name = wanted->common_name,
		.organization = wanted->organization,
		.server = row->server,
		.client = row->client,
		.dns = &wanted->dns,
		.addresses = &wanted->addresses,
		.not_after = spec->now + PKI_VALID_S,
	};
	struct key *key CLEANUP(key_free) = NULL;
	int rc = key_generate(spec->keys, &key, err);

	if (rc == 0)
		rc = certificate_issue(&certificate_spec, key, &issuer, certificate, err);
	if (rc < 0)
		return err_wrap(err, "make '%s'", row->name);
	*ret_key = key;
	key = NULL;
	return 0;
}

static int make_authority(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct pki_files *files, struct err *err)
{
	const struct authority *authority = pki_signer(spec, row);
	int rc = add_key(files, row, authority->key, err);

	(void)wanted;
	return rc < 0 ? rc
		      : add_text(files, row, ".crt", 0644, &authority->certificate_pem,
				err);
}

static int make_service_account(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct pki_files *files, struct err *err)
{
	int rc = add_key(files, row, spec->authorities->service_account, err);

	(void)wanted;
	/* 0600 as kubeadm writes it, public as it is */
	return rc < 0 ? rc
		      : add_text(files, row, ".pub", 0600,
				&spec->authorities->service_account_pub, err);
}

static int make_leaf(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct pki_files *files, struct err *err)
{
	struct buf certificate CLEANUP(buf_done) = BUF_INIT;
	struct key *key CLEANUP(key_free) = NULL;
	int rc = issue(spec, row, wanted, &certificate, &key, err);

	if (rc == 0)
		rc = add_key(files, row, key, err);
	return rc < 0 ? rc : add_text(files, row, ".crt", 0644, &certificate, err);
}

static struct kubeconfig_cluster cluster_of(
	const struct pki_spec *spec, const struct pki_wanted *wanted)
{
	const struct buf *ca = &spec->authorities->ca.certificate_pem;

	return (struct kubeconfig_cluster){
		wanted->server, ca->bytes, ca->len, spec->minor};
}

static int make_kubeconfig(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct pki_files *files, struct err *err)
{
	const struct kubeconfig_cluster cluster = cluster_of(spec, wanted);
	struct buf certificate CLEANUP(buf_done) = BUF_INIT;
	struct buf key_text CLEANUP(secret_done) = BUF_INIT;
	struct key *key CLEANUP(key_free) = NULL;
	struct pki_file *file;
	int rc = issue(spec, row, wanted, &certificate, &key, err);

	if (rc == 0)
		rc = key_pem(key, &key_text, err);
	if (rc < 0)
		return rc;
	file = add_file(files, row->name, "", 0600);
	if (!file || kubeconfig_write_user(&cluster, wanted->common_name, &certificate,
			     &key_text, &file->bytes) < 0)
		return no_memory(err, row->name);
	return 0;
}

static int make_kubelet_conf(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct pki_files *files, struct err *err)
{
	const struct kubeconfig_cluster cluster = cluster_of(spec, wanted);
	struct pki_file *file = add_file(files, row->name, "", 0600);

	if (!file || kubeconfig_write_kubelet(&cluster, &file->bytes) < 0)
		return no_memory(err, row->name);
	return 0;
}

static int make_kubelet_pem(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct pki_files *files, struct err *err)
{
	struct buf certificate CLEANUP(buf_done) = BUF_INIT;
	struct buf key_text CLEANUP(secret_done) = BUF_INIT;
	struct key *key CLEANUP(key_free) = NULL;
	int rc = issue(spec, row, wanted, &certificate, &key, err);

	if (rc == 0)
		rc = key_pem(key, &key_text, err);
	return rc < 0 ? rc
		      : pki_add_kubelet_pem(
				files, &certificate, &key_text, spec->now, err);
}

int pki_add_kubelet_pem(struct pki_files *files, const struct buf *certificate_pem,
	const struct buf *key_pem, int64_t now, struct err *err)
{
	char name[96];
	time_t seconds = (time_t)now;
	struct pki_file *file, *link;
	struct tm tm;

	/* client-go: util/certificate/certificate_store.go, "2006-01-02-15-04-05" */
	if (!gmtime_r(&seconds, &tm) ||
		!strftime(name, sizeof(name),
			KUBELET_FOLDER "kubelet-client-%Y-%m-%d-%H-%M-%S.pem", &tm))
		return err_set(err, E_BUG, "make kubelet's certificate: no such time");
	file = add_file(files, name, "", 0600);
	if (!file ||
		secret_add(&file->bytes, certificate_pem->bytes, certificate_pem->len) <
			0 ||
		secret_add(&file->bytes, key_pem->bytes, key_pem->len) < 0)
		return no_memory(err, name);
	link = add_file(files, KUBECONFIG_KUBELET_PEM, "", 0777);
	if (link)
		link->link = strdup(name);
	return link && link->link ? 0 : no_memory(err, name);
}

typedef int (*maker)(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, struct pki_files *files, struct err *err);

static const maker makers[] = {
	[PKI_AUTHORITY] = make_authority,
	[PKI_SERVICE_ACCOUNT] = make_service_account,
	[PKI_LEAF] = make_leaf,
	[PKI_KUBECONFIG] = make_kubeconfig,
	[PKI_KUBELET_PEM] = make_kubelet_pem,
	[PKI_KUBELET_CONF] = make_kubelet_conf,
};

int pki_make(const struct pki_spec *spec, const struct pki_state *state,
	struct pki_files *ret, struct err *err)
{
	struct pki_files files CLEANUP(pki_files_done) = {0};

	for (size_t i = 0; i < PKI_ENTRIES; i++) {
		const struct pki_row *row = &pki_rows[i];
		struct pki_wanted wanted CLEANUP(pki_wanted_done) = {0};
		int rc = 0;

		if (!state->reason[i])
			continue;
		rc = pki_wanted_of(spec, row, &wanted, err);
		if (rc == 0)
			rc = makers[row->kind](spec, row, &wanted, &files, err);
		if (rc < 0)
			return rc;
	}
	*ret = files;
	files = (struct pki_files){0};
	return 0;
}

void pki_files_done(struct pki_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].path);
		free(files->items[i].link);
		secret_done(&files->items[i].bytes);
	}
	free(files->items);
	*files = (struct pki_files){0};
}

int pki_client_make(const struct authority *ca, const struct pki_client *client,
	struct buf *certificate_pem, struct buf *key_pem_ret, struct err *err)
{
	const struct certificate_issuer issuer = {
		ca->certificate_pem.bytes, ca->certificate_pem.len, ca->key};
	const struct certificate_spec spec = {
		.common_name = client->common_name,
		.organization = client->organization,
		.client = true,
		.not_after = client->now + client->seconds,
	};
	struct key *key CLEANUP(key_free) = NULL;
	int rc = key_generate(client->keys, &key, err);

	if (rc == 0)
		rc = certificate_issue(&spec, key, &issuer, certificate_pem, err);
	return rc < 0 ? rc : key_pem(key, key_pem_ret, err);
}
