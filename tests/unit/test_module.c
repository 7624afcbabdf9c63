/* SPDX-License-Identifier: MIT */
/*
 * host/module on a made-up sysfs and a made-up module tree with the real depmod's index:
 * what is inserted, in which order, in which form. The table of effects records instead
 * of inserting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/sys.h"
#include "host/module.h"
#include "host/module_uevent.h"

/* A module of the made-up tree. fields: its .modinfo, each ended by '|'. */
struct module_spec {
	const char *name;
	const char *fields;
	const char *exports;
	const char *imports;
	const char *packer; /* NULL, "xz", "zstd", "gzip" */
};

static const struct module_spec specs[] = {
	{"kernel/bus.ko", "license=GPL|alias=pci:v00001AF4d00001000*|", "bus_register",
		"", NULL},
	{"kernel/virt_net.ko",
		"license=GPL|alias=virtio:d00000001v*|softdep=pre: sum-of-bytes|", "",
		"bus_register", NULL},
	{"kernel/sum.ko", "license=GPL|alias=sum-of-bytes|", "", "", NULL},
	{"kernel/big.ko.xz", "license=GPL|alias=pci:v00008086d00000001*|", "", "", "xz"},
	{"kernel/big2.ko.zst", "license=GPL|alias=pci:v00008086d00000002*|", "", "",
		"zstd"},
	{"kernel/broken.ko", "license=GPL|alias=pci:v00008086d00000003*|", "broken_call",
		"", NULL},
	{"kernel/on_broken.ko", "license=GPL|alias=pci:v00008086d00000004*|", "",
		"broken_call", NULL},
	{"kernel/unwanted.ko", "license=GPL|alias=pci:v00008086d00000005*|", "", "",
		NULL},
	{"kernel/vfat.ko", "license=GPL|alias=fs-vfat|", "", "", NULL},
	{"kernel/nls_cp437.ko", "license=GPL|", "", "", NULL},
	{"kernel/ring_a.ko", "license=GPL|softdep=pre: ring_b|", "", "", NULL},
	{"kernel/ring_b.ko", "license=GPL|softdep=pre: ring_a|", "", "", NULL},
};

static struct {
	char top[64];
	int top_fd;
	struct env env;
	struct strlist calls; /* "bus.ko flags=0", "big.ko image=elf" */
	struct sys_ops ops;
	bool bus_brings_device;
	int code; /* errno of inserting broken.ko */
} world;

static void run(const char *const argv[])
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (chdir(world.top) == 0)
			(void)execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void put(const char *path, const void *bytes, size_t len)
{
	const struct fs_content content = {bytes, len, 0644};
	struct err err = ERR_INIT;

	if (fs_replace(sys_real(), world.top_fd, path, &content, &err) < 0)
		fail_msg("%s: %s", path, err.text);
}

static void put_text(const char *path, const char *text)
{
	put(path, text, strlen(text));
}

/* A relocatable ELF file with the four sections that depmod and libkmod look at. */
static size_t make_elf(const struct module_spec *spec, char *image)
{
	static const char names[] =
		"\0.modinfo\0__ksymtab_strings\0.strtab\0.symtab\0.shstrtab";
	static const Elf64_Word name_at[] = {0, 1, 10, 28, 36, 44};
	Elf64_Ehdr head = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
		.e_type = ET_REL,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 6,
		.e_shstrndx = 5};
	Elf64_Shdr sections[6] = {{0}};
	Elf64_Sym symbols[2] = {
		{0}, {.st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, 0)}};
	char info[256], strings[64] = "";
	size_t at = sizeof(head), info_len = strlen(spec->fields);

	memcpy(info, spec->fields, info_len);
	for (size_t i = 0; i < info_len; i++)
		if (info[i] == '|')
			info[i] = '\0';
	(void)snprintf(strings + 1, sizeof(strings) - 1, "%s", spec->imports);
	const struct {
		const void *bytes;
		size_t len;
		Elf64_Word type;
	} parts[] = {{NULL, 0, SHT_NULL}, {info, info_len, SHT_PROGBITS},
		{spec->exports, *spec->exports ? strlen(spec->exports) + 1 : 0,
			SHT_PROGBITS},
		{strings, strlen(spec->imports) + 2, SHT_STRTAB},
		{symbols, *spec->imports ? sizeof(symbols) : sizeof(symbols[0]),
			SHT_SYMTAB},
		{names, sizeof(names), SHT_STRTAB}};

	for (size_t i = 1; i < ARRAY_LEN(parts); i++) {
		sections[i] = (Elf64_Shdr){.sh_name = name_at[i],
			.sh_type = parts[i].type,
			.sh_offset = at,
			.sh_size = parts[i].len,
			.sh_link = parts[i].type == SHT_SYMTAB ? 3 : 0,
			.sh_entsize =
				parts[i].type == SHT_SYMTAB ? sizeof(Elf64_Sym) : 0};
		memcpy(image + at, parts[i].bytes, parts[i].len);
		at = (at + parts[i].len + 7) & ~(size_t)7;
	}
	head.e_shoff = at;
	memcpy(image, &head, sizeof(head));
	memcpy(image + at, sections, sizeof(sections));
	return at + sizeof(sections);
}

