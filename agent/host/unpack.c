/* SPDX-License-Identifier: MIT */
/*
 * The parent's side. One socket pair: packed bytes go to the child, its one report comes
 * back. A socket and not a pipe because send(2) can be told not to raise SIGPIPE, which
 * would end the agent when a child has died.
 */
#include "host/unpack.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/proc.h"
#include "base/str.h"
#include "host/unpack_child.h"
#include "host/unpack_confine.h"

/* Packed bytes between the two; the child goes on while the parent waits for the network.
 */
#define SOCKET_BUFFER (1024 * 1024)

struct unpack {
	pid_t pid;  /* 0: reaped */
	int status; /* of wait(2), once reaped */
	int fd;
	bool told_end;      /* no more bytes are sent */
	struct buf pending; /* bytes taken that the socket has not */
	size_t got;         /* bytes of report */
	struct unpack_report report;
};

/* In the child; never returns. Nothing of the parent runs on its way out. */
static NORETURN void child_main(const struct sys_ops *sys, int stream_fd, int staging_fd,
	const struct unpack_limits *limits)
{
	struct unpack_report report = {.magic = UNPACK_REPORT_MAGIC};
	struct err err = ERR_INIT;

	umask(0); /* the modes of the rules are the modes of the files */
	report.code = unpack_confine(
		stream_fd, staging_fd, limits->memory_mib, limits->file_bytes, &err);
	if (report.code == 0)
		report.code = unpack_stream(sys, UNPACK_FD_STREAM, UNPACK_FD_STAGING,
			limits, &report.result, &err);
	(void)str_copy(report.text, sizeof(report.text), err.text);
	/* a parent that is gone needs no report */
	_exit(write(UNPACK_FD_STREAM, &report, sizeof(report)) == sizeof(report) ? 0 : 1);
}

static void widen(int fd)
{
	int size = SOCKET_BUFFER;

	/* FORCE needs a capability and then is not bound by net.core.wmem_max */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

int unpack_new(const struct sys_ops *sys, int staging_fd,
	const struct unpack_limits *limits, struct unpack **ret, struct err *err)
{
	struct unpack *unpack = calloc(1, sizeof(*unpack));
	pid_t parent = getpid();
	int pair[2];

	if (!unpack)
		return err_errno(err, ENOMEM, "start the child that unpacks");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		free(unpack);
		return err_errno(err, errno, "start the child that unpacks");
	}
	widen(pair[0]);
	unpack->fd = pair[0];
	unpack->pid = sys->fork();
	if (unpack->pid == 0) {
		/* gone with its parent, also when that is gone by now */
		if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
			_exit(1);
		child_main(sys, pair[1], staging_fd, limits);
	}
	fd_close(&pair[1]);
	if (unpack->pid < 0) {
		unpack->pid = 0;
		err_errno(err, errno, "start the child that unpacks");
		unpack_free(&unpack);
		return err ? err->code : -EAGAIN;
	}
	*ret = unpack;
	return 0;
}

static void reap(struct unpack *unpack)
{
	if (unpack->pid <= 0)
		return;
	while (waitpid(unpack->pid, &unpack->status, 0) < 0 && errno == EINTR)
		continue;
	unpack->pid = 0;
}

/* The child ended without a whole report: how. */
static int child_died(struct unpack *unpack, struct err *err)
{
	char how[80], said[160];
	struct proc_result result = {.status = WIFSIGNALED(unpack->status)
						       ? -WTERMSIG(unpack->status)
						       : WEXITSTATUS(unpack->status)};
	size_t len = unpack->got < sizeof(said) ? unpack->got : sizeof(said) - 1;

	if (result.status == -SIGXCPU || result.status == -SIGXFSZ)
		return err_set(err, E_TOO_BIG,
			"unpacking exceeds the limit of %s; repack it smaller",
			result.status == -SIGXCPU ? "CPU time" : "file size");
	proc_result_text(&result, how, sizeof(how));
	memcpy(said, &unpack->report, len);
	said[len] = '\0';
	str_make_printable(said);
	return err_set(err, E_CHILD,
		"the child that unpacks ended: %s%s%s; hostile or damaged bytes?", how,
		len ? ": " : "", said);
}

