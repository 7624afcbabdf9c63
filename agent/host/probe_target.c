/* SPDX-License-Identifier: MIT */
/* The installed OS, seen from outside: what it is, its kernels, its engines, and who
 * would configure its network. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "host/probe.h"
#include "model/version.h"

/* Value of KEY in an os-release text: shell quotes taken off (os-release(5)). */
static void os_release_value(const char *text, const char *key, char *value, size_t size)
{
	size_t key_len = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		char line[256], *v = line;
		size_t len;

		p += *p == '\n' ? 1 : 0;
		if (strncmp(p, key, key_len) != 0 || p[key_len] != '=')
			continue;
		len = strcspn(p, "\n");
		(void)snprintf(line, sizeof(line), "%.*s", (int)(len - key_len - 1),
			p + key_len + 1);
		v = str_trim(line);
		len = strlen(v);
		if (len >= 2 && (v[0] == '"' || v[0] == '\'') && v[len - 1] == v[0]) {
			v[len - 1] = '\0';
			v++;
		}
		str_make_printable(v);
		(void)str_copy(value, size, v);
		return;
	}
}

static int probe_os_release(int fd, struct fact_target *target, struct err *err)
{
	static const char *const paths[] = {"etc/os-release", "usr/lib/os-release"};
	struct buf text CLEANUP(buf_done) = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		if (fs_read(fd, paths[i], FS_TEXT_MAX, &text, NULL) < 0)
			continue;
		os_release_value(
			buf_text(&text), "ID", target->os_id, sizeof(target->os_id));
		os_release_value(buf_text(&text), "VERSION_ID", target->os_version,
			sizeof(target->os_version));
		return 0;
	}
	return err_set(err, E_FORMAT,
		"the root has no '/etc/os-release': no operating system is installed "
		"there; install one, or correct os.root of the role");
}

/* Newest by version, as far as the release has modules to load. */
static int probe_kernels(int fd, const char *running, struct fact_target *target)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	struct version newest = {0};
	int rc = fs_list(fd, "lib/modules", &names);

	if (rc == -ENOMEM)
		return rc;
	for (size_t i = 0; rc == 0 && i < names.count; i++) {
		struct version version;
		char path[400];

		(void)snprintf(
			path, sizeof(path), "lib/modules/%s/modules.dep", names.items[i]);
		if (!fs_exists(fd, path))
			continue;
		if (strcmp(names.items[i], running) == 0)
			target->has_modules = true;
		if (version_parse(names.items[i], &version) < 0 ||
			(target->newest_kernel[0] &&
				version_compare(&version, &newest) < 0))
			continue;
		if (str_copy(target->newest_kernel, sizeof(target->newest_kernel),
			    names.items[i]))
			newest = version;
	}
	return 0;
}

static bool any_exists(int fd, const char *const *paths)
{
	for (; *paths; paths++)
		if (fs_exists(fd, *paths))
			return true;
	return false;
}

bool probe_is_own_kernel(const struct env *env)
{
	struct stat run, target;

	if (env->initramfs)
		return true;
	return fstat(env->run_fd, &run) == 0 && fstat(env->target_fd, &target) == 0 &&
	       run.st_dev == target.st_dev && run.st_ino == target.st_ino;
}

bool probe_unit_enabled(int target_fd, const char *unit)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	char path[512], target[256];
	struct stat st;

	(void)snprintf(path, sizeof(path), "etc/systemd/system/%s", unit);
	if (fs_read_link(target_fd, path, target, sizeof(target)) == 0 &&
		strcmp(target, "/dev/null") == 0)
		return false;
	if (fs_list(target_fd, "etc/systemd/system", &names) < 0)
		return false;
	for (size_t i = 0; i < names.count; i++) {
		if (!str_has_suffix(names.items[i], ".wants") &&
			!str_has_suffix(names.items[i], ".requires"))
			continue;
		(void)snprintf(path, sizeof(path), "etc/systemd/system/%s/%s",
			names.items[i], unit);
		if (fs_stat(target_fd, path, false, &st) == 0)
			return true;
	}
	return false;
}

static bool has_netplan(int fd)
{
	static const char *const folders[] = {"etc/netplan", "usr/lib/netplan"};
	static const char *const programs[] = {"usr/sbin/netplan", "usr/libexec/netplan",
		"usr/lib/systemd/system-generators/netplan", NULL};

	if (!any_exists(fd, programs))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;

		if (fs_list(fd, folders[i], &names) < 0)
			continue;
		for (size_t j = 0; j < names.count; j++)
			if (str_has_suffix(names.items[j], ".yaml"))
				return true;
	}
	return false;
}

/* netplan renders for the two others, so its files come first; ifupdown is last because
 * its file often stays behind on a machine that another one took over. */
static enum fact_network_manager network_manager(int fd)
{
	static const char *const networkmanager[] = {"usr/sbin/NetworkManager", NULL};
	static const char *const networkd[] = {
		"usr/lib/systemd/systemd-networkd", "lib/systemd/systemd-networkd", NULL};
	static const char *const ifup[] = {"usr/sbin/ifup", "sbin/ifup", NULL};

	if (has_netplan(fd))
		return FACT_NETWORK_NETPLAN;
	if (any_exists(fd, networkmanager) &&
		probe_unit_enabled(fd, "NetworkManager.service"))
		return FACT_NETWORK_NETWORKMANAGER;
	if (any_exists(fd, networkd) &&
		probe_unit_enabled(fd, "systemd-networkd.service"))
		return FACT_NETWORK_NETWORKD;
	if (any_exists(fd, ifup) && fs_exists(fd, "etc/network/interfaces"))
		return FACT_NETWORK_IFUPDOWN;
	return FACT_NETWORK_NONE;
}

static void probe_programs(int fd, struct fact_target *target)
{
	static const char *const containerd[] = {"usr/bin/containerd",
		"usr/sbin/containerd", "usr/local/bin/containerd", NULL};
	static const char *const docker[] = {
		"usr/bin/dockerd", "usr/sbin/dockerd", "usr/local/bin/dockerd", NULL};
	static const char *const kubelet[] = {
		"usr/bin/kubelet", "usr/local/bin/kubelet", "opt/bin/kubelet", NULL};

	target->has_containerd = any_exists(fd, containerd);
	target->has_docker = any_exists(fd, docker);
	target->has_kubelet = any_exists(fd, kubelet);
}

static void probe_prepared(int fd, struct fact_target *target)
{
	char line[32];

	target->prepared = fs_exists(fd, "etc/promenade/role.yaml");
	target->last_serial = 0;
	if (fs_read_line(fd, "etc/promenade/serial", line, sizeof(line)) == 0 &&
		!str_to_u64(line, UINT64_MAX, &target->last_serial))
		target->last_serial = 0;
	target->prepared_serial = target->last_serial;
}

int probe_target(struct env *env, struct facts *facts, struct err *err)
{
	struct fact_target target = {.known = true};
	int rc, overlay;

	if (env->target_fd < 0)
		return err_set(err, E_ROOT, "look at the installed OS: not mounted");
	rc = probe_os_release(env->target_fd, &target, err);
	if (rc < 0)
		return rc;
	if (probe_kernels(env->target_fd, facts->kernel, &target) < 0)
		return err_errno(err, ENOMEM, "list the kernels of the installed OS");
	probe_programs(env->target_fd, &target);
	probe_prepared(env->target_fd, &target);
	target.network_manager = network_manager(env->target_fd);
	overlay = probe_module(env->target_fd, facts->kernel, "overlay");
	if (facts->overlay != 1 && overlay >= 0)
		facts->overlay = overlay;
	facts->target = target;
	return 0;
}
