/* SPDX-License-Identifier: MIT */
/* model/fstab: the edge cases of node.md 3.2 as before/after pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/mount.h>

#include "model/fstab.h"

struct swap_case {
	const char *name;
	const char *before;
	const char *after; /* NULL: not a byte changes */
};

static const struct swap_case swap_cases[] = {
	{"empty", "", NULL},
	{"no swap", "UUID=1 / ext4 errors=remount-ro 0 1\n", NULL},
	{"plain", "UUID=a none swap sw 0 0\n", "UUID=a none swap noauto,nofail 0 0\n"},
	{"mount point swap", "UUID=a swap swap defaults 0 0\n",
		"UUID=a swap swap noauto,nofail 0 0\n"},
	{"the type decides, not the mount point", "/dev/sda2 swap ext4 defaults 0 2\n",
		NULL},
	{"tabs", "UUID=a\tnone\tswap\tsw\t0\t0\n",
		"UUID=a\tnone\tswap\tnoauto,nofail\t0\t0\n"},
	{"no newline at the end", "UUID=a none swap sw 0 0",
		"UUID=a none swap noauto,nofail 0 0"},
	{"three columns", "UUID=a none swap\n", "UUID=a none swap noauto,nofail\n"},
	{"three columns, no newline", "UUID=a none swap",
		"UUID=a none swap noauto,nofail"},
	{"CRLF", "UUID=a none swap sw 0 0\r\nUUID=b / ext4 rw 0 1\r\n",
		"UUID=a none swap noauto,nofail 0 0\r\nUUID=b / ext4 rw 0 1\r\n"},
	{"CRLF, three columns", "UUID=a none swap\r\n",
		"UUID=a none swap noauto,nofail\r\n"},
	{"CRLF, four columns", "UUID=a none swap sw\r\n",
		"UUID=a none swap noauto,nofail\r\n"},
	{"own options stay", "UUID=a none swap sw,pri=5,discard 0 0\n",
		"UUID=a none swap noauto,nofail,pri=5,discard 0 0\n"},
	{"makefs stays", "UUID=a none swap x-systemd.makefs 0 0\n",
		"UUID=a none swap noauto,nofail,x-systemd.makefs 0 0\n"},
	{"commented line", "#UUID=a none swap sw 0 0\n  # UUID=b none swap sw 0 0\n",
		NULL},
	{"comment behind", "UUID=a none swap sw 0 0 # by the installer\n",
		"UUID=a none swap noauto,nofail 0 0 # by the installer\n"},
	{"swap file", "/swap.img none swap sw 0 0\n",
		"/swap.img none swap noauto,nofail 0 0\n"},
	{"escaped blank", "/my\\040swap none swap sw 0 0\n",
		"/my\\040swap none swap noauto,nofail 0 0\n"},
	{"quoted UUID", "UUID=\"a-b\" none swap sw 0 0\n",
		"UUID=\"a-b\" none swap noauto,nofail 0 0\n"},
	{"PARTUUID and LABEL",
		"PARTUUID=a none swap sw 0 0\nLABEL=swap none swap sw,noatime 0 0\n",
		"PARTUUID=a none swap noauto,nofail 0 0\n"
		"LABEL=swap none swap noauto,nofail,noatime 0 0\n"},
	{"already off", "UUID=a none swap noauto 0 0\n", NULL},
	{"ours", "UUID=a none swap noauto,nofail 0 0\n", NULL},
	{"the later word wins", "UUID=a none swap noauto,auto 0 0\n",
		"UUID=a none swap noauto,nofail 0 0\n"},
	{"escaped words", "/x none swap \\141uto,y\\054auto,pri=1 0 0\n",
		"/x none swap noauto,nofail,pri=1 0 0\n"},
	{"white space in front", "  UUID=a   none  swap   sw  0 0  \n",
		"  UUID=a   none  swap   noauto,nofail  0 0  \n"},
	{"crypt", "/dev/mapper/cryptswap1 none swap sw 0 0\n",
		"/dev/mapper/cryptswap1 none swap noauto,nofail 0 0\n"},
};

