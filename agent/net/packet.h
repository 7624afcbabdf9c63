/* SPDX-License-Identifier: MIT */
/*
 * UDP datagrams of a link that has no address yet: whole Ethernet frames through a packet
 * socket. Frame building and parsing are pure; the socket's writes go through sys->write.
 *
 *   Ethernet 14 | IPv4 20 (no options when sent) | UDP 8 | payload
 */
#ifndef PROMENADE_NET_PACKET_H
#define PROMENADE_NET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/err.h"
#include "base/sys.h"

/* An Ethernet frame of the standard MTU. */
#define PACKET_FRAME_MAX 1514U
#define PACKET_HEADERS_LEN 42U

/* What the headers of a datagram say; addresses are in network order, ports are numbers.
 */
struct packet_udp {
	uint8_t source_mac[6];
	uint8_t dest_mac[6];
	uint8_t source_ip[4];
	uint8_t dest_ip[4];
	uint16_t source_port;
	uint16_t dest_port;
};

/* Builds a frame with both checksums. Returns its length, 0 when the payload does not fit
 * PACKET_FRAME_MAX. */
size_t packet_build(const struct packet_udp *udp, const void *payload, size_t len,
	uint8_t frame[PACKET_FRAME_MAX]) MUST_USE;

/* A received frame. checksum_ready is false for a frame that a virtual NIC of this host
 * sent: its UDP checksum is not filled in yet (TP_STATUS_CSUMNOTREADY). */
struct packet_frame {
	uint8_t bytes[PACKET_FRAME_MAX];
	size_t len;
	bool checksum_ready;
};

/* Parses a frame: IPv4, unfragmented, header checksum, lengths, UDP; the UDP checksum
 * where there is one and it is ready. False when anything is wrong. *ret_payload points
 * into frame. */
bool packet_parse(const struct packet_frame *frame, struct packet_udp *ret,
	const uint8_t **ret_payload, size_t *ret_len) MUST_USE;

/* Opens a packet socket on a link that gets IPv4 UDP to that port only. Returns the fd,
 * non-blocking and O_CLOEXEC, or negative. Errors: errno. */
int packet_open(int link_index, uint16_t port, struct err *err) MUST_USE;

/* Reads the next frame. False when none is pending or the link is gone; frames with a
 * VLAN tag are skipped, they belong to another network. */
bool packet_receive(int fd, struct packet_frame *ret) MUST_USE;

#endif
