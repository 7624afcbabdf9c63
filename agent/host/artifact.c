/* SPDX-License-Identifier: MIT */
/*
 * Per artifact: look at the target (LOOK_*), and where bytes are missing, a job that is
 * the sink of one stream:
 *
 *   begin   free space, staging, child      write   child or file, digest
 *   finish  digest against the role, then the child's report, then publish
 *
 * The digest speaks first: why hostile bytes did not unpack is not worth a word, and only
 * what the role names may be refused "by name".
 */
#include "host/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/fs.h"
#include "host/artifact_place.h"
#include "host/artifact_stamp.h"
#include "host/unpack.h"
#include "host/verify.h"

/* Largest body: a container image archive of a big control plane is below it. */
#define ARTIFACT_BYTES_MAX (8ULL << 30)
/* Rounds of downloading: the second fetches anew what a changed server broke. */
#define ROUNDS 2

enum look {
	LOOK_DONE,
	LOOK_STAMP, /* right, but the stamp is missing */
	LOOK_MODE,  /* right, but for the mode */
	LOOK_FETCH
};

struct job {
	struct env *env;
	const struct artifact *artifact;
	struct artifact_place place;
	struct artifact_stamp old;
	struct verify_sha256 *sha;
	bool hashed;           /* the digest was compared, and is right */
	int fd;                /* staged file or directory */
	struct unpack *unpack; /* not for ARTIFACT_FILE */
	struct err refused;    /* the child's, kept until the digest has spoken */
	struct fetch_stream *stream;
	struct err failed; /* code 0: it did not */
	bool todo;
};

static const struct unpack_limits *limits_of(enum artifact_kind kind)
{
	static const struct unpack_limits plugins = UNPACK_LIMITS_PLUGINS;
	static const struct unpack_limits tree = UNPACK_LIMITS_TREE;

	return kind == ARTIFACT_PLUGINS ? &plugins : &tree;
}

