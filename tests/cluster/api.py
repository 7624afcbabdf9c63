#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cluster/api against API servers that misbehave by script. The real ones are in test_api.py.

usage: api.py [CASE]..."""
import json
import os
import sys
import tempfile
import threading
import time

import cases
from cases import TOKEN, case, expect, need, reply, server, tool

# Long enough for a machine that has much else to do: what must end early is seen by what was asked.
QUICK = ["connect_ms=15000", "request_ms=15000", "deadline_ms=40000", "retry_ms=20", "retry_cap_ms=100"]
SHORT = ["deadline_ms=5000"]
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}
SITE = None


def call(where, *words, options=()):
    """The tool against these servers (or endpoints), with the token."""
    where = where if isinstance(where, list) else [where]
    ends = [w if isinstance(w, str) else w.url("") for w in where]
    return tool(*QUICK, "ca=" + SITE.ca_file, "token=" + SITE.token_file,
                *["endpoint=" + end for end in ends], *options, *words)


def status(code, reason, message, **details):
    return {"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason,
            "message": message, "code": code, "details": details}


def dead_end():
    """An endpoint that refuses connections."""
    listener = server.socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    return f"https://127.0.0.1:{port}"


@case
def get():
    where = SITE.serve({"/api/v1/x": reply(200, POD)})
    expect(call(where, "get", "/api/v1/x"), r'^ok \{.*"kind": "Pod"')
    seen = where.seen[0]
    need(seen.method == "GET", seen.method)
    need(seen.headers["authorization"] == "Bearer " + TOKEN, "authorization")
    need(seen.headers["accept"] == "application/json", "accept")


@case
def methods():
    body = SITE.write("methods.json", POD)
    for verb, method, kind in (("post", "POST", "application/json"), ("put", "PUT", "application/json"),
                               ("merge", "PATCH", "application/merge-patch+json")):
        where = SITE.serve({"/api/v1/x": reply(200, POD)})
        expect(call(where, verb, "/api/v1/x", body), r'^ok \{')
        seen = where.seen[0]
        need((seen.method, seen.headers["content-type"]) == (method, kind), f"{seen.method} {seen.headers}")
        need(json.loads(seen.body) == POD, seen.body)
        need("expect" not in seen.headers, "waits for 100 Continue")
    where = SITE.serve({"/api/v1/x": reply(200, status(200, "", ""))})
    expect(call(where, "delete", "/api/v1/x"), r"^ok ")
    need(where.seen[0].method == "DELETE" and not where.seen[0].body, "delete")


@case
def refusals():
    """What ends a call at once, each with its code and the server's words."""
    table = [
        (401, status(401, "Unauthorized", "Unauthorized"), r"^E_UNAUTHORIZED GET '.*': 401: Unauthorized; "
         r".*expired.*issue a new one"),
        (403, status(403, "Forbidden", 'nodes "w2" is forbidden: User "system:node:w1" cannot get'),
         r'^E_FORBIDDEN .*nodes "w2" is forbidden.*RBAC'),
        (404, status(404, "NotFound", 'nodes "w2" not found'), r'^E_NOT_FOUND .*nodes "w2" not found'),
        (409, status(409, "AlreadyExists", 'pods "p" already exists'), r"^E_EXISTS .*already exists"),
        (409, status(409, "Conflict", "the object has been modified"), r"^E_CONFLICT .*has been modified"),
        (400, status(400, "BadRequest", "unknown field"), r"^E_INVALID .*unknown field"),
        (410, status(410, "Expired", "too old resource version"), r"^E_HTTP .*too old"),
        (415, status(415, "UnsupportedMediaType", "the body"), r"^E_UNSUPPORTED "),
        (413, "too large", r"^E_TOO_BIG .*larger than the cluster takes"),
    ]
    for code, body, pattern in table:
        where = SITE.serve({"/api/v1/x": reply(code, body)})
        expect(call(where, "get", "/api/v1/x"), pattern)
        need(where.count("/api/v1/x") == 1, f"{code}: asked {where.count('/api/v1/x')} times")


