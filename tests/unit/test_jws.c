/* SPDX-License-Identifier: MIT */
/* cluster/jws: known answers of kube-controller-manager's bootstrapsigner (its own unit
 * test, k8s.io/cluster-bootstrap/token/jws) and of openssl. */
#include "temp_root.h"

#include "cluster/jws.h"

static struct jws_token token_of(const char *text)
{
	struct jws_token token;
	struct err err = ERR_INIT;

	if (jws_token_parse(text, strlen(text), &token, &err) < 0)
		fail_msg("%s", err.text);
	return token;
}

static void tokens(void **state)
{
	static const char *const bad[] = {"", ".", "abcdef.0123456789abcde",
		"abcdef.0123456789abcdefg", "abcdeF.0123456789abcdef",
		"abcdef:0123456789abcdef", "abcdef.0123456789abcde\xc3",
		"abcde.00123456789abcdef", "      .                "};
	struct jws_token token = token_of(" abcdef.0123456789abcdef\r\n");

	(void)state;
	assert_string_equal(token.id, "abcdef");
	assert_string_equal(token.secret, "0123456789abcdef");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = ERR_INIT;

		assert_int_equal(
			jws_token_parse(bad[i], strlen(bad[i]), &token, &err), -E_FORMAT);
		assert_null(strstr(err.text, "0123456789")); /* a secret is never shown */
		assert_string_equal(token.id, "abcdef");
	}
	assert_int_equal(jws_token_parse("abcdef.0123456789abcde\0x", 24, &token, NULL),
		-E_FORMAT);
}

/* The vectors of jws_test.go. */
static void as_kubernetes(void **state)
{
	static const char content[] =
		"Hello from the other side. I must have called a thousand times.";
	const struct jws_token token = {"joshua", "my voice is my passcode"};
	struct buf have CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	assert_int_equal(jws_sign(&token, content, strlen(content), &have, NULL), 0);
	assert_string_equal(have.bytes, "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9.."
					"VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8");
	buf_done(&have);
	assert_int_equal(jws_sign(&token, "", 0, &have, NULL), 0);
	assert_string_equal(have.bytes, "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9.."
					"7Ui1ALizW4jXphVUB7xUqC9vLYLL9RZeOFfVLoB7Tgk");
}

/* The same by hand: header and content in base64url, HMAC by openssl. */
static void as_openssl(void **state)
{
	static const char content[] = "apiVersion: v1\nclusters:\n- cluster: {}\n";
	struct temp_root root;
	struct jws_token token = token_of("07401b.f395accd246ae52d");
	struct buf want CLEANUP(buf_done) = BUF_INIT, have CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	temp_root_open(&root);
	temp_root_text(&root, "content", content);
	temp_root_shell(&root,
		"url() { openssl base64 -A | tr +/ -_ | tr -d =; }; "
		"h=$(printf %s '{\"alg\":\"HS256\",\"kid\":\"07401b\"}' | url); "
		"s=$(printf %s \"$h.$(url < content)\" | openssl dgst -sha256 -hmac "
		"f395accd246ae52d -binary | url); printf %s \"$h..$s\" > jws");
	assert_int_equal(fs_read(root.env.run_fd, "jws", 1000, &want, NULL), 0);
	assert_int_equal(jws_sign(&token, content, strlen(content), &have, NULL), 0);
	assert_string_equal(have.bytes, want.bytes);
	temp_root_close(&root);
}

static void verify(void **state)
{
	struct jws_token token = token_of("abcdef.0123456789abcdef");
	struct jws_token other = token_of("abcdef.0123456789abcdee");
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(jws_sign(&token, "content", 7, &text, NULL), 0);
	assert_int_equal(jws_verify(&token, text.bytes, "content", 7, &err), 0);
	assert_int_equal(jws_verify(&token, text.bytes, "Content", 7, &err), -E_TRUST);
	assert_int_equal(jws_verify(&token, text.bytes, "content", 6, &err), -E_TRUST);
	assert_int_equal(jws_verify(&other, text.bytes, "content", 7, &err), -E_TRUST);
	assert_null(strstr(err.text, "0123456789"));
	assert_int_equal(jws_verify(&token, "", "content", 7, &err), -E_TRUST);
	for (size_t i = 0; i < text.len; i++) {
		text.bytes[i] ^= 1;
		assert_int_equal(
			jws_verify(&token, text.bytes, "content", 7, &err), -E_TRUST);
		text.bytes[i] ^= 1;
	}
	assert_int_equal(buf_add_str(&text, "="), 0);
	assert_int_equal(jws_verify(&token, text.bytes, "content", 7, &err), -E_TRUST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tokens),
		cmocka_unit_test(as_kubernetes),
		cmocka_unit_test(as_openssl),
		cmocka_unit_test(verify),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
