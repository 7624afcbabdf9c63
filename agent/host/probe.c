/* SPDX-License-Identifier: MIT */
#include "host/probe.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/fs.h"
#include "host/block.h"

/* "" when it cannot be read or does not fit; what firmware wrote is made printable. */
static void read_text(struct env *env, const char *path, char *text, size_t size)
{
	if (fs_read_line(env->run_fd, path, text, size) < 0)
		text[0] = '\0';
	str_make_printable(text);
}

static void probe_dmi(struct env *env, struct facts *facts)
{
	const struct {
		const char *path;
		char *text;
		size_t size;
	} fields[] = {
		{"sys/class/dmi/id/product_uuid", facts->uuid, sizeof(facts->uuid)},
		{"sys/class/dmi/id/product_serial", facts->serial, sizeof(facts->serial)},
		{"sys/class/dmi/id/chassis_asset_tag", facts->asset,
			sizeof(facts->asset)},
		{"sys/class/dmi/id/sys_vendor", facts->vendor, sizeof(facts->vendor)},
		{"sys/class/dmi/id/product_name", facts->product, sizeof(facts->product)},
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		read_text(env, fields[i].path, fields[i].text, fields[i].size);
	for (char *p = facts->uuid; *p; p++)
		*p = (char)tolower((unsigned char)*p);
}

static void probe_memory(struct env *env, struct facts *facts)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	const char *line;
	unsigned long long kib;

	facts->memory_kib = 0;
	if (fs_read(env->run_fd, "proc/meminfo", FS_TEXT_MAX, &text, NULL) < 0)
		return;
	line = strstr(buf_text(&text), "MemTotal:");
	if (line && sscanf(line, "MemTotal: %llu kB", &kib) == 1)
		facts->memory_kib = kib;
}

/* "0-3,8-11" counts 8 (Documentation/admin-guide/cputopology.rst). */
static unsigned int count_cpus(const char *list)
{
	unsigned int count = 0, first, last;

	while (*list) {
		int used = 0;

		if (sscanf(list, "%u-%u%n", &first, &last, &used) == 2 && last >= first)
			count += last - first + 1;
		else if (sscanf(list, "%u%n", &first, &used) == 1)
			count++;
		else
			break;
		list += used;
		list += *list == ',' ? 1 : 0;
	}
	return count;
}

/* Lines of proc/filesystems: "nodev\toverlay" or "\text4". */
static bool lists_filesystem(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p += len)
		if (p > text && p[-1] == '\t' && (p[len] == '\n' || p[len] == '\0'))
			return true;
	return false;
}

static void probe_filesystems(struct env *env, struct facts *facts)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	facts->cgroup2 = false;
	facts->overlay = -1;
	if (fs_read(env->run_fd, "proc/filesystems", FS_TEXT_MAX, &text, NULL) < 0)
		return;
	facts->cgroup2 = lists_filesystem(buf_text(&text), "cgroup2");
	facts->overlay = lists_filesystem(buf_text(&text), "overlay")
				 ? 1
				 : probe_module(env->run_fd, facts->kernel, "overlay");
}

static void probe_clock(struct env *env, struct facts *facts)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	facts->clock_unix = (int64_t)now.tv_sec;
	facts->has_rtc = fs_exists(env->run_fd, "sys/class/rtc/rtc0");
}

static int probe_kernel(struct env *env, struct facts *facts, struct err *err)
{
	struct utsname uts;
	int rc = fs_read_line(env->run_fd, "proc/sys/kernel/osrelease", facts->kernel,
		sizeof(facts->kernel));

	if (rc < 0)
		return err_errno(err, -rc,
			"read the kernel release in '/proc/sys/kernel/osrelease'");
	/* proc/sys/kernel/arch is there since 6.1; uname(2) tells the same before. */
	read_text(env, "proc/sys/kernel/arch", facts->arch, sizeof(facts->arch));
	if (!facts->arch[0] && uname(&uts) == 0)
		(void)str_copy(facts->arch, sizeof(facts->arch), uts.machine);
	read_text(env, "proc/cmdline", facts->cmdline, sizeof(facts->cmdline));
	(void)str_copy(facts->firmware, sizeof(facts->firmware),
		fs_exists(env->run_fd, "sys/firmware/efi") ? "efi" : "bios");
	return 0;
}

/* proc/swaps escapes blanks in file names as \040 (mm/swapfile.c, seq_file_path). */
static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		unsigned int code;

		if (text[0] == '\\' && sscanf(text + 1, "%3o", &code) == 1 &&
			strspn(text + 1, "01234567") >= 3) {
			*out++ = (char)code;
			text += 3;
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static int add_swap(struct facts *facts, const char *line)
{
	struct fact_swap swap = {0}, *all;
	char device[sizeof(swap.device)], type[16];
	unsigned long long size;

	if (sscanf(line, "%127s %15s %llu", device, type, &size) != 3)
		return 0; /* no swap line */
	all = realloc(facts->swaps, (facts->swap_count + 1) * sizeof(*all));
	if (!all)
		return -ENOMEM;
	unescape(device);
	(void)str_copy(swap.device, sizeof(swap.device), device);
	swap.size_kib = size;
	facts->swaps = all;
	facts->swaps[facts->swap_count++] = swap;
	return 0;
}

int probe_swaps(struct env *env, struct facts *facts, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	int rc;

	free(facts->swaps);
	facts->swaps = NULL;
	facts->swap_count = 0;
	rc = fs_read(env->run_fd, "proc/swaps", FS_TEXT_MAX, &text, err);
	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	/* The first line is the header "Filename Type Size Used Priority". */
	for (const char *p = strchr(buf_text(&text), '\n'); p && p[1];
		p = strchr(p + 1, '\n'))
		if (add_swap(facts, p + 1) < 0)
			return err_errno(err, ENOMEM, "list swaps");
	return 0;
}

int probe_module(int rootfd, const char *release, const char *name)
{
	static const char *const lists[] = {"modules.builtin", "modules.dep"};
	char path[256], pattern[80];
	int found = -1;

	(void)snprintf(pattern, sizeof(pattern), "/%s.ko", name);
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct buf text CLEANUP(buf_done) = BUF_INIT;

		(void)snprintf(
			path, sizeof(path), "lib/modules/%s/%s", release, lists[i]);
		if (fs_read(rootfd, path, 8 * FS_TEXT_MAX, &text, NULL) < 0)
			continue;
		if (strstr(buf_text(&text), pattern))
			return 1;
		found = 0;
	}
	return found;
}

int probe_machine(struct env *env, struct facts *ret, struct err *err)
{
	char cpus[1024];
	int rc = probe_kernel(env, ret, err);

	if (rc < 0)
		return rc;
	probe_dmi(env, ret);
	probe_memory(env, ret);
	read_text(env, "sys/devices/system/cpu/online", cpus, sizeof(cpus));
	ret->cpus = count_cpus(cpus);
	probe_filesystems(env, ret);
	probe_clock(env, ret);
	rc = probe_nics(env, ret, err);
	if (rc == 0)
		rc = probe_swaps(env, ret, err);
	if (rc == 0)
		rc = block_probe(env, ret, err);
	return rc;
}
