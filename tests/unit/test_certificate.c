/* SPDX-License-Identifier: MIT */
/* cluster/certificate against openssl: it must verify and read what we issue, and we what
 * it issues. */
#include <errno.h>

#include "temp_root.h"

#include <time.h>

#include "cluster/certificate.h"
#include "cluster/secret.h"

#define T2026 1767225600 /* 2026-01-01T00:00:00Z */
#define T2049 2524607999 /* 2049-12-31T23:59:59Z */
#define T2050 2524608000 /* 2050-01-01T00:00:00Z */
#define T2126 4922899200 /* 2126-01-01T00:00:00Z */
#define YEAR 31536000

static struct temp_root root;
static struct key *ca_key, *leaf_key;

static int set_up(void **state)
{
	(void)state;
	temp_root_open(&root);
	assert_int_equal(key_generate(KEY_EC_P256, &ca_key, NULL), 0);
	assert_int_equal(key_generate(KEY_EC_P256, &leaf_key, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	key_free(&ca_key);
	key_free(&leaf_key);
	temp_root_close(&root);
	return 0;
}

static void put(const char *path, const struct buf *buf)
{
	temp_root_put(&root, path, buf->bytes, buf->len);
}

static void get(const char *path, struct buf *ret)
{
	struct err err = ERR_INIT;

	buf_done(ret);
	if (fs_read(root.env.run_fd, path, 4U << 20, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static struct certificate_text text_of(const struct buf *pem, const char *name)
{
	return (struct certificate_text){pem->bytes, pem->len, name};
}

static struct certificate_spec ca_spec(void)
{
	return (struct certificate_spec){.common_name = "kubernetes",
		.ca = true,
		.not_before = T2026,
		.not_after = T2026 + 10 * (int64_t)YEAR};
}

static void issue(const struct certificate_spec *spec, const struct key *subject,
	const struct buf *ca, const struct key *signer, struct buf *ret)
{
	struct certificate_issuer issuer = {
		ca ? ca->bytes : NULL, ca ? ca->len : 0, signer};
	struct err err = ERR_INIT;

	if (certificate_issue(spec, subject, ca ? &issuer : NULL, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static void make_ca(struct buf *ret)
{
	struct certificate_spec spec = ca_spec();

	issue(&spec, ca_key, NULL, NULL, ret);
}

static void has_line(const char *text, const char *words)
{
	if (!strstr(text, words))
		fail_msg("no '%s' in:\n%s", words, text);
}

/* What `openssl x509` says about a certificate. */
static void look(const char *options, struct buf *ret)
{
	char line[256];

	(void)snprintf(
		line, sizeof(line), "openssl x509 -in c.crt -noout %s > out", options);
	temp_root_shell(&root, line);
	get("out", ret);
}

static void authority(void **state)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, text CLEANUP(buf_done) = BUF_INIT;
	struct strlist dns CLEANUP(strlist_done) = STRLIST_INIT;
	struct certificate_spec spec = ca_spec();

	(void)state;
	assert_int_equal(strlist_add(&dns, "kubernetes"), 0);
	spec.dns = &dns;
	issue(&spec, ca_key, NULL, NULL, &ca);
	put("c.crt", &ca);
	look("-text", &text);
	has_line(text.bytes, "Version: 3 (0x2)");
	has_line(text.bytes, "Signature Algorithm: ecdsa-with-SHA256");
	has_line(text.bytes, "Issuer: CN = kubernetes\n");
	has_line(text.bytes, "Subject: CN = kubernetes\n");
	has_line(text.bytes, "Not Before: Jan  1 00:00:00 2026 GMT");
	has_line(text.bytes, "Not After : Dec 30 00:00:00 2035 GMT");
	has_line(text.bytes,
		"X509v3 extensions:\n"
		"            X509v3 Key Usage: critical\n"
		"                Digital Signature, Key Encipherment, Certificate Sign\n"
		"            X509v3 Basic Constraints: critical\n"
		"                CA:TRUE\n"
		"            X509v3 Subject Key Identifier: \n");
	has_line(text.bytes, "X509v3 Subject Alternative Name: \n"
			     "                DNS:kubernetes\n");
	temp_root_shell(&root, "openssl verify -CAfile c.crt -check_ss_sig c.crt");
}

static void leaf(void **state)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, pem CLEANUP(buf_done) = BUF_INIT;
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct strlist dns CLEANUP(strlist_done) = STRLIST_INIT;
	struct strlist addresses CLEANUP(strlist_done) = STRLIST_INIT;
	struct certificate_spec spec = {.common_name = "cp1",
		.organization = "system:nodes",
		.server = true,
		.client = true,
		.dns = &dns,
		.addresses = &addresses,
		.not_after = T2026 + YEAR};

	(void)state;
	assert_int_equal(strlist_add(&dns, "cp1"), 0);
	assert_int_equal(strlist_add(&dns, "*.example.test"), 0);
	assert_int_equal(strlist_add(&addresses, "192.0.2.10"), 0);
	assert_int_equal(strlist_add(&addresses, "fd00::1"), 0);
	make_ca(&ca);
	issue(&spec, leaf_key, &ca, ca_key, &pem);
	put("ca.crt", &ca);
	put("c.crt", &pem);
	look("-text", &text);
	has_line(text.bytes, "Subject: O = system:nodes, CN = cp1\n");
	has_line(text.bytes, "Issuer: CN = kubernetes\n");
	has_line(text.bytes,
		"X509v3 extensions:\n"
		"            X509v3 Key Usage: critical\n"
		"                Digital Signature, Key Encipherment\n"
		"            X509v3 Extended Key Usage: \n"
		"                TLS Web Server Authentication, TLS Web Client "
		"Authentication\n"
		"            X509v3 Basic Constraints: critical\n"
		"                CA:FALSE\n"
		"            X509v3 Authority Key Identifier: \n");
	has_line(text.bytes,
		"            X509v3 Subject Alternative Name: \n"
		"                DNS:cp1, DNS:*.example.test, IP Address:192.0.2.10, IP "
		"Address:FD00:0:0:0:0:0:0:1\n");
	temp_root_shell(&root,
		"for purpose in sslserver sslclient; do openssl verify -x509_strict "
		"-attime 1780000000 -purpose $purpose -CAfile ca.crt c.crt || exit 1; "
		"done; "
		"openssl verify -attime 1780000000 -verify_ip fd00::1 -CAfile ca.crt "
		"c.crt && "
		"openssl verify -attime 1780000000 -verify_hostname cp1 -CAfile ca.crt "
		"c.crt");
	/* by the CA's identifier, not by one of our own making */
	temp_root_shell(&root,
		"id() { openssl x509 -in $1 -noout -ext $2 | sed -n 's/^ *//;2p'; }; "
		"[ \"$(id ca.crt subjectKeyIdentifier)\" = \"$(id c.crt "
		"authorityKeyIdentifier)\" ]");
}

static void read_back(void **state)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, pem CLEANUP(buf_done) = BUF_INIT;
	struct buf pin CLEANUP(buf_done) = BUF_INIT;
	struct certificate_info info CLEANUP(certificate_info_done) = {0};

	(void)state;
	temp_root_shell(&root,
		"openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out c.crt -days 7 "
		"-subj '/O=a/O=system:nodes/OU=x/CN=system:node:w1' "
		"-addext extendedKeyUsage=clientAuth -addext basicConstraints=CA:FALSE "
		"-addext subjectAltName=DNS:w1,IP:192.0.2.1,IP:2001:db8::1,email:a@b "
		"2>/dev/null; openssl x509 -in c.crt -pubkey -noout | openssl pkey "
		"-pubin "
		"-outform DER | sha256sum | cut -c1-64 | tr -d '\\n' > pin; "
		"openssl x509 -in c.crt -noout -serial | tr A-Z a-z | tr -d '\\n' > "
		"serial");
	get("c.crt", &pem);
	get("pin", &pin);
	assert_int_equal(certificate_read(pem.bytes, pem.len, "c.crt", &info, NULL), 0);
	assert_string_equal(info.common_name, "system:node:w1");
	assert_int_equal(info.organizations.count, 2);
	assert_string_equal(info.organizations.items[0], "a");
	assert_string_equal(info.organizations.items[1], "system:nodes");
	assert_int_equal(info.dns.count, 1);
	assert_string_equal(info.dns.items[0], "w1");
	assert_int_equal(info.addresses.count, 2);
	assert_string_equal(info.addresses.items[0], "192.0.2.1");
	assert_string_equal(info.addresses.items[1], "2001:db8::1");
	assert_true(info.client && !info.server && !info.ca);
	assert_int_equal(info.not_after - info.not_before, 7 * 86400);
	assert_string_equal(info.spki_pin + 7, pin.bytes);
	get("serial", &pin);
	assert_string_equal(pin.bytes + strlen("serial="), info.serial);
	make_ca(&ca);
	certificate_info_done(&info);
	assert_int_equal(certificate_read(ca.bytes, ca.len, "ca", &info, NULL), 0);
	assert_true(info.ca && info.client && info.server);
	assert_string_equal(info.issuer_name, "kubernetes");
}

/* A CA of somebody else: the issuer is copied with its string types, and attributes that
 * come twice stay two. */
static void foreign_authority(const char *make)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, pem CLEANUP(buf_done) = BUF_INIT;
	struct buf key_text CLEANUP(secret_done) = BUF_INIT;
	struct key *key CLEANUP(key_free) = NULL;
	struct certificate_spec spec = {
		.common_name = "x", .client = true, .not_after = INT64_C(253402300799)};
	struct err err = ERR_INIT;

	temp_root_shell(&root, make);
	get("ca.crt", &ca);
	get("ca.key", &key_text);
	if (key_parse(key_text.bytes, key_text.len, "ca.key", &key, &err) < 0)
		fail_msg("%s", err.text);
	issue(&spec, leaf_key, &ca, key, &pem);
	put("c.crt", &pem);
	temp_root_shell(&root,
		"openssl verify -x509_strict -purpose sslclient -CAfile ca.crt c.crt && "
		"a=$(openssl x509 -in ca.crt -noout -subject -nameopt "
		"dump_all,show_type) && "
		"b=$(openssl x509 -in c.crt -noout -issuer -nameopt dump_all,show_type) "
		"&& "
		"[ \"${a#subject=}\" = \"${b#issuer=}\" ]");
}

static void foreign_authorities(void **state)
{
	(void)state;
	foreign_authority("openssl req -x509 -newkey rsa:3072 -nodes -keyout ca.key -out "
			  "ca.crt -subj '/DC=corp/DC=example/O=Stra\xc3\x9f"
			  "e, \"x\"/OU=a+OU=b/CN=K 8' -utf8 "
			  "-addext keyUsage=critical,keyCertSign 2>/dev/null");
	foreign_authority(
		"openssl ecparam -name secp384r1 -genkey -noout -out ca.key && "
		"openssl req -x509 -key ca.key -out ca.crt -subj /CN=p384 "
		"-addext keyUsage=critical,keyCertSign && openssl x509 -in ca.crt "
		"-noout -text | grep -q CA:TRUE");
	foreign_authority("openssl ecparam -name secp521r1 -genkey -noout -out ca.key && "
			  "openssl req -x509 -key ca.key -out ca.crt -subj /CN=p521 "
			  "-addext keyUsage=critical,keyCertSign -addext "
			  "subjectKeyIdentifier=DEADBEEF -addext "
			  "authorityKeyIdentifier=none");
}

static void names(void **state)
{
	static const char *const common_names[] = {"a,b=c+d\\e", "\"quoted\" #1",
		"Knoten-\xc3\xa4\xe2\x82\xac", "  spaces  ", "under_score@home",
		"CN=x,O=y"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(common_names); i++) {
		struct buf ca CLEANUP(buf_done) = BUF_INIT;
		struct buf pem CLEANUP(buf_done) = BUF_INIT;
		struct buf have CLEANUP(buf_done) = BUF_INIT;
		struct buf want CLEANUP(buf_done) = BUF_INIT;
		struct certificate_info info CLEANUP(certificate_info_done) = {0};
		struct certificate_spec spec = {.common_name = common_names[i],
			.client = true,
			.not_after = T2026 + YEAR};

		make_ca(&ca);
		issue(&spec, leaf_key, &ca, ca_key, &pem);
		put("c.crt", &pem);
		look("-subject -nameopt utf8,sep_multiline", &have);
		assert_int_equal(
			buf_printf(&want, "subject=\n    CN=%s\n", common_names[i]), 0);
		assert_string_equal(have.bytes, want.bytes);
		assert_int_equal(
			certificate_read(pem.bytes, pem.len, "c", &info, NULL), 0);
		assert_string_equal(info.common_name, common_names[i]);
	}
}

static void times_of(int64_t from, int64_t to, const char *want)
{
	struct buf pem CLEANUP(buf_done) = BUF_INIT, text CLEANUP(buf_done) = BUF_INIT;
	struct certificate_spec spec = ca_spec();
	struct certificate_info info CLEANUP(certificate_info_done) = {0};

	spec.not_before = from;
	spec.not_after = to;
	issue(&spec, ca_key, NULL, NULL, &pem);
	put("c.crt", &pem);
	look("-startdate -enddate", &text);
	assert_string_equal(text.bytes, want);
	assert_int_equal(certificate_read(pem.bytes, pem.len, "c", &info, NULL), 0);
	assert_true(info.not_before == from && info.not_after == to);
}

static void times(void **state)
{
	(void)state;
	times_of(T2049, T2050,
		"notBefore=Dec 31 23:59:59 2049 GMT\nnotAfter=Jan  1 00:00:00 2050 "
		"GMT\n");
	temp_root_shell(&root,
		"openssl asn1parse -in c.crt | grep -q 'UTCTIME *:491231235959Z' "
		"&& openssl asn1parse -in c.crt | grep -q 'GENERALIZEDTIME "
		"*:20500101000000Z'");
	times_of(T2126, T2126 + YEAR,
		"notBefore=Jan  1 00:00:00 2126 GMT\nnotAfter=Jan  1 00:00:00 2127 "
		"GMT\n");
	times_of(951782400, 951868800,
		"notBefore=Feb 29 00:00:00 2000 GMT\nnotAfter=Mar  1 00:00:00 2000 "
		"GMT\n");
}

/* kubeadm's rules: a leaf begins with its CA and never outlives it. */
static void times_fit_the_authority(void **state)
{
	static const struct {
		int64_t from, to, want_from, want_to;
	} rows[] = {
		{0, T2026 + YEAR, T2026, T2026 + YEAR},
		{T2026 - YEAR, T2026 + YEAR, T2026, T2026 + YEAR},
		{T2026 + 60, T2126, T2026 + 60, T2026 + 10 * (int64_t)YEAR},
	};
	struct buf ca CLEANUP(buf_done) = BUF_INIT;
	struct certificate_spec spec = {.common_name = "x", .client = true};
	struct certificate_issuer issuer;
	struct buf pem CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	(void)state;
	make_ca(&ca);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf made CLEANUP(buf_done) = BUF_INIT;
		struct certificate_info info CLEANUP(certificate_info_done) = {0};

		spec.not_before = rows[i].from;
		spec.not_after = rows[i].to;
		issue(&spec, leaf_key, &ca, ca_key, &made);
		assert_int_equal(
			certificate_read(made.bytes, made.len, "c", &info, NULL), 0);
		assert_true(info.not_before == rows[i].want_from);
		assert_true(info.not_after == rows[i].want_to);
	}
	issuer = (struct certificate_issuer){ca.bytes, ca.len, ca_key};
	spec.not_before = T2126;
	spec.not_after = T2126 + YEAR;
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_TRUST);
	has_line(err.text, "is its CA expired");
	assert_int_equal(pem.len, 0);
}

static void serials(void **state)
{
	struct strlist seen CLEANUP(strlist_done) = STRLIST_INIT;

	(void)state;
	for (size_t i = 0; i < 200; i++) {
		struct buf pem CLEANUP(buf_done) = BUF_INIT;
		struct certificate_info info CLEANUP(certificate_info_done) = {0};

		make_ca(&pem);
		assert_int_equal(
			certificate_read(pem.bytes, pem.len, "c", &info, NULL), 0);
		assert_in_range(strlen(info.serial), 2, 16);
		assert_true(info.serial[0] < '8'); /* positive */
		assert_false(strlist_has(&seen, info.serial));
		assert_int_equal(strlist_add(&seen, info.serial), 0);
	}
}

static void request(void **state)
{
	struct buf pem CLEANUP(buf_done) = BUF_INIT, text CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	assert_int_equal(certificate_request(
				 leaf_key, "system:node:w1", "system:nodes", &pem, NULL),
		0);
	put("c.csr", &pem);
	temp_root_shell(&root,
		"openssl req -in c.csr -verify -noout 2>&1 | grep -q 'verify OK' "
		"&& openssl req -in c.csr -noout -text > out");
	get("out", &text);
	has_line(text.bytes, "Version: 1 (0x0)");
	has_line(text.bytes, "Subject: O = system:nodes, CN = system:node:w1\n");
	has_line(text.bytes, "NIST CURVE: P-256");
	has_line(text.bytes, "Signature Algorithm: ecdsa-with-SHA256");
	assert_null(strstr(text.bytes, "Alternative"));
	/* a CA takes it */
	temp_root_shell(&root,
		"openssl req -x509 -newkey rsa:2048 -nodes -keyout k -out ca.crt -subj "
		"/CN=a "
		"2>/dev/null && openssl x509 -req -in c.csr -CA ca.crt -CAkey k "
		"-CAcreateserial -out c.crt 2>/dev/null && openssl verify -CAfile ca.crt "
		"c.crt");
	get("c.crt", &text);
	{
		struct certificate_text leaf_text = text_of(&text, "c.crt");

		assert_int_equal(certificate_key_check(&leaf_text, leaf_key, NULL), 0);
		assert_int_equal(
			certificate_key_check(&leaf_text, ca_key, NULL), -E_TRUST);
	}
}

static void spec_refused(void **state)
{
	static char long_name[258];
	struct strlist bad CLEANUP(strlist_done) = STRLIST_INIT;
	struct buf pem CLEANUP(buf_done) = BUF_INIT, ca CLEANUP(buf_done) = BUF_INIT;
	struct buf leaf_pem CLEANUP(buf_done) = BUF_INIT;
	struct certificate_spec spec = {
		.common_name = "", .client = true, .not_after = T2026 + YEAR};
	struct certificate_issuer issuer;
	struct err err = ERR_INIT;

	(void)state;
	make_ca(&ca);
	issuer = (struct certificate_issuer){ca.bytes, ca.len, ca_key};
	memset(long_name, 'x', sizeof(long_name) - 1);
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_FORMAT);
	has_line(err.text, "common name is empty");
	spec.common_name = long_name;
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_FORMAT);
	spec.common_name = "a\nb";
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_FORMAT);
	assert_int_equal(
		certificate_request(leaf_key, "a\nb", NULL, &pem, &err), -E_FORMAT);
	spec.common_name = "x";
	spec.organization = "";
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_FORMAT);
	spec.organization = NULL;
	assert_int_equal(strlist_add(&bad, "300.1.1.1"), 0);
	spec.addresses = &bad;
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_FORMAT);
	has_line(err.text, "'300.1.1.1' is no IPv4");
	bad.items[0][0] = '\0';
	spec.addresses = NULL;
	spec.dns = &bad;
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_FORMAT);
	has_line(err.text, "DNS name is empty");
	spec.dns = NULL;
	issuer.key = leaf_key;
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_TRUST);
	has_line(err.text, "another key");
	issue(&spec, leaf_key, &ca, ca_key, &leaf_pem);
	issuer = (struct certificate_issuer){leaf_pem.bytes, leaf_pem.len, leaf_key};
	assert_int_equal(
		certificate_issue(&spec, leaf_key, &issuer, &pem, &err), -E_FORMAT);
	has_line(err.text, "not a CA");
	assert_int_equal(pem.len, 0);
}

