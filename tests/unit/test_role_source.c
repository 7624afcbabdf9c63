/* SPDX-License-Identifier: MIT */
/* host/role_source: the local sources and the policy's judgement of them, with keys and
 * signatures as the openssl command makes them. tests/http has the servers. */
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include "host/role_source.h"
#include "temp_root.h"

#define ROLE "apiVersion: promenade/v1\nkind: Role\n"
#define FILE_PATH "promenade/role.yaml"
#define FW_CFG "sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/"

static struct temp_root root;

static int setup(void **state UNUSED)
{
	temp_root_open(&root);
	return 0;
}

static int teardown(void **state UNUSED)
{
	temp_root_close(&root);
	return 0;
}

/* Keys a and b; the policy knows a. */
static void make_keys(void)
{
	temp_root_shell(&root,
		"for k in a b; do openssl ecparam -name prime256v1 -genkey -noout "
		"-out $k.key || exit 1; done; mkdir -p promenade/policy/keys && "
		"openssl ec -in a.key -pubout -out promenade/policy/keys/a.pem");
}

/* One round with the policy of the folder and these URLs; fetch may be NULL. */
static int get(const struct strlist *urls, struct fetch *fetch, struct role_text *ret,
	struct err *err)
{
	static const struct facts facts;
	struct policy policy = {.require_signature = false};
	const struct role_request request = {
		.urls = urls, .facts = &facts, .policy = &policy, .fetch = fetch};
	int rc;

	*ret = (struct role_text){.is_signed = false};
	*err = (struct err)ERR_INIT;
	assert_int_equal(policy_load(&root.env, &policy, err), 0);
	rc = role_source_get(&root.env, &request, ret, err);
	policy_done(&policy);
	return rc;
}

