/* SPDX-License-Identifier: MIT */
/* cluster/key and cluster/pem: every form in which openssl writes a private key is read,
 * and what is written is what openssl writes. */
#include <errno.h>

#include "temp_root.h"

#include "cluster/base64.h"
#include "cluster/key.h"
#include "cluster/pem.h"
#include "cluster/secret.h"

static struct temp_root root;

static int set_up(void **state)
{
	(void)state;
	temp_root_open(&root);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	temp_root_close(&root);
	return 0;
}

static void read_file(const char *path, struct buf *ret)
{
	struct err err = ERR_INIT;

	if (fs_read(root.env.run_fd, path, 4U << 20, ret, &err) < 0)
		fail_msg("%s", err.text);
}

/* Makes "k" by a shell line and reads it. */
static struct key *key_of(const char *line)
{
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	struct key *key = NULL;
	struct err err = ERR_INIT;

	temp_root_shell(&root, line);
	read_file("k", &pem);
	if (key_parse(pem.bytes, pem.len, "k", &key, &err) < 0)
		fail_msg("%s: %s", line, err.text);
	return key;
}

static void check_forms(const char *make, const char *traditional)
{
	static const char *const forms[] = {"cp traditional k", "cp pkcs8 k",
		"cat public pkcs8 > k",
		"printf 'text\\n-----\\n' | cat - traditional > k",
		"sed 's/$/\\r/' traditional > k", "printf %s \"$(cat pkcs8)\" > k"};
	struct buf want CLEANUP(secret_done) = BUF_INIT;
	struct buf public CLEANUP(buf_done) = BUF_INIT;

	temp_root_shell(&root, make);
	temp_root_shell(&root, traditional);
	temp_root_shell(&root, "openssl pkey -in pkcs8 -pubout -out public");
	read_file("traditional", &want);
	read_file("public", &public);
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct key *key CLEANUP(key_free) = key_of(forms[i]);
		struct buf have CLEANUP(secret_done) = BUF_INIT;
		struct buf have_public CLEANUP(buf_done) = BUF_INIT;

		assert_int_equal(key_pem(key, &have, NULL), 0);
		assert_string_equal(have.bytes, want.bytes);
		assert_int_equal(key_public_pem(key, &have_public, NULL), 0);
		assert_string_equal(have_public.bytes, public.bytes);
	}
}

static void p256_as_openssl(void **state)
{
	(void)state;
	check_forms("openssl genpkey -algorithm EC -pkeyopt "
		    "ec_paramgen_curve:P-256 -out pkcs8",
		"openssl ec -in pkcs8 -out traditional 2>/dev/null");
}

static void p384_as_openssl(void **state)
{
	(void)state;
	check_forms("openssl genpkey -algorithm EC -pkeyopt "
		    "ec_paramgen_curve:P-384 -out pkcs8",
		"openssl ec -in pkcs8 -out traditional 2>/dev/null");
}

static void p521_as_openssl(void **state)
{
	(void)state;
	check_forms("openssl genpkey -algorithm EC -pkeyopt "
		    "ec_paramgen_curve:P-521 -out pkcs8",
		"openssl ec -in pkcs8 -out traditional 2>/dev/null");
}

static void rsa_as_openssl(void **state)
{
	(void)state;
	check_forms("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "
		    "pkcs8 2>/dev/null",
		"openssl rsa -in pkcs8 -traditional -out traditional 2>/dev/null");
}

/* What `openssl ecparam -genkey` writes: the parameters come first. */
static void parameters_first(void **state)
{
	struct key *key CLEANUP(key_free) = NULL;

	(void)state;
	key = key_of("openssl ecparam -name prime256v1 -genkey -out k && "
		     "head -1 k | grep -q 'EC PARAMETERS'");
	assert_true(key_is(key, KEY_EC_P256));
	assert_false(key_is(key, KEY_RSA_2048));
}

