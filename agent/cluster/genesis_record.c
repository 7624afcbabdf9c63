/* SPDX-License-Identifier: MIT */
#include "cluster/genesis_record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/fs.h"

/* etcd passes over what it does not know in its folder (server/etcdmain/etcd.go,
 * identifyDataDirOrDie). */
#define MARKER "promenade-bootstrap"
#define MARKER_PATH GENESIS_DATA_DIR "/" MARKER
/* What a kill while it was written leaves (base/fs.c, temporary_name). */
#define MARKER_TEMPORARY "." MARKER ".promenade"
#define MEMBER_PATH GENESIS_DATA_DIR "/member"
#define RECORD_BYTES_MAX 4096U

/* Value of a line KEY=VALUE, "" when there is none. */
static void value_of(const struct buf *text, const char *key, char *value, size_t size)
{
	size_t len = strlen(key);
	const char *line = buf_text(text);

	*value = '\0';
	for (; line && *line; line = strchr(line, '\n'), line += line != NULL) {
		size_t width = strcspn(line, "\n");

		if (strncmp(line, key, len) != 0 || line[len] != '=')
			continue;
		(void)snprintf(
			value, size, "%.*s", (int)(width - len - 1), line + len + 1);
		return;
	}
}

/* Whether the file at path names this machine. 1: there is no such file. */
static int read_claim(const struct env *env, const char *path,
	const struct genesis_claim *claim, struct buf *ret, struct err *err)
{
	char machine[64], node[256];
	int rc = fs_read(env->target_fd, path, RECORD_BYTES_MAX, ret, err);

	if (rc < 0)
		return rc == -ENOENT ? 1 : rc;
	value_of(ret, "machine", machine, sizeof(machine));
	value_of(ret, "node", node, sizeof(node));
	if (strcasecmp(machine, claim->machine) == 0 && strcmp(node, claim->node) == 0)
		return 0;
	return err_set(err, E_EXISTS,
		"'%s' says that machine '%s' bootstrapped a cluster as '%s', and this is "
		"'%s' as '%s': put the disk back, or wipe '" GENESIS_DATA_DIR
		"' and that file",
		path, machine, node, claim->machine, claim->node);
}

/* True when the data folder has anything but a file system's own. */
static int has_data(const struct env *env, bool *ret, struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc = fs_list(env->target_fd, GENESIS_DATA_DIR, &names);

	*ret = false;
	if (rc < 0)
		return rc == -ENOENT ? 0
				     : err_errno(err, -rc, "list '" GENESIS_DATA_DIR "'");
	for (size_t i = 0; i < names.count; i++)
		if (strcmp(names.items[i], "lost+found") != 0 &&
			strcmp(names.items[i], MARKER_TEMPORARY) != 0)
			*ret = true;
	return 0;
}

static bool is_wanted(const struct strlist *pins, const char *pin)
{
	for (size_t i = 0; i < pins->count; i++)
		if (strcasecmp(pins->items[i], pin) == 0)
			return true;
	return !pins->count;
}

static int check_done(const struct env *env, const struct genesis_claim *claim,
	const struct buf *record, struct err *err)
{
	char pin[128];

	value_of(record, "caCertHash", pin, sizeof(pin));
	if (!is_wanted(claim->pins, pin))
		return err_set(err, E_EXISTS,
			"this machine has bootstrapped another cluster, its CA is %s: "
			"correct caCertHashes; or, to give that cluster up, wipe "
			"'" GENESIS_DATA_DIR "' and '" GENESIS_RECORD_PATH "'",
			pin);
	if (!fs_exists(env->target_fd, MEMBER_PATH))
		return err_set(err, E_EXISTS,
			"this machine has bootstrapped its cluster, but etcd's data is "
			"not in '" GENESIS_DATA_DIR "': restore a snapshot or mount it; "
			"or remove '" GENESIS_RECORD_PATH "' to make a new cluster");
	return 0;
}

int genesis_record_look(const struct env *env, const struct genesis_claim *claim,
	enum genesis_state *ret, struct err *err)
{
	struct buf record CLEANUP(buf_done) = BUF_INIT;
	struct buf marker CLEANUP(buf_done) = BUF_INIT;
	bool data;
	int rc = read_claim(env, GENESIS_RECORD_PATH, claim, &record, err);

	if (rc < 0)
		return rc;
	if (rc == 0) {
		rc = check_done(env, claim, &record, err);
		*ret = fs_exists(env->target_fd, MARKER_PATH) ? GENESIS_UNFINISHED
							      : GENESIS_DONE;
		return rc;
	}
	rc = has_data(env, &data, err);
	*ret = GENESIS_NEW;
	if (rc < 0 || !data)
		return rc;
	rc = read_claim(env, MARKER_PATH, claim, &marker, err);
	*ret = GENESIS_BROKEN_OFF;
	if (rc <= 0)
		return rc;
	return err_set(err, E_EXISTS,
		"'" GENESIS_DATA_DIR "' holds etcd data that no bootstrap of this agent "
		"made: join that cluster instead; or, if it is not needed, empty it");
}

static int write_claim(const struct env *env, const struct genesis_claim *claim,
	const char *path, const char *more, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct fs_content content = {.mode = 0644};

	if (buf_printf(&text, "machine=%s\nnode=%s\naddress=%s\n%s", claim->machine,
		    claim->node, claim->address, more) < 0)
		return err_errno(err, ENOMEM, "write '%s'", path);
	content.bytes = text.bytes;
	content.len = text.len;
	return fs_replace(env->sys, env->target_fd, path, &content, err);
}

int genesis_record_begin(
	const struct env *env, const struct genesis_claim *claim, struct err *err)
{
	int fd CLEANUP(fd_close) = -1;
	int rc = fs_make_dirs(env->sys, env->target_fd, GENESIS_DATA_DIR, err);

	/* The marker first: a kill between leaves an empty folder that is ours. */
	if (rc == 0)
		rc = write_claim(env, claim, MARKER_PATH, "", err);
	if (rc == 0)
		rc = fs_remove_tree(env->sys, env->target_fd, MEMBER_PATH, err);
	if (rc < 0)
		return rc;
	fd = fs_open(env->target_fd, GENESIS_DATA_DIR, O_RDONLY | O_DIRECTORY);
	if (fd < 0 || env->sys->fchmod(fd, 0700) < 0)
		return err_errno(
			err, fd < 0 ? -fd : errno, "protect '" GENESIS_DATA_DIR "'");
	return 0;
}

int genesis_record_done(const struct env *env, const struct genesis_claim *claim,
	const char *pin, uint64_t cluster_id, struct err *err)
{
	char more[256];

	(void)snprintf(more, sizeof(more), "caCertHash=%s\netcdCluster=%016" PRIx64 "\n",
		pin, cluster_id);
	return write_claim(env, claim, GENESIS_RECORD_PATH, more, err);
}

int genesis_record_end(const struct env *env, struct err *err)
{
	return fs_remove(env->sys, env->target_fd, MARKER_PATH, err);
}
