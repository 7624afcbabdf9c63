/* SPDX-License-Identifier: MIT */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Longest chain of symlinks followed for the last component of a path that is written
 * (the kernel's MAXSYMLINKS, include/linux/namei.h). */
#define LINKS_MAX 40

void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd); /* nothing was written through it unsynced */
	*fd = -1;
	errno = saved;
}

void dir_close(DIR **dir)
{
	int saved = errno;

	if (*dir)
		(void)closedir(*dir);
	*dir = NULL;
	errno = saved;
}

int fs_open(int dirfd, const char *path, int flags)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	/* EAGAIN: a rename raced with ".." beneath the root (openat2(2)); a few tries. */
	for (int i = 0; i < 16; i++) {
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return fd >= 0 ? fd : -errno;
}

int fs_stat(int dirfd, const char *path, bool follow, struct stat *ret)
{
	int fd CLEANUP(fd_close) =
		fs_open(dirfd, path, O_PATH | (follow ? 0 : O_NOFOLLOW));

	if (fd < 0)
		return fd;
	return fstat(fd, ret) < 0 ? -errno : 0;
}

bool fs_exists(int dirfd, const char *path)
{
	struct stat st;

	return fs_stat(dirfd, path, true, &st) == 0;
}

int fs_read_fd(int fd, const char *name, size_t max, struct buf *ret, struct err *err)
{
	struct buf buf CLEANUP(buf_done) = BUF_INIT;
	char chunk[32768];
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, errno, "read '%s'", name);
		if (n == 0)
			break;
		if ((size_t)n > max - buf.len)
			return err_set(err, E_TOO_BIG,
				"read '%s': larger than the %zu bytes allowed", name,
				max);
		if (buf_add(&buf, chunk, (size_t)n) < 0)
			return err_errno(err, ENOMEM, "read '%s'", name);
	}
	*ret = buf;
	buf = (struct buf)BUF_INIT;
	return 0;
}

