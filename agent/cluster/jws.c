/* SPDX-License-Identifier: MIT */
#include "cluster/jws.h"

#include <errno.h>
#include <string.h>

#include <psa/crypto.h>

#include "cluster/base64.h"
#include "cluster/secret.h"

/* k8s.io/cluster-bootstrap/token/api: [a-z0-9]{6}\.[a-z0-9]{16} */
static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

static const char *trim(const char *text, size_t *len)
{
	static const char blanks[] = " \t\r\n";

	while (*len && memchr(blanks, text[0], strlen(blanks))) {
		text++;
		(*len)--;
	}
	while (*len && memchr(blanks, text[*len - 1], strlen(blanks)))
		(*len)--;
	return text;
}

int jws_token_parse(const char *text, size_t len, struct jws_token *ret, struct err *err)
{
	struct jws_token token;
	bool good;

	text = trim(text, &len);
	good = len == JWS_TOKEN_ID_LEN + 1 + JWS_TOKEN_SECRET_LEN &&
	       text[JWS_TOKEN_ID_LEN] == '.';
	for (size_t i = 0; good && i < len; i++)
		good = i == JWS_TOKEN_ID_LEN ||
		       memchr(alphabet, text[i], strlen(alphabet));
	if (!good)
		return err_set(err, E_FORMAT,
			"read the bootstrap token: it has not the form of six "
			"characters, "
			"a dot and sixteen ([a-z0-9]); make one with 'kubeadm token "
			"create'");
	memcpy(token.id, text, JWS_TOKEN_ID_LEN);
	token.id[JWS_TOKEN_ID_LEN] = '\0';
	memcpy(token.secret, text + JWS_TOKEN_ID_LEN + 1, JWS_TOKEN_SECRET_LEN);
	token.secret[JWS_TOKEN_SECRET_LEN] = '\0';
	*ret = token;
	jws_token_done(&token);
	return 0;
}

void jws_token_done(struct jws_token *token)
{
	explicit_bzero(token, sizeof(*token));
}

static bool hmac(const struct jws_token *token, const struct buf *input, uint8_t mac[32])
{
	psa_key_attributes_t attributes = PSA_KEY_ATTRIBUTES_INIT;
	psa_key_id_t key = 0;
	size_t len;
	bool done;

	psa_set_key_type(&attributes, PSA_KEY_TYPE_HMAC);
	psa_set_key_usage_flags(&attributes, PSA_KEY_USAGE_SIGN_MESSAGE);
	psa_set_key_algorithm(&attributes, PSA_ALG_HMAC(PSA_ALG_SHA_256));
	done = psa_crypto_init() == PSA_SUCCESS &&
	       psa_import_key(&attributes, (const uint8_t *)token->secret,
		       strlen(token->secret), &key) == PSA_SUCCESS &&
	       psa_mac_compute(key, PSA_ALG_HMAC(PSA_ALG_SHA_256),
		       (const uint8_t *)input->bytes, input->len, mac, 32,
		       &len) == PSA_SUCCESS;
	(void)psa_destroy_key(key); /* 0 is no key and no error */
	return done;
}

/* base64url of the header, exactly as go-jose orders and spaces it. */
static int add_header(struct buf *text, const char *token_id)
{
	struct buf header CLEANUP(buf_done) = BUF_INIT;
	int rc = buf_printf(&header, "{\"alg\":\"HS256\",\"kid\":\"%s\"}", token_id);

	return rc < 0 ? rc : base64url_add(text, header.bytes, header.len);
}

int jws_sign(const struct jws_token *token, const void *content, size_t len,
	struct buf *ret, struct err *err)
{
	struct buf input CLEANUP(buf_done) = BUF_INIT, text CLEANUP(buf_done) = BUF_INIT;
	uint8_t mac[32];
	int rc = add_header(&input, token->id);

	if (rc == 0)
		rc = buf_add(&text, buf_text(&input), input.len);
	if (rc == 0)
		rc = buf_add_str(&input, ".");
	if (rc == 0)
		rc = base64url_add(&input, content, len);
	if (rc == 0 && !hmac(token, &input, mac))
		return err_set(
			err, E_BUG, "sign cluster-info: the crypto library refuses");
	if (rc == 0)
		rc = buf_add_str(&text, "..");
	if (rc == 0)
		rc = base64url_add(&text, mac, sizeof(mac));
	if (rc == 0)
		rc = buf_add(ret, text.bytes, text.len);
	return rc < 0 ? err_errno(err, ENOMEM, "sign cluster-info") : 0;
}

static bool equal(const char *a, const char *b, size_t len)
{
	unsigned char differ = 0;

	for (size_t i = 0; i < len; i++)
		differ = (unsigned char)(differ | (a[i] ^ b[i]));
	return differ == 0;
}

int jws_verify(const struct jws_token *token, const char *signature, const void *content,
	size_t len, struct err *err)
{
	struct buf want CLEANUP(secret_done) = BUF_INIT;
	int rc = jws_sign(token, content, len, &want, err);

	if (rc < 0)
		return rc;
	if (strlen(signature) != want.len || !equal(signature, want.bytes, want.len))
		return err_set(err, E_TRUST,
			"check cluster-info: its signature is not by token '%s'; the "
			"token is wrong, or somebody stands in between",
			token->id);
	return 0;
}
