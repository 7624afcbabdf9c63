#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The rig's own judgement, without a machine: a boot that is not good must never pass.

Facts of a good boot are written down here; each case spoils one and names the point that must turn.
"""
import base64
import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "qemu"))
sys.dont_write_bytecode = True
import machine  # noqa: E402
import scenario  # noqa: E402
import servers  # noqa: E402
from verdict import Facts  # noqa: E402

ADDRESS = [{"address": machine.DEFAULT_MAC, "addr_info": [
    {"family": "inet", "local": "10.0.2.15", "prefixlen": 24}]}]
GOOD = {
    "kernel": "6.12.1-amd64",
    "modules": "6.12.1-amd64",
    "state": "running",
    "failed": "",
    "hostname": "demo-node",
    "machineid": "0123456789abcdef0123456789abcdef",
    "swaps": "Filename\tType\tSize\tUsed\tPriority",
    "docker": "overlay2 systemd json-file 26.1.5",
    "daemonjson": '{"live-restore": true, "log-opts": {"max-file": "3"}}',
    "containerd": 'version = 2\n      snapshotter = "overlayfs"',
    "ctrplugins": "io.containerd.snapshotter.v1 overlayfs linux/amd64 ok",
    "units": "containerd.service enabled active\ndocker.service enabled active",
    "cni": "bridge: CNI bridge plugin version unknown|CNI protocol versions supported: 1.0.0",
    "addr": json.dumps(ADDRESS),
    "early": "== /run/rig/block-stat\nvda 9 9 9 9 0 0 0 0 0 0 0",
}
START = 'agent: t=16.6 msg="promenade a190276"'
EVENTS = [{"event_type": "finish", "result": "SUCCESS", "node": {"ip": "10.0.2.15"}}]

# What is spoilt: fact -> text (None: missing), and the point that must then not hold.
SPOILT = [
    ({"kernel": "6.1.0"}, "running kernel"),
    ({"modules": ""}, "module trees"),
    ({"state": "degraded"}, "systemd"),
    ({"failed": "docker.service loaded failed failed Docker"}, "failed units"),
    ({"hostname": "localhost"}, "host name"),
    ({"machineid": "uninitialized"}, "machine-id"),
    ({"swaps": GOOD["swaps"] + "\n/dev/zram0 partition 65532 0 100"}, "swaps"),
    ({"swaps": None}, "swaps"),
    ({"docker": "vfs systemd json-file 26.1.5"}, "docker's storage driver"),
    ({"docker": "overlay2 cgroupfs json-file 26.1.5"}, "docker's cgroup driver"),
    ({"docker": "Cannot connect to the Docker daemon"}, "docker's storage driver"),
    ({"daemonjson": '{"storage-driver": "overlay2"}'}, "daemon.json keeps other keys"),
    ({"daemonjson": "{"}, "daemon.json keeps other keys"),
    ({"containerd": 'snapshotter = "native"'}, "containerd's snapshotter"),
    ({"ctrplugins": "io.containerd.snapshotter.v1 overlayfs linux/amd64 error"},
     "containerd's snapshotter"),
    ({"units": "containerd.service enabled failed\ndocker.service enabled active"},
     "containerd.service"),
    ({"cni": ""}, "CNI bridge"),
    ({"cni": GOOD["cni"].replace("bridge plugin", "tuning plugin")}, "CNI bridge"),
    ({"cni": GOOD["cni"] + "\nevil: evil"}, "CNI, not in the archive"),
    ({"addr": GOOD["addr"].replace("2.15", "2.16")}, "address before, after"),
    ({"addr": ""}, "address before, after"),
    ({"early": GOOD["early"].replace("vda 9 9 9 9 0 0 0", "vda 9 9 9 9 0 0 8")},
     "sectors written by the agent"),
    ({"early": ""}, "sectors written by the agent"),
]

passed = failed = 0


def check(what, good):
    """Counts; says what did not hold."""
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"FAIL {what}")


class Site:
    """What judge() asks of a site."""

    class images:
        release = "6.12.1-amd64"

    cni_plugins = {"bridge": GOOD["cni"].split(": ", 1)[1]}

    def __init__(self, folder):
        self.folder = folder

    def artifact(self, name):
        return os.path.join(self.folder, name)


def lines_of(facts):
    """The verdict port's lines."""
    lines = [f"fact {name} 0 {base64.b64encode(text.encode()).decode()}"
             for name, text in facts.items() if text is not None]
    return lines + ["end"]


def points_of(site, facts, kind="verdict", events=None, console=(START,), **fields):
    """Point name -> whether it holds, for a second boot."""
    boot = scenario.Scenario("x", "x", "bios", "x", **{"after": "y", **fields})
    outcome = machine.Outcome(kind, 1.0, facts=lines_of(facts))
    judged = scenario.judge(boot, site, outcome, EVENTS if events is None else events,
                            list(console))
    return {point.what: point.good for point in judged}