static int hash_file(const struct artifact_place *place, char hex[65], struct err *err)
{
	int fd CLEANUP(fd_close) = fs_open(
		place->parent_fd, place->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return err_errno(err, -fd, "open '%s'", place->artifact->path);
	return verify_sha256_fd(fd, place->artifact->path, hex, err);
}

static int look_at_file(const struct artifact_place *place,
	const struct artifact_stamp *stamp, enum look *ret, struct err *err)
{
	const struct artifact *artifact = place->artifact;
	struct stat st;
	char hex[65];
	bool fits;
	int rc = fs_stat(place->parent_fd, place->name, false, &st);

	*ret = LOOK_FETCH;
	if (rc == -ENOENT || (rc == 0 && S_ISLNK(st.st_mode)))
		return 0;
	if (rc == 0 && S_ISDIR(st.st_mode))
		return err_set(err, EISDIR,
			"'%s' is a directory, but the artifact is a file; add the file's "
			"name to its path, or 'unpack: true'",
			artifact->path);
	if (rc < 0)
		return err_errno(err, -rc, "look at '%s'", artifact->path);
	if (!S_ISREG(st.st_mode))
		return 0;
	fits = strcmp(stamp->sha256, artifact->sha256) == 0 && stamp->count == 1 &&
	       artifact_stamp_fits(&stamp->files[0], &st);
	if (!fits) {
		rc = hash_file(place, hex, err);
		if (rc < 0 || strcmp(hex, artifact->sha256) != 0)
			return rc;
	}
	if ((st.st_mode & 07777) != artifact->mode)
		*ret = LOOK_MODE;
	else
		*ret = fits ? LOOK_DONE : LOOK_STAMP;
	return 0;
}

/* A directory that others filled is not ours to replace. */
static int check_ours(const struct artifact_place *place,
	const struct artifact_stamp *stamp, int fd, struct err *err)
{
	struct strlist names CLEANUP(strlist_done) = STRLIST_INIT;
	int rc;

	if (place->artifact->kind != ARTIFACT_TREE || stamp->sha256[0])
		return 0;
	rc = fs_list(fd, ".", &names);
	if (rc < 0)
		return err_errno(err, -rc, "look at '%s'", place->artifact->path);
	if (names.count == 0)
		return 0;
	return err_set(err, EEXIST,
		"'%s' is there and was not unpacked by this agent (it holds '%.80s'); "
		"choose a directory of its own, or remove this one",
		place->artifact->path, names.items[0]);
}

static int look_at_tree(const struct artifact_place *place,
	const struct artifact_stamp *stamp, enum look *ret, struct err *err)
{
	int fd CLEANUP(fd_close) = fs_open(
		place->parent_fd, place->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	int rc;

	*ret = LOOK_FETCH;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_errno(err, -fd, "look at '%s'", place->artifact->path);
	if (place->artifact->kind == ARTIFACT_MODULES) {
		if (fs_exists(fd, "modules.dep"))
			*ret = LOOK_DONE;
		return 0;
	}
	rc = check_ours(place, stamp, fd, err);
	if (rc == 0 && strcmp(stamp->sha256, place->artifact->sha256) == 0 &&
		artifact_stamp_fits_tree(stamp, fd))
		*ret = LOOK_DONE;
	return rc;
}

/* What is there, and the stamp of it (sha256 "" when there is none). */
static int look(const struct artifact_place *place, struct artifact_stamp *ret_stamp,
	enum look *ret, struct err *err)
{
	int rc = artifact_stamp_read(place->env, place->artifact->path, ret_stamp);

	if (rc < 0 && rc != -ENOENT)
		return err_errno(
			err, -rc, "read the stamp of '%s'", place->artifact->path);
	if (place->artifact->kind == ARTIFACT_FILE)
		return look_at_file(place, ret_stamp, ret, err);
	return look_at_tree(place, ret_stamp, ret, err);
}

static void describe(
	const struct artifact *artifact, enum look seen, char *text, size_t size)
{
	char url[200];

	fetch_url_printable(artifact->url, url, sizeof(url));
	if (seen == LOOK_MODE)
		(void)snprintf(text, size, "set the mode of '%s' to %04o", artifact->path,
			(unsigned int)artifact->mode);
	else if (seen == LOOK_DONE || seen == LOOK_STAMP)
		(void)snprintf(text, size, "remove what a stopped run left beside '%s'",
			artifact->path);
	else
		(void)snprintf(text, size, "%s '%s' into '%s'",
			artifact->kind == ARTIFACT_FILE ? "fetch" : "unpack", url,
			artifact->path);
}

int artifact_check(const struct env *env, const struct artifact *artifact, bool *ret_done,
	char *change, size_t size, struct err *err)
{
	struct artifact_stamp stamp CLEANUP(artifact_stamp_done) = {.count = 0};
	struct artifact_place place CLEANUP(artifact_place_close) = {.parent_fd = -1};
	enum look seen = LOOK_FETCH;
	int rc = artifact_place_open(env, artifact, false, &place, err);

	if (rc == 0)
		rc = look(&place, &stamp, &seen, err);
	else if (rc == -ENOENT)
		rc = 0; /* not even its directory is there */
	if (rc < 0)
		return rc;
	*ret_done = (seen == LOOK_DONE || seen == LOOK_STAMP) &&
		    !artifact_place_has_leftover(&place);
	if (!*ret_done)
		describe(artifact, seen, change, size);
	return 0;
}

static void job_unstage(struct job *job)
{
	unpack_free(&job->unpack);
	verify_sha256_free(&job->sha);
	fd_close(&job->fd);
	job->hashed = false;
	job->refused = (struct err)ERR_INIT;
}

static int check_space(const struct job *job, uint64_t size, struct err *err)
{
	struct statvfs vfs;
	uint64_t free_bytes;

	if (fstatvfs(job->place.parent_fd, &vfs) < 0)
		return err_errno(err, errno, "look at the file system of '%s'",
			job->artifact->path);
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (size <= free_bytes)
		return 0;
	return err_set(err, ENOSPC,
		"'%s' needs %s%llu MiB, %llu MiB are free on its file system",
		job->artifact->path,
		job->artifact->kind == ARTIFACT_FILE ? "" : "more than ",
		(unsigned long long)((size >> 20) + 1),
		(unsigned long long)(free_bytes >> 20));
}

static int job_begin(void *context, uint64_t size, struct err *err)
{
	struct job *job = context;
	int rc = check_space(job, size, err);

	if (rc == 0)
		rc = verify_sha256_new(&job->sha, err);
	if (rc < 0)
		return rc;
	job->fd = artifact_place_stage(&job->place, err);
	if (job->fd < 0)
		return job->fd;
	if (job->artifact->kind == ARTIFACT_FILE)
		return 0;
	return unpack_new(job->env->sys, job->fd, limits_of(job->artifact->kind),
		&job->unpack, err);
}

/* Words for what went wrong in unpacking. */
static int unpack_error(const struct job *job, struct err *err)
{
	char url[200];

	fetch_url_printable(job->artifact->url, url, sizeof(url));
	return err_wrap(err, "unpack '%s'", url);
}

/* True for a refusal of these very bytes: it counts only if they are the role's. A full
 * disk or a child that cannot be confined is worth saying at once. */
static bool blames_bytes(int code)
{
	return code == -E_ARCHIVE || code == -E_TOO_BIG || code == -E_CHILD;
}

static int write_unpack(struct job *job, const void *bytes, size_t len, struct err *err)
{
	int rc = unpack_write(job->unpack, bytes, len, &job->refused);

	if (rc == 0 || rc == -EAGAIN)
		return rc;
	unpack_free(&job->unpack);
	if (blames_bytes(rc))
		return 0;
	*err = job->refused;
	return unpack_error(job, err);
}

static int job_write(void *context, const void *bytes, size_t len, struct err *err)
{
	struct job *job = context;
	int rc = 0;

	if (job->artifact->kind == ARTIFACT_FILE) {
		rc = fs_write_all(job->env->sys, job->fd, bytes, len);
		if (rc < 0)
			return err_errno(err, -rc, "write '%s'", job->artifact->path);
	} else if (job->unpack) {
		rc = write_unpack(job, bytes, len, err);
	}
	if (rc == 0)
		verify_sha256_update(job->sha, bytes, len);
	return rc;
}

static int check_digest(struct job *job, struct err *err)
{
	char hex[65], url[200];
	int rc = verify_sha256_finish(job->sha, hex, err);

	if (rc < 0)
		return rc;
	job->hashed = true;
	if (strcmp(hex, job->artifact->sha256) == 0)
		return 0;
	fetch_url_printable(job->artifact->url, url, sizeof(url));
	return err_set(err, E_DIGEST,
		"'%s' (%llu bytes) has SHA-256 %s, the role says %s; put the right file "
		"on the server or the right hash into the role",
		url, (unsigned long long)job->stream->received, hex,
		job->artifact->sha256);
}

static int job_finish(void *context, struct err *err)
{
	struct job *job = context;
	int rc = job->hashed ? 0 : check_digest(job, err);

	if (rc < 0)
		return rc;
	if (job->artifact->kind == ARTIFACT_FILE)
		return artifact_place_publish_file(&job->place, job->fd, err);
	rc = job->unpack ? unpack_finish(job->unpack, NULL, &job->refused)
			 : job->refused.code;
	if (rc == -EAGAIN)
		return rc;
	if (rc < 0) {
		*err = job->refused;
		return unpack_error(job, err);
	}
	rc = artifact_place_publish_tree(&job->place, job->fd, &job->old, err);
	return rc == -E_ARCHIVE ? unpack_error(job, err) : rc;
}

static int job_poll_fd(void *context, short *ret_events)
{
	struct job *job = context;

	return job->unpack ? unpack_poll_fd(job->unpack, ret_events) : -1;
}

/* A file whose bytes are right already: its mode, its stamp. */
static int mend_file(struct job *job, struct err *err)
{
	struct artifact_stamp stamp CLEANUP(artifact_stamp_done) = {.count = 0};
	int fd CLEANUP(fd_close) =
		fs_open(job->place.parent_fd, job->place.name, O_RDONLY | O_NOFOLLOW);
	struct stat st;

	if (fd < 0)
		return err_errno(err, -fd, "open '%s'", job->artifact->path);
	if (fstat(fd, &st) < 0 ||
		((st.st_mode & 07777) != job->artifact->mode &&
			(job->env->sys->fchmod(fd, job->artifact->mode) < 0 ||
				job->env->sys->fsync(fd) < 0)) ||
		fstat(fd, &st) < 0)
		return err_errno(err, errno, "set the mode of '%s'", job->artifact->path);
	(void)str_copy(stamp.sha256, sizeof(stamp.sha256), job->artifact->sha256);
	if (artifact_stamp_add(&stamp, ".", &st) < 0)
		return err_errno(err, ENOMEM, "look at '%s'", job->artifact->path);
	return artifact_stamp_write(job->env, job->artifact->path, &stamp, err);
}

/* Cleans up after a killed run and sees what is to be done. */
static int job_init(struct job *job, struct err *err)
{
	enum look seen = LOOK_FETCH;
	int rc = artifact_place_open(job->env, job->artifact, true, &job->place, err);

	if (rc < 0)
		return rc;
	rc = artifact_place_clean(&job->place, err);
	if (rc == 0)
		rc = look(&job->place, &job->old, &seen, err);
	if (rc < 0)
		return rc;
	job->todo = seen == LOOK_FETCH;
	if (seen == LOOK_STAMP || seen == LOOK_MODE)
		return mend_file(job, err);
	return 0;
}

static void job_done(struct job *job)
{
	job_unstage(job);
	artifact_stamp_done(&job->old);
	artifact_place_close(&job->place);
}

static void fill_stream(struct job *job, struct fetch_stream *stream)
{
	*stream = (struct fetch_stream){
		.url = job->artifact->url,
		.name = job->artifact->path,
		.allow_http = true, /* the digest is the role's */
		.limit = ARTIFACT_BYTES_MAX,
		.sink = {job_begin, job_write, job_finish, job_poll_fd, job},
	};
	job->stream = stream;
}

/* A digest that is wrong after parts of two bodies were put together says nothing. */
static bool worth_another_round(const struct fetch_stream *stream)
{
	return stream->changed ||
	       (stream->code == -E_DIGEST && (stream->resumed || stream->size == 0));
}

/* After its stream: what it leads to, and nothing left over. */
static void job_settle(struct job *job)
{
	const struct fetch_stream *stream = job->stream;
	struct err ignored;
	int rc = 0;

	job_unstage(job);
	job->todo = stream->code < 0 && worth_another_round(stream);
	job->failed = stream->code < 0 ? stream->err : (struct err)ERR_INIT;
	if (stream->code < 0)
		rc = artifact_place_clean(&job->place, &ignored);
	(void)rc; /* what stays is cleaned by the next run */
}

/* Fetches the jobs that are to do; todo stays for those worth another round. Fails only
 * when nothing could be fetched at all. */
static int run_round(struct job *jobs, size_t count, struct fetch *fetch,
	const struct fetch_progress *progress, struct err *err)
{
	struct fetch_stream *streams = calloc(count, sizeof(*streams));
	struct err why = ERR_INIT;
	size_t used = 0;
	int rc;

	if (!streams)
		return err_errno(err, ENOMEM, "fetch artifacts");
	for (size_t i = 0; i < count; i++)
		if (jobs[i].todo)
			fill_stream(&jobs[i], &streams[used++]);
	rc = fetch_streams(fetch, streams, used, progress, &why);
	for (size_t i = 0; i < count; i++)
		if (jobs[i].todo)
			job_settle(&jobs[i]);
	free(streams);
	if (rc != -E_BUG)
		return 0; /* each job has its own */
	return err_set(err, E_BUG, "%s", why.text);
}

static bool any_todo(const struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (jobs[i].todo)
			return true;
	return false;
}

static int run_jobs(struct job *jobs, size_t count, struct fetch *fetch,
	const struct fetch_progress *progress, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = job_init(&jobs[i], err);
	for (int round = 0; rc == 0 && round < ROUNDS && any_todo(jobs, count); round++)
		rc = run_round(jobs, count, fetch, progress, err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = jobs[i].failed.code;
		if (rc < 0 && err)
			*err = jobs[i].failed;
	}
	return rc;
}

int artifacts_apply(struct env *env, struct fetch *fetch,
	const struct artifact *artifacts, size_t count,
	const struct fetch_progress *progress, struct err *err)
{
	struct job *jobs = calloc(count ? count : 1, sizeof(*jobs));
	int rc;

	if (!jobs)
		return err_errno(err, ENOMEM, "fetch artifacts");
	for (size_t i = 0; i < count; i++) {
		jobs[i].env = env;
		jobs[i].artifact = &artifacts[i];
		jobs[i].place.parent_fd = -1;
		jobs[i].fd = -1;
	}
	rc = run_jobs(jobs, count, fetch, progress, err);
	for (size_t i = 0; i < count; i++)
		job_done(&jobs[i]);
	free(jobs);
	return rc;
}
