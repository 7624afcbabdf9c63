/* SPDX-License-Identifier: MIT */
/* What more than one key decides. Lines come from the tree, values from the struct; a
 * value that was refused before is absent from the struct and is not complained about
 * again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/role_decode.h"

struct checker {
	const struct tree_node *root;
	const struct role *role;
	struct role_mistakes *mistakes;
};

/* The entry at "os.root.label", NULL when any of them is missing. */
static const struct tree_node *find(const struct checker *checker, const char *path)
{
	const struct tree_node *node = checker->root;
	char key[32];

	while (node && *path) {
		size_t len = strcspn(path, ".");

		if (len >= sizeof(key))
			return NULL;
		memcpy(key, path, len);
		key[len] = '\0';
		node = tree_child(node, key);
		path += len + (path[len] == '.');
	}
	return node;
}

/* path must not be given, because of why. */
static void forbid(const struct checker *checker, const char *path, const char *why)
{
	const struct tree_node *node = find(checker, path);

	if (node)
		role_mistake_add(
			checker->mistakes, node->key_place, "'%s': %s", node->key, why);
}

/* key must be in the map at path, because of why. */
static void demand(
	const struct checker *checker, const char *path, const char *key, const char *why)
{
	const struct tree_node *map = find(checker, path);

	if (map && map->kind == TREE_MAP && !tree_child(map, key))
		role_mistake_add(checker->mistakes, map->key_place,
			"'%s': '%s' is missing: %s", map->key, key, why);
}

/* Exactly one of the keys must be in the map at path. */
static void demand_one(const struct checker *checker, const char *path,
	const char *const *keys, const char *words)
{
	const struct tree_node *map = find(checker, path), *first = NULL;

	if (!map || map->kind != TREE_MAP)
		return;
	for (; *keys; keys++) {
		const struct tree_node *node = tree_child(map, *keys);

		if (node && first)
			role_mistake_add(checker->mistakes, node->key_place,
				"'%s': '%s' and '%s' exclude each other", map->key,
				first->key, node->key);
		if (node && !first)
			first = node;
	}
	if (!first)
		role_mistake_add(checker->mistakes, map->key_place,
			"'%s': must have one of: %s", map->key, words);
}

/* The scalar at path is this word. */
static bool says(const struct checker *checker, const char *path, const char *word)
{
	const struct tree_node *node = find(checker, path);

	return node && node->kind == TREE_SCALAR && strcmp(node->text, word) == 0;
}

static void check_os(const struct checker *checker)
{
	static const char *const names[] = {"label", "uuid", "partuuid", "disk", NULL};
	static const char *const disks[] = {"wwn", "serial", "byPath", NULL};

	demand_one(checker, "os.root", names, "label, uuid, partuuid, disk");
	demand_one(checker, "os.root.disk", disks, "wwn, serial, byPath");
	if (find(checker, "os.root.disk"))
		demand(checker, "os.root", "partition",
			"a disk alone holds no file system");
	else
		forbid(checker, "os.root.partition",
			"only with 'disk'; label, uuid and partuuid name the partition "
			"already");
	if (says(checker, "os.pivot", "kexec"))
		demand(checker, "os", "cmdline",
			"the kernel that kexec starts gets its command line from here");
	else if (!find(checker, "os.pivot") || says(checker, "os.pivot", "switch-root"))
		forbid(checker, "os.cmdline",
			"only with 'pivot: kexec' or 'pivot: reboot'; else the running "
			"kernel stays");
}

/* A name that is none of the three was refused already and decides nothing here. */
static void check_engine(const struct checker *checker)
{
	bool none = says(checker, "node.engine.name", "none");
	bool docker = says(checker, "node.engine.name", "docker");

	if (none || docker)
		forbid(checker, "node.engine.snapshotter",
			"only with 'name: containerd'");
	if (none || says(checker, "node.engine.name", "containerd"))
		forbid(checker, "node.engine.storageDriver", "only with 'name: docker'");
	if (none) {
		forbid(checker, "node.engine.cgroupDriver", "not with 'name: none'");
		forbid(checker, "node.engine.sandboxImage", "not with 'name: none'");
	}
}

