/* SPDX-License-Identifier: MIT */
#include "net/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#include "base/fs.h"

#define IP_HEADER_LEN 20U
#define UDP_HEADER_LEN 8U
#define IP_PROTOCOL_UDP 17
#define DEFAULT_TTL 64
/* Don't fragment; the rest of the field is zero (RFC 791 3.1). */
#define IP_DONT_FRAGMENT 0x4000U

static void put16(uint8_t *at, size_t number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* One's complement sum of RFC 1071, not folded. */
static uint32_t sum_bytes(const uint8_t *bytes, size_t len, uint32_t sum)
{
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += get16(bytes + i);
	return i < len ? sum + ((uint32_t)bytes[i] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffffU) + (sum >> 16);
	return (uint16_t)sum;
}

/* Sum of the UDP pseudo header (RFC 768) and len bytes at udp. */
static uint32_t sum_udp(const uint8_t *ip, const uint8_t *udp, size_t len)
{
	uint32_t sum = IP_PROTOCOL_UDP + (uint32_t)len;

	return sum_bytes(udp, len, sum_bytes(ip + 12, 8, sum));
}

size_t packet_build(const struct packet_udp *udp, const void *payload, size_t len,
	uint8_t frame[PACKET_FRAME_MAX])
{
	uint8_t *ip = frame + ETH_HLEN;
	uint8_t *datagram = ip + IP_HEADER_LEN;
	uint16_t checksum;

	if (len > PACKET_FRAME_MAX - PACKET_HEADERS_LEN)
		return 0;
	memset(frame, 0, PACKET_HEADERS_LEN);
	memcpy(frame, udp->dest_mac, ETH_ALEN);
	memcpy(frame + ETH_ALEN, udp->source_mac, ETH_ALEN);
	put16(frame + 12, ETH_P_IP);

	ip[0] = 0x45; /* version 4, five words */
	put16(ip + 2, IP_HEADER_LEN + UDP_HEADER_LEN + len);
	put16(ip + 6, IP_DONT_FRAGMENT);
	ip[8] = DEFAULT_TTL;
	ip[9] = IP_PROTOCOL_UDP;
	memcpy(ip + 12, udp->source_ip, 4);
	memcpy(ip + 16, udp->dest_ip, 4);
	put16(ip + 10, (uint16_t)~fold(sum_bytes(ip, IP_HEADER_LEN, 0)));

	put16(datagram, udp->source_port);
	put16(datagram + 2, udp->dest_port);
	put16(datagram + 4, UDP_HEADER_LEN + len);
	memcpy(datagram + UDP_HEADER_LEN, payload, len);
	checksum = (uint16_t)~fold(sum_udp(ip, datagram, UDP_HEADER_LEN + len));
	put16(datagram + 6, checksum ? checksum : 0xffffU); /* 0 means none, RFC 768 */
	return PACKET_HEADERS_LEN + len;
}

/* Length of the IPv4 packet at ip when its header is sound and it is whole UDP, else 0.
 */
static size_t check_ip(const uint8_t *ip, size_t len)
{
	size_t header_len, total;

	if (len < IP_HEADER_LEN || ip[0] >> 4 != 4)
		return 0;
	header_len = (size_t)(ip[0] & 0xf) * 4;
	total = get16(ip + 2);
	if (header_len < IP_HEADER_LEN || header_len + UDP_HEADER_LEN > total ||
		total > len)
		return 0;
	if (fold(sum_bytes(ip, header_len, 0)) != 0xffffU)
		return 0;
	if (ip[9] != IP_PROTOCOL_UDP || (get16(ip + 6) & ~IP_DONT_FRAGMENT) != 0)
		return 0;
	return total;
}

bool packet_parse(const struct packet_frame *frame, struct packet_udp *ret,
	const uint8_t **ret_payload, size_t *ret_len)
{
	const uint8_t *ip = frame->bytes + ETH_HLEN;
	const uint8_t *udp;
	size_t total, udp_len, header_len;

	if (frame->len < ETH_HLEN || get16(frame->bytes + 12) != ETH_P_IP)
		return false;
	total = check_ip(ip, frame->len - ETH_HLEN);
	if (total == 0)
		return false;
	header_len = (size_t)(ip[0] & 0xf) * 4;
	udp = ip + header_len;
	udp_len = get16(udp + 4);
	if (udp_len < UDP_HEADER_LEN || udp_len > total - header_len)
		return false;
	if (frame->checksum_ready && get16(udp + 6) != 0 &&
		fold(sum_udp(ip, udp, udp_len)) != 0xffffU)
		return false;
	memcpy(ret->dest_mac, frame->bytes, ETH_ALEN);
	memcpy(ret->source_mac, frame->bytes + ETH_ALEN, ETH_ALEN);
	memcpy(ret->source_ip, ip + 12, 4);
	memcpy(ret->dest_ip, ip + 16, 4);
	ret->source_port = get16(udp);
	ret->dest_port = get16(udp + 2);
	*ret_payload = udp + UDP_HEADER_LEN;
	*ret_len = udp_len - UDP_HEADER_LEN;
	return true;
}

static int attach_filter(int fd, uint16_t port)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), /* EtherType */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 8),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 9), /* IP protocol */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP_PROTOCOL_UDP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_HLEN + 6), /* fragment offset */
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETH_HLEN), /* x = IP header length */
		BPF_STMT(BPF_LD | BPF_H | BPF_IND,
			ETH_HLEN + 2), /* UDP destination port */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program));
}

int packet_open(int link_index, uint16_t port, struct err *err)
{
	struct sockaddr_ll self = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = link_index,
	};
	int one = 1;
	/* Protocol 0 receives nothing until bind(), when the filter is there already. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int code;

	if (fd < 0)
		return err_errno(err, errno, "open a packet socket");
	if (attach_filter(fd, port) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &one, sizeof(one)) < 0 ||
		bind(fd, (const struct sockaddr *)&self, sizeof(self)) < 0) {
		code = errno;
		fd_close(&fd);
		return err_errno(
			err, code, "bind a packet socket to link %d", link_index);
	}
	return fd;
}

/* Reads the kernel's note on a frame, the one control message that was asked for; false
 * when it came with a VLAN tag. */
static bool read_status(const struct msghdr *message, bool *ret_checksum_ready)
{
	const struct cmsghdr *note = CMSG_FIRSTHDR(message);
	struct tpacket_auxdata status;

	*ret_checksum_ready = true;
	if (!note || note->cmsg_level != SOL_PACKET ||
		note->cmsg_type != PACKET_AUXDATA ||
		note->cmsg_len < CMSG_LEN(sizeof(status)))
		return true;
	memcpy(&status, CMSG_DATA(note), sizeof(status));
	*ret_checksum_ready = !(status.tp_status & TP_STATUS_CSUMNOTREADY);
	/* VID 0 is a priority tag on the untagged network (IEEE 802.1Q). */
	return !(status.tp_status & TP_STATUS_VLAN_VALID) ||
	       (status.tp_vlan_tci & 0x0fff) == 0;
}

bool packet_receive(int fd, struct packet_frame *ret)
{
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec iov = {.iov_base = ret->bytes, .iov_len = sizeof(ret->bytes)};

	for (;;) {
		struct msghdr message = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t len = recvmsg(fd, &message, 0);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return false;
		ret->len = (size_t)len;
		/* A longer frame was cut: no DHCP server sends one, and its length is
		 * off. */
		if (read_status(&message, &ret->checksum_ready) &&
			!(message.msg_flags & MSG_TRUNC))
			return true;
	}
}