def test_judgement(folder):
    """Every spoilt fact turns its point, and nothing else is needed to fail the boot."""
    site = Site(folder)
    with open(site.artifact("etcdctl"), "wb") as file:
        file.write(b"tool")
    digest = scenario.rig.artifacts.sha256(site.artifact("etcdctl"))
    good = dict(GOOD, tools=f"{digest}  /usr/local/bin/etcdctl")
    points = points_of(site, good)
    check(f"good boot: {[name for name, held in points.items() if not held]}", all(points.values()))
    for changed, point in SPOILT:
        check(f"{changed} must spoil '{point}'", points_of(site, {**good, **changed})[point] is False)
    check("another tool", not points_of(site, dict(good, tools="0" * 64))["/usr/local/bin/etcdctl"])
    check("no events", not points_of(site, good, events=[])["events at the webhook"])
    bad = [dict(EVENTS[0], result="FAIL")]
    check("failed event", not points_of(site, good, events=bad)["events at the webhook"])
    for kind in ("hung", "panic", "exited"):
        check(kind, not points_of(site, good, kind=kind)["the boot"])
    check("one netboot", points_of(site, good)["netboots"])
    check("two netboots", not points_of(site, good, console=[START, START])["netboots"])
    for count in (1, 2, 3):
        held = points_of(site, good, console=[START] * count, pivot="reboot")["netboots"]
        check(f"{count} netboots with pivot reboot", held == (count == 2))
    check("said", points_of(site, good, says=("promenade a1",))["said"])
    check("not said", not points_of(site, good, says=("promenade b1",))["said"])
    check("no end", not Facts(lines_of(good)[:-1]).complete)


def test_demo():
    """`make demo` boots the firmware that is asked for, and no other word gets it."""
    for words, name in (([], "bios-first"), (["FIRMWARE=uefi"], "uefi-first")):
        done = subprocess.run(["make", "-C", TOP, "--no-print-directory", "-n", "demo", *words],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env={**os.environ, "MAKEFLAGS": "", "MAKELEVEL": "0"}, check=False)
        check(f"make demo {words} runs {name}", done.returncode == 0 and
              done.stdout.rstrip().endswith(f" {name}"))
        check(f"make demo {words} leaves the image alone", "--firmware uefi" not in done.stdout)


def test_lines():
    """Console bytes in any portions give the same lines; a progress bar is transient."""
    data = b"\x1b[0;1mone\x1b[0m\r\r\ntwo 10%\rtwo 20%\rtwo done\nlast\r\n"
    wanted = [("one", False), ("two 10%", True), ("two 20%", True), ("two done", False),
              ("last", False)]
    for size in (1, 2, 3, 7, len(data)):
        lines = machine.Lines()
        found = [line for start in range(0, len(data), size)
                 for line in lines.feed(data[start:start + size])]
        check(f"lines in portions of {size}: {found}", found == wanted)


def test_servers(folder):
    """A client that has the CA is served; one without it is not; the server can be switched off."""
    provision = os.path.join(folder, "provision")
    os.makedirs(os.path.join(provision, "roles"))
    with open(os.path.join(provision, "roles", "a.yaml"), "w", encoding="ascii") as file:
        file.write("role\n")
    authority = os.path.join(folder, "ca")
    curl = ["curl", "-sS", "--max-time", "10", "-o", "/dev/null", "-w", "%{http_code}"]
    trust = ["--cacert", os.path.join(authority, "ca.crt")]

    def get(*words):
        done = subprocess.run(curl + list(words), stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL, check=False)
        return done.stdout if done.returncode == 0 else f"curl {done.returncode}"

    with servers.Servers(os.path.join(folder, "run"), authority, folder, provision) as site:
        url = f"https://127.0.0.1:{site.ports['provision']}"
        check("role over HTTPS", get(*trust, f"{url}/roles/a.yaml") == "200")
        check("no role yet", get(*trust, f"{url}/roles/b.yaml") == "404")
        check("unknown CA", get(f"{url}/roles/a.yaml") == "curl 60")
        check("event", get(*trust, "-d", '{"name": "x"}', f"{url}/events") == "200")
        check("malformed event", get(*trust, "-d", "{", f"{url}/events") == "400")
        check("recorded", site.events == [{"name": "x"}, {"malformed": "{"}])
        site.stop("provision")
        check("switched off", get(*trust, f"{url}/roles/a.yaml") == "curl 7")
        boot = f"http://127.0.0.1:{site.ports['boot']}/provision/roles/a.yaml"
        check("boot server stays", get(boot) == "200")
        site.start("provision")
        check("on again", get(*trust, f"{url}/roles/a.yaml") == "200")


def test_scripts():
    """iPXE runs no script without its first line; a label that is not there ends a boot."""
    folder = os.path.join(TOP, "ipxe")
    for name in sorted(os.listdir(folder)):
        if name.endswith(".ipxe"):
            with open(os.path.join(folder, name), encoding="ascii") as file:
                text = file.read()
            check(f"{name}: first line", text.startswith("#!ipxe\n"))
            labels = {line[1:] for line in text.split("\n") if line.startswith(":")}
            gone = {word.split()[0] for word in text.split("goto ")[1:]} - labels
            check(f"{name}: goto {gone}", not gone)


def test_signing(folder):
    """What was signed verifies; one byte more does not."""
    sign = os.path.join(TOP, "ipxe", "sign.sh")
    image, keys = os.path.join(folder, "image"), os.path.join(folder, "keys")
    with open(image, "wb") as file:
        file.write(os.urandom(4096))

    def run(*words):
        return subprocess.run([sign, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              check=False).returncode

    check("make a CA", run("ca", keys) == 0)
    check("sign", run("sign", keys, image) == 0)
    check("verify", run("verify", keys, image) == 0)
    with open(image, "ab") as file:
        file.write(b"x")
    check("one byte more", run("verify", keys, image) == 1)


def main():
    """Runs all; the last line counts."""
    with tempfile.TemporaryDirectory(prefix="rig-") as folder:
        for name, test in (("judge", test_judgement), ("servers", test_servers),
                           ("sign", test_signing)):
            os.makedirs(os.path.join(folder, name))
            test(os.path.join(folder, name))
    test_demo()
    test_lines()
    test_scripts()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
