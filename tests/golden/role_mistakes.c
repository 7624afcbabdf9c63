/* SPDX-License-Identifier: MIT */
/*
 * What the parser says of role files, for role.py: `role_mistakes FILE...` prints per
 * file its name and "accepted" or its mistakes; `role_mistakes --keys` prints the keys
 * that the tables know. --cluster before either: of the cluster document.
 */
#include <stdio.h>
#include <string.h>

#include "model/cluster_document.h"
#include "model/role.h"
#include "model/role_fields.h"

static char bytes[ROLE_BYTES_MAX + 2];

static int read_file(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		return -1;
	}
	*ret_len = fread(bytes, 1, sizeof(bytes), file);
	(void)fclose(file);
	return 0;
}

static struct role_mistakes mistakes;

static int parse_role(size_t len, struct err *err)
{
	struct role role CLEANUP(role_done) = {0};

	return role_parse(bytes, len, &role, &mistakes, err);
}

static int parse_cluster(size_t len, struct err *err)
{
	struct cluster_document document CLEANUP(cluster_document_done) = {.serial = 0};

	return cluster_document_parse(bytes, len, &document, &mistakes, err);
}

static void print_mistakes(const char *path, size_t len, bool cluster)
{
	struct err err = ERR_INIT;
	int rc = cluster ? parse_cluster(len, &err) : parse_role(len, &err);

	printf("== %s\n", path);
	if (rc == 0)
		printf("accepted\n");
	else if (!mistakes.count)
		printf("failed: %s\n", err.text);
	for (size_t i = 0; i < mistakes.count && i < ROLE_MISTAKES_MAX; i++)
		printf("%u:%u: %s\n", mistakes.items[i].line, mistakes.items[i].column,
			mistakes.items[i].text);
}

/* "node.engine.name required"; beneath a partial section nothing is. */
static void print_keys(
	const struct field_section *section, const char *prefix, bool partial)
{
	for (const struct field *field = section->fields; field->key; field++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "",
			field->key);
		printf("%s%s\n", path, field->required && !partial ? " required" : "");
		if (field->section)
			print_keys(field->section, path, partial || field->partial);
	}
}

int main(int argc, char **argv)
{
	bool cluster = argc > 1 && strcmp(argv[1], "--cluster") == 0;
	int first = cluster ? 2 : 1;

	if (argc == first + 1 && strcmp(argv[first], "--keys") == 0) {
		print_keys(
			cluster ? cluster_document_fields() : role_fields(), "", false);
		return 0;
	}
	for (int i = first; i < argc; i++) {
		size_t len;

		if (read_file(argv[i], &len) < 0)
			return 1;
		print_mistakes(argv[i], len, cluster);
	}
	return 0;
}
