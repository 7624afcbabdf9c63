#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cluster/etcd against real etcds - Debian's (grpc-gateway v1) and the newest one where tests/cluster/kube
has built it (v2) - and against scripted members for what a real one will not do.

usage: etcd.py [CASE]..."""
import base64
import glob
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cases
from cases import case, expect, need, reply, server, tool

QUICK = ["connect_ms=15000", "request_ms=20000", "deadline_ms=60000", "retry_ms=50", "retry_cap_ms=500"]
SHORT = ["deadline_ms=3000", "request_ms=9000"]
SITE = None
PROCESSES = []


def free_ports(count):
    sockets = [server.socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


class Member:
    """A real etcd of its own data directory."""

    def __init__(self, binary, name, *more):
        self.binary, self.name, self.more = binary, name, more
        self.folder = tempfile.mkdtemp(dir=SITE.folder)
        client, peer = free_ports(2)
        self.client, self.peer = f"https://127.0.0.1:{client}", f"https://127.0.0.1:{peer}"
        self.process = None

    def start(self, cluster="", state="new"):
        key, cert = SITE.ca.path("ok.key"), SITE.ca.path("ok.crt")
        words = [self.binary, "--name", self.name, "--data-dir", self.folder + "/data",
                 "--listen-client-urls", self.client, "--advertise-client-urls", self.client,
                 "--listen-peer-urls", self.peer, "--initial-advertise-peer-urls", self.peer,
                 "--initial-cluster", cluster or f"{self.name}={self.peer}", "--initial-cluster-state", state,
                 "--cert-file", cert, "--key-file", key, "--trusted-ca-file", SITE.ca_file,
                 "--client-cert-auth=true", "--peer-cert-file", cert, "--peer-key-file", key,
                 "--peer-trusted-ca-file", SITE.ca_file, "--peer-client-cert-auth=true", *self.more]
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            cwd=self.folder)
        PROCESSES.append(self.process)
        return self

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(30)
        PROCESSES.remove(self.process)


def call(members, *words, options=(), client=None):
    members = members if isinstance(members, list) else [members]
    ends = [m if isinstance(m, str) else m.client for m in members]
    return tool(*QUICK, "ca=" + SITE.ca_file, "client=" + (client or SITE.client_file),
                *["endpoint=" + end for end in ends], *options, "etcd", *words, seconds=150)


def up(member):
    """Waits until it serves."""
    expect(call(member, "count", ""), r"^count \d+\nok ")
    return member


def real(function):
    """The case once for each real etcd."""
    for name, binary in binaries():
        def run(binary=binary):
            function(binary)
        run.__name__ = f"{function.__name__}_{name}"
        cases.CASES.append(run)
    return function


def binaries():
    found = [("debian", shutil.which("etcd"))]
    cache = os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "promenade/kube")
    newest = glob.glob(cache + "/current/bin/etcd") or sorted(glob.glob(cache + "/etcd-*/etcd"))
    return [row for row in found + [("newest", path) for path in newest[:1]] if row[1]]


# Real members.

@real
def keys(binary):
    one = up(Member(binary, "one").start())
    expect(call(one, "status"), r"^status \d+\.\d+\.\d+ leader=1 learner=0 index=1 db=1 trouble=''\nok ")
    expect(call(one, "health"), r"^ok ")
    expect(call(one, "key", "a/b"), r"^E_NOT_FOUND read from etcd: no key 'a/b'")
    expect(call(one, "put", "a/b", "value 'ä"), r"^ok ")
    expect(call(one, "key", "a/b"), r"^value 'value 'ä'\nok ")
    expect(call(one, "create", "a/c", "first"), r"^value 'first'\nok ")
    expect(call(one, "create", "a/c", "second"), r"^value 'first'\nok ")
    expect(call(one, "put", "b", ""), r"^ok ")
    for prefix, count in (("a/", 2), ("", 3), ("b", 1), ("c", 0), ("a\xff", 0)):
        expect(call(one, "count", prefix), rf"^count {count}\nok ")
    one.stop()


@real
def learner(binary):
    one, two = up(Member(binary, "one").start()), Member(binary, "two")
    text = call(one, "add", two.peer)
    ident = text.split()[1]
    expect(text, rf"^id {ident}\n", rf"member {ident} '' learner {two.peer} -\n", r"'one' voter", r"\nok ")
    # the same once more: what was added and never started is taken up
    expect(call(one, "add", two.peer), rf"^id {ident}\n")
    expect(call(one, "add", "https://127.0.0.1:1", options=SHORT),
           r"^E_NOT_YET add learner .*too many learner members in cluster; another member is joining")
    expect(call(one, "promote", ident, options=SHORT), r"^E_NOT_YET promote etcd member .*in sync with leader; it "
           "still copies")
    expect(call(one, "promote", "1234"), r"^E_NOT_FOUND promote etcd member 1234.*no such member")
    expect(call(one, "health"), r"^ok ")
    two.start(f"one={one.peer},two={two.peer}", "existing")
    # the learner is asked first, and sends us on to a voter
    expect(call([two, one], "promote", ident), r"^ok ")
    expect(call(one, "promote", ident), r"^ok ")
    expect(call(one, "list"), rf"member {ident} 'two' voter {two.peer} {two.client}\n")
    expect(call([one, two], "wait", "6000", "60000"), r"^ok ")
    expect(call(one, "add", two.peer), rf"^E_EXISTS add learner .*'{two.peer}' is taken by member 'two'")
    # half of two voters is no quorum
    two.stop()
    expect(call(one, "put", "k", "v", options=SHORT), r"^E_(NOT_YET|TIMEOUT) write 'k'")
    expect(call(one, "health", options=SHORT), r"^E_NOT_YET look at etcd's health: .*voter 'one' has no leader|"
           r"E_(NET|NOT_YET|TIMEOUT) look at etcd's health: ")
    expect(call(one, "add", "https://127.0.0.1:1", options=SHORT), r"^E_(NOT_YET|TIMEOUT) add learner ")
    two.start(f"one={one.peer},two={two.peer}", "existing")
    expect(call([one, two], "put", "k", "v"), r"^ok ")
    expect(call([two, one], "wait", "6000", "60000"), r"^ok ")
    expect(call(one, "update", ident, two.peer), r"^ok ")
    expect(call(one, "remove", ident), r"^ok ")
    expect(call(one, "remove", ident), r"^ok ")
    expect(call(one, "list"), r"^member [0-9a-f]+ 'one' voter \S+ \S+\nok ")
    one.stop()


@real
def snapshot(binary):
    one = up(Member(binary, "one").start())
    for number in range(5):
        expect(call(one, "put", f"k{number}", "x" * 100000), r"^ok ")
    path = one.folder + "/snapshot"
    with open(path, "wb") as old:
        old.write(b"old" * 1000000)  # longer than the new one
    dead = f"https://127.0.0.1:{free_ports(1)[0]}"
    expect(call([dead, one], "snapshot", path), r"^bytes (\d+)\nok ")
    with open(path, "rb") as file:
        data = file.read()
    need(len(data) % 512 == 32 and hashlib.sha256(data[:-32]).digest() == data[-32:], "digest")
    need(b"x" * 2000 in data, "content")
    utility = os.path.join(os.path.dirname(binary), "etcdutl")
    if os.path.exists(utility):
        done = subprocess.run([utility, "snapshot", "status", path, "-w", "json"], capture_output=True, check=True)
        need(json.loads(done.stdout)["totalKey"] >= 5, done.stdout)
        subprocess.run([utility, "snapshot", "restore", path, "--data-dir", one.folder + "/restored"],
                       capture_output=True, check=True)
    one.stop()


@real
def strangers(binary):
    one = up(Member(binary, "one").start())
    expect(call(one, "list", client=SITE.stranger_file, options=SHORT), r"^E_(TLS|NET) list etcd's members: ")
    text = tool(*QUICK, *SHORT, "ca=" + SITE.ca_file, "endpoint=" + one.client, "etcd", "list")
    expect(text, r"^E_(TLS|NET) .*credential")
    one.stop()


@real
def full(binary):
    one = up(Member(binary, "one", "--quota-backend-bytes", "600000").start())
    text = ""
    for number in range(20):
        text = call(one, "put", f"k{number}", "x" * 120000)
        if not text.startswith("ok"):
            break
    expect(text, r"^E_TOO_BIG write 'k\d+' to etcd: .*etcd is full: compact, defragment and disarm")
    text = call(one, "health")
    expect(text, r"^E_NOT_YET .*(has the alarm NOSPACE|says: .*NOSPACE)")
    expect(call(one, "disarm", call(one, "list").split()[1]), r"^ok ")
    expect(call(one, "health"), r"^ok ")
    one.stop()


@real
def hangs(binary):
    """A member that is stopped in its tracks, and another that is well."""
    one, two = Member(binary, "one"), Member(binary, "two")
    three = Member(binary, "three")
    cluster = ",".join(f"{m.name}={m.peer}" for m in (one, two, three))
    for member in (one, two, three):
        member.start(cluster)
    expect(call([one, two, three], "wait", "1000", "60000"), r"^ok ")
    one.process.send_signal(signal.SIGSTOP)
    try:
        expect(call([one, two, three], "put", "k", "v", options=["request_ms=3000"]), r"^ok ")
        expect(call([two, three], "health", options=["request_ms=3000"]), r"^E_TIMEOUT .*voter 'one'")
    finally:
        one.process.send_signal(signal.SIGCONT)
    for member in (one, two, three):
        member.stop()


# Scripted members.

def scripted(routes):
    return SITE.serve(routes, "mutual").url("")


def refusal(code, message, number=9, old=True):
    body = {"message": message, "code": number}
    return reply(code, {"error": message, **body} if old else {**body, "details": []})


@case
def words():
    """Both makes of the gateway; what is waited for is waited for."""
    table = [
        (412, "etcdserver: member ID already exist", r"^E_EXISTS "),
        (412, "etcdserver: re-configuration failed due to not enough started members",
         r"^E_CONFLICT .*start the members that are down"),
        (404, "etcdserver: member not found", r"^E_NOT_FOUND "),
        (429, "etcdserver: mvcc: database space exceeded", r"^E_TOO_BIG "),
        (403, "etcdserver: permission denied", r"^E_FORBIDDEN "),
        (400, "proto: syntax error", r"^E_INVALID "),
        (401, "unknown", r"^E_UNAUTHORIZED "),
    ]
    for old in (True, False):
        for code, message, pattern in table:
            where = scripted({"/v3/cluster/member/update": refusal(code, message, old=old)})
            expect(call(where, "update", "1", "https://x:1"), pattern)
        for code, message in ((503, "etcdserver: unhealthy cluster"), (500, "context deadline exceeded"),
                              (412, "etcdserver: can only promote a learner member which is in sync with leader"),
                              (503, "etcdserver: rpc not supported for learner"), (503, "etcdserver: no leader"),
                              (412, "etcdserver: too many learner members in cluster"), (503, "connection closed")):
            where = scripted({"/v3/cluster/member/promote": [refusal(code, message, old=old), reply(200, {})]})
            expect(call(where, "promote", "1"), r"^ok ")
        where = scripted({"/v3/cluster/member/promote": refusal(412, "etcdserver: can only promote a learner member",
                                                               old=old)})
        expect(call(where, "promote", "1"), r"^ok ")


@case
def numbers():
    where = SITE.serve({"/v3/cluster/member/promote": reply(200, {}), "/v3/cluster/member/list": reply(200, {
        "members": [{"ID": "18446744073709551615", "name": "big", "peerURLs": ["p"]}, {"ID": 7, "isLearner": True}]})},
                       "mutual")
    expect(call(where.url(""), "list"), r"^member ffffffffffffffff 'big' voter p -\nmember 7 '' learner - -\nok ")
    expect(call(where.url(""), "promote", "ffffffffffffffff"), r"^ok ")
    need(json.loads(where.seen[-1].body) == {"ID": "18446744073709551615"}, where.seen[-1].body)


@case
def odd_answers():
    for body in (b"", b"ok", b"[]", b"{}", b"null", b'{"members":[]}', b'{"members":{}}', b'{"members":[7]}',
                 b'{"members":[{}]}', b'{"members":[{"ID":"0"}]}', b'{"members":[{"ID":"-1"}]}',
                 b'{"members":[{"ID":-1}]}', b'{"members":[{"ID":"18446744073709551616"}]}',
                 b'{"members":[{"ID":"1","ID":"2"}]}', b'{"members":[{"ID":"1","peerURLs":"x"}]}',
                 b'{"members":[{"ID":"1","peerURLs":[7]}]}', b'{"members":[{"ID":"1","name":"' + b"n" * 300 + b'"}]}',
                 b'{"a":' + b"[" * 100000 + b"]" * 100000 + b"}"):
        where = scripted({"/v3/cluster/member/list": server.fixed(200, body)})
        text = call(where, "list")
        expect(text, r"^E_FORMAT list etcd's members: ")
        need(len(text.splitlines()) == 1, text)
    many = {"members": [{"ID": str(i + 1)} for i in range(65)]}
    expect(call(scripted({"/v3/cluster/member/list": reply(200, many)}), "list"), r"^E_TOO_BIG ")
    expect(call(scripted({"/v3/cluster/member/list": server.endless(b" " * 65536, 0, b"HTTP/1.1 200 OK\r\n\r\n")}),
                "list"), r"^E_TOO_BIG ")
    for body in (b"{}", b'{"version":"3.5.0"}', b'{"version":"' + b"3" * 99 + b'","header":{"member_id":"1"}}',
                 b'{"version":"3.5.0","header":{"member_id":"1"},"leader":"x"}'):
        where = scripted({"/v3/maintenance/status": server.fixed(200, body)})
        expect(call(where, "status"), r"^E_FORMAT ")


def lines(data, size=1000, lie=0):
    """data as the gateway streams it."""
    out = b""
    for start in range(0, len(data), size):
        left = max(len(data) - start - size, 0) + lie
        result = {"blob": base64.b64encode(data[start:start + size]).decode()}
        if left:
            result["remaining_bytes"] = str(left)
        out += json.dumps({"result": result}).encode() + b"\n"
    return out


def good_snapshot(pages=20):
    data = os.urandom(512 * pages)
    return data + hashlib.sha256(data).digest()


def streamed(body, **more):
    return scripted({"/v3/maintenance/snapshot": server.fixed(200, body, **more)})


@case
def snapshot_pieces():
    data = good_snapshot()
    for size in (1, 7, 31, 32, 33, 511, 512, 513, len(data) - 32, len(data) - 1, len(data)):
        path = os.path.join(SITE.folder, f"pieces-{size}")
        expect(call(streamed(lines(data, size)), "snapshot", path), rf"^bytes {len(data)}\nok ")
        with open(path, "rb") as file:
            need(file.read() == data, f"bytes of pieces of {size}")
    text = lines(data)
    parts = [text[i:i + 97] for i in range(0, len(text), 97)]
    where = scripted({"/v3/maintenance/snapshot": server.chunked(*parts)})
    expect(call(where, "snapshot", path), rf"^bytes {len(data)}\nok ")
    expect(call(streamed(text.rstrip(b"\n")), "snapshot", path), rf"^bytes {len(data)}\nok ")


@case
def snapshot_faults():
    data = good_snapshot()
    changed = bytearray(data)
    changed[4000] ^= 1
    wrong_end = data[:-1] + bytes([data[-1] ^ 1])
    text = lines(data)
    path = os.path.join(SITE.folder, "faults")
    table = [
        (lines(bytes(changed)), r"^E_DIGEST save a snapshot of etcd: .*Take it from another"),
        (lines(wrong_end), r"^E_DIGEST "),
        (lines(data[:-512]), r"^E_(DIGEST|NET) "),
        (lines(data[:-32]), r"^E_NET .*was cut after"),
        (lines(data, lie=5), r"^E_NET .*was cut after 10272 bytes, 5 were to come"),
        (text[:5000], r"^E_(FORMAT|NET) "),
        (text[:text.index(b"\n", 5000) + 1], r"^E_NET .*was cut after \d+ bytes, \d+ were to come"),
        (b"", r"^E_NET .*cut after 0 bytes"),
        (lines(hashlib.sha256(b"").digest()), r"^E_NET "),
        (b'{"error":{"grpc_code":14,"message":"etcdserver: no leader"}}\n', r"^E_NOT_YET .*no leader"),
        (text[:text.index(b"\n") + 1] + b'{"error":{"code":2,"message":"disk"}}\n', r"^E_NOT_YET .*disk"),
        (b'{"result":{"blob":"!!!!"}}\n', r"^E_FORMAT "), (b'{"result":{"blob":7}}\n', r"^E_FORMAT "),
        (b'{"result":{"remaining_bytes":"x"}}\n', r"^E_FORMAT "), (b"[]\n", r"^E_FORMAT "),
        (b"x" * 7000000, r"^E_TOO_BIG "),
    ]
    for body, pattern in table:
        expect(call(streamed(body), "snapshot", path), pattern)
    expect(call(streamed(text, length=len(text) + 1), "snapshot", path), r"^E_NET ")
    # another member has a better one
    expect(call([streamed(lines(bytes(changed))), streamed(text)], "snapshot", path), rf"^bytes {len(data)}\nok ")
    with open(path, "rb") as file:
        need(file.read() == data, "bytes of two members got mixed")


@case
def snapshot_disk_full():
    """Nobody else is asked when our own disk is the trouble."""
    second = SITE.serve({"/v3/maintenance/snapshot": server.fixed(200, lines(good_snapshot()))}, "mutual")
    expect(call([streamed(lines(good_snapshot())), second.url("")], "snapshot", "/dev/full"),
           r"^(ENOSPC|EINVAL) save a snapshot of etcd: write the snapshot: ")
    need(not second.seen, "another member was asked")


def main():
    global SITE
    with tempfile.TemporaryDirectory() as folder:
        SITE = cases.Site(os.path.join(folder, "site"))
        if not binaries():
            cases.CASES.append(no_etcd)
        try:
            status = cases.run_all(sys.argv[1:], 3)
        finally:
            for process in list(PROCESSES):  # of cases that failed
                process.kill()
                process.wait()
    os._exit(status)


def no_etcd():
    raise cases.Failed("no real etcd is here; agent/deps/need.sh test installs Debian's")


if __name__ == "__main__":
    main()
