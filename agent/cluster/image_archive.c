/* SPDX-License-Identifier: MIT */
/* containerd reads index.json and, where there is none, manifest.json; names become those
 * that its client/import.go and images/archive/reference.go make of them. */
#include "cluster/image_archive.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "host/unpack_member.h"

#define INDEX_BYTES_MAX (1024U * 1024U)
#define NAME_MAX_LEN 255U

static void json_free(json_t **value)
{
	json_decref(*value);
}

static int load(const struct buf *text, const char *file, const char *path, json_t **ret,
	struct err *err)
{
	json_error_t error;

	*ret = json_loadb(text->bytes, text->len, JSON_REJECT_DUPLICATES, &error);
	if (*ret)
		return 0;
	return err_set(err, E_ARCHIVE, "'%s': %s: line %d: %s", path, file, error.line,
		error.text);
}

/* A word that goes into a list of words, and to `ctr` as an argument. */
static bool is_word(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len && len <= NAME_MAX_LEN && *text != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			    "0123456789._:/@+-") == len;
}

static int refuse_name(const char *path, struct err *err)
{
	return err_set(err, E_ARCHIVE,
		"'%s': an image in it has no full name (annotation "
		"io.containerd.image.name or org.opencontainers.image.ref.name): export "
		"it by 'ctr images export' or 'docker save NAME:TAG'",
		path);
}

static int add(struct strlist *ret, const char *digest, const char *name, struct err *err)
{
	int rc = strlist_printf(ret, "%s %s", digest, name);

	return rc < 0 ? err_errno(err, ENOMEM, "list images") : 0;
}

static const char *text_at(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int add_index(
	const json_t *index, const char *path, struct strlist *ret, struct err *err)
{
	json_t *manifests = json_object_get(index, "manifests"), *entry;
	size_t i;

	json_array_foreach(manifests, i, entry)
	{
		const json_t *notes = json_object_get(entry, "annotations");
		const char *name = text_at(notes, "io.containerd.image.name");
		const char *digest = text_at(entry, "digest");
		int rc;

		if (!name)
			name = text_at(notes, "org.opencontainers.image.ref.name");
		/* A bare tag would become "import-DATE:TAG". */
		if (!is_word(name) || !strpbrk(name, "/:@") || !is_word(digest))
			return refuse_name(path, err);
		rc = add(ret, digest, name, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* "busybox:1" is docker.io/library/busybox:1 (distribution/reference, ParseDockerRef). */
static int add_tag(const char *tag, struct strlist *ret, struct err *err)
{
	struct buf name CLEANUP(buf_done) = BUF_INIT;
	size_t head = strcspn(tag, "/");
	bool has_domain =
		tag[head] && (memchr(tag, '.', head) || memchr(tag, ':', head) ||
				     strncmp(tag, "localhost/", 10) == 0);
	int rc = buf_printf(&name, "%s%s%s", has_domain ? "" : "docker.io/",
		tag[head] ? "" : "library/", tag);

	return rc < 0 ? err_errno(err, ENOMEM, "list images")
		      : add(ret, "-", buf_text(&name), err);
}

static int add_manifest(
	const json_t *manifest, const char *path, struct strlist *ret, struct err *err)
{
	json_t *entry, *tag;
	size_t i, k;

	json_array_foreach(manifest, i, entry)
	{
		json_t *tags = json_object_get(entry, "RepoTags");

		if (!json_array_size(tags))
			return refuse_name(path, err);
		json_array_foreach(tags, k, tag)
		{
			const char *text = json_string_value(tag);
			int rc = is_word(text) ? add_tag(text, ret, err)
					       : refuse_name(path, err);

			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int image_archive_parse(const struct buf *index, const struct buf *manifest,
	const char *path, struct strlist *ret, struct err *err)
{
	json_t *json CLEANUP(json_free) = NULL;
	size_t before = ret->count;
	int rc;

	if (index)
		rc = load(index, "index.json", path, &json, err);
	else if (manifest)
		rc = load(manifest, "manifest.json", path, &json, err);
	else
		return err_set(err, E_ARCHIVE,
			"'%s' is no archive of images: it holds neither index.json nor "
			"manifest.json",
			path);
	if (rc == 0)
		rc = index ? add_index(json, path, ret, err)
			   : add_manifest(json, path, ret, err);
	if (rc == 0 && ret->count == before)
		return err_set(err, E_ARCHIVE, "'%s' holds no image", path);
	return rc;
}

int image_archive_names(int fd, const char *path, struct strlist *ret, struct err *err)
{
	struct unpack_member members[] = {
		{.name = "index.json"}, {.name = "manifest.json"}};
	int rc = unpack_members(fd, path, members, 2, INDEX_BYTES_MAX, err);

	if (rc == 0)
		rc = image_archive_parse(members[0].found ? &members[0].bytes : NULL,
			members[1].found ? &members[1].bytes : NULL, path, ret, err);
	buf_done(&members[0].bytes);
	buf_done(&members[1].bytes);
	return rc;
}
