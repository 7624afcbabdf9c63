/* SPDX-License-Identifier: MIT */
/* cluster/pki against files that kubeadm made (kubeadm-pki/README): they are good as they
 * are, and what we issue from the same CAs differs in keys, serials and times alone. */
#include <errno.h>

#include "temp_root.h"

#include "cluster/pki.h"
#include "cluster/secret.h"

#define FIXTURE "tests/unit/kubeadm-pki"
#define NOW 1796083200 /* 2026-12-01T00:00:00Z, a few days after kubeadm ran */

static struct temp_root root;
static struct authorities authorities;

/* The eight parts as kubeadm laid them out. */
static void take_authorities(void)
{
	struct err err = ERR_INIT;

	for (size_t i = 0; i < AUTHORITIES_PARTS; i++) {
		const struct authorities_part *part = &authorities_parts[i];
		struct buf path CLEANUP(buf_done) = BUF_INIT;
		struct buf pem CLEANUP(secret_done) = BUF_INIT;

		assert_int_equal(
			buf_printf(&path, "etc/kubernetes/pki/%s", part->path), 0);
		if (fs_read(root.env.run_fd, path.bytes, 99999, &pem, &err) < 0 ||
			authorities_part_take(
				&authorities, part, pem.bytes, pem.len, &err) < 0)
			fail_msg("%s", err.text);
	}
	if (authorities_check(&authorities, NOW, &err) < 0)
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	char *here = realpath(FIXTURE, NULL);
	struct buf line CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	temp_root_open(&root);
	assert_non_null(here); /* the tests run at the top of the tree */
	assert_int_equal(buf_printf(&line,
				 "mkdir -p etc && cp -r '%s' etc/kubernetes && cp -r "
				 "etc/kubernetes kubeadm",
				 here),
		0);
	temp_root_shell(&root, line.bytes);
	free(here);
	take_authorities();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	authorities_done(&authorities);
	temp_root_close(&root);
	return 0;
}

static struct pki_spec spec_of(void)
{
	return (struct pki_spec){.authorities = &authorities,
		.keys = KEY_EC_P256,
		.now = NOW,
		.minor = 37,
		.node = "cp1",
		.address = "192.0.2.10",
		.service_cidr = "10.96.0.0/12",
		.dns_domain = "cluster.local",
		.endpoint = "https://api.example.test:6443"};
}

/* Kubelet's two are kubeadm's own business until its last phase moves the certificate out
 * of kubelet.conf. */
static bool is_kubelet(const char *name)
{
	return strstr(name, "kubelet") == name;
}

static void kubeadm_is_good(void **state)
{
	const struct pki_spec spec = spec_of();
	struct pki_state found;

	(void)state;
	assert_int_equal(pki_examine(&spec, root.env.run_fd, &found, NULL), 0);
	for (size_t i = 0; i < PKI_ENTRIES; i++) {
		const char *name = pki_entry_name(i);

		if (found.reason[i] && !is_kubelet(name))
			fail_msg("%s: %s", name, found.reason[i]);
		if (!found.reason[i] && is_kubelet(name))
			fail_msg("%s: good", name);
	}
}

static void write_all(const struct pki_spec *spec)
{
	struct pki_state all;
	struct pki_files files CLEANUP(pki_files_done) = {0};
	struct err err = ERR_INIT;

	for (size_t i = 0; i < PKI_ENTRIES; i++)
		all.reason[i] = "asked for";
	if (pki_make(spec, &all, &files, &err) < 0)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < files.count; i++)
		if (!files.items[i].link)
			temp_root_put(&root, files.items[i].path + 1,
				files.items[i].bytes.bytes, files.items[i].bytes.len);
}

/* Shapes: each ASN.1 value with its type; serial, times, public key and signature have no
 * value in it. The rest, names and extensions, is compared byte by byte. */
static void ours_is_kubeadms(void **state)
{
	const struct pki_spec spec = spec_of();

	(void)state;
	write_all(&spec);
	temp_root_shell(&root,
		"set -e; shape() { openssl asn1parse -in $1 | sed 's/^ "
		"*[0-9]*:d=\\([0-9]*\\) "
		"*hl=[0-9]* *l= *[0-9]* /\\1 /; s/\\(INTEGER *:\\)[0-9A-F]\\{9,\\}/\\1/; "
		"s/\\(UTCTIME *:\\).*/\\1/; s/\\(BIT STRING *\\).*/\\1/'; }; "
		"cd kubeadm; n=0; for i in $(find pki -name '*.crt'); do shape $i > "
		"../a; "
		"shape ../etc/kubernetes/$i > ../b; "
		"diff ../a ../b || { echo $i; exit 1; }; n=$((n+1)); done; [ $n = 10 ]; "
		"grep -q 'BOOLEAN' ../a; grep -q 'OCTET STRING' ../a; "
		"for i in $(find pki -name '*.key'); do "
		"[ \"$(head -1 $i)\" = \"$(head -1 ../etc/kubernetes/$i)\" ]; done; "
		"cmp pki/sa.key ../etc/kubernetes/pki/sa.key; "
		"cmp pki/ca.key ../etc/kubernetes/pki/ca.key; "
		"cmp pki/sa.pub ../etc/kubernetes/pki/sa.pub; "
		"for i in admin controller-manager scheduler; do for f in "
		". ../etc/kubernetes; do sed 's/\\(client-[a-z-]*data: \\).*/\\1/' "
		"$f/$i.conf > "
		"../${f##*/}x; done; diff ../.x ../kubernetesx; grep -q client-key-data "
		"../.x; "
		"done; pem() { sed -n 's/.*client-certificate-data: //p' $1 | base64 -d "
		"> "
		"../pem; shape ../pem; }; for i in admin controller-manager scheduler; "
		"do "
		"pem $i.conf > ../a; pem ../etc/kubernetes/$i.conf > ../b; diff ../a "
		"../b; done");
}

/* A new CA of ours and kubeadm's, but for its key. */
static void authority_is_kubeadms(void **state)
{
	struct authorities made CLEANUP(authorities_done) = {0};

	(void)state;
	assert_int_equal(authorities_create(KEY_EC_P256, NOW, &made, NULL), 0);
	temp_root_put(
		&root, "ca", made.ca.certificate_pem.bytes, made.ca.certificate_pem.len);
	temp_root_put(&root, "front-proxy-ca", made.front_proxy.certificate_pem.bytes,
		made.front_proxy.certificate_pem.len);
	temp_root_put(&root, "etcd-ca", made.etcd.certificate_pem.bytes,
		made.etcd.certificate_pem.len);
	temp_root_shell(&root,
		"set -e; words() { openssl x509 -in $1 -noout -text -nameopt show_type | "
		"sed "
		"'/Serial Number/d; /Not /d; s/[0-9A-Fa-f][0-9A-Fa-f]:.*/HEX/'; }; "
		"for i in ca front-proxy-ca etcd-ca; do words $i > a; "
		"j=kubeadm/pki/$i.crt; [ $i != etcd-ca ] || j=kubeadm/pki/etcd/ca.crt; "
		"words $j > b; diff a b; grep -q 'Subject Key Identifier' a; done");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kubeadm_is_good),
		cmocka_unit_test(ours_is_kubeadms),
		cmocka_unit_test(authority_is_kubeadms),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