/* Reads on at the report. -EAGAIN, or 0 when the child has ended and is reaped. */
static int read_report(struct unpack *unpack)
{
	while (unpack->got < sizeof(unpack->report)) {
		ssize_t n = recv(unpack->fd, (char *)&unpack->report + unpack->got,
			sizeof(unpack->report) - unpack->got, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (n <= 0)
			break; /* the end, or reset: it ended with bytes unread */
		unpack->got += (size_t)n;
	}
	/* A healthy child has nothing left to do. One that hostile bytes run might stay
	 * for ever; for one that is ending the signal is too late to change its status.
	 */
	if (unpack->pid > 0)
		(void)kill(unpack->pid, SIGKILL);
	reap(unpack);
	return 0;
}

/* The child has ended: its report as a result. Whatever it says is not trusted with more
 * than a code of ours and one printable line. */
static int judge(struct unpack *unpack, struct unpack_result *ret, struct err *err)
{
	struct unpack_report *report = &unpack->report;

	if (unpack->got < sizeof(*report) || report->magic != UNPACK_REPORT_MAGIC ||
		report->code > 0 || report->code <= -E_LAST ||
		report->code == -EAGAIN /* ours, for "not yet" */)
		return child_died(unpack, err);
	if (report->code == 0) {
		if (ret)
			*ret = report->result;
		return 0;
	}
	report->text[sizeof(report->text) - 1] = '\0';
	str_make_printable(report->text);
	return err_set(err, -report->code, "%s", report->text);
}

/* The child takes no more: it has refused, or died. */
static int write_failed(struct unpack *unpack, struct err *err)
{
	int rc;

	/* It ends now; its report is there or it has none. Not -EAGAIN for long. */
	while ((rc = read_report(unpack)) == -EAGAIN) {
		struct pollfd wait = {.fd = unpack->fd, .events = POLLIN};

		if (poll(&wait, 1, 1000) == 0) {
			(void)kill(unpack->pid, SIGKILL);
			reap(unpack);
			break;
		}
	}
	rc = judge(unpack, NULL, err);
	if (rc == 0)
		rc = err_set(err, E_CHILD, "the child that unpacks ended too early");
	return rc;
}

/* Sends what is pending. 0 when nothing is left. */
static int flush(struct unpack *unpack)
{
	struct buf *pending = &unpack->pending;
	size_t sent = 0;

	while (sent < pending->len) {
		ssize_t n = send(unpack->fd, pending->bytes + sent, pending->len - sent,
			MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -errno;
		if (n < 0)
			break;
		sent += (size_t)n;
	}
	if (sent) {
		memmove(pending->bytes, pending->bytes + sent, pending->len - sent);
		pending->len -= sent;
	}
	return pending->len ? -EAGAIN : 0;
}

int unpack_write(struct unpack *unpack, const void *bytes, size_t len, struct err *err)
{
	ssize_t n;
	int rc = flush(unpack);

	if (rc == -EAGAIN)
		return rc;
	if (rc < 0)
		return write_failed(unpack, err);
	do {
		n = send(unpack->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno != EAGAIN)
		return write_failed(unpack, err);
	if (n <= 0)
		return len ? -EAGAIN : 0;
	if ((size_t)n < len &&
		buf_add(&unpack->pending, (const char *)bytes + n, len - (size_t)n) < 0)
		return err_errno(err, ENOMEM, "unpack");
	return 0;
}

int unpack_finish(struct unpack *unpack, struct unpack_result *ret, struct err *err)
{
	int rc = flush(unpack);

	if (rc == -EAGAIN)
		return rc;
	if (rc < 0)
		return write_failed(unpack, err);
	if (!unpack->told_end && shutdown(unpack->fd, SHUT_WR) < 0)
		return write_failed(unpack, err);
	unpack->told_end = true;
	rc = read_report(unpack);
	return rc < 0 ? rc : judge(unpack, ret, err);
}

int unpack_poll_fd(const struct unpack *unpack, short *ret_events)
{
	*ret_events = unpack->told_end ? POLLIN : POLLOUT;
	return unpack->fd;
}

void unpack_free(struct unpack **unpack)
{
	if (!*unpack)
		return;
	if ((*unpack)->pid > 0)
		(void)kill((*unpack)->pid, SIGKILL); /* ours, and not reaped yet */
	reap(*unpack);
	fd_close(&(*unpack)->fd);
	buf_done(&(*unpack)->pending);
	free(*unpack);
	*unpack = NULL;
}
