#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A DHCP server that misbehaves on demand, for tests/net/run.py: what dnsmasq would never send.

    dhcp_server.py LINK MODE [LEASE_SECONDS]

It owns 10.88.0.1 on LINK and offers 10.88.0.50. Every received message is printed as a line
TYPE ciaddr=A requested=A server=A, so that the test sees what the client said.
MODE good      plain offers and acknowledgements
     foreign   before each acknowledgement a NAK and an ACK of another server (10.88.0.66)
     refuse    a NAK to the first two requests, then good
     noise     before each good answer: garbage, a truncated option, an overload loop, another
               xid, another MAC, no type (BOOTP), 0.0.0.0 (proxyDHCP)
     host32    a /32 with a router outside of it"""
import socket
import struct
import sys

COOKIE = bytes((99, 130, 83, 99))
OWN = "10.88.0.1"
FOREIGN = "10.88.0.66"
TYPES = {1: "DISCOVER", 3: "REQUEST", 4: "DECLINE", 7: "RELEASE"}
OFFER, ACK, NAK = 2, 5, 6


def option(code, value):
    return bytes((code, len(value))) + value


def address(text):
    return socket.inet_aton(text)


def read_options(message):
    found, at = {}, 240
    while at < len(message) and message[at] != 255:
        if message[at] == 0:
            at += 1
            continue
        length = message[at + 1]
        found[message[at]] = message[at + 2:at + 2 + length]
        at += 2 + length
    return found


class Server:
    def __init__(self, link, mode, lease):
        self.mode, self.lease, self.requests = mode, lease, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, link.encode())
        self.socket.bind(("", 67))

    def reply(self, ask, kind, server=OWN, **change):
        """One message; change may replace xid, mac, given, options."""
        given = change.get("given", "0.0.0.0" if kind == NAK else "10.88.0.50")
        fixed = struct.pack("!BBBBIHH", 2, 1, 6, 0, 0, 0, 0)
        fixed = fixed[:4] + change.get("xid", ask[4:8]) + fixed[8:]
        message = fixed + bytes(4) + address(given) + address(server) + bytes(4)
        message += change.get("mac", ask[28:44]) + change.get("names", bytes(192)) + COOKIE
        message += change.get("options", self.options(kind, server)) + b"\xff"
        self.socket.sendto(message, ("255.255.255.255", 68))

    def options(self, kind, server):
        if kind == NAK:
            return option(53, bytes((NAK,))) + option(54, address(server)) + option(56, b"no \x1b[2J")
        mask, router = "255.255.255.0", OWN
        if self.mode == "host32":
            mask, router = "255.255.255.255", "10.99.0.1"
        return (option(53, bytes((kind,))) + option(54, address(server))
                + option(51, struct.pack("!I", self.lease)) + option(1, address(mask))
                + option(3, address(router)))

    def make_noise(self, ask, kind):
        good = self.options(kind, OWN)
        self.socket.sendto(b"x", ("255.255.255.255", 68))
        self.socket.sendto(ask[:200], ("255.255.255.255", 68))
        self.reply(ask, kind, options=good + bytes((6, 200, 1)))
        loop = bytearray(192)
        loop[0:3] = loop[64:67] = option(52, b"\x03")
        self.reply(ask, kind, names=bytes(loop), options=option(52, b"\x03") + option(53, b"\x09"))
        self.reply(ask, kind, xid=bytes(4), given="10.88.0.77")
        self.reply(ask, kind, mac=bytes(16), given="10.88.0.78")
        self.reply(ask, kind, options=option(1, address("255.255.255.0")), given="10.88.0.79")
        self.reply(ask, kind, given="0.0.0.0")
        self.reply(ask, kind, given="239.0.0.1")
        self.reply(ask, kind, options=option(53, bytes((kind,))), given="10.88.0.80")

    def answer_request(self, ask):
        self.requests += 1
        if self.mode == "foreign":
            self.reply(ask, NAK, server=FOREIGN)
            self.reply(ask, ACK, server=FOREIGN, given="10.88.0.81")
        if self.mode == "refuse" and self.requests <= 2:
            self.reply(ask, NAK)
        else:
            self.reply(ask, ACK)

    def serve(self):
        print("ready", flush=True)
        while True:
            ask, _ = self.socket.recvfrom(2048)
            if len(ask) < 240 or ask[0] != 1:
                continue
            found = read_options(ask)
            kind = found.get(53, b"\0")[0]
            said = {name: socket.inet_ntoa(value) for name, value in (
                ("ciaddr", ask[12:16]), ("requested", found.get(50, bytes(4))),
                ("server", found.get(54, bytes(4))))}
            print(TYPES.get(kind, kind), *(f"{n}={v}" for n, v in said.items()),
                  "client=" + found.get(61, b"").hex(), flush=True)
            if self.mode == "noise":
                self.make_noise(ask, OFFER if kind == 1 else ACK)
            if kind == 1:
                self.reply(ask, OFFER)
            elif kind == 3 and found.get(54, address(OWN)) == address(OWN):
                self.answer_request(ask)


if __name__ == "__main__":
    Server(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3600).serve()