static void put_module(const char *release, const struct module_spec *spec)
{
	char image[4096] = "", path[256], plain[256];
	size_t len = make_elf(spec, image);

	(void)snprintf(path, sizeof(path), "lib/modules/%s/%s", release, spec->name);
	(void)snprintf(plain, sizeof(plain), "%s", path);
	*(strstr(plain, ".ko") + 3) = '\0';
	put(plain, image, len);
	if (spec->packer && strcmp(spec->packer, "xz") == 0)
		run((const char *const[]){"xz", "--check=crc32", plain, NULL});
	else if (spec->packer)
		run((const char *const[]){spec->packer, "-q", "--rm", plain, NULL});
}

static void put_device(const char *bus, const char *name, const char *modalias)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "sys/bus/%s/devices/%s/modalias", bus, name);
	put_text(path, modalias);
}

/* The name of the file behind fd, without its folder. */
static const char *file_of(int fd, char *path, size_t size)
{
	char link[64];
	ssize_t len;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, size - 1);
	assert_true(len > 0);
	path[len] = '\0';
	return strrchr(path, '/') + 1;
}

static int record_finit_module(int fd, const char *params, int flags)
{
	char path[512];
	const char *name = file_of(fd, path, sizeof(path));

	assert_int_equal(strlist_printf(&world.calls, "%s flags=%d%s%s", name, flags,
				 *params ? " " : "", params),
		0);
	if (strcmp(name, "broken.ko") == 0) {
		errno = world.code;
		return -1;
	}
	if (strcmp(name, "bus.ko") == 0 && world.bus_brings_device)
		put_device("virtio", "virtio0", "virtio:d00000001v00001AF4\n");
	return 0;
}

static int record_init_module(const void *image, size_t len, const char *params)
{
	assert_int_equal(
		strlist_printf(&world.calls, "image=%s%s",
			len > 64 && memcmp(image, "\177ELF", 4) == 0 ? "elf" : "?",
			params),
		0);
	return 0;
}

static int set_up(void **state)
{
	struct utsname kernel;
	struct err err = ERR_INIT;
	char order[512];

	(void)state;
	memset(&world, 0, sizeof(world));
	(void)snprintf(world.top, sizeof(world.top), "/tmp/test_module.XXXXXX");
	assert_non_null(mkdtemp(world.top));
	world.top_fd = open(world.top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(uname(&kernel), 0);
	for (size_t i = 0; i < ARRAY_LEN(specs); i++)
		put_module(kernel.release, &specs[i]);
	(void)snprintf(
		order, sizeof(order), "lib/modules/%s/modules.order", kernel.release);
	put_text(order, "");
	(void)snprintf(
		order, sizeof(order), "lib/modules/%s/modules.builtin", kernel.release);
	put_text(order, "kernel/fs/inside.ko\n");
	(void)snprintf(order, sizeof(order), "lib/modules/%s/modules.builtin.modinfo",
		kernel.release);
	put_text(order, "");
	run((const char *const[]){
		"/usr/sbin/depmod", "-b", world.top, kernel.release, NULL});
	assert_int_equal(fs_make_dirs(sys_real(), world.top_fd, "sys/bus", &err), 0);
	world.ops = *sys_refusing();
	world.ops.finit_module = record_finit_module;
	world.ops.init_module = record_init_module;
	world.env =
		(struct env){.run_fd = world.top_fd, .target_fd = -1, .sys = &world.ops};
	world.code = ENODEV;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const tops[] = {"etc", "lib", "sys"};
	struct err err = ERR_INIT;

	(void)state;
	strlist_done(&world.calls);
	for (size_t i = 0; i < ARRAY_LEN(tops); i++)
		assert_int_equal(
			fs_remove_tree(sys_real(), world.top_fd, tops[i], &err), 0);
	(void)close(world.top_fd);
	assert_int_equal(rmdir(world.top), 0);
	return 0;
}

static void assert_list(const struct strlist *list, const char *const *want)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		print_message("  got: %s\n", list->items[i]);
	for (; want[count]; count++) {
		assert_true(count < list->count);
		assert_string_equal(list->items[count], want[count]);
	}
	assert_int_equal(list->count, count);
}

