/* SPDX-License-Identifier: MIT */
/*
 * libkmod answers what a name or modalias means, what it depends on and which options and
 * blacklists modprobe.d and the kernel command line give; inserting is ours, through
 * env->sys, so that a table that refuses effects refuses this one too. Seams: env->run_fd
 * (sys, lib/modules) and env->sys.
 */
#include "host/module.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <syslog.h>

#include <libkmod.h>

#include "base/fs.h"
#include "host/module_insert.h"
#include "host/module_uevent.h"

/* Dependencies of dependencies; the deepest real chain has about ten. Soft ones may even
 * form a ring. */
#define DEPTH_MAX 24

/* More announcements than this in one turn are left for the next: what else waits in the
 * caller's loop must have its turn. */
#define UEVENTS_PER_TURN 4096

/* modprobe.d(5). */
#define CONFIG_FOLDERS 4

struct module_loader {
	struct env *env;
	struct kmod_ctx *kmod;
	int uevent_fd;
	struct strlist seen;     /* modaliases that were looked up */
	struct strlist tried;    /* modules that a modalias asked for */
	struct strlist inserted; /* modules that this loader has put in */
};

/* Where one call reports to; the lists are the caller's. */
struct pass {
	struct module_loader *loader;
	struct strlist *loaded;
	struct strlist *failed;
};

/* Modules that a file system asks the kernel for at mount, which asks /sbin/modprobe in
 * vain: no dependency names them. Of vfat: FAT_DEFAULT_CODEPAGE and _IOCHARSET. */
static const struct {
	const char *name;
	const char *more[5];
} companions[] = {
	{"vfat", {"nls_cp437", "nls_ascii", "nls_utf8", "nls_iso8859-1", NULL}},
};

static void list_unref(struct kmod_list **list)
{
	(void)kmod_module_unref_list(*list);
}

static void module_unref(struct kmod_module **module)
{
	(void)kmod_module_unref(*module);
}

static int open_kmod(struct module_loader *loader, struct err *err)
{
	static const char *const places[CONFIG_FOLDERS] = {
		"etc", "run", "usr/lib", "lib"};
	struct utsname kernel;
	char folder[256], folders[CONFIG_FOLDERS][64];
	const char *config[CONFIG_FOLDERS + 1] = {NULL};

	if (uname(&kernel) < 0)
		return err_errno(err, errno, "read the kernel's release");
	(void)snprintf(folder, sizeof(folder), "/proc/self/fd/%d/lib/modules/%s",
		loader->env->run_fd, kernel.release);
	for (size_t i = 0; i < CONFIG_FOLDERS; i++) {
		(void)snprintf(folders[i], sizeof(folders[i]),
			"/proc/self/fd/%d/%s/modprobe.d", loader->env->run_fd, places[i]);
		config[i] = folders[i];
	}
	loader->kmod = kmod_new(folder, config);
	if (!loader->kmod)
		return err_errno(err, ENOMEM, "read the modules of '%s'", kernel.release);
	/* Its messages, on stderr, repeat what the return values say. */
	kmod_set_log_priority(loader->kmod, LOG_EMERG);
	/* Keeps the indexes mapped; without modules there are none, and look-ups say so.
	 */
	(void)kmod_load_resources(loader->kmod);
	return 0;
}

int module_loader_new(struct env *env, struct module_loader **ret, struct err *err)
{
	struct module_loader *loader CLEANUP(module_loader_free) =
		calloc(1, sizeof(*loader));
	int rc;

	if (!loader)
		return err_errno(err, ENOMEM, "make a module loader");
	loader->env = env;
	/* Before anything is looked at. A container may have no such socket: then nothing
	 * is picked up later, and all that is there is found all the same. */
	loader->uevent_fd = uevent_open(NULL);
	if (loader->uevent_fd < 0)
		loader->uevent_fd = -1;
	rc = open_kmod(loader, err);
	if (rc < 0)
		return rc;
	*ret = loader;
	loader = NULL;
	return 0;
}

void module_loader_free(struct module_loader **loader)
{
	struct module_loader *mine = *loader;

	if (!mine)
		return;
	if (mine->kmod)
		(void)kmod_unref(mine->kmod);
	fd_close(&mine->uevent_fd);
	strlist_done(&mine->seen);
	strlist_done(&mine->tried);
	strlist_done(&mine->inserted);
	free(mine);
	*loader = NULL;
}

int module_uevent_fd(const struct module_loader *loader)
{
	return loader->uevent_fd;
}

