#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""host/fetch and host/artifact against servers that misbehave by script, and against nginx that is
killed in the middle. Each case is a function; a case says what the server does, what the tool must
print, and what must be seen on the wire and on the disk.

usage: run.py [FETCH_TOOL]   (default: the host build's, with sanitizers)"""
import concurrent.futures
import hashlib
import io
import os
import random
import re
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
import warnings

import server
from server import Server, chunked, endless, file_of, fixed, raw

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(
    TOP, "build/host/http/fetch_tool")
QUICK = ["http=1", "stall_s=2", "small_ms=4000", "connect_ms=3000", "retry_ms=20", "retry_cap_ms=300",
         "retries=4"]
CASES = []


class Failed(Exception):
    pass


class Skipped(Exception):
    pass


def case(function):
    CASES.append(function)
    return function


def need(condition, what):
    if not condition:
        raise Failed(what)


def tool(*words, env=None, prefix=()):
    done = subprocess.run([*prefix, TOOL, *QUICK, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          stderr=subprocess.STDOUT, timeout=90, check=False, env=env)
    text = done.stdout.decode(errors="replace")
    need(done.returncode == 0, f"exit status {done.returncode}: {text}")
    need("Sanitizer" not in text and "runtime error" not in text, text)
    return text


def expect(text, *patterns):
    for pattern in patterns:
        need(re.search(pattern, text), f"said {text!r}, expected /{pattern}/")


def sha(data):
    return hashlib.sha256(data).hexdigest()


class Site:
    """What all cases share: certificates are slow to make."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = server.Authority(folder, "good")
        other = server.Authority(folder, "other")
        self.ca_file = self.ca.path("good.pem")
        self.contexts = {
            "ok": server.tls(self.ca.issue("ok", "IP:127.0.0.1,DNS:localhost")),
            "expired": server.tls(self.ca.issue("expired", end="20240201000000Z")),
            "future": server.tls(self.ca.issue("future", start="20980101000000Z")),
            "name": server.tls(self.ca.issue("name", "DNS:somewhere.else")),
            "unknown": server.tls(other.issue("unknown")),
        }
        self.ok_file = self.ca.path("ok.both")
        self.client_file = self.ca.issue("client", "DNS:client")

    def https(self, which="ok"):
        return Server(self.contexts[which])


SITE = None


def small(url, *options, **more):
    return tool("ca=" + SITE.ca_file, *options, "small", url, **more)


def script(route, https=False):
    """A server with one route, and its URL."""
    where = SITE.https() if https else Server()
    where.routes["/x"] = route
    return where, where.url("/x")


# Small answers.

@case
def small_whole():
    where, url = script(fixed(200, b"role"), https=True)
    expect(small(url), r"^ok status=200 retry=0 len=4 $")
    headers = where.seen[0].headers
    need(headers.get("user-agent") == "promenade/test", headers)
    need(headers.get("x-system-serial-number") == "the-serial", headers)
    need(headers.get("accept") == "application/yaml", headers)
    need("accept-encoding" not in headers and "cookie" not in headers, headers)


@case
def small_empty():
    _, url = script(fixed(200))
    expect(small(url), r"^ok status=200 retry=0 len=0 $")
    _, url = script(fixed(204, length=""))
    expect(small(url), r"^ok status=204 retry=0 len=0 $")


@case
def small_chunked():
    _, url = script(chunked(b"a" * 1000, b"b" * 10))
    expect(small(url), r"^ok status=200 retry=0 len=1010 $")


@case
def small_statuses():
    for status in (404, 408, 412, 425, 429, 500, 502, 503, 599):
        _, url = script(fixed(status, b"words"))
        expect(small(url), rf"^E_NOT_YET status={status} .*HTTP status {status}")
    for status in (400, 401, 403, 405, 409, 410, 451):
        _, url = script(fixed(status, b"words"))
        expect(small(url), rf"^E_HTTP status={status} .*HTTP status {status}")


@case
def small_retry_after():
    _, url = script(fixed(503, Retry_After="17"))
    expect(small(url), r"retry=17 ")
    _, url = script(fixed(503, Date="Sun, 22 Nov 2026 10:00:00 GMT",
                          Retry_After="Sun, 22 Nov 2026 10:02:00 GMT"))
    expect(small(url), r"retry=120 ")
    _, url = script(fixed(503, Retry_After="Sun, 22 Nov 2026 10:02:00 GMT",
                          Date="Sun, 22 Nov 2026 10:01:30 GMT"))
    expect(small(url), r"retry=30 ")
    for value in ("99999999", "-5", "soon", "18446744073709551617"):
        _, url = script(fixed(503, Retry_After=value))
        expect(small(url), r"retry=(0|3600) ")


@case
def small_too_big():
    for route in (fixed(200, b"x" * 2000), chunked(*[b"x" * 500] * 4),
                  endless(b"x" * 1000, start=b"HTTP/1.1 200 OK\r\n\r\n"),
                  fixed(200, b"x" * 2000, length=10 ** 15)):
        _, url = script(route)
        expect(small(url, "limit=1000"), r"^E_TOO_BIG .*larger than the 1000 bytes")


@case
def small_cut():
    for route in (server.close, raw(b"HTTP/1.1 200 O"), raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
                  fixed(200, b"half", length=8), chunked(b"half", end=False)):
        _, url = script(route)
        expect(small(url), r"^E_NET ")
    expect(small("http://127.0.0.1:1/x"), r"^E_NET .*no connection")
    expect(small("http://no-such-host.invalid/x"), r"^E_NET .*not found by DNS")


@case
def small_short_length():
    _, url = script(fixed(200, b"whole", length=3))
    expect(small(url), r"^ok status=200 retry=0 len=3 $")


@case
def small_not_http():
    for data in (b"SSH-2.0-OpenSSH\r\n", b"\0\1\2" * 100, b"<html>hello</html>\n"):
        _, url = script(raw(data))
        expect(small(url), r"^E_(HTTP|NET) ")


@case
def small_heads():
    ok = b"HTTP/1.1 200 OK\r\n"
    for route in (endless(b"X-More: " + b"y" * 100 + b"\r\n", start=ok),
                  endless(b"y" * 1000, start=ok + b"X: "),
                  endless(b"HTTP/1.1 100 Continue\r\n\r\n")):
        _, url = script(route)
        expect(small(url), r"^E_(HTTP|NET|TOO_BIG) ")


@case
def small_slow():
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n"
    for route in (lambda request: time.sleep(20), endless(b"X: y\r\n", 0.3, ok),
                  endless(b"z", 0.3, ok + b"\r\n"), endless(b"H", 0.3)):
        _, url = script(route)
        begun = time.monotonic()
        expect(small(url), r"^E_(TIMEOUT|HTTP) ")
        need(time.monotonic() - begun < 15, "it took too long")


@case
def small_redirects():
    https, plain = SITE.https(), Server()
    https.routes["/role"] = fixed(200, b"role")
    https.routes["/same"] = fixed(302, Location="/role")
    https.routes["/relative"] = fixed(307, Location="role")
    https.routes["/other"] = fixed(301, Location=https.url("/role", "localhost"))
    https.routes["/there"] = fixed(302, Location=https.url("/back", "localhost"))
    https.routes["/back"] = fixed(302, Location=https.url("/role"))
    https.routes["/down"] = fixed(302, Location=plain.url("/role"))
    https.routes["/loop"] = fixed(302, Location="/loop")
    https.routes["/none"] = fixed(302)
    https.routes["/file"] = fixed(302, Location="file:///etc/passwd")
    https.routes["/ftp"] = fixed(302, Location="ftp://127.0.0.1/x")
    https.routes["/user"] = fixed(302, Location=https.url("/role").replace("://", "://u:secret@"))
    plain.routes["/up"] = fixed(302, Location=https.url("/role"))
    plain.routes["/flat"] = fixed(302, Location=plain.url("/role"))
    plain.routes["/role"] = fixed(200, b"plain")
    for path in ("/same", "/relative"):
        expect(small(https.url(path)), r"^ok status=200 .*len=4")
        need("x-system-serial-number" in https.seen[-1].headers, "the header was lost")
    for path in ("/other", "/there"):
        expect(small(https.url(path)), r"^ok status=200 .*len=4")
        need("x-system-serial-number" not in https.seen[-1].headers, "the header was given away")
    expect(small(plain.url("/up")), r"^ok status=200 .*len=4")
    need("x-system-serial-number" not in https.seen[-1].headers, "the header was given away")
    for path in ("/down", "/file", "/ftp"):
        expect(small(https.url(path)), r"^E_HTTP .*only https:// is followed")
    expect(small(plain.url("/flat")), r"^E_HTTP .*only https:// is followed")
    expect(small(https.url("/loop")), r"^E_HTTP .*more than 5 redirects")
    need(https.count("/loop") == 6, f"{https.count('/loop')} requests")
    expect(small(https.url("/none")), r"^E_HTTP .*without a place to go")
    text = small(https.url("/user"))
    expect(text, r"^E_USAGE ")
    need("secret" not in text, text)
    need(plain.count("/role") == 0, "plain HTTP was followed")


@case
def small_tls_causes():
    for which, cause in (("expired", r"has expired, by this machine's clock \(20\d\d-.*renew it"),
                         ("future", r"is not valid yet, by this machine's clock .*promenade.ntp"),
                         ("name", r"is for another name"), ("unknown", r"is by no CA of the policy")):
        where = SITE.https(which)
        where.routes["/x"] = fixed(200, b"role")
        expect(small(where.url("/x")), rf"^E_TLS status=0 .*{cause}")
        need(not where.seen, "a request was sent")
    where, url = script(fixed(200, b"role"), https=True)
    expect(tool("small", url), r"^E_TLS .*holds no CA")
    plain = Server()
    plain.serve = lambda conn: conn.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")
    expect(small(plain.url("/x").replace("http:", "https:")), r"^E_TLS .*no TLS connection")
    silent = Server()
    silent.serve = lambda conn: conn.close()
    expect(small(silent.url("/x").replace("http:", "https:")), r"^E_NET ")


@case
def small_tls_versions():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        where = Server(server.tls(SITE.ok_file, minimum=version, maximum=version))
        where.routes["/x"] = fixed(200, b"role")
        expect(small(where.url("/x")), r"^ok ")
    context = server.tls(SITE.ok_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that nobody should use it is the point
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    where = Server(context)
    where.routes["/x"] = fixed(200, b"role")
    expect(small(where.url("/x")), r"^E_TLS ")


@case
def small_client_certificate():
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        where = Server(server.tls(SITE.ok_file, SITE.ca_file, version, version))
        where.routes["/x"] = fixed(200, b"role")
        expect(small(where.url("/x"), "client=" + SITE.client_file), r"^ok ")
        expect(small(where.url("/x")), r"^E_(TLS|NET) .*client certificate")


@case
def small_refused_urls():
    where, url = script(fixed(200, b"role"))
    expect(small(url, "http=0"), r"^E_TRUST .*plain HTTP is not allowed")
    need(not where.seen, "a request was sent")
    for bad in ("ftp://127.0.0.1/x", "file:///etc/passwd", "127.0.0.1/x", "http://", "",
                "http://u:secret@127.0.0.1/x", "gopher://127.0.0.1/x", "http://a b/"):
        text = small(bad or "nothing")
        expect(text, r"^E_(USAGE|TRUST|NET) ")
        need("secret" not in text, text)


@case
def small_environment():
    where, url = script(fixed(200, b"role"))
    home = tempfile.mkdtemp(dir=SITE.folder)
    with open(os.path.join(home, ".netrc"), "w", encoding="ascii") as netrc:
        netrc.write("machine 127.0.0.1 login u password secret\n")
    env = {name: "http://127.0.0.1:1/" for name in ("http_proxy", "https_proxy", "all_proxy",
                                                    "HTTPS_PROXY", "ALL_PROXY")}
    env.update(HOME=home, SSL_CERT_FILE="/nonexistent", CURL_CA_BUNDLE="/nonexistent")
    expect(small(url, env=env), r"^ok ")
    need("authorization" not in where.seen[0].headers, "netrc was read")
    _, url = script(fixed(200, b"role"), https=True)
    expect(small(url, env=env), r"^ok ")


@case
def small_post():
    where, url = script([fixed(200, b"thanks"), fixed(302, Location="/y")], https=True)
    body = os.path.join(SITE.folder, "event")
    with open(body, "wb") as out:
        out.write(b'{"name": "promenade/cni"}')
    expect(small(url, "post=" + body), r"^ok status=200 ")
    request = where.seen[0]
    need(request.method == "POST" and request.body == b'{"name": "promenade/cni"}', request.body)
    need(request.headers["content-type"] == "application/json", request.headers)
    need("expect" not in request.headers, request.headers)
    expect(small(url, "post=" + body), r"^E_HTTP .*a body is not sent on")


@case
def small_secret_url():
    _, url = script(fixed(404))
    text = small(url + "?token=secret#part")
    need("secret" not in text, text)


# Streams.

def stream(*pairs, options=()):
    text = tool("ca=" + SITE.ca_file, *options, "stream", *pairs)
    need("progress" not in text, text)
    return text


def out_file():
    handle, path = tempfile.mkstemp(dir=SITE.folder)
    os.close(handle)
    return path


def same(path, data):
    with open(path, "rb") as have:
        need(have.read() == data, "the bytes differ")


DATA = random.Random(1).randbytes(300000)


def stream_one(routes, data=DATA, options=("limit=1000000",)):
    """Streams /x once; the tool's text and the server."""
    where, url = script(routes)
    path = out_file()
    text = stream(url, path, options=options)
    if text.startswith("ok"):
        same(path, data)
    return text, where


@case
def stream_plain():
    for route in (file_of(DATA), file_of(DATA, etag=None), file_of(DATA, length=False),
                  chunked(DATA[:100000], DATA[100000:])):
        text, where = stream_one(route)
        expect(text, r"ok received=300000 resumed=0 changed=0")
        need(len(where.seen) == 1, "more than one request")
    expect(stream_one(file_of(b""), b"")[0], r"ok received=0")


@case
def stream_resumed():
    text, where = stream_one([file_of(DATA, cut=100000), file_of(DATA, cut=50000), file_of(DATA)])
    expect(text, r"ok received=300000 resumed=2")
    need([r.headers.get("range") for r in where.seen] == [None, "bytes=100000-", "bytes=150000-"],
         [r.headers for r in where.seen])
    need([r.headers.get("if-range") for r in where.seen] == [None, '"v1"', '"v1"'], "If-Range")


@case
def stream_validators():
    date = "Sun, 22 Nov 2026 10:00:00 GMT"
    for etag, modified, sent in ((None, date, date), ('W/"weak"', date, date), ('"s"', date, '"s"'),
                                 (None, None, None)):
        text, where = stream_one([file_of(DATA, cut=1000, etag=etag, modified=modified),
                                  file_of(DATA, etag=etag, modified=modified)])
        expect(text, r"ok received=300000 resumed=1")
        need(where.seen[1].headers.get("if-range") == sent, where.seen[1].headers)


@case
def stream_no_ranges():
    text, where = stream_one([file_of(DATA, cut=100000, ranges=False), file_of(DATA, ranges=False)])
    expect(text, r"ok received=300000 resumed=1")
    need(len(where.seen) == 2, "requests")


@case
def stream_wrong_range():
    text, where = stream_one([file_of(DATA, cut=100000), file_of(DATA, wrong_start=10), file_of(DATA)])
    expect(text, r"ok received=300000")
    need("range" not in where.seen[2].headers, "asked for a part again")
    text, _ = stream_one([file_of(DATA, cut=100000), file_of(DATA, total=400000)])
    expect(text, r"^E_NET .*changed on the server")


@case
def stream_unasked_part():
    text, _ = stream_one([raw(b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10"
                              b"\r\n\r\n0123456789"), file_of(DATA)])
    expect(text, r"ok received=300000")


@case
def stream_not_satisfiable():
    text, where = stream_one([file_of(DATA, cut=100000), fixed(416), file_of(DATA)])
    expect(text, r"ok received=300000")
    need("range" not in where.seen[2].headers, "asked for a part again")


@case
def stream_other_length():
    text, _ = stream_one([file_of(DATA, cut=1000), file_of(DATA + b"more", etag='"v2"')])
    expect(text, r"^E_NET .*changed on the server", r"changed=1")


@case
def stream_lie():
    text, where = stream_one(fixed(200, DATA[:1000], length=300000))
    expect(text, r"^E_NET .*after 4 attempts")
    need(len(where.seen) <= 5, f"{len(where.seen)} requests")


@case
def stream_server_errors():
    text, where = stream_one([fixed(503, Retry_After="1"), fixed(500), file_of(DATA)])
    expect(text, r"ok received=300000")
    for status, requests in ((404, 1), (403, 1), (401, 1), (410, 1), (412, 1), (503, 4), (429, 4)):
        text, where = stream_one(fixed(status))
        expect(text, rf"^E_(NOT_YET|HTTP) .*{status}")
        need(len(where.seen) == requests, f"{status}: {len(where.seen)} requests")
    expect(stream_one(fixed(204, length=""))[0], r"^E_HTTP .*no body")


@case
def stream_stall():
    begun = time.monotonic()
    text, _ = stream_one([file_of(DATA, cut=100000, stall=20), file_of(DATA)])
    expect(text, r"ok received=300000 resumed=1")
    need(time.monotonic() - begun < 15, "the stall was not seen")


@case
def stream_redirect():
    mirror = SITE.https()
    mirror.routes["/y"] = [file_of(DATA, cut=1000), file_of(DATA)]
    text, where = stream_one(fixed(302, Location=mirror.url("/y", "localhost")))
    expect(text, r"ok received=300000 resumed=1")
    need(mirror.seen[1].headers.get("range") == "bytes=1000-", "Range was lost")
    need("x-system-serial-number" not in mirror.seen[1].headers, "the header was given away")


@case
def stream_too_big():
    for route in (file_of(DATA), file_of(DATA, length=False), endless(b"x" * 1000, start=b"HTTP/1.1 200 "
                                                                         b"OK\r\n\r\n")):
        text, where = stream_one(route, options=["limit=1000"])
        expect(text, r"^E_TOO_BIG ")
        need(len(where.seen) == 1, "tried again")


@case
def stream_slow_sink():
    begun = time.monotonic()
    text, _ = stream_one(file_of(DATA), options=["limit=1000000", "slow=30000"])
    expect(text, r"ok received=300000")
    need(time.monotonic() - begun > 0.5, "the sink was not waited for")
    text, _ = stream_one([file_of(DATA, cut=200000), file_of(DATA)],
                         options=["limit=1000000", "slow=30000"])
    expect(text, r"ok received=300000 resumed=1")
    text, _ = stream_one([file_of(DATA, cut=200000, ranges=False), file_of(DATA, ranges=False)],
                         options=["limit=1000000", "slow=30000"])
    expect(text, r"ok received=300000 resumed=1")


@case
def stream_stuck_sink():
    text, _ = stream_one(file_of(DATA), options=["limit=1000000", "slow=1000000", "sink_stall_ms=0"])
    expect(text, r"ok received=300000")
    text, _ = stream_one(file_of(DATA), options=["limit=1000000", "slow=1000", "sink_stall_ms=20"])
    expect(text, r"^E_TIMEOUT .*nothing was taken")


@case
def stream_parallel():
    where = Server()
    running, most = [0], [0]

    def serve(request):
        running[0] += 1
        most[0] = max(most[0], running[0])
        time.sleep(0.3)
        request.reply(200, DATA)
        running[0] -= 1

    pairs = []
    for number in range(9):
        where.routes[f"/{number}"] = serve if number != 5 else fixed(403)
        pairs += [where.url(f"/{number}"), out_file()]
    text = stream(*pairs, options=["limit=1000000"])
    expect(text, r"^E_HTTP .*403")
    need(text.count("ok received=300000") == 8, text)
    need(2 <= most[0] <= 4, f"{most[0]} at once")


# Artifacts.

def tar_of(files, packing="gz", **more):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:" + packing, **more) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Target:
    """An installed OS's root, and artifacts put into it."""

    def __init__(self, prefix=()):
        self.root = tempfile.mkdtemp(dir=SITE.folder)
        self.prefix = prefix

    def path(self, name):
        return os.path.join(self.root, name.lstrip("/"))

    def put(self, name, data=b"old"):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as out:
            out.write(data)

    def read(self, name):
        with open(self.path(name), "rb") as data:
            return data.read()

    def run(self, *words, options=()):
        return tool("ca=" + SITE.ca_file, "root=" + self.root, *options, "artifact", *words,
                    prefix=self.prefix)

    def leftovers(self):
        return [os.path.join(top, name) for top, directories, files in os.walk(self.root)
                for name in directories + files if "promenade-new" in name or name.startswith(".")]

    def clean(self):
        need(not self.leftovers(), f"left over: {self.leftovers()}")

    def state(self):
        """Everything that a write would change."""
        found = {}
        for top, directories, files in os.walk(self.root):
            for name in directories + files:
                info = os.lstat(os.path.join(top, name))
                found[os.path.join(top, name)] = (info.st_ino, info.st_mode, info.st_mtime_ns,
                                                  info.st_ctime_ns, info.st_size)
        return found


PLUGINS = {"bridge": b"bridge 1", "loopback": os.urandom(100000), "LICENSE": b"words"}


@case
def artifact_file():
    where, url = script(file_of(DATA))
    target = Target()
    words = ("file", url, sha(DATA), "/usr/local/bin/kubelet", "0755")
    expect(target.run(*words, options=["check=1"]), r"check fetch 'http://.*/x' into '/usr/local/bin/kub")
    need(not os.listdir(target.root), "the check wrote")
    expect(target.run(*words), r"^ok \ncheck done")
    need(target.read("/usr/local/bin/kubelet") == DATA, "bytes")
    need(stat.S_IMODE(os.stat(target.path("/usr/local/bin/kubelet")).st_mode) == 0o755, "mode")
    target.clean()
    before = target.state()
    expect(target.run(*words), r"^ok \ncheck done")
    need(target.state() == before, "the second run wrote")
    need(len(where.seen) == 1, "fetched twice")


@case
def artifact_file_replaced():
    target = Target()
    target.put("/opt/tool", b"old")
    new = b"new" * 1000
    where, url = script(file_of(new))
    expect(target.run("file", url, sha(new), "/opt/tool", "0644"), r"^ok ")
    need(target.read("/opt/tool") == new, "bytes")
    target.put("/opt/elsewhere", b"keep")
    os.unlink(target.path("/opt/tool"))
    os.symlink("elsewhere", target.path("/opt/tool"))
    expect(target.run("file", url, sha(new), "/opt/tool", "0644"), r"^ok ")
    need(target.read("/opt/elsewhere") == b"keep", "a link was written through")
    need(not os.path.islink(target.path("/opt/tool")), "the link stayed")
    expect(target.run("file", url, sha(new), "/opt/tool", "0600"), r"^ok \ncheck done")
    need(len(where.seen) == 2, "fetched for a mode")
    need(stat.S_IMODE(os.stat(target.path("/opt/tool")).st_mode) == 0o600, "mode")
    with open(target.path("/opt/tool"), "ab") as out:
        out.write(b"tampered")
    expect(target.run("file", url, sha(new), "/opt/tool", "0600", options=["check=1"]), r"check fetch")
    os.makedirs(target.path("/opt/dir"))
    expect(target.run("file", url, sha(new), "/opt/dir", "0600"), r"^EISDIR .*is a directory")


@case
def artifact_file_there():
    """A file that an image brought along is hashed once, not fetched."""
    where, url = script(file_of(DATA))
    target = Target()
    target.put("/usr/bin/kubelet", DATA)
    os.chmod(target.path("/usr/bin/kubelet"), 0o755)
    words = ("file", url, sha(DATA), "/usr/bin/kubelet", "0755")
    expect(target.run(*words, options=["check=1"]), r"check done")
    need(len(target.state()) == 3, "the check wrote")
    expect(target.run(*words), r"^ok \ncheck done")
    need(not where.seen, "fetched")


@case
def artifact_wrong_digest():
    where, url = script(file_of(DATA))
    target = Target()
    target.put("/opt/tool", b"old")
    text = target.run("file", url, sha(b"other"), "/opt/tool", "0755")
    expect(text, r"^E_DIGEST .*has SHA-256 " + sha(DATA) + ", the role says " + sha(b"other"))
    need(target.read("/opt/tool") == b"old", "published")
    need(len(where.seen) == 1, "fetched again")
    target.clean()
    target.put("/opt/cni/bin/bridge", b"old")
    archive = tar_of(PLUGINS)
    _, url = script(file_of(archive))
    text = target.run("plugins", url, sha(b"other"), "/opt/cni/bin", "0755")
    expect(text, r"^E_DIGEST ")
    need(os.listdir(target.path("/opt/cni/bin")) == ["bridge"], "published")
    target.clean()


@case
def artifact_damaged():
    """Bytes that are not the role's are not blamed for what is in them."""
    archive = tar_of(PLUGINS)
    for data in (archive[:500], b"<html>error</html>", archive[:200] + b"\0" * 50 + archive[250:],
                 tar_of({"../evil": b"x"})):
        _, url = script(file_of(data))
        target = Target()
        expect(target.run("plugins", url, sha(archive), "/opt/cni/bin", "0"), r"^E_DIGEST ")
        target.clean()
        need(not os.path.exists(target.path("/opt/cni/bin")), "published")


@case
def artifact_refused():
    for name, pattern in (("../evil", r"'\.\./evil': escapes the target"), ("/evil", "an absolute name"),
                          ("cni/bridge", "files must be at the top")):
        data = tar_of({"bridge": b"b", name: b"x"})
        _, url = script(file_of(data))
        target = Target()
        target.put("/opt/cni/bin/old", b"old")
        expect(target.run("plugins", url, sha(data), "/opt/cni/bin", "0"),
               rf"^E_ARCHIVE unpack 'http://.*': entry .*{pattern}")
        need(os.listdir(target.path("/opt/cni/bin")) == ["old"], "published")
        target.clean()


@case
def artifact_plugins():
    first, second = tar_of(PLUGINS), tar_of({"bridge": b"bridge 2", "vlan": b"v"}, "xz")
    where = Server()
    where.routes.update({"/1": file_of(first), "/2": file_of(second)})
    target = Target()
    target.put("/opt/cni/bin/calico", b"an operator's")
    target.put("/opt/cni/bin/bridge", b"bridge 0")
    target.put("/opt/cni/bin/conf/x/y", b"deep")
    os.symlink("/usr/bin/other", target.path("/opt/cni/bin/link"))
    inode = os.stat(target.path("/opt/cni/bin/calico")).st_ino
    words = ("plugins", where.url("/1"), sha(first), "/opt/cni/bin", "0")
    expect(target.run(*words), r"^ok \ncheck done")
    need(sorted(os.listdir(target.path("/opt/cni/bin"))) == ["LICENSE", "bridge", "calico", "conf", "link",
                                                             "loopback"], "contents")
    need(target.read("/opt/cni/bin/bridge") == b"bridge 1", "ours")
    need(os.stat(target.path("/opt/cni/bin/calico")).st_ino == inode, "theirs")
    need(target.read("/opt/cni/bin/conf/x/y") == b"deep", "theirs, deep")
    target.clean()
    before = target.state()
    expect(target.run(*words), r"^ok \ncheck done")
    need(target.state() == before and len(where.seen) == 1, "the second run did something")
    expect(target.run("plugins", where.url("/2"), sha(second), "/opt/cni/bin", "0"), r"^ok \ncheck done")
    need(sorted(os.listdir(target.path("/opt/cni/bin"))) == ["bridge", "calico", "conf", "link", "vlan"],
         "the first archive's own were not taken away")
    need(stat.S_IMODE(os.stat(target.path("/opt/cni/bin")).st_mode) == 0o755, "mode")
    target.clean()


@case
def artifact_linked_directory():
    """Debian's containerd looks in /usr/lib/cni; sites link one to the other, some absolutely."""
    data = tar_of(PLUGINS)
    for link in ("../../usr/lib/cni", "/usr/lib/cni"):
        _, url = script(file_of(data))
        target = Target()
        target.put("/usr/lib/cni/theirs", b"t")
        os.makedirs(target.path("/opt/cni"))
        os.symlink(link, target.path("/opt/cni/bin"))
        expect(target.run("plugins", url, sha(data), "/opt/cni/bin", "0"), r"^ok \ncheck done")
        need(os.readlink(target.path("/opt/cni/bin")) == link, "the link went")
        need(target.read("/usr/lib/cni/bridge") == b"bridge 1", "not where the link leads")
        need(target.read("/usr/lib/cni/theirs") == b"t", "theirs went")
        target.clean()


@case
def artifact_hostile_links():
    """Links in the installed OS lead nowhere else."""
    outside = tempfile.mkdtemp(dir=SITE.folder)
    data = tar_of(PLUGINS)
    for link in (outside, "../../../../../../../.." + outside):
        _, url = script(file_of(data))
        target = Target()
        os.symlink(link, target.path("/opt"))
        expect(target.run("plugins", url, sha(data), "/opt/cni/bin", "0"), r"^(ENOENT|ENOTDIR|E\w+|ok) ")
        need(not os.listdir(outside), "made something outside")


@case
def artifact_tree():
    one, two = tar_of({"a/b": b"1", "top": b"t"}), tar_of({"a/c": b"2"}, "bz2")
    where = Server()
    where.routes.update({"/1": file_of(one), "/2": file_of(two)})
    target = Target()
    expect(target.run("tree", where.url("/1"), sha(one), "/opt/tree", "0"), r"^ok \ncheck done")
    need(target.read("/opt/tree/a/b") == b"1", "bytes")
    expect(target.run("tree", where.url("/2"), sha(two), "/opt/tree", "0"), r"^ok \ncheck done")
    need(os.listdir(target.path("/opt/tree/a")) == ["c"], "the old tree stayed")
    os.unlink(target.path("/opt/tree/a/c"))
    expect(target.run("tree", where.url("/2"), sha(two), "/opt/tree", "0", options=["check=1"]),
           "check unpack")
    target.put("/usr/local/theirs")
    expect(target.run("tree", where.url("/2"), sha(two), "/usr/local", "0"),
           r"^EEXIST .*was not unpacked by this agent \(it holds 'theirs'\)")
    need(target.read("/usr/local/theirs") == b"old", "replaced what is not ours")
    os.makedirs(target.path("/opt/empty"))
    expect(target.run("tree", where.url("/2"), sha(two), "/opt/empty", "0"), r"^ok \ncheck done")
    target.put("/opt/file")
    expect(target.run("tree", where.url("/2"), sha(two), "/opt/file", "0"), r"^ENOTDIR ")
    target.clean()


@case
def artifact_modules():
    release = "6.12.1-test"
    files = {"modules.dep": b"a: b\n", "kernel/net/bridge.ko": b"ko" * 1000}
    for prefix in ("", release + "/", f"lib/modules/{release}/", f"./usr/lib/modules/{release}/"):
        data = tar_of({prefix + name: content for name, content in files.items()}, "xz")
        _, url = script(file_of(data))
        target = Target()
        os.makedirs(target.path("/usr/lib"))
        os.symlink("usr/lib", target.path("/lib"))
        target.put(f"/usr/lib/modules/{release}/half-installed")
        words = ("modules", url, sha(data), f"/lib/modules/{release}", release)
        expect(target.run(*words), r"^ok \ncheck done")
        need(target.read(f"/usr/lib/modules/{release}/kernel/net/bridge.ko") == b"ko" * 1000, "bytes")
        need(os.listdir(target.path("/usr/lib/modules")) == [release], "others")
        target.clean()
        before = target.state()
        expect(target.run(*words), r"^ok \ncheck done")
        need(target.state() == before, "the second run wrote")
    data = tar_of({"5.0-other/modules.dep": b""})
    _, url = script(file_of(data))
    target = Target()
    expect(target.run("modules", url, sha(data), f"/lib/modules/{release}", release),
           rf"^E_ARCHIVE unpack .*holds no modules.dep of kernel {release} \(at its top is '5.0-other'\)")
    target.clean()


@case
def artifact_many():
    """Several at once, of all kinds; one that fails does not keep the others."""
    where, target, words = Server(), Target(), []
    for number in range(8):
        data = tar_of({"p": b"%d" % number}) if number % 2 else b"%d" % number * 1000
        where.routes[f"/{number}"] = file_of(data) if number != 4 else fixed(404)
        words += ["tree" if number % 2 else "file", where.url(f"/{number}"), sha(data), f"/a/{number}",
                  "0644"]
    text = target.run(*words)
    expect(text, r"^E_NOT_YET .*/4': HTTP status 404")
    need(text.count("check done") == 7, text)
    where.routes["/4"] = file_of(b"4" * 1000)
    expect(target.run(*words), r"^ok ")
    need(len(where.seen) == 9, f"{len(where.seen)} requests")
    target.clean()


@case
def artifact_changes_midway():
    """The server gets the right file while the wrong one is being fetched."""
    old, new = os.urandom(len(DATA)), DATA
    where, url = script([file_of(old, cut=100000, etag='"old"'), file_of(new, etag='"new"')])
    target = Target()
    expect(target.run("file", url, sha(new), "/opt/tool", "0755"), r"^ok \ncheck done")
    need(target.read("/opt/tool") == new, "bytes")
    need([r.headers.get("range") for r in where.seen] == [None, "bytes=100000-", None], "requests")
    data = tar_of({"p": DATA})
    where, url = script([file_of(os.urandom(len(data) + 5), cut=1000, etag='"old"'), file_of(data)])
    expect(target.run("plugins", url, sha(data), "/opt/cni/bin", "0"), r"^ok \ncheck done")
    target.clean()


@case
def artifact_cut_archive():
    files = {f"p{n}": os.urandom(50000) for n in range(10)}
    for packing in ("gz", "bz2", "xz"):
        data = tar_of(files, packing)
        where, url = script([file_of(data, cut=n * 30000 + 777) for n in range(1, 5)] + [file_of(data)])
        target = Target()
        expect(target.run("plugins", url, sha(data), "/opt/cni/bin", "0"), r"^ok \ncheck done")
        for name, content in files.items():
            need(target.read("/opt/cni/bin/" + name) == content, "bytes")
        need(sum(int(r.headers.get("range", "bytes=0-")[6:-1]) > 0 for r in where.seen) == 4, "resumed")
        target.clean()


@case
def artifact_no_space():
    if os.geteuid() != 0:
        raise Skipped("not root: no file system of its own to fill")
    big, packed = os.urandom(3 << 20), tar_of({"big": os.urandom(3 << 20)}, "xz")
    mount = 'mount -t tmpfs -o size=1m none "$ROOT" && exec "$0" "$@"'
    for kind, data, length in (("file", big, True), ("plugins", packed, True), ("file", big, False),
                               ("plugins", packed, False)):
        _, url = script(file_of(data, length=length))
        root = tempfile.mkdtemp(dir=SITE.folder)
        done = subprocess.run(["unshare", "-m", "sh", "-c", mount, TOOL, *QUICK, "root=" + root, "artifact",
                               kind, url, sha(data), "/d/x", "0755"], env={**os.environ, "ROOT": root},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        text = done.stdout.decode()
        expect(text, r"^ENOSPC .*needs (more than )?4 MiB, [01] MiB are free" if length
               else r"^ENOSPC .*No space left")


@case
def artifact_crowded():
    """Another agent's file of the staging name, and a stale one of a killed run."""
    target = Target()
    target.put("/opt/.tool.promenade-new", b"half")
    target.put("/opt/cni/.bin.promenade-new/half", b"half")
    plugins = tar_of(PLUGINS)
    where = Server()
    where.routes.update({"/f": file_of(DATA), "/p": file_of(plugins)})
    words = ["file", where.url("/f"), sha(DATA), "/opt/tool", "0755", "plugins", where.url("/p"),
             sha(plugins), "/opt/cni/bin", "0"]
    expect(target.run(*words), r"^ok \ncheck done\ncheck done")
    target.clean()
    target.put("/opt/.tool.promenade-new", b"half")
    expect(target.run(*words, options=["check=1"]), r"remove what a stopped run left beside '/opt/tool'")
    expect(target.run(*words), r"^ok \ncheck done\ncheck done")
    target.clean()


def visible(target, name, old, new):
    """What a reader sees: the old or the new, never a part."""
    path = target.path(name)
    if not os.path.exists(path):
        return old is None
    if os.path.isdir(path):
        have = {entry: target.read(f"{name}/{entry}") for entry in os.listdir(path)}
    else:
        have = target.read(name)
    return have in (old, new)


@case
def artifact_killed():
    """kill -9 at many moments; nothing half-written is ever visible and the next run converges."""
    data = os.urandom(2 << 20)
    new = {f"p{n}": os.urandom(200000) for n in range(10)}
    archive, old = tar_of(new), {"p0": b"old", "p1": b"old"}
    rng = random.Random(7)
    killed = 0
    for number in range(30):
        where, target = Server(), Target()
        for route, content in (("/f", data), ("/p", archive)):
            where.routes[route] = slowly(content)
        target.put("/opt/f", b"old")
        for name, content in old.items():
            target.put("/opt/cni/bin/" + name, content)
        words = ["file", where.url("/f"), sha(data), "/opt/f", "0755", "plugins", where.url("/p"),
                 sha(archive), "/opt/cni/bin", "0"]
        process = subprocess.Popen([TOOL, *QUICK, "root=" + target.root, "artifact", *words],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(0.05, 0.8) if number else 0.4)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
        need(visible(target, "/opt/f", b"old", data), "a half-written file is visible")
        need(visible(target, "/opt/cni/bin", old, new), "a half-written directory is visible")
        for route, content in (("/f", data), ("/p", archive)):
            where.routes[route] = file_of(content)
        expect(target.run(*words), r"^ok \ncheck done\ncheck done")
        need(visible(target, "/opt/f", None, data) and visible(target, "/opt/cni/bin", None, new), "bytes")
        target.clean()
        shutil.rmtree(target.root)
    need(killed > 5, f"only {killed} were killed in time")


def slowly(data):
    """A file over about half a second."""
    def serve(request):
        request.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data))
        for at in range(0, len(data), 65536):
            request.send(data[at:at + 65536])
            time.sleep(0.5 * 65536 / len(data))
    return serve


@case
def nginx_restarted():
    """A real server that goes away in the middle and comes back."""
    if not shutil.which("nginx"):
        raise Skipped("no nginx here")
    folder = tempfile.mkdtemp(dir=SITE.folder)
    for path in (os.path.dirname(SITE.folder), SITE.folder, folder):
        os.chmod(path, 0o755)  # its workers are another user
    data = os.urandom(6 << 20)
    with open(os.path.join(folder, "big"), "wb") as out:
        out.write(data)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    conf = os.path.join(folder, "conf")
    with open(conf, "w", encoding="ascii") as out:
        out.write(f"pid {folder}/pid; error_log {folder}/error; daemon off; worker_processes 1;\n"
                  "events {}\nhttp { access_log " + f"{folder}/access;\nserver {{ listen 127.0.0.1:{port} ssl;"
                  f" ssl_certificate {SITE.ok_file}; ssl_certificate_key {SITE.ok_file};"
                  f" root {folder}; limit_rate 3m; }} }}\n")

    def start():
        process = subprocess.Popen(["nginx", "-c", conf, "-p", folder], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        time.sleep(0.3)
        return process

    def stop(process):
        with open(os.path.join(folder, "pid"), encoding="ascii") as pid:
            master = int(pid.read())
        workers = subprocess.run(["ps", "-o", "pid=", "--ppid", str(master)], stdout=subprocess.PIPE,
                                 check=False).stdout.split()
        for one in [master, *map(int, workers)]:
            os.kill(one, signal.SIGKILL)
        process.wait()

    nginx = start()
    target = Target()
    run = subprocess.Popen([TOOL, *QUICK, "retries=40", "ca=" + SITE.ca_file, "root=" + target.root,
                            "artifact", "file", f"https://127.0.0.1:{port}/big", sha(data), "/big", "0644"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(0.9)
    stop(nginx)
    time.sleep(0.5)
    nginx = start()
    text = run.communicate(timeout=60)[0].decode()
    stop(nginx)
    expect(text, r"^ok \ncheck done")
    with open(os.path.join(folder, "access"), encoding="ascii") as log:
        statuses = re.findall(r'" (\d+) ', log.read())
    need("206" in statuses, f"not resumed: {statuses}")
    need(target.read("/big") == data, "bytes")


def run_case(function):
    try:
        function()
        return "passed", ""
    except Skipped as why:
        return "skipped", str(why)
    except Exception as why:  # a broken case is a failed one, and the others go on
        return "failed", f"{type(why).__name__}: {why}"


def main():
    global SITE
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    wanted = sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "site"))
        SITE = Site(os.path.join(folder, "site"))
        cases = [c for c in CASES if not wanted or c.__name__ in wanted]
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            for function, (result, why) in zip(cases, pool.map(run_case, cases)):
                counts[result] += 1
                if result != "passed":
                    print(f"{result.upper() if result == 'failed' else 'skip'} {function.__name__}: {why}",
                          flush=True)
    print(", ".join(f"{number} {word}" for word, number in counts.items()))
    sys.stdout.flush()
    os._exit(1 if counts["failed"] else 0)  # servers that still sleep are not waited for


if __name__ == "__main__":
    main()