@case
def invalid_causes():
    causes = [{"reason": "FieldValueRequired", "message": "Required value: the name", "field": "metadata.name"},
              {"reason": "FieldValueInvalid", "message": "Invalid value: -1", "field": "spec.replicas"}]
    message = 'Deployment "d" is invalid: spec.replicas: Invalid value: -1'
    where = SITE.serve({"/api/v1/x": reply(422, status(422, "Invalid", message, causes=causes))})
    text = call(where, "get", "/api/v1/x")
    expect(text, r"^E_INVALID .*is invalid", r"; metadata.name: Required value: the name; mend")
    need(text.count("Invalid value: -1") == 1, "a cause that the message has stands twice")


@case
def odd_refusals():
    """Status objects that are none, and pages of proxies."""
    for body in (b"", b"[]", b"null", b"{}", b'{"message":7,"reason":[],"details":7}', b'{"message":',
                 b'{"message":"a","message":"b"}', b"[" * 60000, b"\xff\xfe\x00", b"<html>\r\nForbidden",
                 b'{"details":{"causes":{"a":1}}}', b'{"details":{"causes":[7,[],{"message":"m"}]}}'):
        where = SITE.serve({"/api/v1/x": server.fixed(403, body)})
        text = call(where, "get", "/api/v1/x")
        expect(text, r"^E_FORBIDDEN GET 'https://127.0.0.1:\d+/api/v1/x': ")
        need(len(text.splitlines()) == 1 and text.rstrip("\n").isprintable(), repr(text))
    expect(text, r": m; RBAC")
    where = SITE.serve({"/api/v1/x": server.fixed(403, b"<html>\r\nForbidden")})
    expect(call(where, "get", "/api/v1/x"), r": 403: <html>; RBAC")


@case
def secrets_sent_back():
    """A proxy that quotes the request in its refusal."""
    def echo(request):
        request.reply(403, b"refused: " + request.headers["authorization"].encode() + b" and s3cr3tt0ken01234")

    def object_echo(request):
        request.reply(403, json.dumps(status(403, "Forbidden", request.headers["authorization"])).encode())

    def early(request):
        request.reply(403, b"x" * 65530 + TOKEN.encode())
    for route in (echo, object_echo, early):
        where = SITE.serve({"/api/v1/x": route})
        expect(call(where, "get", "/api/v1/x"), r"^E_FORBIDDEN ")
    where = SITE.serve({"/api/v1/x": echo})
    expect(call(where, "get", "/api/v1/x"), r"refused: Bearer \*+ and \*+;")


@case
def retry_after():
    busy = reply(429, status(429, "TooManyRequests", "slow down"), Retry_After="1")
    where = SITE.serve({"/api/v1/x": [busy, busy, reply(200, POD)]})
    start = time.monotonic()
    expect(call(where, "get", "/api/v1/x"), r"^ok ")
    need(time.monotonic() - start >= 2, "did not wait as asked")
    need(where.count("/api/v1/x") == 3, "requests")
    long = SITE.serve({"/api/v1/x": reply(429, status(429, "TooManyRequests", "slow down"), Retry_After="90")})
    expect(call(long, "get", "/api/v1/x"), r"^E_NOT_YET .*slow down")
    need(long.count("/api/v1/x") == 1, "asked before the time, or waited beyond the deadline")


@case
def busy_stays_here():
    """429 asks to wait, not to press another server."""
    busy = reply(429, status(429, "TooManyRequests", "slow down"), Retry_After="1")
    first = SITE.serve({"/api/v1/x": [busy, reply(200, POD)]})
    second = SITE.serve({"/api/v1/x": reply(200, POD)})
    expect(call([first, second], "get", "/api/v1/x"), r"^ok ")
    need(not second.seen, "went to the other")


@case
def server_errors():
    for code in (500, 502, 503, 504):
        where = SITE.serve({"/api/v1/x": [reply(code, status(code, "", "etcd is away")), reply(200, POD)]})
        expect(call(where, "get", "/api/v1/x"), r"^ok ")
    where = SITE.serve({"/api/v1/x": reply(503, status(503, "", "etcd is away"))})
    expect(call(where, "get", "/api/v1/x", options=SHORT),
           r"^E_NOT_YET (after \d+ attempts in \d+ s: )?GET .*503: etcd is away")


@case
def cuts():
    whole = json.dumps(POD).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(whole)
    for route in (server.close, server.raw(head), server.raw(head + whole[:9]), server.raw(b"HTTP/1.1 200 OK\r\nX"),
                  server.chunked(whole[:5], end=False)):
        where = SITE.serve({"/api/v1/x": [route, reply(200, POD)]})
        expect(call(where, "get", "/api/v1/x"), r"^ok ")
        where = SITE.serve({"/api/v1/x": route})
        expect(call(where, "get", "/api/v1/x", options=SHORT), r"^E_NET ")