static void disable_once(const char *name, const char *before, const char *after)
{
	struct buf out = BUF_INIT, again = BUF_INIT;
	struct strlist changes = STRLIST_INIT, none = STRLIST_INIT;

	print_message("  %s\n", name);
	assert_int_equal(fstab_disable_swap(before, strlen(before), &out, &changes), 0);
	assert_string_equal(buf_text(&out), after ? after : before);
	assert_int_equal(changes.count > 0, after != NULL);
	assert_int_equal(fstab_disable_swap(buf_text(&out), out.len, &again, &none), 0);
	assert_string_equal(buf_text(&again), buf_text(&out));
	assert_int_equal(none.count, 0);
	buf_done(&out);
	buf_done(&again);
	strlist_done(&changes);
	strlist_done(&none);
}

static void test_disable_swap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(swap_cases); i++)
		disable_once(
			swap_cases[i].name, swap_cases[i].before, swap_cases[i].after);
}

static void test_change_is_named(void **state)
{
	const char *text = "# head\n\nUUID=\"q\" none swap sw 0 0\n";
	struct buf out = BUF_INIT;
	struct strlist changes = STRLIST_INIT;

	(void)state;
	assert_int_equal(fstab_disable_swap(text, strlen(text), &out, &changes), 0);
	assert_int_equal(changes.count, 1);
	assert_string_equal(changes.items[0], "line 3: swap on 'UUID=q' made noauto");
	buf_done(&out);
	strlist_done(&changes);
}

static void test_parse(void **state)
{
	const char *text = "# c\n"
			   "UUID=1 /  ext4 errors=remount-ro 0 1\n"
			   "two columns\n"
			   "LABEL=v\t/var\\040x\txfs\tro,nofail,x-systemd.a=1\n"
			   "/dev/sdb1 / xfs defaults";
	struct fstab fstab = {NULL, 0};

	(void)state;
	assert_int_equal(fstab_parse(text, strlen(text), &fstab), 0);
	assert_int_equal(fstab.count, 3);
	assert_int_equal(fstab.items[1].line, 4);
	assert_string_equal(fstab.items[1].file, "/var x");
	assert_true(fstab_has_option(&fstab.items[1], "ro"));
	assert_false(fstab_has_option(&fstab.items[1], "r"));
	assert_false(fstab_has_option(&fstab.items[1], "x-systemd.a"));
	assert_ptr_equal(fstab_find(&fstab, "/"), &fstab.items[2]);
	assert_null(fstab_find(&fstab, "/opt"));
	fstab_done(&fstab);
}

static void options_are(const char *options, unsigned long want_flags, const char *want)
{
	struct buf data = BUF_INIT;
	unsigned long flags = 12345;

	assert_int_equal(fstab_mount_options(options, &flags, &data), 0);
	assert_int_equal(flags, want_flags);
	assert_string_equal(buf_text(&data), want);
	buf_done(&data);
}

static void test_mount_options(void **state)
{
	(void)state;
	options_are("", 0, "");
	options_are("defaults", 0, "");
	options_are("ro,noatime,nosuid", MS_NOATIME | MS_NOSUID, "");
	options_are("nosuid,suid", 0, "");
	options_are("noauto,nofail,x-systemd.growfs,_netdev,comment=a", 0, "");
	options_are("rw,subvol=@,compress=zstd:1,noatime", MS_NOATIME,
		"subvol=@,compress=zstd:1");
	options_are("context=\"a,b\",data=journal", 0, "context=\"a,b\",data=journal");
	options_are(",,discard,", 0, "discard");
}

/* Arbitrary bytes neither crash nor change anything but swap lines. */
static void test_bytes(void **state)
{
	static const char text[] = "a\0b none swap sw\n\xff\xfe \\ \\0 \\04 swap x\n\\";
	struct buf out = BUF_INIT;
	struct strlist changes = STRLIST_INIT;
	struct fstab fstab = {NULL, 0};

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		assert_int_equal(fstab_disable_swap(text, len, &out, &changes), 0);
		assert_true(out.len >= len);
		buf_done(&out);
		assert_int_equal(fstab_parse(text, len, &fstab), 0);
		fstab_done(&fstab);
	}
	strlist_done(&changes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disable_swap),
		cmocka_unit_test(test_change_is_named),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