static int chain(
	const struct buf *leaf_pem, const struct buf *ca, int64_t now, struct err *err)
{
	struct certificate_text a = text_of(leaf_pem, "leaf.pem");
	struct certificate_text b = text_of(ca, "ca.crt");

	return certificate_check_chain(&a, &b, now, err);
}

static void chains(void **state)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, pem CLEANUP(buf_done) = BUF_INIT;
	struct buf twin CLEANUP(buf_done) = BUF_INIT, both CLEANUP(buf_done) = BUF_INIT;
	struct certificate_spec spec = {
		.common_name = "w1", .client = true, .not_after = T2026 + YEAR};
	struct certificate_spec other = ca_spec();
	struct err err = ERR_INIT;

	(void)state;
	make_ca(&ca);
	issue(&spec, leaf_key, &ca, ca_key, &pem);
	assert_int_equal(chain(&pem, &ca, T2026, &err), 0);
	assert_int_equal(chain(&pem, &ca, T2026 + YEAR, &err), 0);
	assert_int_equal(chain(&pem, &ca, T2026 - 1, &err), -E_TRUST);
	has_line(err.text, "valid from 2026-01-01T00:00:00Z, and the clock says "
			   "2025-12-31T23:59:59Z; set the clock");
	assert_int_equal(chain(&pem, &ca, T2026 + YEAR + 1, &err), -E_TRUST);
	has_line(err.text, "'leaf.pem': the certificate of 'w1' expired at "
			   "2027-01-01T00:00:00Z");
	/* same name, other key */
	issue(&other, leaf_key, NULL, NULL, &twin);
	assert_int_equal(chain(&pem, &twin, T2026, &err), -E_TRUST);
	has_line(err.text, "another CA of the name 'kubernetes'");
	/* a CA that is being changed: both are there */
	assert_int_equal(buf_add(&both, twin.bytes, twin.len), 0);
	assert_int_equal(buf_add(&both, ca.bytes, ca.len), 0);
	assert_int_equal(chain(&pem, &both, T2026, &err), 0);
	/* other name */
	buf_done(&twin);
	other.common_name = "etcd-ca";
	issue(&other, leaf_key, NULL, NULL, &twin);
	assert_int_equal(chain(&pem, &twin, T2026, &err), -E_TRUST);
	has_line(err.text, "issued by 'kubernetes', which is not in 'ca.crt' (the first "
			   "there is 'etcd-ca')");
	/* the leaf as its own CA */
	assert_int_equal(chain(&pem, &pem, T2026, &err), -E_TRUST);
	assert_int_equal(chain(&pem, &(struct buf)BUF_INIT, T2026, &err), -E_FORMAT);
	assert_int_equal(chain(&(struct buf)BUF_INIT, &ca, T2026, &err), -E_FORMAT);
	has_line(err.text, "'leaf.pem': no '-----BEGIN CERTIFICATE-----'");
}

