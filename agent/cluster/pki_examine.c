/* SPDX-License-Identifier: MIT */
/* Which files of a node's PKI are good. A reason is a short text; NULL is good. Texts say
 * what is wrong, never what a file holds. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "cluster/kubeconfig.h"
#include "cluster/pem.h"
#include "cluster/pki_parts.h"
#include "cluster/secret.h"

#define MISSING "it is missing"
#define DAMAGED "it does not parse"
#define OTHER_CA "it is of another CA"
#define EXPIRES "it expires soon"
#define OTHER_NAMES "its names are other ones"
#define OTHER_KEY "its key is another one"
#define OTHER_SERVER "it points at another API server"

const char *pki_entry_name(size_t entry)
{
	return pki_rows[entry].name;
}

/* Reads beneath PKI_FOLDER, or an absolute path; name may lack its suffix. False when it
 * cannot be read, whatever the reason. */
static bool read_file(int root_fd, const char *name, const char *suffix, struct buf *ret)
{
	char path[160];

	(void)snprintf(path, sizeof(path), "%s%s%s", name[0] == '/' ? "" : PKI_FOLDER,
		name, suffix);
	return fs_read(root_fd, path, PEM_BYTES_MAX, ret, NULL) == 0;
}

static bool same_text(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(buf_text(a), buf_text(b), a->len) == 0;
}

static bool has_all(const struct strlist *have, const struct strlist *want)
{
	for (size_t i = 0; i < want->count; i++)
		if (!strlist_has(have, want->items[i]))
			return false;
	return true;
}

/* Whether a certificate says what it must; more names than that do no harm. */
static const char *judge_names(const struct certificate_info *info,
	const struct pki_row *row, const struct pki_wanted *wanted)
{
	if (strcmp(info->common_name, wanted->common_name) != 0 ||
		(wanted->organization &&
			!strlist_has(&info->organizations, wanted->organization)) ||
		!has_all(&info->dns, &wanted->dns) ||
		!has_all(&info->addresses, &wanted->addresses) ||
		(row->server && !info->server) || (row->client && !info->client))
		return OTHER_NAMES;
	return NULL;
}

/* A new one would last no longer where the CA itself ends. */
static bool expires_soon(const struct pki_spec *spec, const struct pki_row *row,
	const struct certificate_info *info)
{
	const struct buf *ca_pem = &pki_signer(spec, row)->certificate_pem;
	struct certificate_info ca CLEANUP(certificate_info_done) = {0};

	if (info->not_after - spec->now > PKI_RENEW_S)
		return false;
	return certificate_read(ca_pem->bytes, ca_pem->len, "CA", &ca, NULL) < 0 ||
	       ca.not_after > info->not_after;
}

static const char *judge_pair(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, const struct buf *certificate,
	const struct buf *key_text)
{
	const struct buf *ca_pem = &pki_signer(spec, row)->certificate_pem;
	const struct certificate_text text = {certificate->bytes, certificate->len, "it"};
	const struct certificate_text ca = {ca_pem->bytes, ca_pem->len, "CA"};
	struct certificate_info info CLEANUP(certificate_info_done) = {0};
	struct key *key CLEANUP(key_free) = NULL;

	if (certificate_read(text.pem, text.len, text.name, &info, NULL) < 0 ||
		key_parse(key_text->bytes, key_text->len, text.name, &key, NULL) < 0)
		return DAMAGED;
	if (certificate_key_check(&text, key, NULL) < 0)
		return OTHER_KEY;
	if (spec->now > info.not_after || expires_soon(spec, row, &info))
		return EXPIRES;
	if (certificate_check_chain(&text, &ca, spec->now, NULL) < 0)
		return OTHER_CA;
	return judge_names(&info, row, wanted);
}

static const char *examine_leaf(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, int root_fd)
{
	struct buf certificate CLEANUP(buf_done) = BUF_INIT;
	struct buf key CLEANUP(secret_done) = BUF_INIT;

	if (!read_file(root_fd, row->name, ".crt", &certificate) ||
		!read_file(root_fd, row->name, ".key", &key))
		return MISSING;
	return judge_pair(spec, row, wanted, &certificate, &key);
}

static const char *examine_key(int root_fd, const char *name, const struct key *want)
{
	struct buf text CLEANUP(secret_done) = BUF_INIT;
	struct key *key CLEANUP(key_free) = NULL;

	if (!read_file(root_fd, name, ".key", &text))
		return MISSING;
	if (key_parse(text.bytes, text.len, name, &key, NULL) < 0)
		return DAMAGED;
	return key_equal(key, want) ? NULL : OTHER_KEY;
}

