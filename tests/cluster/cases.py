# SPDX-License-Identifier: MIT
"""What the suites of this folder share: cases as functions, certificates, the tool under test, and a
token that must show nowhere."""
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/http"))
import server  # noqa: E402

TOOL = os.path.join(TOP, "build/host/cluster/call_tool")
TOKEN = "abcdef.s3cr3tt0ken01234"
CASES = []


class Failed(Exception):
    pass


def case(function):
    CASES.append(function)
    return function


def need(condition, what):
    if not condition:
        raise Failed(what)


def expect(text, *patterns):
    for pattern in patterns:
        need(re.search(pattern, text), f"said {text!r}, expected /{pattern}/")


def no_secret(text):
    """Neither the token nor a half of it, nor any line of a private key."""
    need("s3cr3t" not in text, f"the token shows: {text!r}")
    need("PRIVATE KEY" not in text, f"a key shows: {text!r}")


def tool(*words, seconds=90, leaks=1):
    done = subprocess.run([TOOL, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          stderr=subprocess.STDOUT, timeout=seconds, check=False,
                          env={**os.environ, "ASAN_OPTIONS": f"detect_leaks={leaks}"})
    text = done.stdout.decode(errors="replace")
    need(done.returncode == 0, f"exit status {done.returncode}: {text}")
    need("Sanitizer" not in text and "runtime error" not in text, text)
    no_secret(text)
    return text


def reply(status, value, **more):
    """A JSON answer."""
    body = json.dumps(value).encode()
    return lambda request: request.reply(status, body, Content_Type="application/json", **more)


class Site:
    """Certificates: slow to make, the same for all cases."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.ca = server.Authority(folder, "good")
        self.ca_file = self.ca.path("good.pem")
        other = server.Authority(folder, "other")
        self.ok_file = self.ca.issue("ok")
        self.client_file = self.ca.issue("client", "DNS:client")
        self.stranger_file = other.issue("stranger", "DNS:client")
        self.contexts = {
            "ok": server.tls(self.ok_file),
            "expired": server.tls(self.ca.issue("expired", end="20240201000000Z")),
            "name": server.tls(self.ca.issue("name", "DNS:somewhere.else")),
            "unknown": server.tls(other.issue("unknown")),
            "mutual": server.tls(self.ok_file, self.ca_file),
        }
        self.token_file = self.write("token", TOKEN + "\n")

    def write(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(data if isinstance(data, str) else json.dumps(data))
        return path

    def serve(self, routes, which="ok"):
        where = server.Server(self.contexts[which])
        where.routes.update(routes)
        return where


def run_case(function):
    start = time.monotonic()
    try:
        function()
        return "passed", f"{time.monotonic() - start:.0f} s"
    except Exception as why:  # a broken case is a failed one, and the others go on
        return "failed", f"{type(why).__name__}: {why}"


def run_all(wanted, threads=4):
    """Runs the cases and ends the process."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    cases = [c for c in CASES if not wanted or c.__name__ in wanted]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for function, (result, why) in zip(cases, pool.map(run_case, cases)):
            counts[result] += 1
            print(f"{'ok  ' if result == 'passed' else 'FAIL'} {function.__name__} {why}", flush=True)
    print(", ".join(f"{number} {word}" for word, number in counts.items()))
    sys.stdout.flush()
    return 1 if counts["failed"] else 0