static bool is_in_kernel(const struct module_loader *loader, struct kmod_module *module)
{
	int state = kmod_module_get_initstate(module);

	return state == KMOD_MODULE_BUILTIN || state == KMOD_MODULE_LIVE ||
	       state == KMOD_MODULE_COMING ||
	       strlist_has(&loader->inserted, kmod_module_get_name(module));
}

static int insert_one(
	const struct pass *pass, struct kmod_module *module, struct err *err)
{
	const char *name = kmod_module_get_name(module);
	const char *path = kmod_module_get_path(module);
	const char *options = kmod_module_get_options(module);
	int rc;

	if (!path)
		return err_set(
			err, ENOENT, "module '%s': the image has no such file", name);
	rc = module_insert(pass->loader->env, path, options ? options : "", err);
	if (rc < 0)
		return rc;
	if (strlist_add(&pass->loader->inserted, name) < 0 ||
		(pass->loaded && strlist_add(pass->loaded, name) < 0))
		return err_errno(err, ENOMEM, "module '%s'", name);
	return 0;
}

static int load_with_needs(const struct pass *pass, struct kmod_module *module,
	unsigned int depth, struct err *err);

/* Soft dependencies: the module works, if more slowly, without them. */
static void load_soft(const struct pass *pass, struct kmod_list *list, unsigned int depth)
{
	struct kmod_list *item;

	kmod_list_foreach(item, list)
	{
		struct kmod_module *module CLEANUP(module_unref) =
			kmod_module_get_module(item);

		IGNORE_RESULT(load_with_needs(pass, module, depth, NULL));
	}
}

static int load_needs(const struct pass *pass, struct kmod_module *module,
	unsigned int depth, struct err *err)
{
	struct kmod_list *needs CLEANUP(list_unref) =
		kmod_module_get_dependencies(module);
	struct kmod_list *item;

	kmod_list_foreach(item, needs)
	{
		struct kmod_module *need CLEANUP(module_unref) =
			kmod_module_get_module(item);
		int rc = load_with_needs(pass, need, depth, err);

		if (rc < 0)
			return err_wrap(err, "module '%s' needs '%s'",
				kmod_module_get_name(module), kmod_module_get_name(need));
	}
	return 0;
}

/* In the order of modprobe: soft "pre", dependencies, the module, soft "post". */
static int load_with_needs(const struct pass *pass, struct kmod_module *module,
	unsigned int depth, struct err *err)
{
	struct kmod_list *before CLEANUP(list_unref) = NULL;
	struct kmod_list *after CLEANUP(list_unref) = NULL;
	int rc;

	if (depth > DEPTH_MAX || is_in_kernel(pass->loader, module))
		return 0;
	(void)kmod_module_get_softdeps(module, &before, &after);
	load_soft(pass, before, depth + 1);
	rc = load_needs(pass, module, depth + 1, err);
	if (rc == 0 && !is_in_kernel(pass->loader, module))
		rc = insert_one(pass, module, err);
	if (rc < 0)
		return rc;
	load_soft(pass, after, depth + 1);
	return 0;
}

/* One module that a device asks for: a failure is noted and passed over. */
static int try_module(const struct pass *pass, struct kmod_module *module)
{
	struct module_loader *loader = pass->loader;
	const char *name = kmod_module_get_name(module);
	struct err err = ERR_INIT;

	if (strlist_has(&loader->tried, name))
		return 0;
	if (strlist_add(&loader->tried, name) < 0)
		return -ENOMEM;
	if (load_with_needs(pass, module, 0, &err) == 0)
		return 0;
	if (err.code == -ENOMEM)
		return -ENOMEM;
	return strlist_printf(pass->failed, "%s: %s", name, err.text);
}

/* Loads what modalias asks for, once for each modalias; blacklisted modules are not. */
static int load_alias(const struct pass *pass, const char *modalias)
{
	struct module_loader *loader = pass->loader;
	struct kmod_list *found CLEANUP(list_unref) = NULL;
	struct kmod_list *allowed CLEANUP(list_unref) = NULL;
	struct kmod_list *item;
	int rc = 0;

	if (!*modalias || strlist_has(&loader->seen, modalias))
		return 0;
	if (strlist_add(&loader->seen, modalias) < 0)
		return -ENOMEM;
	/* No module, no index: nothing is asked for. */
	if (kmod_module_new_from_lookup(loader->kmod, modalias, &found) < 0)
		return 0;
	if (kmod_module_apply_filter(
		    loader->kmod, KMOD_FILTER_BLACKLIST, found, &allowed) < 0)
		return -ENOMEM;
	kmod_list_foreach(item, allowed)
	{
		struct kmod_module *module CLEANUP(module_unref) =
			kmod_module_get_module(item);

		if (rc == 0)
			rc = try_module(pass, module);
	}
	return rc;
}

