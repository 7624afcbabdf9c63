/* SPDX-License-Identifier: MIT */
#include "cluster/kubeadm_certs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <psa/crypto.h>

#include "cluster/base64.h"
#include "cluster/secret.h"

#define NONCE_LEN 12U
#define TAG_LEN 16U

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at =
		c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool is_blank(char c)
{
	return c == '\n' || c == '\r' || c == ' ' || c == '\t';
}

int kubeadm_certs_key_parse(
	const char *text, size_t len, struct kubeadm_certs_key *ret, struct err *err)
{
	struct kubeadm_certs_key key CLEANUP(kubeadm_certs_key_done);
	bool good;

	while (len && is_blank(text[0])) {
		text++;
		len--;
	}
	while (len && is_blank(text[len - 1]))
		len--;
	good = len == 2 * sizeof(key.bytes);
	for (size_t i = 0; good && i < sizeof(key.bytes); i++) {
		int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

		good = high >= 0 && low >= 0;
		key.bytes[i] = (uint8_t)((unsigned int)high << 4 | (unsigned int)low);
	}
	if (!good)
		return err_set(err, E_FORMAT,
			"read the certificate key: it is not 64 hex digits; 'kubeadm "
			"init "
			"phase upload-certs --upload-certs' prints one");
	*ret = key;
	return 0;
}

void kubeadm_certs_key_done(struct kubeadm_certs_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

/* 0 when the library refuses; else destroyed by the caller. */
static psa_key_id_t import(const struct kubeadm_certs_key *key, psa_key_usage_t usage)
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t id = 0;

	psa_set_key_type(&attributes, PSA_KEY_TYPE_AES);
	psa_set_key_usage_flags(&attributes, usage);
	psa_set_key_algorithm(&attributes, PSA_ALG_GCM);
	if (psa_crypto_init() != PSA_SUCCESS ||
		psa_import_key(&attributes, key->bytes, sizeof(key->bytes), &id) !=
			PSA_SUCCESS)
		return 0;
	return id;
}

static void wipe_free(uint8_t *bytes, size_t len)
{
	if (bytes)
		explicit_bzero(bytes, len);
	free(bytes);
}

int kubeadm_certs_open(const struct kubeadm_certs_key *key, const struct buf *blob,
	const char *name, struct buf *ret, struct err *err)
{
	const uint8_t *bytes = (const uint8_t *)blob->bytes;
	uint8_t *text;
	size_t len = 0;
	psa_status_t status;
	psa_key_id_t id;
	int rc;

	if (blob->len < NONCE_LEN + TAG_LEN)
		return err_set(err, E_FORMAT,
			"open '%s': %zu bytes are too few for a sealed file", name,
			blob->len);
	id = import(key, PSA_KEY_USAGE_DECRYPT);
	text = malloc(blob->len);
	if (!text) {
		(void)psa_destroy_key(id);
		return err_errno(err, ENOMEM, "open '%s'", name);
	}
	status = psa_aead_decrypt(id, PSA_ALG_GCM, bytes, NONCE_LEN, NULL, 0,
		bytes + NONCE_LEN, blob->len - NONCE_LEN, text, blob->len, &len);
	(void)psa_destroy_key(id);
	rc = status == PSA_SUCCESS ? secret_add(ret, text, len) : 0;
	wipe_free(text, blob->len);
	if (status == PSA_ERROR_INVALID_SIGNATURE)
		return err_set(err, E_TRUST,
			"open '%s': the certificate key is another one, or the bytes "
			"were altered; kubeadm's own expire after two hours: upload "
			"anew",
			name);
	if (status != PSA_SUCCESS)
		return err_set(err, E_BUG, "open '%s': the crypto library refuses", name);
	return rc < 0 ? err_errno(err, ENOMEM, "open '%s'", name) : 0;
}

int kubeadm_certs_seal(const struct kubeadm_certs_key *key, const struct buf *text,
	struct buf *ret, struct err *err)
{
	size_t room = NONCE_LEN + text->len + TAG_LEN, len = 0;
	uint8_t *blob = malloc(room);
	psa_key_id_t id;
	bool done;
	int rc;

