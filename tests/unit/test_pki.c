/* SPDX-License-Identifier: MIT */
/* cluster/authorities, kubeadm_certs and pki: a whole node's PKI is made, verified by
 * openssl, kept when good, and made anew where it is not. */
#include <errno.h>

#include "temp_root.h"

#include <jansson.h>
#include <sys/stat.h>

#include "cluster/base64.h"
#include "cluster/certificate.h"
#include "cluster/kubeadm_certs.h"
#include "cluster/kubeconfig.h"
#include "cluster/pki.h"
#include "cluster/secret.h"

#define NOW 1767225600 /* 2026-01-01T00:00:00Z */
#define DAY 86400

static struct authorities authorities, strangers;

static int set_up(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	if (authorities_create(KEY_EC_P256, NOW, &authorities, &err) < 0 ||
		authorities_create(KEY_EC_P256, NOW, &strangers, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(authorities_check(&authorities, NOW, &err), 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	authorities_done(&authorities);
	authorities_done(&strangers);
	return 0;
}

static struct pki_spec spec_of(const struct authorities *shared)
{
	return (struct pki_spec){.authorities = shared,
		.keys = KEY_EC_P256,
		.now = NOW,
		.minor = 33,
		.node = "cp1",
		.address = "192.0.2.10",
		.service_cidr = "10.96.0.0/12",
		.dns_domain = "cluster.local",
		.endpoint = "https://api.example.test:6443"};
}

static size_t entry_of(const char *name)
{
	size_t i = 0;

	while (strcmp(pki_entry_name(i), name) != 0)
		assert_true(++i < PKI_ENTRIES);
	return i;
}

static void examine(
	const struct temp_root *root, const struct pki_spec *spec, struct pki_state *ret)
{
	struct err err = ERR_INIT;

	if (pki_examine(spec, root->env.run_fd, ret, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_files(const struct temp_root *root, const struct pki_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		const struct pki_file *file = &files->items[i];
		const struct fs_content content = {
			file->bytes.bytes, file->bytes.len, file->mode};
		struct err err = ERR_INIT;
		int rc = file->link ? fs_replace_link(sys_real(), root->env.run_fd,
					      file->path, file->link, &err)
				    : fs_replace(sys_real(), root->env.run_fd, file->path,
					      &content, &err);

		if (rc < 0)
			fail_msg("%s", err.text);
	}
}

static void make(const struct temp_root *root, const struct pki_spec *spec)
{
	struct pki_files files CLEANUP(pki_files_done) = {0};
	struct pki_state state;
	struct err err = ERR_INIT;

	examine(root, spec, &state);
	if (pki_make(spec, &state, &files, &err) < 0)
		fail_msg("%s", err.text);
	write_files(root, &files);
}

/* All is good but the entries named, which have this reason. */
static void expect(const struct temp_root *root, const struct pki_spec *spec,
	const char *reason, const char *const *names)
{
	struct pki_state state;
	size_t bad = 0;

	examine(root, spec, &state);
	for (size_t i = 0; names[i]; i++) {
		const char *have = state.reason[entry_of(names[i])];

		if (!have || !strstr(have, reason))
			fail_msg("%s: %s, not '%s'", names[i], have ? have : "good",
				reason);
		bad++;
	}
	for (size_t i = 0; i < PKI_ENTRIES; i++)
		if (state.reason[i] && !bad--)
			fail_msg("%s: %s", pki_entry_name(i), state.reason[i]);
}

static const char *const nothing[] = {NULL};

/* Which files kubeadm has (cluster.md 1.1), with their modes. */
static const char *const listing =
	"etc/kubernetes/admin.conf 600\n"
	"etc/kubernetes/controller-manager.conf 600\n"
	"etc/kubernetes/kubelet.conf 600\n"
	"etc/kubernetes/pki/apiserver-etcd-client.crt 644\n"
	"etc/kubernetes/pki/apiserver-etcd-client.key 600\n"
	"etc/kubernetes/pki/apiserver-kubelet-client.crt 644\n"
	"etc/kubernetes/pki/apiserver-kubelet-client.key 600\n"
	"etc/kubernetes/pki/apiserver.crt 644\n"
	"etc/kubernetes/pki/apiserver.key 600\n"
	"etc/kubernetes/pki/ca.crt 644\n"
	"etc/kubernetes/pki/ca.key 600\n"
	"etc/kubernetes/pki/etcd/ca.crt 644\n"
	"etc/kubernetes/pki/etcd/ca.key 600\n"
	"etc/kubernetes/pki/etcd/healthcheck-client.crt 644\n"
	"etc/kubernetes/pki/etcd/healthcheck-client.key 600\n"
	"etc/kubernetes/pki/etcd/peer.crt 644\n"
	"etc/kubernetes/pki/etcd/peer.key 600\n"
	"etc/kubernetes/pki/etcd/server.crt 644\n"
	"etc/kubernetes/pki/etcd/server.key 600\n"
	"etc/kubernetes/pki/front-proxy-ca.crt 644\n"
	"etc/kubernetes/pki/front-proxy-ca.key 600\n"
	"etc/kubernetes/pki/front-proxy-client.crt 644\n"
	"etc/kubernetes/pki/front-proxy-client.key 600\n"
	"etc/kubernetes/pki/sa.key 600\n"
	"etc/kubernetes/pki/sa.pub 600\n"
	"etc/kubernetes/scheduler.conf 600\n"
	"var/lib/kubelet/pki/kubelet-client-2026-01-01-00-00-00.pem 600\n"
	"var/lib/kubelet/pki/kubelet-client-current.pem "
	"/var/lib/kubelet/pki/kubelet-client-2026-01-01-00-00-00.pem\n";

static void whole_node(void **state)
{
	struct temp_root root;
	struct pki_spec spec = spec_of(&authorities);
	struct buf have CLEANUP(buf_done) = BUF_INIT;

	(void)state;
	temp_root_open(&root);
	make(&root, &spec);
	temp_root_shell(&root,
		"{ find . -type f -printf '%P %m\\n'; find . -type l -printf '%P %l\\n'; "
		"} | "
		"LC_ALL=C sort > /tmp/${PWD##*/}.out; mv /tmp/${PWD##*/}.out out");
	assert_int_equal(fs_read(root.env.run_fd, "out", 9999, &have, NULL), 0);
	assert_string_equal(have.bytes, listing);
	temp_root_shell(&root,
		"rm out; cd etc/kubernetes/pki; at='-attime 1767300000'; set -e; "
		"openssl verify $at -purpose sslserver -CAfile ca.crt "
		"-verify_ip 10.96.0.1 apiserver.crt; "
		"openssl verify $at -purpose sslclient -CAfile ca.crt "
		"apiserver-kubelet-client.crt; "
		"openssl verify $at -purpose sslclient -CAfile "
		"front-proxy-ca.crt front-proxy-client.crt; "
		"for i in server peer; do "
		"openssl verify $at -purpose sslserver -CAfile etcd/ca.crt "
		"-verify_ip ::1 etcd/$i.crt; "
		"openssl verify $at -purpose sslclient -CAfile etcd/ca.crt "
		"etcd/$i.crt; done; "
		"openssl verify $at -purpose sslclient -CAfile etcd/ca.crt "
		"etcd/healthcheck-client.crt apiserver-etcd-client.crt; "
		"for k in $(find . -name '*.key' ! -name sa.key); do "
		"[ \"$(openssl pkey -in $k -pubout)\" = "
		"\"$(openssl x509 -in ${k%key}crt -noout -pubkey)\" ]; done; "
		"openssl pkey -in sa.key -pubout | cmp - sa.pub");
	expect(&root, &spec, "", nothing);
	temp_root_close(&root);
}

static void names(void **state)
{
	struct temp_root root;
	struct pki_spec spec = spec_of(&authorities);
	struct strlist more CLEANUP(strlist_done) = STRLIST_INIT;

	(void)state;
	temp_root_open(&root);
	assert_int_equal(strlist_add(&more, "vip.example.test"), 0);
	assert_int_equal(strlist_add(&more, "2001:DB8::0:1"), 0);
	assert_int_equal(strlist_add(&more, "192.0.2.10"), 0);
	assert_int_equal(strlist_add(&more, "kubernetes"), 0);
	spec.api_names = &more;
	spec.kubelet_client_group = "system:masters";
	make(&root, &spec);
	temp_root_shell(&root,
		"cd etc/kubernetes/pki; set -e; x() { openssl x509 -noout -in $1 "
		"-subject -ext "
		"subjectAltName 2>/dev/null | tr -d '\\n'; echo; }; "
		"is() { [ \"$(x $1)\" = \"$2\" ] || { x $1; exit 1; }; }; "
		"x apiserver.crt | grep -qF '    DNS:api.example.test, DNS:cp1, "
		"DNS:kubernetes, "
		"DNS:kubernetes.default, DNS:kubernetes.default.svc, "
		"DNS:kubernetes.default.svc.cluster.local, DNS:vip.example.test, IP "
		"Address:10.96.0.1, IP Address:192.0.2.10, IP "
		"Address:2001:DB8:0:0:0:0:0:1'; "
		"is etcd/peer.crt 'subject=CN = cp1X509v3 Subject Alternative Name:     "
		"DNS:cp1, "
		"DNS:localhost, IP Address:192.0.2.10, IP Address:127.0.0.1, IP "
		"Address:0:0:0:0:0:0:0:1'; "
		"is apiserver-kubelet-client.crt 'subject=O = system:masters, CN = "
		"kube-apiserver-kubelet-client'; "
		"is apiserver-etcd-client.crt 'subject=CN = kube-apiserver-etcd-client'; "
		"cd ../../../var/lib/kubelet/pki; openssl x509 -noout -subject -in "
		"kubelet-client-*-00.pem | grep -qx 'subject=O = system:nodes, CN = "
		"system:node:cp1'; openssl pkey -in kubelet-client-*-00.pem -noout");
	temp_root_close(&root);
}

static void kubeconfigs(void **state)
{
	static const struct {
		const char *path, *user, *organization, *server;
	} rows[] = {
		{"etc/kubernetes/admin.conf", "kubernetes-admin",
			"kubeadm:cluster-admins", "https://api.example.test:6443"},
		{"etc/kubernetes/controller-manager.conf",
			"system:kube-controller-manager", NULL,
			"https://[fd00::10]:6443"},
		{"etc/kubernetes/scheduler.conf", "system:kube-scheduler", NULL,
			"https://[fd00::10]:6443"},
	};
	struct temp_root root;
	struct pki_spec spec = spec_of(&authorities);

	(void)state;
	temp_root_open(&root);
	spec.address = "fd00::10";
	spec.service_cidr = "fd00:1::/112,10.96.0.0/12";
	make(&root, &spec);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct kubeconfig config CLEANUP(kubeconfig_done) = {0};
		struct certificate_info info CLEANUP(certificate_info_done) = {0};
		struct buf text CLEANUP(secret_done) = BUF_INIT;

		assert_int_equal(
			fs_read(root.env.run_fd, rows[i].path, 99999, &text, NULL), 0);
		assert_int_equal(
			kubeconfig_read(text.bytes, text.len, "x", &config, NULL), 0);
		assert_string_equal(config.server, rows[i].server);
		assert_string_equal(config.user, rows[i].user);
		assert_string_equal(
			config.ca_pem.bytes, authorities.ca.certificate_pem.bytes);
		assert_int_equal(certificate_read(config.certificate_pem.bytes,
					 config.certificate_pem.len, "x", &info, NULL),
			0);
		assert_string_equal(info.common_name, rows[i].user);
		assert_int_equal(info.organizations.count, rows[i].organization ? 1 : 0);
		if (rows[i].organization)
			assert_string_equal(
				info.organizations.items[0], rows[i].organization);
		assert_int_equal(info.not_after, NOW + 365 * DAY);
		assert_int_equal(info.not_before, NOW - 3600);
	}
	temp_root_shell(&root,
		"openssl x509 -in etc/kubernetes/pki/apiserver.crt -noout -ext "
		"subjectAltName | grep -q 'FD00:1:0:0:0:0:0:1,'");
	temp_root_close(&root);
}

/* What is damaged is made anew, that alone, and is good then. */
static void mend(void **state)
{
	static const struct {
		const char *line, *reason, *names[4];
	} rows[] = {
		{"rm pki/apiserver.key", "missing", {"pki/apiserver"}},
		{"rm pki/ca.key pki/sa.pub", "missing", {"pki/ca", "pki/sa"}},
		{": > pki/etcd/peer.crt", "does not parse", {"pki/etcd/peer"}},
		{"cp pki/etcd/peer.key pki/etcd/server.key", "key is another",
			{"pki/etcd/server"}},
		{"cp pki/ca.key pki/sa.key", "key is another", {"pki/sa"}},
		{"cp pki/etcd/ca.crt pki/ca.crt", "another CA", {"pki/ca"}},
		{"cp pki/front-proxy-client.crt pki/apiserver-etcd-client.crt; cp "
		 "pki/front-proxy-client.key pki/apiserver-etcd-client.key",
			"another CA", {"pki/apiserver-etcd-client"}},
		{"cp scheduler.conf admin.conf", "another API server", {"admin.conf"}},
		{"cp scheduler.conf controller-manager.conf", "names are other",
			{"controller-manager.conf"}},
		{"sed -i s/kubelet-client-current/x/ kubelet.conf", "key is another",
			{"kubelet.conf"}},
		{"echo >> kubelet.conf '- ['", "does not parse", {"kubelet.conf"}},
		{"cd ../../var/lib/kubelet/pki; rm *current.pem; mv *-00.pem "
		 "kubelet-client-current.pem",
			"no symbolic link", {"kubelet-client-current.pem"}},
	};
	struct temp_root root;
	struct pki_spec spec = spec_of(&authorities);

	(void)state;
	temp_root_open(&root);
	make(&root, &spec);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf line CLEANUP(buf_done) = BUF_INIT;

		assert_int_equal(
			buf_printf(&line, "cd etc/kubernetes && { %s; }", rows[i].line),
			0);
		temp_root_shell(&root, line.bytes);
		expect(&root, &spec, rows[i].reason, rows[i].names);
		make(&root, &spec);
		expect(&root, &spec, "", nothing);
	}
	temp_root_close(&root);
}

static void renew(void **state)
{
	static const char *const leaves[] = {"pki/apiserver",
		"pki/apiserver-kubelet-client", "pki/front-proxy-client",
		"pki/etcd/server", "pki/etcd/peer", "pki/etcd/healthcheck-client",
		"pki/apiserver-etcd-client", "admin.conf", "controller-manager.conf",
		"scheduler.conf", "kubelet-client-current.pem", NULL};
	struct temp_root root;
	struct pki_spec spec = spec_of(&authorities);

	(void)state;
	temp_root_open(&root);
	make(&root, &spec);
	spec.now = NOW + 335 * DAY - 1;
	expect(&root, &spec, "", nothing);
	spec.now = NOW + 335 * DAY;
	expect(&root, &spec, "expires", leaves);
	spec.now = NOW + 400 * DAY;
	expect(&root, &spec, "expires", leaves);
	make(&root, &spec);
	expect(&root, &spec, "", nothing);
	/* where the CA itself ends, a new one would be no better */
	spec.now = NOW + 3640 * (int64_t)DAY;
	make(&root, &spec);
	expect(&root, &spec, "", nothing);
	temp_root_close(&root);
}

static void another_address(void **state)
{
	static const char *const certificates[] = {
		"pki/apiserver", "pki/etcd/server", "pki/etcd/peer"};
	static const char *const configs[] = {
		"controller-manager.conf", "scheduler.conf", "kubelet.conf"};
	struct temp_root root;
	struct pki_spec spec = spec_of(&authorities);
	struct pki_state found;
	size_t count = 0;

	(void)state;
	temp_root_open(&root);
	make(&root, &spec);
	spec.address = "192.0.2.11";
	examine(&root, &spec, &found);
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(found.reason[entry_of(certificates[i])],
			"its names are other ones");
		assert_string_equal(found.reason[entry_of(configs[i])],
			"it points at another API server");
	}
	for (size_t i = 0; i < PKI_ENTRIES; i++)
		count += found.reason[i] != NULL;
	assert_int_equal(count, 6);
	temp_root_close(&root);
}

/* A machine with the PKI of an earlier life. */
static void another_cluster(void **state)
{
	struct temp_root root;
	struct pki_spec spec = spec_of(&strangers);
	struct pki_state found;

	(void)state;
	temp_root_open(&root);
	make(&root, &spec);
	spec.authorities = &authorities;
	examine(&root, &spec, &found);
	for (size_t i = 0; i < PKI_ENTRIES; i++)
		assert_non_null(found.reason[i]);
	make(&root, &spec);
	expect(&root, &spec, "", nothing);
	temp_root_close(&root);
}

static void spec_refused(void **state)
{
	struct temp_root root;
	struct pki_state found;
	struct err err = ERR_INIT;
	static const struct {
		size_t offset;
		const char *value, *word;
	} rows[] = {
		{offsetof(struct pki_spec, address), "192.0.2", "'192.0.2' is no IPv4"},
		{offsetof(struct pki_spec, service_cidr), "10.96.0.0", "service CIDR"},
		{offsetof(struct pki_spec, service_cidr), "10.96.0.0/32", "service CIDR"},
		{offsetof(struct pki_spec, service_cidr), "10.96.0.0/129",
			"service CIDR"},
		{offsetof(struct pki_spec, service_cidr), "fd00::/", "service CIDR"},
		{offsetof(struct pki_spec, endpoint), "http://x:6443", "URL of an API"},
		{offsetof(struct pki_spec, endpoint), "https://:6443", "URL of an API"},
		{offsetof(struct pki_spec, endpoint), "https://[::1", "URL of an API"},
	};

	(void)state;
	temp_root_open(&root);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pki_spec spec = spec_of(&authorities);

		memcpy((char *)&spec + rows[i].offset, &rows[i].value,
			sizeof(rows[i].value));
		assert_int_equal(
			pki_examine(&spec, root.env.run_fd, &found, &err), -E_FORMAT);
		if (!strstr(err.text, rows[i].word))
			fail_msg("'%s' lacks '%s'", err.text, rows[i].word);
	}
	temp_root_close(&root);
}

static void client(void **state)
{
	const struct pki_client worker = {
		"system:node:w1", "system:nodes", KEY_EC_P256, NOW, DAY};
	struct buf pem CLEANUP(buf_done) = BUF_INIT, key CLEANUP(secret_done) = BUF_INIT;
	struct certificate_info info CLEANUP(certificate_info_done) = {0};

	(void)state;
	assert_int_equal(pki_client_make(&authorities.ca, &worker, &pem, &key, NULL), 0);
	assert_int_equal(certificate_read(pem.bytes, pem.len, "x", &info, NULL), 0);
	assert_string_equal(info.common_name, "system:node:w1");
	assert_string_equal(info.organizations.items[0], "system:nodes");
	assert_true(info.client && !info.server);
	assert_int_equal(info.not_after, NOW + DAY);
	assert_true(str_has_prefix(key.bytes, "-----BEGIN EC PRIVATE KEY-----"));
}

#define KEY_BAD "g123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define KEY_HEX "0123456789abcdef0123456789abcdef0123456789ABCDEF0123456789abcdef"

static struct kubeadm_certs_key certs_key(void)
{
	struct kubeadm_certs_key key;

	assert_int_equal(kubeadm_certs_key_parse(" " KEY_HEX "\n", 66, &key, NULL), 0);
	return key;
}

/* The blob is Go's: cipher.NewGCM(aes).Seal(nonce, nonce, text, nil), which is all that
 * kubeadm's EncryptBytes does, with the nonce 00 01 .. 0b. */
static void certs_of_go(void **state)
{
	static const char blob[] = "AAECAwQFBgcICQoLrCm3MCulZ0/ThelDIv3uiQvsX/"
				   "uC3QcwhfeNN6YFJ1b/CvXkNKZgwzqT2Q==";
	struct buf bytes CLEANUP(buf_done) = BUF_INIT,
			 text CLEANUP(secret_done) = BUF_INIT;
	struct buf again CLEANUP(buf_done) = BUF_INIT;
	struct kubeadm_certs_key key = certs_key();
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(base64_decode(blob, strlen(blob), &bytes), 0);
	assert_int_equal(kubeadm_certs_open(&key, &bytes, "sa.pub", &text, &err), 0);
	assert_string_equal(text.bytes, "-----BEGIN PUBLIC KEY-----\n");
	for (size_t i = 0; i < bytes.len; i++) {
		bytes.bytes[i] ^= 0x10;
		assert_int_equal(kubeadm_certs_open(&key, &bytes, "sa.pub", &text, &err),
			-E_TRUST);
		bytes.bytes[i] ^= 0x10;
	}
	for (size_t len = 0; len < bytes.len; len++) {
		const struct buf part = {bytes.bytes, len, bytes.cap};

		assert_int_equal(kubeadm_certs_open(&key, &part, "sa.pub", &text, &err),
			len < 28 ? -E_FORMAT : -E_TRUST);
	}
	key.bytes[31] ^= 1;
	assert_int_equal(
		kubeadm_certs_open(&key, &bytes, "sa.pub", &text, &err), -E_TRUST);
	assert_non_null(strstr(err.text, "'sa.pub': the certificate key is another"));
	assert_string_equal(text.bytes, "-----BEGIN PUBLIC KEY-----\n");
	assert_int_equal(kubeadm_certs_seal(&key, &text, &again, &err), 0);
	assert_int_equal(again.len, text.len + 28);
	assert_memory_not_equal(again.bytes, bytes.bytes, 12);
}

static void certs_key_refused(void **state)
{
	static const char *const bad[] = {"", "0123", KEY_HEX "0", KEY_BAD};
	struct kubeadm_certs_key key;
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(
			kubeadm_certs_key_parse(bad[i], strlen(bad[i]), &key, &err),
			-E_FORMAT);
		assert_null(strstr(err.text, "0123"));
	}
}