static void check_unit(const struct checker *checker, const struct role_unit *unit,
	const struct tree_node *item)
{
	if (unit->enable && unit->mask)
		role_mistake_add(checker->mistakes, item->place,
			"'units': 'enable' and 'mask' exclude each other");
	else if (tree_child(item, "content") && unit->mask)
		role_mistake_add(checker->mistakes, item->place,
			"'units': 'content' and 'mask' exclude each other: a masked unit "
			"never runs");
	else if (!tree_child(item, "content") && !tree_child(item, "enable") &&
		 !tree_child(item, "mask"))
		role_mistake_add(checker->mistakes, item->place,
			"'units': must have at least one of: content, enable, mask");
}

/* The list at path when it was decoded: then item i of the struct is entry i of the tree.
 */
static const struct tree_node *find_list(
	const struct checker *checker, const char *path, size_t count)
{
	const struct tree_node *list = find(checker, path);

	return list && list->kind == TREE_LIST && list->count == count ? list->first
								       : NULL;
}

static void check_units(const struct checker *checker)
{
	const struct role_node *node = &checker->role->node;
	const struct tree_node *items =
		find_list(checker, "node.units", node->unit_count);
	const struct tree_node *item = items;

	for (size_t i = 0; item; i++, item = item->next) {
		const struct tree_node *other = items;

		if (item->kind != TREE_MAP || !node->units[i].name)
			continue;
		check_unit(checker, &node->units[i], item);
		for (size_t k = 0; k < i; k++, other = other->next) {
			const char *name = node->units[k].name;

			if (!name || strcmp(name, node->units[i].name) != 0)
				continue;
			role_mistake_add(checker->mistakes, item->place,
				"unit '%s' is given twice; the first is in line %u",
				role_show(name).text, other->place.line);
			break;
		}
	}
}

/* A file or directory that a step will put in place. */
struct target {
	const char *path;
	struct role_place place;
	bool tree; /* the whole directory is exchanged */
};

