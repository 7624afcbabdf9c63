/* SPDX-License-Identifier: MIT */
#include "host/module_uevent.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"

/* lib/kobject_uevent.c: the kernel sends to this group, udevd to the next. */
#define KERNEL_GROUP 1

/* A server with hundreds of disks announces them in one burst while a driver probes. */
#define RECEIVE_BYTES (4 << 20)

int uevent_open(struct err *err)
{
	struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	int size = RECEIVE_BYTES;
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
		NETLINK_KOBJECT_UEVENT);

	if (fd < 0)
		return err_errno(err, errno, "open the uevent socket");
	/* Without privilege the default size stays, and a burst is noticed as lost. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
		int code = errno;

		fd_close(&fd);
		return err_errno(err, code, "bind the uevent socket");
	}
	return fd;
}

const char *uevent_modalias(const char *message, size_t len)
{
	static const char key[] = "MODALIAS=";
	const char *end = message + len;

	if (len == 0 || message[len - 1] != '\0' || !str_has_prefix(message, "add@"))
		return NULL;
	for (const char *field = message; field < end; field += strlen(field) + 1)
		if (str_has_prefix(field, key))
			return field + sizeof(key) - 1;
	return NULL;
}

enum uevent uevent_take(int fd, char *modalias, size_t size)
{
	char message[UEVENT_BYTES_MAX];
	struct sockaddr_nl sender = {.nl_family = AF_UNSPEC};
	struct iovec bytes = {.iov_base = message, .iov_len = sizeof(message)};
	struct msghdr header = {.msg_name = &sender,
		.msg_namelen = sizeof(sender),
		.msg_iov = &bytes,
		.msg_iovlen = 1};
	ssize_t len;
	const char *alias;

	do
		len = recvmsg(fd, &header, 0);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return errno == ENOBUFS ? UEVENT_LOST : UEVENT_NONE;
	if (sender.nl_family != AF_NETLINK || sender.nl_pid != 0)
		return UEVENT_OTHER;
	if (header.msg_flags & MSG_TRUNC)
		return UEVENT_LOST;
	alias = uevent_modalias(message, (size_t)len);
	return alias && str_copy(modalias, size, alias) ? UEVENT_MODALIAS : UEVENT_OTHER;
}
