/* SPDX-License-Identifier: MIT */
#include "cluster/render.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "cluster/certificate.h"
#include "cluster/render_parts.h"
#include "cluster/secret.h"

int render_add(
	struct render_files *files, const char *path, mode_t mode, struct buf *bytes)
{
	struct render_file *items =
		realloc(files->items, (files->count + 1) * sizeof(*items));
	char *copy = strdup(path);

	if (items)
		files->items = items;
	if (!items || !copy) {
		free(copy);
		secret_done(bytes);
		return -ENOMEM;
	}
	items[files->count++] = (struct render_file){
		.path = copy, .mode = mode, .secret = mode == 0600, .bytes = *bytes};
	*bytes = (struct buf)BUF_INIT;
	return 0;
}

void render_files_done(struct render_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].path);
		secret_done(&files->items[i].bytes);
	}
	free(files->items);
	strlist_done(&files->remarks);
	*files = (struct render_files){NULL, 0, STRLIST_INIT};
}

int render_read(const struct render *render, const char *path, struct buf *ret)
{
	int rc;

	if (render->input->out_fd < 0 || !fs_exists(render->input->out_fd, path))
		return 0;
	rc = fs_read(render->input->out_fd, path, FS_TEXT_MAX, ret, render->err);
	return rc < 0 ? err_wrap(render->err, "read what was rendered before") : 0;
}

/* The parts of OUT/pki that are there; counts them. */
static int read_parts(struct render *render, size_t *ret_found)
{
	*ret_found = 0;
	for (size_t i = 0; i < AUTHORITIES_PARTS; i++) {
		const struct authorities_part *part = &authorities_parts[i];
		struct buf pem CLEANUP(secret_done) = BUF_INIT;
		char path[64];
		int rc;

		(void)snprintf(path, sizeof(path), "pki/%s", part->path);
		rc = render_read(render, path, &pem);
		if (rc < 0 || !pem.len) {
			if (rc < 0)
				return rc;
			continue;
		}
		rc = authorities_part_take(
			&render->authorities, part, pem.bytes, pem.len, render->err);
		if (rc < 0)
			return err_wrap(render->err, "read '%s'", path);
		++*ret_found;
	}
	return 0;
}

static int create_authorities(struct render *render)
{
	enum key_kind kind = render->input->document->shared.keys == ROLE_KEYS_RSA_2048
				     ? KEY_RSA_2048
				     : KEY_EC_P256;
	int rc = authorities_create(
		kind, render->input->now, &render->authorities, render->err);

	for (size_t i = 0; i < AUTHORITIES_PARTS && rc == 0; i++) {
		struct buf pem CLEANUP(secret_done) = BUF_INIT;
		char path[64];

		(void)snprintf(path, sizeof(path), "pki/%s", authorities_parts[i].path);
		rc = authorities_part_pem(
			&render->authorities, &authorities_parts[i], &pem, render->err);
		if (rc == 0 && render_add(render->files, path, 0600, &pem) < 0)
			rc = err_errno(render->err, ENOMEM, "make the CAs");
	}
	return rc;
}

int render_authorities(struct render *render)
{
	size_t found;
	int rc = read_parts(render, &found);

	if (rc < 0)
		return rc;
	if (!found)
		return create_authorities(render);
	rc = authorities_check(&render->authorities, render->input->now, render->err);
	if (rc < 0)
		return err_wrap(render->err,
			"the CAs in 'pki' are used and never made anew; put the missing "
			"or "
			"right file back from your backup, or render a new cluster into "
			"another directory");
	return 0;
}

static int read_pin(struct render *render)
{
	const struct buf *pem = &render->authorities.ca.certificate_pem;
	struct certificate_info info CLEANUP(certificate_info_done) = {.ca = false};
	int rc = certificate_read(pem->bytes, pem->len, "pki/ca.crt", &info, render->err);

	if (rc == 0)
		(void)str_copy(render->pin, sizeof(render->pin), info.spki_pin);
	return rc;
}

/* The document's as a role's, so that there is one way from settings to params. */
static int make_params(struct render *render)
{
	const struct cluster_document *document = render->input->document;
	struct role role = {.name = NULL, .cluster = document->shared};
	int rc;

	role.node.systemd_cgroup = true;
	role.cluster.name = document->name;
	role.cluster.version = document->version;
	role.cluster.endpoint = document->endpoint;
	rc = params_from_role(&role, &render->params, render->err);
	return rc < 0 ? rc : params_finish(&render->params, render->err);
}

static int make(struct render *render)
{
	int rc = make_params(render);

	if (rc == 0)
		rc = render_authorities(render);
	if (rc == 0)
		rc = read_pin(render);
	if (rc == 0)
		rc = render_credentials(render);
	if (rc == 0)
		rc = render_roles(render);
	if (rc == 0)
		rc = render_review(render);
	return rc;
}

int render_make(
	const struct render_input *input, struct render_files *ret, struct err *err)
{
	struct render_files files = {NULL, 0, STRLIST_INIT};
	struct render render = {.input = input, .files = &files, .err = err};
	int rc = make(&render);

	authorities_done(&render.authorities);
	if (rc == 0)
		*ret = files;
	else
		render_files_done(&files);
	return rc;
}