	if (!blob)
		return err_errno(err, ENOMEM, "seal a file");
	id = import(key, PSA_KEY_USAGE_ENCRYPT);
	done = psa_generate_random(blob, NONCE_LEN) == PSA_SUCCESS &&
	       psa_aead_encrypt(id, PSA_ALG_GCM, blob, NONCE_LEN, NULL, 0,
		       (const uint8_t *)buf_text(text), text->len, blob + NONCE_LEN,
		       room - NONCE_LEN, &len) == PSA_SUCCESS;
	(void)psa_destroy_key(id);
	rc = done ? buf_add(ret, blob, NONCE_LEN + len) : 0;
	free(blob);
	if (!done)
		return err_set(err, E_BUG, "seal a file: the crypto library refuses");
	return rc < 0 ? err_errno(err, ENOMEM, "seal a file") : 0;
}

/* The PEM behind one value of data; nothing when the value is empty (kubeadm: the file
 * does not exist). */
static int read_value(const json_t *value, const struct kubeadm_certs_key *key,
	const char *name, struct buf *ret, struct err *err)
{
	struct buf bytes CLEANUP(secret_done) = BUF_INIT;
	const char *text = json_string_value(value);
	int rc = text ? base64_decode(text, json_string_length(value), &bytes) : 0;

	if (rc == -ENOMEM)
		return err_errno(err, ENOMEM, "read '%s'", name);
	if (rc < 0 || (value && !text))
		return err_set(err, E_FORMAT,
			"read '%s': its value in data is not base64", name);
	if (bytes.len == 0)
		return 0;
	if (key)
		return kubeadm_certs_open(key, &bytes, name, ret, err);
	if (secret_add(ret, bytes.bytes, bytes.len) < 0)
		return err_errno(err, ENOMEM, "read '%s'", name);
	return 0;
}

static int read_part(const json_t *data, const struct kubeadm_certs_key *key,
	const struct authorities_part *part, struct authorities *authorities,
	struct err *err)
{
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	int rc = read_value(json_object_get(data, part->key), key, part->key, &pem, err);

	if (rc < 0 || pem.len == 0)
		return rc;
	return authorities_part_take(authorities, part, pem.bytes, pem.len, err);
}

int kubeadm_certs_read(const json_t *secret, const struct kubeadm_certs_key *key,
	int64_t now, struct authorities *ret, struct err *err)
{
	struct authorities found CLEANUP(authorities_done) = {0};
	const json_t *data = json_object_get(secret, "data");
	int rc = 0;

	if (!json_is_object(data))
		return err_set(err, E_FORMAT,
			"read the cluster's CAs: no 'data' in it; a v1 Secret with the "
			"keys of kubeadm-certs belongs here");
	for (size_t i = 0; rc == 0 && i < AUTHORITIES_PARTS; i++)
		rc = read_part(data, key, &authorities_parts[i], &found, err);
	if (rc == 0)
		rc = authorities_check(&found, now, err);
	if (rc < 0)
		return rc;
	*ret = found;
	found = (struct authorities){0};
	return 0;
}

static int write_part(const struct authorities *authorities,
	const struct kubeadm_certs_key *key, const struct authorities_part *part,
	json_t *data, struct err *err)
{
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	struct buf sealed CLEANUP(secret_done) = BUF_INIT;
	struct buf text CLEANUP(secret_done) = BUF_INIT;
	const struct buf *plain = key ? &sealed : &pem;
	int rc = authorities_part_pem(authorities, part, &pem, err);

	if (rc == 0 && key)
		rc = kubeadm_certs_seal(key, &pem, &sealed, err);
	if (rc < 0)
		return rc;
	if (base64_add(&text, plain->bytes, plain->len) < 0 ||
		json_object_set_new(data, part->key, json_string(text.bytes)) < 0)
		return err_errno(err, ENOMEM, "write '%s'", part->key);
	return 0;
}

int kubeadm_certs_write(const struct authorities *authorities,
	const struct kubeadm_certs_key *key, json_t **ret, struct err *err)
{
	json_t *data = json_object(), *secret;
	int rc = data ? 0 : err_errno(err, ENOMEM, "write the cluster's CAs");

	for (size_t i = 0; rc == 0 && i < AUTHORITIES_PARTS; i++)
		rc = write_part(authorities, key, &authorities_parts[i], data, err);
	if (rc < 0) {
		json_decref(data);
		return rc;
	}
	secret = json_pack("{s:s,s:s,s:{s:s,s:s},s:s,s:o}", "apiVersion", "v1", "kind",
		"Secret", "metadata", "name", "kubeadm-certs", "namespace", "kube-system",
		"type", "Opaque", "data", data);
	if (!secret)
		return err_errno(err, ENOMEM, "write the cluster's CAs");
	*ret = secret;
	return 0;
}