static bool is_beneath(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

static bool comes_after(struct role_place a, struct role_place b)
{
	return a.line > b.line || (a.line == b.line && a.column > b.column);
}

/* True when the two are in each other's way; the mistake stands at the later one. */
static bool check_pair(const struct checker *checker, const struct target *first,
	const struct target *second)
{
	bool swapped = comes_after(first->place, second->place);
	const struct target *old = swapped ? second : first;
	const struct target *new = swapped ? first : second;
	struct role_shown path = role_show(new->path), other = role_show(old->path);

	if (strcmp(old->path, new->path) == 0)
		role_mistake_add(checker->mistakes, new->place,
			"path '%s' is given twice; the first is in line %u", path.text,
			old->place.line);
	else if (is_beneath(new->path, old->path))
		role_mistake_add(checker->mistakes, new->place,
			"path '%s' is beneath '%s' of line %u, which is %s", path.text,
			other.text, old->place.line,
			old->tree ? "exchanged as a whole" : "a file");
	else if (is_beneath(old->path, new->path))
		role_mistake_add(checker->mistakes, new->place,
			"path '%s' is %s, and '%s' of line %u is beneath it", path.text,
			new->tree ? "exchanged as a whole" : "a file", other.text,
			old->place.line);
	else
		return false;
	return true;
}

/* The place of the value of key, else of the entry itself. */
static struct role_place place_of(const struct tree_node *item, const char *key)
{
	const struct tree_node *child = tree_child(item, key);

	return child ? child->place : item->place;
}

static size_t collect_targets(const struct checker *checker, struct target *targets)
{
	const struct role *role = checker->role;
	const struct tree_node *item;
	size_t count = 0;

	item = find_list(checker, "artifacts", role->artifact_count);
	for (size_t i = 0; item; i++, item = item->next)
		if (role->artifacts[i].path)
			targets[count++] = (struct target){role->artifacts[i].path,
				place_of(item, "path"), role->artifacts[i].unpack};
	item = find(checker, "cni.plugins");
	if (item && role->cni.dir)
		targets[count++] =
			(struct target){role->cni.dir, place_of(item, "dir"), true};
	item = find_list(checker, "node.files", role->node.file_count);
	for (size_t i = 0; item; i++, item = item->next)
		if (role->node.files[i].path)
			targets[count++] = (struct target){
				role->node.files[i].path, place_of(item, "path"), false};
	return count;
}

/* Two writers of one path would undo each other at every boot, and a directory that is
 * exchanged as a whole takes with it what another step put there. */
static int check_targets(const struct checker *checker)
{
	size_t most = checker->role->artifact_count + checker->role->node.file_count + 1;
	struct target *targets = calloc(most, sizeof(*targets));
	size_t count;

	if (!targets)
		return -ENOMEM;
	count = collect_targets(checker, targets);
	for (size_t i = 1; i < count; i++)
		for (size_t k = 0; k < i; k++)
			if (check_pair(checker, &targets[k], &targets[i]))
				break;
	free(targets);
	return 0;
}

static void check_artifacts(const struct checker *checker)
{
	const struct role *role = checker->role;
	const struct tree_node *item =
		find_list(checker, "artifacts", role->artifact_count);

	for (size_t i = 0; item; i++, item = item->next) {
		const struct tree_node *mode = tree_child(item, "mode");

		if (mode && role->artifacts[i].unpack)
			role_mistake_add(checker->mistakes, mode->key_place,
				"'mode': not with 'unpack'; the archive has the modes");
	}
}

static void check_join(const struct checker *checker)
{
	const struct tree_node *hashes = find(checker, "cluster.caCertHashes");

	demand(checker, "cluster", "caCertHashes",
		"without a pin any server could be the API server");
	if (hashes && hashes->kind == TREE_LIST && !hashes->count)
		role_mistake_add(checker->mistakes, hashes->place,
			"'caCertHashes': must have at least one entry");
	if (find(checker, "cluster.credential"))
		forbid(checker, "cluster.token",
			"'credential' and 'token' exclude each other");
}

static void check_bootstrap(const struct checker *checker)
{
	if (!find(checker, "cluster.role") || says(checker, "cluster.role", "worker"))
		role_mistake_add(checker->mistakes,
			find(checker, "cluster.action")->place,
			"'action': bootstrap makes a control plane; add 'role: "
			"control-plane' or join");
	forbid(checker, "cluster.token", "only to join: a new cluster has no tokens yet");
}

/* What the control plane's own components would refuse when they start
 * (k8s.io/client-go tools/leaderelection NewLeaderElector, its jitter factor 1.2). */
void role_check_leases(const struct tree_node *node, const struct role_leases *leases,
	struct role_mistakes *mistakes)
{
	if (!node || node->kind != TREE_MAP || !leases->duration ||
		!leases->renew_deadline || !leases->retry_period)
		return;
	if (leases->duration <= leases->renew_deadline)
		role_mistake_add(mistakes, node->place,
			"'leases': durationSeconds must be greater than "
			"renewDeadlineSeconds");
	if (leases->renew_deadline * 10 <= leases->retry_period * 12)
		role_mistake_add(mistakes, node->place,
			"'leases': renewDeadlineSeconds must be greater than 1.2 times "
			"retryPeriodSeconds");
}

static void check_cluster(const struct checker *checker)
{
	const struct role_cluster *cluster = &checker->role->cluster;

	role_check_leases(
		find(checker, "cluster.leases"), &cluster->leases, checker->mistakes);
	if (says(checker, "node.engine.name", "docker"))
		forbid(checker, "cluster.archives",
			"only with containerd: docker does not serve images to kubelet");
	if (cluster->action == ROLE_CLUSTER_NONE)
		return;
	demand(checker, "cluster", "endpoint", "where is the API server?");
	if (says(checker, "cluster.role", "control-plane"))
		demand(checker, "cluster", "version",
			"a control plane's flags and files depend on it");
	if (!find(checker, "cluster.token"))
		forbid(checker, "cluster.certificateKey",
			"only with 'token': a credential brings the keys itself");
	if (cluster->action == ROLE_CLUSTER_JOIN)
		check_join(checker);
	else
		check_bootstrap(checker);
}

int role_check(const struct tree_node *root, const struct role *role,
	struct role_mistakes *mistakes)
{
	struct checker checker = {root, role, mistakes};

	check_os(&checker);
	check_engine(&checker);
	check_units(&checker);
	check_artifacts(&checker);
	check_cluster(&checker);
	return check_targets(&checker);
}