#define WANT(...) ((const char *const[]){__VA_ARGS__, NULL})

/* One call of module_load_present(), whose lists are compared. */
static void load_present(
	const char *const *calls, const char *const *loaded, const char *const *failed)
{
	struct strlist got_loaded = STRLIST_INIT, got_failed = STRLIST_INIT;
	struct module_loader *loader = NULL;
	struct err err = ERR_INIT;

	assert_int_equal(module_loader_new(&world.env, &loader, &err), 0);
	assert_int_equal(module_load_present(loader, &got_loaded, &got_failed, &err), 0);
	assert_list(&world.calls, calls);
	assert_list(&got_loaded, loaded);
	assert_list(&got_failed, failed);
	strlist_done(&got_loaded);
	strlist_done(&got_failed);
	module_loader_free(&loader);
}

#define NOTHING ((const char *const[]){NULL})

/* The driver of a bus brings a device; its driver needs the bus's and asks softly for
 * more. */
static void test_order_and_new_devices(void **state)
{
	(void)state;
	put_device(
		"pci", "0000:00:01.0", "pci:v00001AF4d00001000sv0000sd0000bc02sc00i00\n");
	put_device(
		"pci", "0000:00:02.0", "pci:v00001234d00001111sv0000sd0000bc03sc00i00\n");
	world.bus_brings_device = true;
	load_present(WANT("bus.ko flags=0", "sum.ko flags=0", "virt_net.ko flags=0"),
		WANT("bus", "sum", "virt_net"), NOTHING);
}

static void test_hard_dependency_comes_first(void **state)
{
	(void)state;
	put_device("virtio", "virtio0", "virtio:d00000001v00001AF4\n");
	load_present(WANT("sum.ko flags=0", "bus.ko flags=0", "virt_net.ko flags=0"),
		WANT("sum", "bus", "virt_net"), NOTHING);
}

/* A kernel that decompresses xz gets the file; zstd is then unpacked here. */
static void test_compressed(void **state)
{
	(void)state;
	put_device("pci", "1", "pci:v00008086d00000001sv0\n");
	put_device("pci", "2", "pci:v00008086d00000002sv0\n");
	put_text("sys/module/compression", "xz\n");
	load_present(
		WANT("big.ko.xz flags=4", "image=elf"), WANT("big", "big2"), NOTHING);
}

static void test_compressed_for_an_old_kernel(void **state)
{
	(void)state;
	put_device("pci", "1", "pci:v00008086d00000001sv0\n");
	load_present(WANT("image=elf"), WANT("big"), NOTHING);
}

static void test_failure_is_named_and_passed_over(void **state)
{
	char first[512], second[512];
	struct utsname kernel;

	(void)state;
	assert_int_equal(uname(&kernel), 0);
	put_device("pci", "1", "pci:v00008086d00000003sv0\n");
	put_device("pci", "2", "pci:v00008086d00000004sv0\n");
	put_device("pci", "3", "pci:v00001AF4d00001000sv0\n");
	(void)snprintf(first, sizeof(first),
		"broken: insert 'lib/modules/%s/kernel/broken.ko': "
		"No such device",
		kernel.release);
	(void)snprintf(second, sizeof(second),
		"on_broken: module 'on_broken' needs 'broken': insert "
		"'lib/modules/%s/kernel/broken.ko': No such device",
		kernel.release);
	load_present(WANT("broken.ko flags=0", "broken.ko flags=0", "bus.ko flags=0"),
		WANT("bus"), WANT(first, second));
}

/* EEXIST: somebody else was quicker. ENOENT: the kernel's word for an unknown symbol. */
static void test_codes_of_the_insertion(void **state)
{
	static const struct {
		int code;
		int want;
	} cases[] = {{EEXIST, 0}, {ENOENT, -ENOEXEC}, {EKEYREJECTED, -EKEYREJECTED},
		{EROFS, -EROFS}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err = ERR_INIT;

		world.code = cases[i].code;
		assert_int_equal(module_load(&world.env, "broken", &err), cases[i].want);
		assert_int_equal(err.code, cases[i].want);
	}
}