static const char *examine_authority(const struct pki_spec *spec,
	const struct pki_row *row, const struct pki_wanted *wanted, int root_fd)
{
	const struct authority *authority = pki_signer(spec, row);
	struct buf certificate CLEANUP(buf_done) = BUF_INIT;

	(void)wanted;
	if (!read_file(root_fd, row->name, ".crt", &certificate))
		return MISSING;
	if (!same_text(&certificate, &authority->certificate_pem))
		return OTHER_CA;
	return examine_key(root_fd, row->name, authority->key);
}

static const char *examine_service_account(const struct pki_spec *spec,
	const struct pki_row *row, const struct pki_wanted *wanted, int root_fd)
{
	struct buf public CLEANUP(buf_done) = BUF_INIT;

	(void)wanted;
	if (!read_file(root_fd, row->name, ".pub", &public))
		return MISSING;
	if (!same_text(&public, &spec->authorities->service_account_pub))
		return OTHER_KEY;
	return examine_key(root_fd, row->name, spec->authorities->service_account);
}

static bool read_kubeconfig(int root_fd, const struct pki_row *row,
	struct kubeconfig *ret, const char **reason)
{
	struct buf text CLEANUP(secret_done) = BUF_INIT;

	*reason = MISSING;
	if (!read_file(root_fd, row->name, "", &text))
		return false;
	*reason = DAMAGED;
	return kubeconfig_read(text.bytes, text.len, row->name, ret, NULL) == 0;
}

static const char *judge_cluster(const struct pki_spec *spec,
	const struct pki_wanted *wanted, const struct kubeconfig *config)
{
	if (strcmp(config->server, wanted->server) != 0)
		return OTHER_SERVER;
	if (!same_text(&config->ca_pem, &spec->authorities->ca.certificate_pem))
		return OTHER_CA;
	return NULL;
}

static const char *examine_kubeconfig(const struct pki_spec *spec,
	const struct pki_row *row, const struct pki_wanted *wanted, int root_fd)
{
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};
	const char *reason;

	if (!read_kubeconfig(root_fd, row, &config, &reason))
		return reason;
	reason = judge_cluster(spec, wanted, &config);
	return reason ? reason
		      : judge_pair(spec, row, wanted, &config.certificate_pem,
				&config.key_pem);
}

static const char *examine_kubelet_conf(const struct pki_spec *spec,
	const struct pki_row *row, const struct pki_wanted *wanted, int root_fd)
{
	struct kubeconfig config CLEANUP(kubeconfig_done) = {0};
	const char *reason;

	if (!read_kubeconfig(root_fd, row, &config, &reason))
		return reason;
	if (strcmp(config.certificate_path, KUBECONFIG_KUBELET_PEM) != 0 ||
		strcmp(config.key_path, KUBECONFIG_KUBELET_PEM) != 0)
		return OTHER_KEY;
	return judge_cluster(spec, wanted, &config);
}

static const char *examine_kubelet_pem(const struct pki_spec *spec,
	const struct pki_row *row, const struct pki_wanted *wanted, int root_fd)
{
	struct buf text CLEANUP(secret_done) = BUF_INIT;
	char target[160];

	if (!read_file(root_fd, KUBECONFIG_KUBELET_PEM, "", &text))
		return MISSING;
	if (fs_read_link(root_fd, KUBECONFIG_KUBELET_PEM, target, sizeof(target)) < 0)
		return "it is no symbolic link";
	return judge_pair(spec, row, wanted, &text, &text);
}

typedef const char *(*examiner)(const struct pki_spec *spec, const struct pki_row *row,
	const struct pki_wanted *wanted, int root_fd);

static const examiner examiners[] = {
	[PKI_AUTHORITY] = examine_authority,
	[PKI_SERVICE_ACCOUNT] = examine_service_account,
	[PKI_LEAF] = examine_leaf,
	[PKI_KUBECONFIG] = examine_kubeconfig,
	[PKI_KUBELET_PEM] = examine_kubelet_pem,
	[PKI_KUBELET_CONF] = examine_kubelet_conf,
};

int pki_examine(
	const struct pki_spec *spec, int root_fd, struct pki_state *ret, struct err *err)
{
	struct pki_state state = {{0}};

	for (size_t i = 0; i < PKI_ENTRIES; i++) {
		const struct pki_row *row = &pki_rows[i];
		struct pki_wanted wanted CLEANUP(pki_wanted_done) = {0};
		int rc = pki_wanted_of(spec, row, &wanted, err);

		if (rc < 0)
			return rc;
		state.reason[i] = examiners[row->kind](spec, row, &wanted, root_fd);
	}
	*ret = state;
	return 0;
}