static void check_generated(enum key_kind kind, const char *look)
{
	struct key *key CLEANUP(key_free) = NULL;
	struct key *other CLEANUP(key_free) = NULL, *again CLEANUP(key_free) = NULL;
	struct buf pem CLEANUP(secret_done) = BUF_INIT;

	assert_int_equal(key_generate(kind, &key, NULL), 0);
	assert_int_equal(key_generate(kind, &other, NULL), 0);
	assert_true(key_is(key, kind));
	assert_int_equal(key_pem(key, &pem, NULL), 0);
	temp_root_put(&root, "made", pem.bytes, pem.len);
	temp_root_shell(&root, look);
	assert_int_equal(key_parse(pem.bytes, pem.len, "made", &again, NULL), 0);
	assert_true(key_equal(key, again));
	assert_false(key_equal(key, other));
}

static void generate_p256(void **state)
{
	(void)state;
	check_generated(KEY_EC_P256,
		"head -1 made | grep -qx -e '-----BEGIN EC PRIVATE KEY-----' && "
		"openssl pkey -in made -noout -check -text | grep -q 'NIST CURVE: "
		"P-256'");
}

static void generate_rsa(void **state)
{
	(void)state;
	check_generated(KEY_RSA_2048,
		"head -1 made | grep -qx -e '-----BEGIN RSA PRIVATE KEY-----' && "
		"openssl rsa -in made -noout -check -text 2>&1 | tr -d '\\n' | "
		"grep -q '(2048 bit.*publicExponent: 65537.*RSA key ok'");
}

/* The text of the error for a file made by a shell line; the code must be this one. */
static void check_refused(const char *line, int code, const char *word)
{
	struct buf pem CLEANUP(buf_done) = BUF_INIT;
	struct key *key = NULL;
	struct err err = ERR_INIT;

	temp_root_shell(&root, line);
	read_file("k", &pem);
	assert_int_equal(key_parse(pem.bytes, pem.len, "site.key", &key, &err), -code);
	assert_null(key);
	if (!strstr(err.text, word) || !strstr(err.text, "'site.key'"))
		fail_msg("%s: '%s' lacks '%s'", line, err.text, word);
}

static void refused(void **state)
{
	(void)state;
	temp_root_shell(&root, "openssl ecparam -name prime256v1 -genkey -noout -out g");
	check_refused("openssl ec -in g -aes128 -passout pass:x -out k 2>/dev/null",
		E_UNSUPPORTED, "encrypted");
	check_refused("openssl pkcs8 -topk8 -in g -passout pass:x -out k", E_UNSUPPORTED,
		"encrypted");
	check_refused("openssl genpkey -algorithm ED25519 -out k", E_UNSUPPORTED,
		"neither RSA nor ECDSA");
	check_refused("openssl ecparam -name secp256k1 -genkey -noout -out k",
		E_UNSUPPORTED, "neither RSA nor ECDSA");
	check_refused("openssl pkey -in g -pubout -out k", E_FORMAT, "no private key");
	check_refused(": > k", E_FORMAT, "no private key");
	check_refused("head -3 g > k", E_FORMAT, "cut off");
	check_refused("sed '2s/^..../AAAA/' g > k", E_FORMAT, "does not parse");
	check_refused("sed '2s/^..../a*b=/' g > k", E_FORMAT, "does not parse");
	check_refused("sed 's/END EC/END RSA/' g > k", E_FORMAT, "another kind");
	check_refused("{ head -2 g; cat g; } > k", E_FORMAT, "does not parse");
	check_refused("printf -- '-----BEGIN EC PRIVATE KEY\\n' > k", E_FORMAT,
		"no PEM header");
}

/* Time is what is checked here: each of these took minutes in a quadratic search. */
static void junk(void **state)
{
	static const char *const lines[] = {"head -c 1048576 /dev/zero > k",
		"yes -- '-----BEGIN ' | head -c 1048576 > k",
		"yes -- '-----BEGIN A-----' | head -c 1048576 > k",
		"yes -- '-----END A-----' | head -c 1048576 > k",
		"yes -- '-----BEGIN A-----\n-----END A-----' | head -c 1048560 > k",
		("openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null | "
		 "head -c 1048576 > k")};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct buf pem CLEANUP(buf_done) = BUF_INIT;
		struct key *key = NULL;

		temp_root_shell(&root, lines[i]);
		read_file("k", &pem);
		assert_in_range(pem.len, 1048000, 1048576);
		assert_int_equal(
			key_parse(pem.bytes, pem.len, "junk", &key, NULL), -E_FORMAT);
	}
}

