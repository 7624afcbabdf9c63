/* SPDX-License-Identifier: MIT */
/* host/credential on folders laid out as qemu_fw_cfg and dmi-sysfs lay theirs out. */
#include "host/credential.h"
#include "temp_root.h"

#define NAME "promenade.role"
#define FW_CFG "sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/"
#define DMI "sys/firmware/dmi/entries/"
#define PLAIN "io.systemd.credential:" NAME "="
#define BINARY "io.systemd.credential.binary:" NAME "="

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

/* An SMBIOS type 11 entry (handle 0x0e00, two strings) whose second string is `string`.
 */
static void put_dmi(const char *path, const char *string)
{
	static const char first[] = "\x0b\x05\x00\x0e\x02some other string";
	struct buf raw CLEANUP(buf_done) = BUF_INIT;

	assert_int_equal(buf_add(&raw, first, sizeof(first)), 0);
	assert_int_equal(buf_add(&raw, string, strlen(string) + 1), 0);
	assert_int_equal(buf_add(&raw, "", 1), 0);
	temp_root_put(&root, path, raw.bytes, raw.len);
}

static void assert_value(const char *bytes, size_t len)
{
	struct buf value CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(credential_read(&root.env, NAME, 64, &value, &err), 0);
	assert_int_equal(value.len, len);
	if (len)
		assert_memory_equal(value.bytes, bytes, len);
}

static void assert_code(int code)
{
	struct buf value CLEANUP(buf_done) = BUF_INIT;
	struct err err = ERR_INIT;

	assert_int_equal(credential_read(&root.env, NAME, 64, &value, &err), code);
	assert_null(value.bytes);
	if (code < 0 && !strstr(err.text, NAME))
		fail_msg("'%s' does not name the credential", err.text);
}

static void test_absent(void **state UNUSED)
{
	assert_code(1);
	put_dmi(DMI "11-0/raw", "io.systemd.credential:" NAME ".sig=x");
	put_dmi(DMI "11-1/raw", "io.systemd.credential:promenade=x");
	put_dmi(DMI "1-0/raw", PLAIN "not of type 11");
	assert_code(1);
}

static void test_fw_cfg_comes_first(void **state UNUSED)
{
	put_dmi(DMI "11-0/raw", PLAIN "smbios");
	assert_value("smbios", 6);
	temp_root_put(&root, FW_CFG NAME "/raw", "fw\0cfg", 6);
	assert_value("fw\0cfg", 6);
}

static void test_every_entry_is_looked_at(void **state UNUSED)
{
	put_dmi(DMI "11-0/raw", "io.systemd.credential:other=x");
	put_dmi(DMI "11-1/raw", PLAIN "a=b\n");
	assert_value("a=b\n", 4);
}

static void test_base64(void **state UNUSED)
{
	static const struct {
		const char *text, *bytes;
		size_t len;
	} cases[] = {
		/* RFC 4648 10 */
		{BINARY "Zg==", "f", 1},
		{BINARY "Zm8=", "fo", 2},
		{BINARY "Zm9vYmFy", "foobar", 6},
		{BINARY "AP/+", "\0\xff\xfe", 3},
		{BINARY, "", 0},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		put_dmi(DMI "11-0/raw", cases[i].text);
		assert_value(cases[i].bytes, cases[i].len);
	}
}

static void test_bad_base64(void **state UNUSED)
{
	static const char *const bad[] = {"Zg", "Zg=", "Z===", "====", "Zg==Zg==", "Zm9-",
		"Zm9\n", "Zm 9v===", "Zm9vY"};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char string[128];

		(void)snprintf(string, sizeof(string), BINARY "%s", bad[i]);
		put_dmi(DMI "11-0/raw", string);
		assert_code(-E_FORMAT);
	}
}

static void test_too_big(void **state UNUSED)
{
	char string[256] = PLAIN;

	memset(string + strlen(PLAIN), 'x', 64);
	put_dmi(DMI "11-0/raw", string);
	assert_value(string + strlen(PLAIN), 64);
	memset(string + strlen(PLAIN), 'x', 65);
	put_dmi(DMI "11-0/raw", string);
	assert_code(-E_TOO_BIG);
	temp_root_put(&root, FW_CFG NAME "/raw", string, 65);
	assert_code(-E_TOO_BIG);
}

/* Entries that firmware cut short are no credential and no read past the end. */
static void test_cut_entries(void **state UNUSED)
{
	static const char whole[] = "\x0b\x05\x00\x0e\x01" PLAIN "x";

	for (size_t len = 0; len < strlen(PLAIN) + 5; len++) {
		temp_root_put(&root, DMI "11-0/raw", whole, len);
		assert_code(1);
	}
	temp_root_put(&root, DMI "11-0/raw", "\x0b\xff\x00\x0e\x01" PLAIN "x", 40);
	assert_code(1);
	temp_root_put(&root, DMI "11-0/raw", "\x0b\x00\x00\x0e\x01" PLAIN "x", 40);
	assert_code(1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_absent),
		TEST(test_fw_cfg_comes_first),
		TEST(test_every_entry_is_looked_at),
		TEST(test_base64),
		TEST(test_bad_base64),
		TEST(test_too_big),
		TEST(test_cut_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
