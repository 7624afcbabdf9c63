#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An SNTP server that lies on demand, for tests/net/run.py.

    sntp_server.py ADDRESS MODE [UNIX_SECONDS]

Every question is answered as MODE says and printed as "asked".
MODE good    UNIX_SECONDS (default: now), stratum 2
     kiss    kiss-o'-death RATE
     unsync  leap indicator 3
     silent  nothing
     spoof   first a wrong origin timestamp with a wild time, then good
     short   20 bytes
     unsure  a root dispersion of 100 s"""
import socket
import struct
import sys
import time

SINCE_1900 = 2208988800


def timestamp(unix):
    seconds = int(unix) + SINCE_1900
    return struct.pack("!II", seconds & 0xffffffff, int((unix % 1) * 2**32))


def answer(origin, unix, first=0x24, stratum=2, dispersion=0, reference=b"TEST"):
    head = struct.pack("!BBbb", first, stratum, 6, -20) + struct.pack("!II", 0, dispersion)
    return head + reference + timestamp(unix - 10) + origin + timestamp(unix) + timestamp(unix)


def answers(mode, origin, unix):
    good = answer(origin, unix)
    return {
        "good": [good],
        "kiss": [answer(origin, unix, stratum=0, reference=b"RATE")],
        "unsync": [answer(origin, unix, first=0xe4)],
        "silent": [],
        "spoof": [answer(b"\x01" * 8, unix + 5 * 86400), good],
        "short": [good[:20]],
        "unsure": [answer(origin, unix, dispersion=100 << 16)],
    }[mode]


def main():
    host, mode = sys.argv[1:3]
    fixed = float(sys.argv[3]) if len(sys.argv) > 3 else None
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((host, 123))
    print("ready", flush=True)
    while True:
        question, client = server.recvfrom(512)
        print("asked", question[0], flush=True)
        for packet in answers(mode, question[40:48], time.time() if fixed is None else fixed):
            server.sendto(packet, client)


if __name__ == "__main__":
    main()
