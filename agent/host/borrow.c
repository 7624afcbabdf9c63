/* SPDX-License-Identifier: MIT */
#include "host/borrow.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/proc.h"

#define LOADER_TIMEOUT_MS 30000U

/* Which class runs here. */
#if UINTPTR_MAX > 0xffffffffU
#define OWN_CLASS ELFCLASS64
#else
#define OWN_CLASS ELFCLASS32
#endif

/* Path of the loader that the program asks for; "" for a static one. elf(5): the header,
 * then e_phnum program headers at e_phoff, of which PT_INTERP points at a string. */
static int find_loader(const struct buf *image, char *loader, size_t size)
{
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	loader[0] = '\0';
	if (image->len < sizeof(header))
		return -ENOEXEC;
	memcpy(&header, image->bytes, sizeof(header));
	if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
		header.e_ident[EI_CLASS] != ELFCLASS64 || OWN_CLASS != ELFCLASS64 ||
		header.e_phentsize != sizeof(segment))
		return -ENOEXEC;
	for (size_t i = 0; i < header.e_phnum; i++) {
		uint64_t at = header.e_phoff + i * sizeof(segment);

		if (header.e_phoff > image->len || at > image->len - sizeof(segment))
			return -ENOEXEC;
		memcpy(&segment, image->bytes + at, sizeof(segment));
		if (segment.p_type != PT_INTERP)
			continue;
		if (segment.p_filesz == 0 || segment.p_filesz > size ||
			segment.p_offset > image->len ||
			segment.p_filesz > image->len - segment.p_offset)
			return -ENOEXEC;
		memcpy(loader, image->bytes + segment.p_offset, segment.p_filesz);
		loader[segment.p_filesz - 1] = '\0';
		return 0;
	}
	return 0;
}

static int copy_file(
	struct env *env, const struct borrow *borrow, const char *path, struct err *err)
{
	struct buf image CLEANUP(buf_done) = BUF_INIT;
	struct fs_content content = {.mode = 0755};
	char to[1024];
	int rc = fs_read(borrow->root_fd, path, BORROW_FILE_MAX, &image, err);

	if (rc < 0)
		return rc;
	if (snprintf(to, sizeof(to), "%s%s", borrow->dest, path) >= (int)sizeof(to))
		return err_errno(err, ENAMETOOLONG, "copy '%s'", path);
	content.bytes = image.bytes;
	content.len = image.len;
	return fs_replace(env->sys, env->run_fd, to, &content, err);
}

/* Lines of the loader's list, glibc and musl alike:
 *	libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)
 *	/lib64/ld-linux-x86-64.so.2 (0x00007f...) */
static int copy_listed(
	struct env *env, const struct borrow *borrow, char *list, struct err *err)
{
	char *save = NULL;
	int rc = 0;

	for (char *line = strtok_r(list, "\n", &save); line && rc == 0;
		line = strtok_r(NULL, "\n", &save)) {
		char *path = strchr(line, '/'), *end;

		if (!path)
			continue; /* the vdso */
		end = strstr(path, " (");
		if (end)
			*end = '\0';
		end = strstr(path, " => "); /* "/lib/ld-musl... => ..." */
		if (end)
			path = end + 4;
		rc = copy_file(env, borrow, path, err);
	}
	return rc;
}

static int copy_libraries(struct env *env, const struct borrow *borrow,
	const char *loader, const char *program, struct err *err)
{
	const char *const argv[] = {loader, "--list", program, NULL};
	struct proc_spec spec = {
		.argv = argv, .chroot = borrow->root, .timeout_ms = LOADER_TIMEOUT_MS};
	struct proc_result result = {0};
	char text[80];
	int rc = proc_run(env->sys, &spec, &result, err);

	if (rc < 0)
		return rc;
	if (result.status != 0 || result.timed_out) {
		proc_result_text(&result, text, sizeof(text));
		rc = err_set(err, E_CHILD, "list the libraries of '%s' with '%s': %s",
			program, loader, text);
	} else if (result.output.len) {
		rc = copy_listed(env, borrow, result.output.bytes, err);
	}
	proc_result_done(&result);
	return rc;
}

int borrow_program(struct env *env, const struct borrow *borrow, const char *program,
	struct err *err)
{
	struct buf image CLEANUP(buf_done) = BUF_INIT;
	char loader[256];
	int rc = fs_read(borrow->root_fd, program, BORROW_FILE_MAX, &image, err);

	if (rc == 0 && find_loader(&image, loader, sizeof(loader)) < 0)
		rc = err_set(err, E_FORMAT,
			"'%s' is not a 64-bit ELF program of this machine", program);
	if (rc == 0)
		rc = copy_file(env, borrow, program, err);
	if (rc == 0 && loader[0])
		rc = copy_file(env, borrow, loader, err);
	if (rc == 0 && loader[0])
		rc = copy_libraries(env, borrow, loader, program, err);
	return rc;
}
