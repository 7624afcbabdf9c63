# SPDX-License-Identifier: MIT
"""A client and a server network namespace with veth pairs between them, for tests/net/run.py.
Everything that runs in one is ended, and both are removed, when the lab is left."""
import itertools
import os
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
TOOL = os.environ.get("NETTOOL", os.path.join(TOP, "build/host/net/nettool"))
NUMBERS = itertools.count()


class Failed(Exception):
    """A test's claim does not hold."""


def claim(holds, text):
    if not holds:
        raise Failed(text)


def run(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if check and done.returncode:
        raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


class Process:
    """A program in a namespace; its output goes to a file."""

    def __init__(self, lab, namespace, words, name):
        self.path = os.path.join(lab.folder, f"{name}-{next(NUMBERS)}.log")
        self.errors = self.path + ".err"
        with open(self.path, "wb") as out, open(self.errors, "wb") as err:
            self.child = subprocess.Popen(["ip", "netns", "exec", namespace, *words],
                                          stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def text(self):
        with open(self.path, encoding="utf-8", errors="replace") as out:
            return out.read()

    def log(self):
        with open(self.errors, encoding="utf-8", errors="replace") as err:
            return err.read()

    def await_text(self, text, seconds=40, count=1):
        """Waits until the output (or the log) has text count times; returns the seconds taken."""
        started = time.monotonic()
        while (self.text() + self.log()).count(text) < count:
            ended = self.child.poll() is not None
            if time.monotonic() - started > seconds or ended:
                if (self.text() + self.log()).count(text) >= count:
                    break
                raise Failed(f"no '{text}' within {seconds} s; it said:\n"
                             + self.text() + self.log())
            time.sleep(0.05)
        return time.monotonic() - started

    def await_end(self, seconds=60):
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"no end within {seconds} s; it said:\n"
                         + self.text() + self.log()) from None

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(5)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def values(self):
        """The key=value lines of the last report; of a repeated key the last one."""
        return dict(line.split("=", 1) for line in self.text().splitlines() if "=" in line)


class Lab:
    def __init__(self):
        tag = f"pm{os.getpid()}-{next(NUMBERS)}"
        self.inside, self.outside = tag + "c", tag + "s"
        self.processes = []

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="promenade-net-")
        self.folder = self.temporary.name
        self.root = os.path.join(self.folder, "root")
        os.makedirs(self.root + "/etc")
        for namespace in (self.inside, self.outside):
            run("ip", "netns", "add", namespace)
        run("ip", "-n", self.outside, "link", "set", "lo", "up")
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.stop()
        for namespace in (self.inside, self.outside):
            run("ip", "netns", "del", namespace, check=False)
        self.temporary.cleanup()

    def link(self, name, address=None, mac=None, carrier=True):
        """A veth: NAME inside, sNAME outside with address there. Inside it is down."""
        outside = "s" + name
        run("ip", "link", "add", name, "netns", self.inside, *(["address", mac] if mac else []),
            "type", "veth", "peer", "name", outside, "netns", self.outside)
        if address:
            run("ip", "-n", self.outside, "address", "add", address, "dev", outside, "nodad")
        if carrier:
            self.carrier(name, True)

    def carrier(self, name, on):
        run("ip", "-n", self.outside, "link", "set", "s" + name, "up" if on else "down")

    def mac(self, name):
        return run("ip", "netns", "exec", self.inside, "cat", f"/sys/class/net/{name}/address").strip()

    def start(self, namespace, words, name):
        process = Process(self, namespace, words, name)
        self.processes.append(process)
        return process

    def tool(self, *words):
        return self.start(self.inside, [TOOL, self.root, *words], "nettool")

    def up(self, *words, seconds=40):
        """net_up() to its end: its values."""
        process = self.tool("up", *words)
        process.await_text("\nup\n", seconds)
        return process

    def dnsmasq(self, name, *options, first="10.77.0"):
        process = self.start(self.outside, [
            "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0",
            f"--interface=s{name}", "--bind-interfaces", "--log-dhcp", "--log-facility=-", "--no-ping",
            "--pid-file=", f"--dhcp-leasefile={self.folder}/leases-{name}", "--dhcp-authoritative",
            f"--dhcp-range={first}.50,{first}.99,5m", *options], "dnsmasq")
        process.await_text("started", 10)
        return process

    def helper(self, script, *words):
        process = self.start(self.outside, ["python3", os.path.join(HERE, script), *words], script)
        process.await_text("ready", 10)
        return process

    def show(self, *words):
        return run("ip", "-n", self.inside, *words)

    def reaches(self, address):
        """True when that host answers: its refusal of a port that nobody serves is an answer."""
        code = f"import socket; socket.create_connection(({address!r}, 9), 3)"
        done = subprocess.run(["ip", "netns", "exec", self.inside, "python3", "-c", code],
                              capture_output=True, text=True, timeout=30, check=False)
        return "ConnectionRefusedError" in done.stderr

    def resolver(self):
        try:
            with open(self.root + "/etc/resolv.conf", encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return None