static void assert_taken(bool is_signed)
{
	const struct strlist none = STRLIST_INIT;
	struct role_text role;
	struct err err;
	int rc = get(&none, NULL, &role, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	assert_string_equal(buf_text(&role.bytes), ROLE);
	assert_int_equal(role.is_signed, is_signed);
	assert_int_equal(role.origin, POLICY_ORIGIN_INJECTED);
	buf_done(&role.bytes);
}

/* Refused with this code, by a text that says so; nothing of the role is handed out. */
static void assert_refused(int code, const char *why)
{
	const struct strlist none = STRLIST_INIT;
	struct role_text role;
	struct err err;

	assert_int_equal(get(&none, NULL, &role, &err), -code);
	assert_int_equal(err.code, -code);
	if (!strstr(err.text, why))
		fail_msg("'%s' does not say '%s'", err.text, why);
	assert_null(role.bytes.bytes);
}

static void test_no_source_is_not_yet(void **state UNUSED)
{
	assert_refused(E_NOT_YET, "no promenade.role=URL");
}

static void test_unsigned_file_needs_the_policy(void **state UNUSED)
{
	temp_root_text(&root, FILE_PATH, ROLE);
	assert_refused(E_TRUST, "role from /promenade/role.yaml");
	temp_root_text(&root, POLICY_DIR "/policy.conf", "unsigned-http yes\n");
	assert_refused(E_TRUST, "unsigned-injected");
	temp_root_text(&root, POLICY_DIR "/policy.conf", "unsigned-injected yes\n");
	assert_taken(false);
}

static void test_signed_file(void **state UNUSED)
{
	make_keys();
	temp_root_text(&root, FILE_PATH, ROLE);
	temp_root_shell(&root,
		"openssl dgst -sha256 -sign a.key -out " FILE_PATH ".sig " FILE_PATH);
	assert_taken(true);
	temp_root_text(&root, POLICY_DIR "/policy.conf", "require-signature yes\n");
	assert_taken(true);
	temp_root_text(&root, FILE_PATH, "apiVersion: promenade/v1\nkind: role\n");
	assert_refused(E_TRUST, "role from /promenade/role.yaml");
}

/* A signature that a key refuses is worse than none: no policy takes the role then. */
static void test_wrong_key(void **state UNUSED)
{
	make_keys();
	temp_root_text(&root, FILE_PATH, ROLE);
	temp_root_text(&root, POLICY_DIR "/policy.conf", "unsigned-injected yes\n");
	assert_taken(false);
	temp_root_shell(&root,
		"openssl dgst -sha256 -sign b.key -out " FILE_PATH ".sig " FILE_PATH);
	assert_refused(E_TRUST, "role from /promenade/role.yaml");
}

static void test_require_signature_wins(void **state UNUSED)
{
	make_keys();
	temp_root_text(&root, FILE_PATH, ROLE);
	temp_root_text(&root, POLICY_DIR "/policy.conf",
		"require-signature yes\nunsigned-injected yes\n");
	assert_refused(E_TRUST, "require-signature");
	/* an empty signature file is none */
	temp_root_text(&root, FILE_PATH ".sig", "");
	assert_refused(E_TRUST, "require-signature");
}

/* Without a key nothing can vouch: a signature alone does not make a role signed. */
static void test_signature_without_key(void **state UNUSED)
{
	make_keys();
	temp_root_text(&root, FILE_PATH, ROLE);
	temp_root_shell(&root, "openssl dgst -sha256 -sign a.key -out " FILE_PATH
			       ".sig " FILE_PATH " && rm promenade/policy/keys/a.pem");
	assert_refused(E_TRUST, "unsigned-injected");
}

static void test_credential_and_its_signature(void **state UNUSED)
{
	make_keys();
	temp_root_text(&root, FW_CFG "promenade.role/raw", ROLE);
	assert_refused(E_TRUST, "the systemd credential promenade.role");
	temp_root_shell(&root, "mkdir " FW_CFG "promenade.role.sig && "
			       "openssl dgst -sha256 -sign a.key -out " FW_CFG
			       "promenade.role.sig/raw " FW_CFG "promenade.role/raw");
	assert_taken(true);
	/* the file comes first, and a refused first source is not passed over */
	temp_root_text(&root, FILE_PATH, ROLE);
	assert_refused(E_TRUST, "role from /promenade/role.yaml");
}

/* A plain-http URL that the policy could never accept is not even connected to. */
static void test_http_is_refused_without_network(void **state UNUSED)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t len = sizeof(address);
	int fd CLEANUP(fd_close) = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct fetch_config config = {
		.user_agent = "test", .limits = FETCH_LIMITS_DEFAULT};
	struct fetch *fetch CLEANUP(fetch_free) = NULL;
	struct strlist urls CLEANUP(strlist_done) = STRLIST_INIT;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	struct role_text role;
	struct err err = ERR_INIT;
	char url[64];

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	(void)snprintf(
		url, sizeof(url), "http://127.0.0.1:%u/role", ntohs(address.sin_port));
	assert_int_equal(strlist_add(&urls, url), 0);
	assert_int_equal(fetch_new(&root.env, &config, &fetch, &err), 0);
	assert_int_equal(get(&urls, fetch, &role, &err), -E_TRUST);
	assert_non_null(strstr(err.text, url));
	assert_non_null(strstr(err.text, "plain HTTP"));
	temp_root_text(&root, POLICY_DIR "/policy.conf",
		"unsigned-http yes\nrequire-signature yes\n");
	assert_int_equal(get(&urls, fetch, &role, &err), -E_TRUST);
	assert_int_equal(poll(&poll_fd, 1, 0), 0);
	/* without a client no URL is asked */
	assert_int_equal(get(&urls, NULL, &role, &err), -E_NOT_YET);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_no_source_is_not_yet),
		TEST(test_unsigned_file_needs_the_policy),
		TEST(test_signed_file),
		TEST(test_wrong_key),
		TEST(test_require_signature_wins),
		TEST(test_signature_without_key),
		TEST(test_credential_and_its_signature),
		TEST(test_http_is_refused_without_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