static void test_names(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(module_load(&world.env, "fs-vfat", &err), 0);
	assert_int_equal(module_load(&world.env, "inside", &err), 0);
	assert_int_equal(module_load(&world.env, "vfat", &err), 0);
	assert_list(&world.calls,
		WANT("vfat.ko flags=0", "vfat.ko flags=0", "nls_cp437.ko flags=0"));
	assert_int_equal(err.code, 0);
	assert_int_equal(module_load(&world.env, "nowhere", &err), -ENOENT);
	assert_non_null(strstr(err.text, "module 'nowhere'"));
}

static void test_ring_of_soft_dependencies_ends(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(module_load(&world.env, "ring_a", &err), 0);
	assert_int_equal(world.calls.count, 2);
}

static void test_options_and_blacklist(void **state)
{
	(void)state;
	put_text("etc/modprobe.d/site.conf", "options bus debug=1\nblacklist unwanted\n");
	put_device("pci", "1", "pci:v00008086d00000005sv0\n");
	put_device("pci", "2", "pci:v00001AF4d00001000sv0\n");
	load_present(WANT("bus.ko flags=0 debug=1"), WANT("bus"), NOTHING);
}

static void test_cpu_features(void **state)
{
	(void)state;
	put_text("sys/devices/system/cpu/modalias", "virtio:d00000001v00001AF4\n");
	load_present(WANT("sum.ko flags=0", "bus.ko flags=0", "virt_net.ko flags=0"),
		WANT("sum", "bus", "virt_net"), NOTHING);
}

static void test_refusing_table_refuses(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	world.env.sys = sys_refusing();
	assert_int_equal(module_load(&world.env, "bus", &err), -EROFS);
}

static void test_system_without_modules(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
		fs_remove_tree(sys_real(), world.top_fd, "lib/modules", &err), 0);
	put_device("pci", "1", "pci:v00001AF4d00001000sv0\n");
	load_present(NOTHING, NOTHING, NOTHING);
	assert_int_equal(module_load(&world.env, "bus", &err), -ENOENT);
}

static void test_uevent_messages(void **state)
{
	static const char add[] =
		"add@/devices/pci0\0ACTION=add\0MODALIAS=pci:v1\0SEQNUM=7";
	static const char removal[] = "remove@/devices/pci0\0MODALIAS=pci:v1";
	static const char plain[] = "add@/devices/cpu\0SUBSYSTEM=cpu";
	static const char fake[] = "add@/devices/MODALIAS=pci:v1\0XMODALIAS=pci:v1";

	(void)state;
	assert_string_equal(uevent_modalias(add, sizeof(add)), "pci:v1");
	assert_null(uevent_modalias(removal, sizeof(removal)));
	assert_null(uevent_modalias(plain, sizeof(plain)));
	assert_null(uevent_modalias(fake, sizeof(fake)));
	assert_null(uevent_modalias(add, sizeof(add) - 1));
	assert_null(uevent_modalias(add, 0));
}

/* The real socket: the loopback device is announced again when its uevent file is asked.
 */
static void test_uevent_socket(void **state)
{
	static const char trigger[] = "/sys/class/net/lo/uevent";
	struct strlist loaded = STRLIST_INIT, failed = STRLIST_INIT;
	struct module_loader *loader = NULL;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(module_loader_new(&world.env, &loader, &err), 0);
	struct pollfd fd = {.fd = module_uevent_fd(loader), .events = POLLIN};
	int file = open(trigger, O_WRONLY | O_CLOEXEC);

	if (file < 0 || fd.fd < 0) {
		module_loader_free(&loader);
		skip();
	}
	assert_int_equal(write(file, "add", 3), 3);
	(void)close(file);
	assert_int_equal(poll(&fd, 1, 5000), 1);
	/* The machine may announce something else meanwhile. */
	for (int turn = 0; turn < 100 && poll(&fd, 1, 0) == 1; turn++)
		assert_int_equal(module_load_arrived(loader, &loaded, &failed, &err), 0);
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(loaded.count + failed.count, 0);
	module_loader_free(&loader);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_order_and_new_devices, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_hard_dependency_comes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_compressed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_compressed_for_an_old_kernel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_failure_is_named_and_passed_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_codes_of_the_insertion, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_ring_of_soft_dependencies_ends, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_options_and_blacklist, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cpu_features, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_refusing_table_refuses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_system_without_modules, set_up, tear_down),
		cmocka_unit_test(test_uevent_messages),
		cmocka_unit_test_setup_teardown(test_uevent_socket, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