/* One bit of the signature or of what it is over. */
static void chains_altered(void **state)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, pem CLEANUP(buf_done) = BUF_INIT;
	struct certificate_spec spec = {
		.common_name = "w1", .client = true, .not_after = T2026 + YEAR};
	unsigned int refused = 0;
	struct err err = ERR_INIT;

	(void)state;
	make_ca(&ca);
	issue(&spec, leaf_key, &ca, ca_key, &pem);
	for (size_t at = strlen("-----BEGIN CERTIFICATE-----\n");
		at < pem.len - strlen("-----END CERTIFICATE-----\n"); at++) {
		char was = pem.bytes[at];

		if (was == '\n' || was == '=')
			continue;
		pem.bytes[at] = was == 'A' ? 'Q' : 'A';
		if (chain(&pem, &ca, T2026, &err) == 0)
			fail_msg("byte %zu of the PEM may be changed", at);
		refused++;
		pem.bytes[at] = was;
	}
	assert_true(refused > 400);
	assert_int_equal(chain(&pem, &ca, T2026, &err), 0);
}

static void chains_of_openssl(void **state)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, pem CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;
	int64_t now = time(NULL);

	(void)state;
	temp_root_shell(&root,
		"openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt "
		"-subj "
		"/CN=root 2>/dev/null && "
		"openssl req -newkey rsa:2048 -nodes -keyout i.key -subj /CN=mid -out "
		"i.csr "
		"2>/dev/null && printf basicConstraints=critical,CA:TRUE > e && "
		"openssl x509 -req -in i.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
		"-extfile e -out i.crt 2>/dev/null && "
		"openssl req -newkey rsa:2048 -nodes -keyout l.key -subj /CN=leaf -out "
		"l.csr "
		"2>/dev/null && openssl x509 -req -in l.csr -CA i.crt -CAkey i.key "
		"-CAcreateserial -out l.crt 2>/dev/null && cat l.crt i.crt > chain && "
		"openssl x509 -req -in l.csr -CA ca.crt -CAkey ca.key -CAcreateserial "
		"-sha1 "
		"-out weak.crt 2>/dev/null");
	get("ca.crt", &ca);
	get("chain", &pem);
	assert_int_equal(chain(&pem, &ca, now + 60, &err), 0);
	get("l.crt", &pem);
	assert_int_equal(chain(&pem, &ca, now + 60, &err), -E_TRUST);
	has_line(err.text, "issued by 'mid', which is not in 'ca.crt'");
	get("weak.crt", &pem);
	assert_int_equal(chain(&pem, &ca, now + 60, &err), -E_TRUST);
	has_line(err.text, "too weak");
}

