/* SPDX-License-Identifier: MIT */
/* host/verify and host/sha256_x86: the two SHA-256 against each other and known answers;
 * signatures, keys and certificates as the openssl command makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <psa/crypto.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/str.h"
#include "host/sha256_x86.h"
#include "host/verify.h"

static char folder[] = "/tmp/test_verify.XXXXXX";

static void sha256_known(void **state)
{
	char hex[65];

	(void)state;
	/* FIPS 180-2 appendix B, and the empty message */
	assert_int_equal(verify_sha256_of("abc", 3, hex, NULL), 0);
	assert_string_equal(
		hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(verify_sha256_of("", 0, hex, NULL), 0);
	assert_string_equal(
		hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void fill(uint8_t *bytes, size_t len)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525U + 1013904223U;
		bytes[i] = (uint8_t)(x >> 24);
	}
}

/* Every length around the block size, in pieces of every size around it. */
static void sha256_x86_is_psa(void **state)
{
	static uint8_t bytes[1024];

	(void)state;
	if (!sha256_x86_works())
		skip();
	assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
	fill(bytes, sizeof(bytes));
	for (size_t len = 0; len < 300; len++) {
		uint8_t want[32], have[32];
		size_t want_len;

		assert_int_equal(psa_hash_compute(PSA_ALG_SHA_256, bytes, len, want,
					 sizeof(want), &want_len),
			PSA_SUCCESS);
		for (size_t piece = 1; piece < 140; piece += 7) {
			struct sha256_x86 sha;

			sha256_x86_init(&sha);
			for (size_t at = 0; at < len; at += piece)
				sha256_x86_update(&sha, bytes + at,
					len - at < piece ? len - at : piece);
			sha256_x86_finish(&sha, have);
			assert_memory_equal(have, want, sizeof(want));
		}
	}
}

static void sha256_of_fd(void **state)
{
	uint8_t bytes[200000];
	char hex[65], want[65];
	struct err err = ERR_INIT;
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	(void)state;
	fill(bytes, sizeof(bytes));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(verify_sha256_fd(fd, "x", hex, NULL), 0);
	assert_int_equal(verify_sha256_of(bytes, sizeof(bytes), want, NULL), 0);
	assert_string_equal(hex, want);
	close(fd);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(verify_sha256_fd(fd, "a folder", hex, &err), -EISDIR);
	assert_non_null(strstr(err.text, "'a folder'"));
	close(fd);
}

/* Runs a shell line in the folder; the test needs the openssl command. */
static void shell(const char *line)
{
	struct buf script = BUF_INIT;
	const char *argv[] = {"/bin/sh", "-c", NULL, NULL};
	struct proc_spec spec = {.argv = argv, .timeout_ms = 30000};
	struct proc_result result;
	struct err err = ERR_INIT;

	assert_int_equal(buf_printf(&script, "cd %s && %s", folder, line), 0);
	argv[2] = script.bytes;
	assert_int_equal(proc_run(sys_real(), &spec, &result, &err), 0);
	if (result.status != 0)
		print_error("%s: %s\n", line, buf_text(&result.output));
	assert_int_equal(result.status, 0);
	proc_result_done(&result);
	buf_done(&script);
}

static struct buf slurp(const char *name)
{
	struct buf bytes = BUF_INIT;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err err = ERR_INIT;

	assert_int_equal(fs_read(fd, name, 1U << 20, &bytes, &err), 0);
	close(fd);
	return bytes;
}

static int keys_of(const char *name, struct verify_keys **ret, struct err *err)
{
	struct buf pem CLEANUP(buf_done) = slurp(name);

	return verify_keys_new(pem.bytes, pem.len, name, ret, err);
}

static int check(
	const char *keys_name, const char *role, const char *signature, struct err *err)
{
	struct verify_keys *keys CLEANUP(verify_keys_free) = NULL;
	struct buf bytes CLEANUP(buf_done) = slurp(role);
	struct buf sig CLEANUP(buf_done) = slurp(signature);
	struct verify_signature detached = {sig.bytes, sig.len};

	*err = (struct err)ERR_INIT;
	assert_int_equal(keys_of(keys_name, &keys, err), 0);
	return verify_signature_check(keys, bytes.bytes, bytes.len, &detached, err);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	shell("for k in a b; do openssl ecparam -name prime256v1 -genkey -noout -out "
	      "$k.key && "
	      "openssl ec -in $k.key -pubout -out $k.pub || exit 1; done 2>/dev/null; "
	      "(echo 'the ones:'; cat b.pub a.pub) >both.pub; "
	      "printf 'kind: Role\\n' >role; printf 'kind: role\\n' >other; "
	      "openssl dgst -sha256 -sign a.key -out role.sig role");
	return 0;
}

static int teardown(void **state)
{
	struct err err = ERR_INIT;
	int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	(void)state;
	rc = fs_remove_tree(sys_real(), fd, folder + strlen("/tmp/"), &err);
	close(fd);
	return rc;
}

static void signature_good(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(check("a.pub", "role", "role.sig", &err), 0);
	assert_int_equal(check("both.pub", "role", "role.sig", &err), 0);
	/* r and s have 31 to 33 bytes: some of many signatures are shorter, some longer
	 */
	for (int i = 0; i < 20; i++) {
		shell("openssl dgst -sha256 -sign b.key -out more.sig role");
		assert_int_equal(check("both.pub", "role", "more.sig", &err), 0);
	}
}