@case
def silence():
    where = SITE.serve({"/api/v1/x": [lambda request: time.sleep(20), reply(200, POD)]})
    expect(call(where, "get", "/api/v1/x", options=["request_ms=1000"]), r"^ok ")
    where = SITE.serve({"/api/v1/x": server.endless(b" ", 0.2, b"HTTP/1.1 200 OK\r\n\r\n")})
    start = time.monotonic()
    expect(call(where, "get", "/api/v1/x", options=SHORT), r"^E_TIMEOUT ")
    need(time.monotonic() - start < 15, "deadline")


@case
def trust():
    for which, pattern in (("unknown", r"is not by the cluster's CA; .*caCertHashes"),
                           ("name", r"is for another name"), ("expired", r"has expired")):
        where = SITE.serve({"/api/v1/x": reply(200, POD)}, which)
        expect(call(where, "get", "/api/v1/x"), rf"^E_TLS .*{pattern}")
        need(not where.seen, "a request with a token was sent")
        need(where.handshakes_failed <= 1, "what a person must mend is tried again and again")


@case
def client_certificate():
    where = SITE.serve({"/api/v1/x": reply(200, POD)}, "mutual")
    words = [*QUICK, "ca=" + SITE.ca_file, "endpoint=" + where.url("")]
    expect(tool(*words, "client=" + SITE.client_file, "get", "/api/v1/x"), r"^ok ")
    words += SHORT
    expect(tool(*words, "get", "/api/v1/x"), r"^E_(TLS|NET) .*credential")
    expect(tool(*words, "client=" + SITE.stranger_file, "get", "/api/v1/x"), r"^E_(TLS|NET) ")
    need(len(where.seen) == 1, "requests")
    broken = SITE.write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    # libcurl's mbedtls.c forgets the parsed CA when the certificate after it does not parse
    expect(tool(*words, "client=" + broken, "get", "/api/v1/x", leaks=0), r"^E_TLS .*of the credential does not parse")


@case
def unverified():
    """For cluster-info alone, and never with a secret."""
    where = SITE.serve({"/api/v1/x": reply(200, POD)}, "unknown")
    words = [*QUICK, "unverified=1", "endpoint=" + where.url("")]
    expect(tool(*words, "get", "/api/v1/x"), r"^ok ")
    for secret in ("token=" + SITE.token_file, "client=" + SITE.client_file):
        expect(tool(*words, secret, "get", "/api/v1/x"), r"^E_BUG ")
    need(len(where.seen) == 1, "a request with a secret was sent")


@case
def plain_http():
    where = server.Server()
    expect(call(where, "get", "/api/v1/x"), r"^E_TRUST .*plain HTTP is not allowed")
    need(not where.seen, "a request was sent")


@case
def odd_tokens():
    where = SITE.serve({"/api/v1/x": reply(200, POD)})
    for number, token in enumerate(("", "a b", "a\r\nX-Injected: 1", "\x7f")):
        path = SITE.write(f"odd-token-{number}", "x\n" + token if number == 2 else token)
        text = tool(*QUICK, "ca=" + SITE.ca_file, "endpoint=" + where.url(""), "token=" + path, "get", "/api/v1/x")
        expect(text, r"^E_USAGE the token " if token else r"^ok ")
    need(not any("x-injected" in seen.headers for seen in where.seen), "a header was injected")


@case
def failover():
    where = SITE.serve({"/api/v1/x": reply(200, POD)})
    for first in (dead_end(), SITE.serve({}, "unknown"), SITE.serve({"/api/v1/x": server.close}),
                  SITE.serve({"/api/v1/x": reply(503, {})}),
                  SITE.serve({"/api/v1/x": server.fixed(302, Location="https://127.0.0.1:1/")}),
                  SITE.serve({"/api/v1/x": server.raw(b"SSH-2.0-OpenSSH_9.2\r\n")})):
        expect(call([first, where], "get", "/api/v1/x", options=["retry_ms=30000"]), r"^ok ")


@case
def failover_not_for_refusals():
    """A server's no is the cluster's no."""
    first = SITE.serve({"/api/v1/x": reply(403, status(403, "Forbidden", "no"))})
    second = SITE.serve({"/api/v1/x": reply(200, POD)})
    expect(call([first, second], "get", "/api/v1/x"), r"^E_FORBIDDEN ")
    need(not second.seen, "asked another")


