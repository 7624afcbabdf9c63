/* SPDX-License-Identifier: MIT */
/* An archive is an OCI image layout (image-spec: index.json -> index -> manifest ->
 * layers), or what `docker save` wrote before that (manifest.json -> layers). */
#include "cluster/image_program.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "base/fs.h"
#include "cluster/json.h"
#include "host/unpack_layer.h"
#include "host/unpack_member.h"

#define JSON_BYTES_MAX (4U * 1024U * 1024U)
#define PROGRAM_BYTES_MAX (512ULL * 1024 * 1024)
/* An index in an index is as deep as tools make them. */
#define INDEX_DEPTH_MAX 3U

struct lookup {
	const struct env *env;
	const struct image_program *wanted;
	const char *archive;
	int fd;
	struct strlist layers; /* names of members, in the image's order */
};

/* 1: there is no such member. */
static int read_json(
	const struct lookup *lookup, const char *name, json_t **ret, struct err *err)
{
	struct unpack_member member = {.name = name};
	json_error_t error;
	int rc;

	if (lseek(lookup->fd, 0, SEEK_SET) < 0)
		return err_errno(err, errno, "read '%s'", lookup->archive);
	rc = unpack_members(lookup->fd, lookup->archive, &member, 1, JSON_BYTES_MAX, err);
	if (rc == 0 && member.found) {
		*ret = json_loadb(buf_text(&member.bytes), member.bytes.len,
			JSON_REJECT_DUPLICATES, &error);
		if (!*ret)
			rc = err_set(err, E_ARCHIVE, "'%s' of '%s': line %d: %s", name,
				lookup->archive, error.line, error.text);
	}
	buf_done(&member.bytes);
	return rc == 0 && !member.found ? 1 : rc;
}

static const char *text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "sha256:HEX" -> "blobs/sha256/HEX" (image-layout.md). */
static int blob_name(
	const struct lookup *lookup, const char *digest, char name[128], struct err *err)
{
	const char *hex = strchr(digest, ':');

	if (!hex || strlen(digest) > 100 ||
		strspn(digest, "0123456789abcdefghijklmnopqrstuvwxyz:") != strlen(digest))
		return err_set(err, E_ARCHIVE, "'%s': '%.100s' is no digest",
			lookup->archive, digest);
	(void)snprintf(name, 128, "blobs/%.*s/%s", (int)(hex - digest), digest, hex + 1);
	return 0;
}

static bool has_name(const json_t *entry, const char *image)
{
	const json_t *notes = json_object_get(entry, "annotations");

	return strcmp(text_at(notes, "io.containerd.image.name"), image) == 0 ||
	       strcmp(text_at(notes, "org.opencontainers.image.ref.name"), image) == 0;
}

/* Of an index's entries the one of this machine. */
static const json_t *choose(const struct lookup *lookup, const json_t *manifests)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(manifests, i, entry)
	{
		const json_t *platform = json_object_get(entry, "platform");

		if (!platform || (strcmp(text_at(platform, "architecture"),
					  lookup->wanted->goarch) == 0 &&
					 strcmp(text_at(platform, "os"), "linux") == 0))
			return entry;
	}
	return NULL;
}

static int list_layers(struct lookup *lookup, const json_t *manifest, struct err *err)
{
	const json_t *entry;
	char name[128];
	size_t i;

	json_array_foreach(json_object_get(manifest, "layers"), i, entry)
	{
		int rc = blob_name(lookup, text_at(entry, "digest"), name, err);

		if (rc == 0 && strlist_add(&lookup->layers, name) < 0)
			rc = err_errno(err, ENOMEM, "list the layers");
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* From an entry of the index down to the layers. */
static int follow(struct lookup *lookup, const json_t *entry, struct err *err)
{
	json_t *held CLEANUP(json_done) = NULL;

	for (unsigned int depth = 0; depth < INDEX_DEPTH_MAX && entry; depth++) {
		json_t *json = NULL;
		char name[128];
		int rc = blob_name(lookup, text_at(entry, "digest"), name, err);

		if (rc == 0)
			rc = read_json(lookup, name, &json, err);
		if (rc != 0)
			return rc < 0 ? rc
				      : err_set(err, E_ARCHIVE, "'%s' lacks '%s'",
						lookup->archive, name);
		json_done(&held);
		held = json;
		if (json_is_array(json_object_get(json, "layers")))
			return list_layers(lookup, json, err);
		entry = choose(lookup, json_object_get(json, "manifests"));
	}
	return err_set(err, E_ARCHIVE, "'%s': image '%s' is not for linux/%s",
		lookup->archive, lookup->wanted->image, lookup->wanted->goarch);
}

static int find_in_index(struct lookup *lookup, const json_t *index, struct err *err)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(index, "manifests"), i, entry)
	{
		if (has_name(entry, lookup->wanted->image))
			return follow(lookup, entry, err);
	}
	return 1;
}