static void pins(void **state)
{
	struct buf ca CLEANUP(buf_done) = BUF_INIT, other CLEANUP(buf_done) = BUF_INIT;
	struct buf pin CLEANUP(buf_done) = BUF_INIT;
	struct strlist list CLEANUP(strlist_done) = STRLIST_INIT;
	struct certificate_spec spec = ca_spec();
	struct certificate_text text;
	struct err err = ERR_INIT;

	(void)state;
	make_ca(&ca);
	issue(&spec, leaf_key, NULL, NULL, &other);
	put("c.crt", &ca);
	temp_root_shell(&root,
		"{ printf sha256:; openssl x509 -in c.crt -pubkey -noout | openssl pkey "
		"-pubin -outform DER | sha256sum | cut -c1-64 | tr a-f A-F; } | tr -d "
		"'\\n' "
		"> pin");
	get("pin", &pin);
	text = text_of(&ca, "ca.crt");
	assert_int_equal(certificate_pin_check(&text, &list, &err), -E_TRUST);
	assert_int_equal(strlist_add(&list, "sha256:00"), 0);
	assert_int_equal(strlist_add(&list, pin.bytes), 0);
	assert_int_equal(certificate_pin_check(&text, &list, &err), 0);
	text = text_of(&other, "ca.crt");
	assert_int_equal(certificate_pin_check(&text, &list, &err), -E_TRUST);
	has_line(err.text, "none of the 2 pins names");
	/* any certificate of a bundle will do */
	assert_int_equal(buf_add(&other, ca.bytes, ca.len), 0);
	text = text_of(&other, "ca.crt");
	assert_int_equal(certificate_pin_check(&text, &list, &err), 0);
}