int fs_read(int dirfd, const char *path, size_t max, struct buf *ret, struct err *err)
{
	int fd CLEANUP(fd_close) = fs_open(dirfd, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_errno(err, -fd, "open '%s'", path);
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
		return err_errno(err, EISDIR, "read '%s'", path);
	return fs_read_fd(fd, path, max, ret, err);
}

int fs_read_line(int dirfd, const char *path, char *line, size_t size)
{
	struct buf buf CLEANUP(buf_done) = BUF_INIT;
	char *text;
	int rc = fs_read(dirfd, path, 65536, &buf, NULL);

	if (rc < 0)
		return rc;
	if (buf_add(&buf, "", 0) < 0)
		return -ENOMEM;
	text = str_trim(buf.bytes);
	text[strcspn(text, "\n")] = '\0';
	return str_copy(line, size, text) ? 0 : -ENOSPC;
}

int fs_read_link(int dirfd, const char *path, char *target, size_t size)
{
	int fd CLEANUP(fd_close) = fs_open(dirfd, path, O_PATH | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = readlinkat(fd, "", target, size);
	if (n < 0)
		return errno == ENOENT ? -EINVAL : -errno; /* ENOENT: fd is no link */
	if ((size_t)n >= size)
		return -ENAMETOOLONG;
	target[n] = '\0';
	return 0;
}

int fs_list(int dirfd, const char *path, struct strlist *ret)
{
	int fd CLEANUP(fd_close) = fs_open(dirfd, path, O_RDONLY | O_DIRECTORY);
	DIR *dir CLEANUP(dir_close) = NULL;
	struct strlist list = STRLIST_INIT;
	struct dirent *entry;

	if (fd < 0)
		return fd;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	fd = -1; /* owned by dir now */
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (strlist_add(&list, entry->d_name) < 0) {
			strlist_done(&list);
			return -ENOMEM;
		}
	}
	strlist_sort(&list);
	*ret = list;
	return 0;
}

int fs_open_parent(int dirfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	char parent[4096];
	size_t len = slash ? (size_t)(slash - path) : 0;
	int fd;

	if (len >= sizeof(parent))
		return -ENAMETOOLONG;
	memcpy(parent, path, len);
	parent[len] = '\0';
	fd = fs_open(dirfd, len ? parent : ".", O_RDONLY | O_DIRECTORY);
	if (fd >= 0)
		*ret_name = slash ? slash + 1 : path;
	return fd;
}

/* One level: makes name in parent_fd durable when it was missing. */
static int make_dir(const struct sys_ops *sys, int parent_fd, const char *name)
{
	if (sys->mkdirat(parent_fd, name, 0755) < 0)
		return errno == EEXIST ? 0 : -errno;
	return sys->fsync(parent_fd) < 0 ? -errno : 0;
}

int fs_make_dirs(const struct sys_ops *sys, int dirfd, const char *path, struct err *err)
{
	char prefix[4096];
	const char *p = path;

	if (!str_copy(prefix, sizeof(prefix), path))
		return err_errno(err, ENAMETOOLONG, "make directory '%s'", path);
	while (*p) {
		size_t len;
		const char *name;
		struct stat st;
		int rc;

		p += strspn(p, "/");
		p += strcspn(p, "/");
		len = (size_t)(p - path);
		memcpy(prefix, path, len);
		prefix[len] = '\0';
		if (fs_stat(dirfd, prefix[0] ? prefix : ".", true, &st) == 0) {
			if (!S_ISDIR(st.st_mode))
				return err_errno(
					err, ENOTDIR, "make directory '%s'", prefix);
			continue;
		}
		int fd CLEANUP(fd_close) = fs_open_parent(dirfd, prefix, &name);

		if (fd < 0)
			return err_errno(err, -fd, "make directory '%s'", prefix);
		rc = make_dir(sys, fd, name);
		if (rc < 0)
			return err_errno(err, -rc, "make directory '%s'", prefix);
	}
	return 0;
}

int fs_write_all(const struct sys_ops *sys, int fd, const void *bytes, size_t len)
{
	const char *p = bytes;

	while (len) {
		ssize_t n = sys->write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Where a write to path must go when its last component is a symlink: the link's target
 * as a path in the same root. Leaves path itself when it is no link. */
static int follow_last(int dirfd, const char *path, char *ret, size_t size)
{
	if (!str_copy(ret, size, path))
		return -ENAMETOOLONG;
	for (int i = 0; i < LINKS_MAX; i++) {
		char target[4096], *slash;
		int rc = fs_read_link(dirfd, ret, target, sizeof(target));

		if (rc == -EINVAL || rc == -ENOENT)
			return 0; /* no link, or nothing there yet */
		if (rc < 0)
			return rc;
		slash = strrchr(ret, '/');
		if (target[0] == '/' || !slash) {
			if (!str_copy(ret, size, target))
				return -ENAMETOOLONG;
		} else if (!str_copy(
				   slash + 1, size - (size_t)(slash + 1 - ret), target)) {
			return -ENAMETOOLONG;
		}
	}
	return -ELOOP;
}

/* Name of the temporary beside the final one. A fixed name: a temporary that a crash left
 * is overwritten by the next run, so none pile up. */
static int temporary_name(const char *name, char *ret, size_t size)
{
	int len = snprintf(ret, size, ".%s.promenade", name);

	return len < 0 || (size_t)len >= size || len > 255 ? -ENAMETOOLONG : 0;
}

static int write_temporary(const struct sys_ops *sys, int parent_fd, const char *name,
	const struct fs_content *content)
{
	struct open_how how = {
		.flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		.mode = 0600,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	int rc;

	if (sys->unlinkat(parent_fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	int fd CLEANUP(fd_close) = sys->open_write(parent_fd, name, &how);

	if (fd < 0)
		return -errno;
	rc = fs_write_all(sys, fd, content->bytes, content->len);
	if (rc < 0)
		return rc;
	if (sys->fchmod(fd, content->mode) < 0)
		return -errno;
	return sys->fsync(fd) < 0 ? -errno : 0;
}

/* Parent of path, made when missing. */
static int open_made_parent(const struct sys_ops *sys, int dirfd, const char *path,
	const char **ret_name, struct err *err)
{
	char parent[4096];
	const char *slash = strrchr(path, '/');

	if (slash && slash != path) {
		size_t len = (size_t)(slash - path);

		if (len >= sizeof(parent))
			return err_errno(err, ENAMETOOLONG, "write '%s'", path);
		memcpy(parent, path, len);
		parent[len] = '\0';
		if (!fs_exists(dirfd, parent)) {
			int rc = fs_make_dirs(sys, dirfd, parent, err);

			if (rc < 0)
				return rc;
		}
	}
	int fd = fs_open_parent(dirfd, path, ret_name);

	return fd < 0 ? err_errno(err, -fd, "open the directory of '%s'", path) : fd;
}

/* rename over the final name and make the directory entry durable. The temporary is taken
 * away when the rename fails. */
static int publish(
	const struct sys_ops *sys, int parent_fd, const char *temporary, const char *name)
{
	if (sys->renameat2(parent_fd, temporary, parent_fd, name, 0) < 0) {
		int saved = errno;

		(void)sys->unlinkat(parent_fd, temporary, 0); /* best effort */
		return -saved;
	}
	return sys->fsync(parent_fd) < 0 ? -errno : 0;
}

int fs_replace(const struct sys_ops *sys, int dirfd, const char *path,
	const struct fs_content *content, struct err *err)
{
	char real[4096], temporary[300];
	const char *name;
	int rc = follow_last(dirfd, path, real, sizeof(real));

	if (rc < 0)
		return err_errno(err, -rc, "write '%s'", path);
	int fd CLEANUP(fd_close) = open_made_parent(sys, dirfd, real, &name, err);

	if (fd < 0)
		return fd;
	rc = temporary_name(name, temporary, sizeof(temporary));
	if (rc == 0)
		rc = write_temporary(sys, fd, temporary, content);
	if (rc < 0) {
		(void)sys->unlinkat(fd, temporary, 0); /* best effort */
		return err_errno(err, -rc, "write '%s'", path);
	}
	rc = publish(sys, fd, temporary, name);
	return rc < 0 ? err_errno(err, -rc, "write '%s'", path) : 0;
}

int fs_replace_link(const struct sys_ops *sys, int dirfd, const char *path,
	const char *target, struct err *err)
{
	char temporary[300];
	const char *name;
	int rc;
	int fd CLEANUP(fd_close) = open_made_parent(sys, dirfd, path, &name, err);

	if (fd < 0)
		return fd;
	rc = temporary_name(name, temporary, sizeof(temporary));
	if (rc == 0 && sys->unlinkat(fd, temporary, 0) < 0 && errno != ENOENT)
		rc = -errno;
	if (rc == 0 && sys->symlinkat(target, fd, temporary) < 0)
		rc = -errno;
	if (rc == 0)
		rc = publish(sys, fd, temporary, name);
	return rc < 0 ? err_errno(err, -rc, "link '%s' to '%s'", path, target) : 0;
}

int fs_remove(const struct sys_ops *sys, int dirfd, const char *path, struct err *err)
{
	const char *name;
	int fd CLEANUP(fd_close) = fs_open_parent(dirfd, path, &name);

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_errno(err, -fd, "remove '%s'", path);
	if (sys->unlinkat(fd, name, 0) < 0) {
		if (errno == ENOENT)
			return 0;
		return err_errno(err, errno, "remove '%s'", path);
	}
	if (sys->fsync(fd) < 0)
		return err_errno(err, errno, "remove '%s'", path);
	return 0;
}

/* Removes what is beneath fd on device dev; returns the first failure. Depth is bounded
 * by PATH_MAX of the trees that we make ourselves. */
static int remove_children(
	const struct sys_ops *sys, int fd, dev_t dev, unsigned int depth)
{
	struct strlist names = STRLIST_INIT;
	int first = 0, rc = fs_list(fd, ".", &names);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;

		rc = 0;
		if (fstatat(fd, names.items[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
			rc = -errno;
		} else if (!S_ISDIR(st.st_mode)) {
			if (sys->unlinkat(fd, names.items[i], 0) < 0)
				rc = -errno;
		} else if (st.st_dev == dev && depth > 0) {
			int child CLEANUP(fd_close) = fs_open(
				fd, names.items[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

			rc = child < 0 ? child
				       : remove_children(sys, child, dev, depth - 1);
			if (rc == 0 &&
				sys->unlinkat(fd, names.items[i], AT_REMOVEDIR) < 0)
				rc = -errno;
		} else {
			rc = -EXDEV;
		}
		if (rc < 0 && first == 0)
			first = rc;
	}
	strlist_done(&names);
	return first;
}

int fs_remove_tree(
	const struct sys_ops *sys, int dirfd, const char *path, struct err *err)
{
	const char *name;
	struct stat st, above;
	int rc;
	int parent CLEANUP(fd_close) = fs_open_parent(dirfd, path, &name);

	if (parent == -ENOENT)
		return 0;
	if (parent < 0 || fstat(parent, &above) < 0)
		return err_errno(err, parent < 0 ? -parent : errno, "remove '%s'", path);
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "remove '%s'", path);
	/* A mount point at path itself: what is beneath belongs to somebody else. */
	if (st.st_dev != above.st_dev)
		return err_errno(err, EXDEV, "remove '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return fs_remove(sys, dirfd, path, err);
	int fd CLEANUP(fd_close) =
		fs_open(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0)
		return err_errno(err, -fd, "remove '%s'", path);
	rc = remove_children(sys, fd, st.st_dev, 64);
	if (rc == 0 && sys->unlinkat(parent, name, AT_REMOVEDIR) < 0)
		rc = -errno;
	if (rc == 0 && sys->fsync(parent) < 0)
		rc = -errno;
	return rc < 0 ? err_errno(err, -rc, "remove '%s'", path) : 0;
}