@case
def all_dead():
    text = call([dead_end(), SITE.serve({}, "unknown")], "get", "/api/v1/x", options=SHORT)
    expect(text, r"^E_TLS none of 2 API servers did it in \d+ attempts and \d+ s: .*cluster's CA")
    expect(call([dead_end(), dead_end()], "get", "/api/v1/x", options=SHORT),
           r"^E_NET none of 2 API servers did it in \d+ attempts")


@case
def sticky():
    """A server that answered is asked first from then on: apply asks three times."""
    table = {"/apis/example.com/v1": reply(200, {"apiVersion": "v1", "kind": "APIResourceList", "resources": []})}
    thing = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t"}}
    table["/apis/example.com/v1"] = reply(200, {
        "apiVersion": "v1", "kind": "APIResourceList", "resources": [
            {"name": "things/status", "kind": "Thing", "namespaced": False},
            {"name": "things", "kind": "Thing", "namespaced": False}]})
    path = "/apis/example.com/v1/things/t?fieldManager=promenade&force=true"
    table[path] = reply(201, thing)
    first, second = SITE.serve({k: server.close for k in table}), SITE.serve(table)
    expect(call([first, second], "apply", SITE.write("thing.json", thing)), r"^ok ")
    need(len(first.seen) == 1 and len(second.seen) == 2, f"{len(first.seen)} {len(second.seen)}")


@case
def redirect():
    other = SITE.serve({"/y": reply(200, POD)})
    where = SITE.serve({"/api/v1/x": server.fixed(307, Location=other.url("/y"))})
    expect(call(where, "get", "/api/v1/x"), r"^E_HTTP .*redirects to '.*', which is not followed")
    need(not other.seen, "the redirect was followed")


@case
def odd_answers():
    """Status 200 and no object of the API. Nothing of it is asked for again."""
    nested = b'{"apiVersion":"v1","kind":"x","a":' + b"[" * 100000 + b"]" * 100000 + b"}"
    for body, pattern in ((b"ok", r"is no JSON"), (b"", r"is no JSON"), (b"[]", r"is no object with apiVersion"),
                          (b"{}", r"is no object"), (b'{"kind":"Pod"}', r"is no object"),
                          (b'{"kind":7,"apiVersion":"v1"}', r"is no object"),
                          (b'{"kind":"a","kind":"b","apiVersion":"v1"}', r"is no JSON \(duplicate object key"),
                          (json.dumps(POD).encode()[:-1], r"is no JSON"),
                          (json.dumps(POD).encode() + b"x", r"is no JSON"),
                          (b'{"kind":"a\\u0000b","apiVersion":"v1"}', r"is no JSON"),
                          (nested, r"is no JSON \(maximum parsing depth"),
                          (json.dumps(status(500, "", "no")).encode(), r"a failure that claims success")):
        where = SITE.serve({"/api/v1/x": server.fixed(200, body)})
        text = call(where, "get", "/api/v1/x")
        expect(text, rf"^E_FORMAT GET '/api/v1/x'.*{pattern}")
        need(where.count("/api/v1/x") == 1 and len(text.splitlines()) == 1, text)