static int load_file_alias(const struct pass *pass, const char *path)
{
	char modalias[UEVENT_BYTES_MAX];

	if (fs_read_line(pass->loader->env->run_fd, path, modalias, sizeof(modalias)) < 0)
		return 0;
	return load_alias(pass, modalias);
}

static int load_bus(const struct pass *pass, const char *bus)
{
	struct strlist devices CLEANUP(strlist_done) = STRLIST_INIT;
	char path[512];
	int rc = 0;

	(void)snprintf(path, sizeof(path), "sys/bus/%s/devices", bus);
	if (fs_list(pass->loader->env->run_fd, path, &devices) < 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < devices.count; i++) {
		(void)snprintf(path, sizeof(path), "sys/bus/%s/devices/%s/modalias", bus,
			devices.items[i]);
		rc = load_file_alias(pass, path);
	}
	return rc;
}

/* Devices are on buses; the CPU's features (crc32c_intel) are at the root of theirs. */
static int load_all(const struct pass *pass)
{
	struct strlist buses CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = load_file_alias(pass, "sys/devices/system/cpu/modalias");

	if (fs_list(pass->loader->env->run_fd, "sys/bus", &buses) < 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < buses.count; i++)
		rc = load_bus(pass, buses.items[i]);
	return rc;
}

/* A bus driver brings devices, which ask for more: until a whole pass adds nothing. */
static int load_until_quiet(const struct pass *pass, struct err *err)
{
	size_t before;

	do {
		before = pass->loader->inserted.count;
		if (load_all(pass) < 0)
			return err_errno(err, ENOMEM, "load modules");
	} while (pass->loader->inserted.count > before);
	return 0;
}

int module_load_present(struct module_loader *loader, struct strlist *ret_loaded,
	struct strlist *ret_failed, struct err *err)
{
	struct pass pass = {loader, ret_loaded, ret_failed};

	return load_until_quiet(&pass, err);
}

int module_load_arrived(struct module_loader *loader, struct strlist *ret_loaded,
	struct strlist *ret_failed, struct err *err)
{
	struct pass pass = {loader, ret_loaded, ret_failed};
	char modalias[UEVENT_BYTES_MAX];
	bool lost = false;

	if (loader->uevent_fd < 0)
		return 0;
	for (unsigned int turn = 0; turn < UEVENTS_PER_TURN; turn++) {
		enum uevent event =
			uevent_take(loader->uevent_fd, modalias, sizeof(modalias));

		if (event == UEVENT_NONE)
			break;
		if (event == UEVENT_LOST)
			lost = true;
		if (event == UEVENT_MODALIAS && load_alias(&pass, modalias) < 0)
			return err_errno(err, ENOMEM, "load modules");
	}
	return lost ? load_until_quiet(&pass, err) : 0;
}

static void load_companions(struct module_loader *loader, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(companions); i++) {
		if (strcmp(companions[i].name, name) != 0)
			continue;
		for (const char *const *more = companions[i].more; *more; more++)
			IGNORE_RESULT(module_load_name(loader, *more, NULL));
	}
}

int module_load_name(struct module_loader *loader, const char *name, struct err *err)
{
	struct pass pass = {loader, NULL, NULL};
	struct kmod_list *found CLEANUP(list_unref) = NULL;
	struct kmod_list *item;
	struct err why = ERR_INIT;
	int rc = kmod_module_new_from_lookup(loader->kmod, name, &found);

	if (rc < 0 || !found)
		return err_set(err, ENOENT,
			"module '%s': neither in '%s' nor built into the kernel", name,
			module_insert_shown(kmod_get_dirname(loader->kmod)));
	rc = 0;
	/* An alias may mean several, of which each does: any that loads is success. */
	kmod_list_foreach(item, found)
	{
		struct kmod_module *module CLEANUP(module_unref) =
			kmod_module_get_module(item);

		rc = load_with_needs(&pass, module, 0, &why);
		if (rc == 0)
			break;
	}
	if (rc < 0)
		return err_set(err, -rc, "%s", why.text);
	load_companions(loader, name);
	return 0;
}

int module_load(struct env *env, const char *name, struct err *err)
{
	struct module_loader *loader CLEANUP(module_loader_free) = NULL;
	int rc = module_loader_new(env, &loader, err);

	return rc < 0 ? rc : module_load_name(loader, name, err);
}