static void signature_bad(void **state)
{
	static const struct {
		const char *make; /* from role.sig to bad.sig */
		const char *says;
	} cases[] = {
		{"cp role.sig bad.sig; printf x >>bad.sig", "bytes too many"},
		{"head -c 40 role.sig >bad.sig", "cut off"},
		{": >bad.sig", "is empty"},
		{"base64 role.sig >bad.sig", "is in base64"},
		{"base64 -w0 role.sig >bad.sig", "is in base64"},
		{"(echo -----BEGIN X-----; base64 role.sig) >bad.sig", "is in PEM"},
		{"head -c 64 /dev/zero >bad.sig", "raw form"},
		{"head -c 256 /dev/zero >bad.sig", "not an ECDSA P-256"},
		{"openssl dgst -sha512 -sign a.key -out bad.sig role", "by no key"},
		{"openssl dgst -sha256 -sign b.key -out bad.sig role", "by no key"},
		{"openssl dgst -sha256 -sign a.key -out bad.sig other", "by no key"},
		{"(head -c 20 role.sig; printf '\\377\\377'; tail -c +23 role.sig) "
		 ">bad.sig",
			"by no key"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		shell(cases[i].make);
		assert_int_equal(check("a.pub", "role", "bad.sig", &err), -E_TRUST);
		if (!strstr(err.text, cases[i].says))
			print_error("%s: %s\n", cases[i].make, err.text);
		assert_non_null(strstr(err.text, cases[i].says));
	}
	assert_int_equal(check("a.pub", "other", "role.sig", &err), -E_TRUST);
	assert_int_equal(check("b.pub", "role", "role.sig", &err), -E_TRUST);
}

static void keys_refused(void **state)
{
	static const struct {
		const char *make;
		const char *says;
	} cases[] = {
		{"openssl genrsa 2048 2>/dev/null | openssl rsa -pubout -out x.pub "
		 "2>/dev/null",
			"not an elliptic-curve key on P-256"},
		{"openssl ecparam -name secp384r1 -genkey | openssl ec -pubout -out "
		 "x.pub "
		 "2>/dev/null",
			"not an elliptic-curve key on P-256"},
		{"head -c 100 a.pub >x.pub", "is cut off"},
		{"sed 2s/A/B/ a.pub | sed '2s/^..../0000/' >x.pub", "does not parse"},
		{"cp a.key x.pub", "no '-----BEGIN PUBLIC KEY"},
		{"(cat a.pub; sed '2s/^..../0000/' b.pub) >x.pub",
			"public key 2 does not"},
		{": >x.pub", "no '-----BEGIN PUBLIC KEY"},
	};
	struct verify_keys *keys = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;

		shell(cases[i].make);
		assert_int_equal(keys_of("x.pub", &keys, &err), -E_FORMAT);
		assert_null(keys);
		if (!strstr(err.text, cases[i].says))
			print_error("%s: %s\n", cases[i].make, err.text);
		assert_non_null(strstr(err.text, cases[i].says));
		assert_non_null(strstr(err.text, "'x.pub'"));
	}
	assert_int_equal(keys_of("both.pub", &keys, NULL), 0);
	assert_int_equal(verify_keys_count(keys), 2);
	verify_keys_free(&keys);
}

static void certificates(void **state)
{
	struct verify_certificates found = {0, 0, 0};
	struct err err = ERR_INIT;
	struct buf pem, dates;
	char want[64];

	(void)state;
	shell("for k in a b; do openssl req -x509 -new -key $k.key -subj /CN=$k -days "
	      "400 "
	      "-out $k.pem || exit 1; done; cat a.pem a.key b.pem >all.pem; "
	      "date -u -d \"$(openssl x509 -in b.pem -noout -startdate | cut -d= -f2)\" "
	      "+%s "
	      ">dates; "
	      "date -u -d \"$(openssl x509 -in a.pem -noout -enddate | cut -d= -f2)\" "
	      "+%s "
	      ">>dates; (cat a.pem; sed '3s/^..../0000/' b.pem) >bad.pem");
	pem = slurp("all.pem");
	assert_int_equal(
		verify_certificates_check(pem.bytes, pem.len, "all.pem", &found, &err),
		0);
	assert_int_equal(found.count, 2);
	dates = slurp("dates");
	(void)snprintf(want, sizeof(want), "%lld\n%lld\n",
		(long long)found.latest_not_before, (long long)found.earliest_not_after);
	assert_string_equal(want, dates.bytes);
	buf_done(&pem);
	buf_done(&dates);
	pem = slurp("bad.pem");
	assert_int_equal(
		verify_certificates_check(pem.bytes, pem.len, "bad.pem", &found, &err),
		-E_FORMAT);
	buf_done(&pem);
	assert_int_equal(
		verify_certificates_check("", 0, "empty", &found, &err), -E_FORMAT);
	assert_non_null(strstr(err.text, "'empty'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_known),
		cmocka_unit_test(sha256_x86_is_psa),
		cmocka_unit_test(sha256_of_fd),
		cmocka_unit_test(signature_good),
		cmocka_unit_test(signature_bad),
		cmocka_unit_test(keys_refused),
		cmocka_unit_test(certificates),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
