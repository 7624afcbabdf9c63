/* SPDX-License-Identifier: MIT */
/* `promenade render`: on the operator's machine, offline. Secrets are written 0600 and
 * never printed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fs.h"
#include "cluster/render.h"
#include "cluster/secret.h"
#include "command.h"

#define KEY_BYTES_MAX (64U * 1024U)
#define PKI_DIR "pki"
#define PKI_STAGE "pki.new"

struct work {
	const struct sys_ops *sys;
	struct cluster_document document;
	struct key *signing_key;
	struct render_files files;
	int out_fd;
};

static void work_done(struct work *work)
{
	render_files_done(&work->files);
	key_free(&work->signing_key);
	cluster_document_done(&work->document);
	fd_close(&work->out_fd);
}

static int fail(const struct err *err)
{
	(void)fprintf(stderr, "promenade: %s\n", err->text);
	return err_exit_status(err->code);
}

/* Links followed, as everywhere where a person names a file; "-" is standard input. */
static int read_path(const char *path, size_t max, struct buf *ret, struct err *err)
{
	int fd CLEANUP(fd_close) = -1;

	if (strcmp(path, "-") == 0)
		return fs_read_fd(0, "standard input", max, ret, err);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "open '%s'", path);
	return fs_read_fd(fd, path, max, ret, err);
}

static int read_document(struct work *work, const char *path, struct err *err)
{
	struct buf text CLEANUP(buf_done) = BUF_INIT;
	struct role_mistakes mistakes = {.count = 0};
	int rc = read_path(path, ROLE_BYTES_MAX, &text, err);

	if (rc < 0)
		return rc;
	rc = cluster_document_parse(
		buf_text(&text), text.len, &work->document, &mistakes, err);
	for (size_t i = 0; i < mistakes.count && i < ROLE_MISTAKES_MAX; i++)
		(void)fprintf(stderr, "%s:%u:%u: %s\n", path, mistakes.items[i].line,
			mistakes.items[i].column, mistakes.items[i].text);
	return rc;
}

static int read_signing_key(struct work *work, const char *path, struct err *err)
{
	struct buf pem CLEANUP(secret_done) = BUF_INIT;
	int rc = read_path(path, KEY_BYTES_MAX, &pem, err);

	return rc < 0 ? rc : key_parse(pem.bytes, pem.len, path, &work->signing_key, err);
}

static int open_out(struct work *work, const char *path, struct err *err)
{
	work->out_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (work->out_fd < 0 && errno != ENOENT)
		return err_errno(err, errno, "open directory '%s'", path);
	return 0;
}

/* Not readable by others from its first moment. Only after all files are made. */
static int make_out(struct work *work, const char *path, struct err *err)
{
	if (work->out_fd >= 0)
		return 0;
	if (mkdir(path, 0700) < 0)
		return err_errno(err, errno, "make directory '%s'", path);
	work->out_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return work->out_fd < 0 ? err_errno(err, errno, "open directory '%s'", path) : 0;
}

static bool is_same(const struct work *work, const struct render_file *file)
{
	struct buf old CLEANUP(secret_done) = BUF_INIT;
	struct stat status;

	return fs_read(work->out_fd, file->path, FS_TEXT_MAX, &old, NULL) == 0 &&
	       old.len == file->bytes.len &&
	       (!old.len || memcmp(old.bytes, file->bytes.bytes, old.len) == 0) &&
	       fs_stat(work->out_fd, file->path, true, &status) == 0 &&
	       (status.st_mode & 07777) == file->mode;
}

static int write_file(const struct work *work, const struct render_file *file,
	const char *path, struct err *err)
{
	struct fs_content content = {file->bytes.bytes, file->bytes.len, file->mode};

	return fs_replace(work->sys, work->out_fd, path, &content, err);
}

static bool is_pki(const struct render_file *file)
{
	return str_has_prefix(file->path, PKI_DIR "/");
}

/* The CAs appear all at once, by a rename that fails where a directory is: half a set
 * would be refused ever after, and none is ever overwritten. */
static int write_pki(const struct work *work, struct err *err)
{
	size_t count = 0;
	int rc = 0;

	for (size_t i = 0; i < work->files.count && rc == 0; i++) {
		const struct render_file *file = &work->files.items[i];
		char path[96];

		if (!is_pki(file))
			continue;
		if (!count++)
			rc = fs_remove_tree(work->sys, work->out_fd, PKI_STAGE, err);
		(void)snprintf(
			path, sizeof(path), PKI_STAGE "%s", file->path + strlen(PKI_DIR));
		if (rc == 0)
			rc = write_file(work, file, path, err);
	}
	if (rc < 0 || !count)
		return rc;
	if (fchmodat(work->out_fd, PKI_STAGE, 0700, 0) < 0 ||
		renameat(work->out_fd, PKI_STAGE, work->out_fd, PKI_DIR) < 0 ||
		fsync(work->out_fd) < 0)
		return err_errno(err, errno, "put the new CAs in place as '" PKI_DIR "'");
	(void)printf("made the CAs: " PKI_DIR "/ (keep it safe and backed up)\n");
	return 0;
}

static int write_files(const struct work *work, struct err *err)
{
	int rc = write_pki(work, err);

	for (size_t i = 0; i < work->files.count && rc == 0; i++) {
		const struct render_file *file = &work->files.items[i];

		if (is_pki(file) || is_same(work, file))
			continue;
		rc = write_file(work, file, file->path, err);
		if (rc == 0)
			(void)printf("wrote %s\n", file->path);
	}
	return rc;
}

static int render(struct work *work, const struct options *options, struct err *err)
{
	struct render_input input = {.document = &work->document,
		.now = (int64_t)time(NULL),
		.renew = options->renew};
	int rc = read_document(work, options->cluster, err);

	if (rc == 0 && options->key)
		rc = read_signing_key(work, options->key, err);
	if (rc == 0)
		rc = open_out(work, options->out, err);
	input.out_fd = work->out_fd;
	input.signing_key = work->signing_key;
	if (rc == 0)
		rc = render_make(&input, &work->files, err);
	if (rc == 0)
		rc = make_out(work, options->out, err);
	return rc < 0 ? rc : write_files(work, err);
}

int command_render(const struct options *options)
{
	struct work work CLEANUP(work_done) = {.sys = sys_default(), .out_fd = -1};
	struct err err = ERR_INIT;
	int rc;

	if (!options->cluster || !options->out) {
		(void)fprintf(stderr,
			"promenade: render needs --cluster FILE and --out DIR; "
			"see 'promenade --help'\n");
		return err_exit_status(E_USAGE);
	}
	rc = render(&work, options, &err);
	if (rc < 0)
		return fail(&err);
	for (size_t i = 0; i < work.files.remarks.count; i++)
		(void)fprintf(stderr, "promenade: %s\n", work.files.remarks.items[i]);
	return fflush(stdout) != 0 ? 1 : 0;
}