static void read_refused(void **state)
{
	static const char *const lines[] = {": > c", "head -c 1048576 /dev/zero > c",
		("printf -- '-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END "
		 "CERTIFICATE-----\\n' > c"),
		"head -4 c.crt > c", "sed '3d' c.crt > c",
		"sed '3s/^..../%%%%/' c.crt > c",
		"yes -- '-----BEGIN CERTIFICATE-----' | head -c 1048576 > c",
		"sed 's/CERTIFICATE/CERTIFICATE REQUEST/' c.crt > c"};
	struct buf pem CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	make_ca(&pem);
	put("c.crt", &pem);
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct certificate_info info = {0};
		struct err err = ERR_INIT;

		temp_root_shell(&root, lines[i]);
		get("c", &pem);
		if (certificate_read(pem.bytes, pem.len, "site.crt", &info, &err) !=
			-E_FORMAT)
			fail_msg("%s: taken", lines[i]);
		has_line(err.text, "'site.crt'");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(authority),
		cmocka_unit_test(leaf),
		cmocka_unit_test(read_back),
		cmocka_unit_test(foreign_authorities),
		cmocka_unit_test(names),
		cmocka_unit_test(times),
		cmocka_unit_test(times_fit_the_authority),
		cmocka_unit_test(serials),
		cmocka_unit_test(request),
		cmocka_unit_test(spec_refused),
		cmocka_unit_test(chains),
		cmocka_unit_test(chains_altered),
		cmocka_unit_test(chains_of_openssl),
		cmocka_unit_test(pins),
		cmocka_unit_test(read_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
