# SPDX-License-Identifier: MIT
"""A server that does exactly what a script says: raw sockets, so that it can lie about lengths, cut
anywhere, drip, or never end. Python's standard library only."""
import os
import socket
import ssl
import subprocess
import threading
import time


class Request:
    def __init__(self, conn, head):
        lines = head.decode("latin-1").split("\r\n")
        self.conn = conn
        self.method, self.path = lines[0].split(" ")[:2]
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.lower()] = value.strip()
        self.body = b""

    def send(self, data):
        self.conn.sendall(data)

    def reply(self, status, body=b"", length=None, **headers):
        """A whole answer; length lies when given, None as text leaves it out."""
        fields = {"Content-Length": len(body) if length is None else length, "Connection": "close"}
        fields.update({k.replace("_", "-"): v for k, v in headers.items()})
        text = "".join(f"{k}: {v}\r\n" for k, v in fields.items() if v != "")
        self.send(f"HTTP/1.1 {status} Words\r\n{text}\r\n".encode() + body)


class Server:
    """routes maps a path to a function of a Request; more functions in a list are for one request
    each, the last for all that follow. seen holds all requests."""

    def __init__(self, context=None):
        self.routes = {}
        self.seen = []
        self.handshakes_failed = 0
        self.context = context
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=50)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def url(self, path, host="127.0.0.1"):
        return f"{'https' if self.context else 'http'}://{host}:{self.port}{path}"

    def count(self, path):
        return sum(r.path == path for r in self.seen)

    def accept(self):
        while True:
            conn, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            conn.settimeout(30)
            if self.context:
                conn = self.context.wrap_socket(conn, server_side=True)
            self.one(conn)
        except (OSError, ValueError):
            self.handshakes_failed += 1
        finally:
            try:
                conn.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            conn.close()

    def one(self, conn):
        head = b""
        while b"\r\n\r\n" not in head:
            part = conn.recv(65536)
            if not part:
                return
            head += part
        head, _, rest = head.partition(b"\r\n\r\n")
        request = Request(conn, head)
        while len(rest) < int(request.headers.get("content-length", 0)):
            rest += conn.recv(65536)
        request.body = rest
        with self.lock:
            self.seen.append(request)
            route = self.routes.get(request.path)
            if isinstance(route, list):
                route = route.pop(0) if len(route) > 1 else route[0]
        if route:
            route(request)
        else:
            request.reply(404)


def fixed(status, body=b"", **more):
    return lambda request: request.reply(status, body, **more)


def close(request):
    """No answer at all."""


def raw(*parts, pause=0.0):
    """The parts as they are, with a pause before each but the first."""
    def serve(request):
        for number, part in enumerate(parts):
            if number:
                time.sleep(pause)
            request.send(part)
    return serve


def endless(part, pause=0.0, start=b""):
    def serve(request):
        request.send(start)
        while True:
            request.send(part)
            time.sleep(pause)
    return serve


def file_of(data, cut=None, etag='"v1"', ranges=True, modified=None, stall=None, wrong_start=0,
            length=True, total=None):
    """A file as a good server gives it, with the faults that the arguments name: cut after that many
    bytes of the answer; stall so long there instead; a Content-Range that is off by wrong_start."""
    def serve(request):
        asked = request.headers.get("range", "")
        start, status = 0, 200
        condition = request.headers.get("if-range")
        if ranges and asked.startswith("bytes=") and condition in (None, etag, modified):
            start, status = int(asked[6:].split("-")[0]), 206
        fields = {"Connection": "close"}
        if status == 206 and start >= len(data):
            request.reply(416, Content_Range=f"bytes */{len(data)}")
            return
        if length:
            fields["Content-Length"] = len(data) - start
        if etag:
            fields["ETag"] = etag
        if modified:
            fields["Last-Modified"] = modified
        if status == 206:
            fields["Content-Range"] = (f"bytes {start + wrong_start}-{len(data) - 1 + wrong_start}/"
                                       f"{(total or len(data)) + wrong_start}")
        text = "".join(f"{k}: {v}\r\n" for k, v in fields.items())
        request.send(f"HTTP/1.1 {status} OK\r\n{text}\r\n".encode())
        body = data[start:]
        request.send(body if cut is None else body[:cut])
        if stall:
            time.sleep(stall)
    return serve


def chunked(*parts, end=True):
    def serve(request):
        request.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in parts:
            request.send(b"%x\r\n%s\r\n" % (len(part), part))
        if end:
            request.send(b"0\r\n\r\n")
    return serve


class Authority:
    """A throw-away CA with the openssl command."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        os.makedirs(os.path.join(folder, name + ".d"))
        self.key(name)
        self.openssl("req", "-x509", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-days",
                     "30", "-out", name + ".pem")
        with open(self.path(name + ".cnf"), "w", encoding="ascii") as conf:
            conf.write(f"[ca]\ndefault_ca=d\n[d]\ndatabase={name}.d/index\nnew_certs_dir={name}.d\n"
                       "default_md=sha256\npolicy=p\nrand_serial=yes\nunique_subject=no\n"
                       "[p]\ncommonName=supplied\n")
        open(self.path(f"{name}.d/index"), "w", encoding="ascii").close()

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *words):
        subprocess.run(["openssl", *words], cwd=self.folder, check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def key(self, name):
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name + ".key")

    def issue(self, name, san="IP:127.0.0.1", start="20240101000000Z", end="20990101000000Z"):
        """Certificate and key in one file; its path."""
        self.key(name)
        self.openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-out", name + ".csr")
        with open(self.path(name + ".ext"), "w", encoding="ascii") as ext:
            ext.write(f"subjectAltName={san}\n")
        self.openssl("ca", "-batch", "-notext", "-config", self.name + ".cnf", "-cert",
                     self.name + ".pem", "-keyfile", self.name + ".key", "-in", name + ".csr",
                     "-extfile", name + ".ext", "-startdate", start, "-enddate", end, "-out",
                     name + ".crt")
        with open(self.path(name + ".both"), "wb") as both:
            for part in (".crt", ".key"):
                with open(self.path(name + part), "rb") as data:
                    both.write(data.read())
        return self.path(name + ".both")


def tls(both, client_ca=None, minimum=ssl.TLSVersion.TLSv1_2, maximum=ssl.TLSVersion.TLSv1_3):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    context.minimum_version, context.maximum_version = minimum, maximum
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context