static void check_same(const struct authorities *have)
{
	assert_string_equal(
		have->ca.certificate_pem.bytes, authorities.ca.certificate_pem.bytes);
	assert_true(key_equal(have->ca.key, authorities.ca.key));
	assert_true(key_equal(have->etcd.key, authorities.etcd.key));
	assert_true(key_equal(have->front_proxy.key, authorities.front_proxy.key));
	assert_true(key_equal(have->service_account, authorities.service_account));
	assert_string_equal(
		have->service_account_pub.bytes, authorities.service_account_pub.bytes);
}

static void secret(void **state)
{
	const struct kubeadm_certs_key key = certs_key();
	const struct kubeadm_certs_key *const keys[] = {&key, NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct authorities have CLEANUP(authorities_done) = {0};
		json_t *object = NULL;
		struct err err = ERR_INIT;

		assert_int_equal(
			kubeadm_certs_write(&authorities, keys[i], &object, &err), 0);
		assert_int_equal(json_object_size(json_object_get(object, "data")), 8);
		if (kubeadm_certs_read(object, keys[i], NOW, &have, &err) < 0)
			fail_msg("%s", err.text);
		check_same(&have);
		json_decref(object);
	}
}

/* Each change to a good credential, and what the operator reads. */
static void secret_refused(void **state)
{
	static const struct {
		const char *part, *from; /* from NULL: taken out */
		const char *word;
		int code;
	} rows[] = {
		{"ca.key", NULL, "'ca.crt' or its key is missing", E_FORMAT},
		{"etcd-ca.crt", NULL, "'etcd-ca.crt' or its key is missing", E_FORMAT},
		{"sa.key", NULL, "'sa.key' is missing", E_FORMAT},
		{"ca.key", "etcd-ca.key", "'ca.crt': the certificate is for another key",
			E_TRUST},
		{"ca.crt", "sa.pub", "'ca.crt': it does not begin with 'CERTIFICATE'",
			E_FORMAT},
		{"sa.key", "sa.pub", "'sa.key': no private key", E_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct authorities have = {0};
		json_t *object = NULL, *data;
		struct err err = ERR_INIT;

		assert_int_equal(
			kubeadm_certs_write(&authorities, NULL, &object, &err), 0);
		data = json_object_get(object, "data");
		if (rows[i].from)
			json_object_set(
				data, rows[i].part, json_object_get(data, rows[i].from));
		else
			json_object_del(data, rows[i].part);
		assert_int_equal(kubeadm_certs_read(object, NULL, NOW, &have, &err),
			-rows[i].code);
		if (!strstr(err.text, rows[i].word))
			fail_msg("'%s' lacks '%s'", err.text, rows[i].word);
		json_decref(object);
	}
}

static void secret_malformed(void **state)
{
	struct authorities have CLEANUP(authorities_done) = {0};
	json_t *object = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(kubeadm_certs_read(NULL, NULL, NOW, &have, &err), -E_FORMAT);
	assert_int_equal(kubeadm_certs_write(&authorities, NULL, &object, &err), 0);
	assert_int_equal(
		kubeadm_certs_read(object, NULL, NOW - 7200, &have, &err), -E_TRUST);
	assert_non_null(strstr(err.text, "set the clock"));
	assert_int_equal(
		kubeadm_certs_read(object, NULL, NOW + 3651 * (int64_t)DAY, &have, &err),
		-E_TRUST);
	assert_non_null(strstr(err.text, "expired at 2035-12-30"));
	/* sa.pub can be made from its key */
	json_object_del(json_object_get(object, "data"), "sa.pub");
	assert_int_equal(kubeadm_certs_read(object, NULL, NOW, &have, &err), 0);
	check_same(&have);
	json_object_set_new(json_object_get(object, "data"), "ca.crt", json_integer(7));
	assert_int_equal(kubeadm_certs_read(object, NULL, NOW, &have, &err), -E_FORMAT);
	json_object_set_new(
		json_object_get(object, "data"), "ca.crt", json_string("***"));
	assert_int_equal(kubeadm_certs_read(object, NULL, NOW, &have, &err), -E_FORMAT);
	assert_non_null(strstr(err.text, "'ca.crt': its value in data is not base64"));
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_node),
		cmocka_unit_test(names),
		cmocka_unit_test(kubeconfigs),
		cmocka_unit_test(mend),
		cmocka_unit_test(renew),
		cmocka_unit_test(another_address),
		cmocka_unit_test(another_cluster),
		cmocka_unit_test(spec_refused),
		cmocka_unit_test(client),
		cmocka_unit_test(certs_of_go),
		cmocka_unit_test(certs_key_refused),
		cmocka_unit_test(secret),
		cmocka_unit_test(secret_refused),
		cmocka_unit_test(secret_malformed),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