static int find_in_manifest(struct lookup *lookup, const json_t *list, struct err *err)
{
	const json_t *entry, *word;
	size_t i, k;
	bool found = false;

	json_array_foreach(list, i, entry)
	{
		json_array_foreach(json_object_get(entry, "RepoTags"), k, word)
		{
			const char *tag = json_string_value(word);

			found = found || (tag && strcmp(tag, lookup->wanted->image) == 0);
		}
		if (!found)
			continue;
		json_array_foreach(json_object_get(entry, "Layers"), k, word)
		{
			if (strlist_add(&lookup->layers, json_string_value(word)
								 ? json_string_value(word)
								 : "") < 0)
				return err_errno(err, ENOMEM, "list the layers");
		}
		return 0;
	}
	return 1;
}

static int find_image(struct lookup *lookup, struct err *err)
{
	json_t *json CLEANUP(json_done) = NULL;
	int rc = read_json(lookup, "index.json", &json, err);

	if (rc == 0)
		return find_in_index(lookup, json, err);
	if (rc > 0)
		rc = read_json(lookup, "manifest.json", &json, err);
	return rc == 0 ? find_in_manifest(lookup, json, err) : rc;
}

/* The upper layers hide the lower ones. */
static int write_program(const struct lookup *lookup, int out, struct err *err)
{
	for (size_t i = lookup->layers.count; i-- > 0;) {
		struct unpack_layer layer = {lookup->fd, lookup->archive,
			lookup->layers.items[i], lookup->wanted->program};
		bool found = false;
		int rc = unpack_layer_program(
			lookup->env->sys, &layer, out, PROGRAM_BYTES_MAX, &found, err);

		if (rc < 0 || found)
			return rc;
	}
	return err_set(err, E_ARCHIVE,
		"'%s': image '%s' has no program '%s'; give an artifact of that name in "
		"the role",
		lookup->archive, lookup->wanted->image, lookup->wanted->program);
}

/* Beside the name and then in its place: a half program is never executed. */
static int publish(const struct lookup *lookup, struct err *err)
{
	const struct open_how how = {.flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		.mode = 0755,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
	const struct sys_ops *sys = lookup->env->sys;
	const char *path = lookup->wanted->path, *name;
	int out CLEANUP(fd_close) = -1;
	int dir CLEANUP(fd_close) = fs_open_parent(lookup->env->target_fd, path, &name);
	char temporary[128];
	int rc;

	if (dir < 0)
		return err_errno(err, -dir, "open the folder of '%s'", path);
	(void)snprintf(temporary, sizeof(temporary), "%s.tmp", name);
	out = sys->open_write(dir, temporary, &how);
	if (out < 0)
		return err_errno(err, errno, "write '%s.tmp'", path);
	rc = write_program(lookup, out, err);
	if (rc < 0)
		return rc;
	if (sys->fchmod(out, 0755) < 0 || sys->fsync(out) < 0 ||
		sys->renameat2(dir, temporary, dir, name, 0) < 0)
		return err_errno(err, errno, "write '%s'", path);
	return 0;
}

int image_program_extract(const struct env *env, const char *archive,
	const struct image_program *wanted, struct err *err)
{
	struct lookup lookup = {.env = env, .wanted = wanted, .archive = archive};
	int fd CLEANUP(fd_close) = fs_open(env->target_fd, archive, O_RDONLY);
	int rc;

	if (fd < 0)
		return err_errno(err, -fd, "open '%s'", archive);
	lookup.fd = fd;
	rc = find_image(&lookup, err);
	if (rc == 0)
		rc = publish(&lookup, err);
	strlist_done(&lookup.layers);
	return rc;
}