static void split_bundle(void **state)
{
	struct pem_bundle bundle CLEANUP(pem_bundle_done) = PEM_BUNDLE_INIT;
	struct buf pem CLEANUP(buf_done) = BUF_INIT, want CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	temp_root_shell(&root,
		"openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt "
		"-subj "
		"/CN=ca -addext basicConstraints=critical,CA:TRUE 2>/dev/null && "
		"openssl ecparam -name prime256v1 -genkey -out leaf.key && "
		"openssl req -new -key leaf.key -subj /CN=leaf -out leaf.csr && "
		"openssl x509 -req -in leaf.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
		"-out leaf.crt 2>/dev/null && "
		"{ cat ca.crt; cat leaf.key; echo words between; printf %s \"$(cat "
		"leaf.crt)\"; } > k");
	read_file("k", &pem);
	if (pem_split(pem.bytes, pem.len, "k", &bundle, &err) < 0)
		fail_msg("%s", err.text);
	read_file("ca.crt", &want);
	assert_string_equal(bundle.authorities.bytes, want.bytes);
	buf_done(&want);
	read_file("leaf.crt", &want);
	assert_string_equal(bundle.certificates.bytes, want.bytes);
	assert_true(str_has_prefix(bundle.key.bytes, "-----BEGIN EC PRIVATE KEY-----"));
	assert_true(str_has_suffix(bundle.key.bytes, "-----END EC PRIVATE KEY-----\n"));
}

static void split_refused(void **state)
{
	struct pem_bundle bundle = PEM_BUNDLE_INIT;
	struct buf pem CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	temp_root_shell(&root,
		"openssl ecparam -name prime256v1 -genkey -noout -out g && cat g g > k");
	read_file("k", &pem);
	assert_int_equal(pem_split(pem.bytes, pem.len, "k", &bundle, &err), -E_FORMAT);
	assert_non_null(strstr(err.text, "more than one private key"));
	buf_done(&pem);
	temp_root_shell(&root,
		"yes -- \"$(printf -- '-----BEGIN A-----\\n-----END A-----')\" "
		"| head -n 130 > k");
	read_file("k", &pem);
	assert_int_equal(pem_split(pem.bytes, pem.len, "k", &bundle, &err), -E_TOO_BIG);
	assert_int_equal(
		pem_split(pem.bytes, PEM_BYTES_MAX + 1, "k", &bundle, &err), -E_TOO_BIG);
}

static void base64_known(void **state)
{
	/* RFC 4648 10 */
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="},
		{"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="},
		{"foobar", "Zm9vYmFy"}, {"\xfb\xff\xbe", "+/++"}};
	static const char *const bad[] = {"Z", "Zg",
		"Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm*v",
		"Zm9v=", "-_-_", "Zg==\n="};
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		struct buf have CLEANUP(buf_done) = BUF_INIT;
		struct buf back CLEANUP(buf_done) = BUF_INIT;

		assert_int_equal(base64_add(&have, pairs[i][0], strlen(pairs[i][0])), 0);
		assert_string_equal(buf_text(&have), pairs[i][1]);
		assert_int_equal(base64_decode(buf_text(&have), have.len, &back), 0);
		assert_string_equal(buf_text(&back), pairs[i][0]);
	}
	assert_int_equal(base64url_add(&text, "\xfb\xff\xbe\xff", 4), 0);
	assert_string_equal(text.bytes, "-_--_w");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(base64_decode(bad[i], strlen(bad[i]), &text), -EINVAL);
		assert_string_equal(text.bytes, "-_--_w");
	}
	assert_int_equal(base64_decode(" Zm\n9v\r\n Yg==\n", 14, &text), 0);
	assert_string_equal(text.bytes, "-_--_wfoob");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(p256_as_openssl),
		cmocka_unit_test(p384_as_openssl),
		cmocka_unit_test(p521_as_openssl),
		cmocka_unit_test(rsa_as_openssl),
		cmocka_unit_test(parameters_first),
		cmocka_unit_test(generate_p256),
		cmocka_unit_test(generate_rsa),
		cmocka_unit_test(refused),
		cmocka_unit_test(junk),
		cmocka_unit_test(split_bundle),
		cmocka_unit_test(split_refused),
		cmocka_unit_test(base64_known),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