@case
def huge():
    where = SITE.serve({"/api/v1/x": server.endless(b"[" * 65536, 0, b"HTTP/1.1 200 OK\r\n\r\n"),
                        "/api/v1/y": server.endless(b"[" * 65536, 0, b"HTTP/1.1 500 No\r\n\r\n"),
                        "/api/v1/z": server.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n[")})
    expect(call(where, "get", "/api/v1/x"), r"^E_TOO_BIG .*4194304")
    expect(call(where, "get", "/api/v1/y", options=SHORT), r"^E_NOT_YET ")
    expect(call(where, "get", "/api/v1/z", options=SHORT), r"^E_(TOO_BIG|NET) ")


@case
def apply():
    objects = {
        "/api/v1/namespaces/kube-system/configmaps/c": ("v1", "ConfigMap", "c", "kube-system"),
        "/api/v1/namespaces/default/secrets/s": ("v1", "Secret", "s", None),
        "/api/v1/nodes/n": ("v1", "Node", "n", None),
        "/apis/apps/v1/namespaces/kube-flannel/daemonsets/d": ("apps/v1", "DaemonSet", "d", "kube-flannel"),
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/kubeadm:x":
            ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "kubeadm:x", None),
    }
    for number, (path, (version, kind, name, namespace)) in enumerate(objects.items()):
        value = {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
        if namespace:
            value["metadata"]["namespace"] = namespace
        where = SITE.serve({path + "?fieldManager=promenade&force=true": reply(201, value)})
        expect(call(where, "apply", SITE.write(f"apply-{number}.json", value)), r"^ok ")
        seen = where.seen[0]
        need(seen.method == "PATCH" and seen.headers["content-type"] == "application/apply-patch+yaml", "wire")
        need(json.loads(seen.body) == value, "body")


@case
def apply_list():
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in "ab"]
    where = SITE.serve({f"/api/v1/namespaces/{i['metadata']['name']}?fieldManager=promenade&force=true": reply(200, i)
                        for i in items})
    path = SITE.write("list.json", {"apiVersion": "v1", "kind": "List", "items": items})
    expect(call(where, "apply", path), r"^ok ")
    need(len(where.seen) == 2, "items")


@case
def apply_settles():
    """The namespace of an object appears a moment later; a refusal by RBAC too."""
    value = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": "n"}}
    path = "/api/v1/namespaces/n/configmaps/c?fieldManager=promenade&force=true"
    where = SITE.serve({path: [reply(404, status(404, "NotFound", 'namespaces "n" not found')),
                               reply(403, status(403, "Forbidden", "no role yet")), reply(201, value)]})
    file = SITE.write("settle.json", value)
    expect(call(where, "apply", file), r"^ok ")
    where = SITE.serve({path: reply(404, status(404, "NotFound", 'namespaces "n" not found'))})
    expect(call(where, "apply", file, options=SHORT),
           r"^E_NOT_FOUND apply ConfigMap 'c': (after \d+ attempts in \d+ s: )?PATCH '.*': 404: namespaces")


@case
def apply_odd():
    where = SITE.serve({"/api/v1/nodes/n?fieldManager=promenade&force=true": reply(200, POD)})
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    expect(call(where, "apply", SITE.write("odd-node.json", node)), r"^E_FORMAT .*is a 'Pod' where a 'Node'")
    for number, value in enumerate(({}, {"apiVersion": "v1", "kind": "Node"},
                                    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "../x"}},
                                    {"apiVersion": "a/b/c", "kind": "Node", "metadata": {"name": "x"}},
                                    {"apiVersion": "v1", "kind": "Node", "metadata": {"name": ".."}})):
        expect(call(where, "apply", SITE.write(f"odd-{number}.json", value)), r"^E_INVALID ")
    need(len(where.seen) == 1, "a request was sent for no object")


@case
def ready():
    checks = b"[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/rbac failed: x\nreadyz check failed\n"
    where = SITE.serve({"/readyz": [server.fixed(500, checks), server.fixed(403, b""), server.fixed(200, b"ok")]})
    expect(call(where, "ready", "30000"), r"^ok ")
    where = SITE.serve({"/readyz": server.fixed(500, checks)})
    expect(call(where, "ready", "5000"),
           r"^E_NOT_YET wait for the API server: .*: 500: not ready: etcd, poststarthook/rbac\n")
    where = SITE.serve({"/readyz": reply(401, status(401, "Unauthorized", "Unauthorized"))})
    expect(call(where, "ready", "30000"), r"^E_UNAUTHORIZED ")
    need(where.count("/readyz") == 1, "waits with a credential that is refused")


@case
def comes_up_late():
    """The endpoint refuses connections for two seconds."""
    end = dead_end()
    port = int(end.rsplit(":", 1)[1])

    def start():
        time.sleep(2)
        where = SITE.serve({"/readyz": server.fixed(200, b"ok")})
        relay = server.socket.create_server(("127.0.0.1", port))
        conn, _ = relay.accept()
        where.serve(conn)
    threading.Thread(target=start, daemon=True).start()
    expect(call(end, "ready", "30000"), r"^ok ")


def main():
    global SITE
    with tempfile.TemporaryDirectory() as folder:
        SITE = cases.Site(os.path.join(folder, "site"))
        status_of_run = cases.run_all(sys.argv[1:])
    os._exit(status_of_run)  # servers that still sleep are not waited for


if __name__ == "__main__":
    main()
