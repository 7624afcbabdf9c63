#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What step engine writes, read by the engines themselves.

Every case tests/golden/steps/engine-* that is not a refusal is applied to a copy of its target; then
containerd prints the configuration as it understands it (`config dump`) and dockerd validates it. The
programs are those of Debian 13 (containerd 1.7, docker 26) and of testing (2.x, 28). As root containerd
is also started with the result, because its dump does not ask the CRI plugin.
usage: engines.py STEP_RUN"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
SUITES = ("trixie", "forky")
CRI_2 = "io.containerd.grpc.v1.cri"
RUNTIME_3, IMAGES_3 = "io.containerd.cri.v1.runtime", "io.containerd.cri.v1.images"


def fetch(suite, package):
    """Folder with the unpacked package, or None when the archive cannot be had."""
    dest = CACHE / "promenade" / "engines" / suite / package
    if dest.is_dir():
        return dest
    with tempfile.TemporaryDirectory() as tmp:
        got = subprocess.run([TOP / "agent/deps/apt.sh", "download", suite, package, tmp],
                             capture_output=True, text=True)
        debs = list(pathlib.Path(tmp).glob("*.deb"))
        if got.returncode or not debs:
            print(f"{suite}: no {package}: {got.stderr.strip()[-200:]}")
            return None
        dest.parent.mkdir(parents=True, exist_ok=True)
        part = pathlib.Path(tempfile.mkdtemp(dir=dest.parent))
        subprocess.run(["dpkg-deb", "-x", debs[0], part], check=True)
        try:
            part.rename(dest)
        except OSError:  # another run was quicker
            shutil.rmtree(part)
    return dest


def apply(step_run, case, work):
    target, run_root = work / "target", work / "run"
    shutil.copytree(case / "target", target, symlinks=True)
    run_root.mkdir()
    (work / "facts").write_text("")
    done = subprocess.run([step_run, run_root, target, case / "role.yaml", work / "facts", "engine"],
                          capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return target


def wanted(case):
    """What the role asks for, by its own words."""
    role = (case / "role.yaml").read_text()

    def word(key, default):
        found = re.search(key + r': "?([^,}"\n]+)', role)
        return found.group(1) if found else default

    return {"snapshotter": word("snapshotter", "overlayfs"), "sandbox": word("sandboxImage", None),
            "systemd": word("cgroupDriver", "systemd") == "systemd", "cni": "plugins:" in role}


def equal(what, got, want):
    if got != want:
        raise AssertionError(f"{what} is {got!r}, want {want!r}")


def check_dump(text, want):
    dump = tomllib.loads(text)
    plugins = dump["plugins"]
    three = IMAGES_3 in plugins
    runtime = plugins[RUNTIME_3 if three else CRI_2]
    images = plugins[IMAGES_3] if three else runtime
    snapshotter = images["snapshotter"] if three else runtime["containerd"]["snapshotter"]
    runc = runtime["containerd"]["runtimes"]["runc"]
    equal("snapshotter", snapshotter, want["snapshotter"])
    equal("runtime_type", runc["runtime_type"], "io.containerd.runc.v2")
    equal("SystemdCgroup", runc["options"]["SystemdCgroup"], want["systemd"])
    equal("CRI disabled", [p for p in dump["disabled_plugins"] if "cri" in p], [])
    cni = runtime["cni"]
    if want["cni"]:
        equal("CNI directories", cni.get("bin_dirs") or [cni["bin_dir"]], ["/opt/cni/bin"])
        equal("CNI configuration", cni["conf_dir"], "/etc/cni/net.d")
    if want["sandbox"]:
        equal("sandbox", images["pinned_images"]["sandbox"] if three else images["sandbox_image"],
              want["sandbox"])


def configuration(target):
    other = target / "etc/ctd.toml"
    return other if other.exists() else target / "etc/containerd/config.toml"


def is_version_3(path):
    return tomllib.loads(path.read_text()).get("version") == 3


def containerd_case(program, suite, case, target):
    path = configuration(target)
    if is_version_3(path) and suite == "trixie":
        return  # 1.7 does not know version 3
    dump = subprocess.run([program, "--config", path, "config", "dump"], capture_output=True, text=True)
    if dump.returncode:
        raise AssertionError(dump.stderr)
    check_dump(dump.stdout, wanted(case))


def docker_case(program, suite, case, target):
    for path in (target / "etc/docker/daemon.json", target / "srv/daemon.json"):
        if path.is_file() and not path.is_symlink():
            done = subprocess.run([program, "--validate", "--config-file", path],
                                  capture_output=True, text=True)
            if done.returncode or "configuration OK" not in done.stderr + done.stdout:
                raise AssertionError(f"{path}: {done.stderr}{done.stdout}")


def start_containerd(program, text, work):
    """The CRI plugin's own word, with everything that containerd writes in tmpfs of a namespace."""
    config = work / "started.toml"
    config.write_text(text)
    log = work / "log"
    script = ("set -e; for d in /opt /var/lib /run /etc/cni; do mkdir -p $d; mount -t tmpfs none $d; done;"
              f"exec {program} --config {config}")
    with log.open("w") as out:
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", script], stdout=out, stderr=out)
    try:
        for _ in range(100):
            time.sleep(0.1)
            if "containerd successfully booted" in log.read_text() or process.poll() is not None:
                break
    finally:
        process.kill()
        process.wait()
    words = log.read_text()
    bad = [line for line in words.splitlines() if "failed to load plugin" in line and ".cri" in line]
    if bad or "containerd successfully booted" not in words:
        raise AssertionError("\n".join(bad) or words[-2000:])
    if not re.search("start(ing)? cri plugin", words, re.IGNORECASE):
        raise AssertionError("the CRI plugin was not started")


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, function, *args):
        try:
            function(*args)
            self.passed += 1
        except AssertionError as error:
            self.failed += 1
            print(f"FAIL {name}: {error}")


def suite_cases(tally, suite, step_run):
    containerd, docker = fetch(suite, "containerd"), fetch(suite, "docker.io")
    for case in sorted(HERE.glob("steps/engine-*")):
        kind = case.name.split("-")[1]
        tree = {"containerd": containerd, "docker": docker}.get(kind)
        if kind == "none" or "engine: E_" in (case / "expected").read_text():
            continue
        if tree is None:
            tally.skipped += 1
            continue
        with tempfile.TemporaryDirectory() as tmp:
            target = apply(step_run, case, pathlib.Path(tmp))
            if kind == "docker":
                tally.run(f"{suite} {case.name}", docker_case, tree / "usr/sbin/dockerd", suite, case,
                          target)
                continue
            program = tree / "usr/bin/containerd"
            tally.run(f"{suite} {case.name}", containerd_case, program, suite, case, target)
            starts = {"trixie": "engine-containerd-absent", "forky": "engine-containerd-v3"}
            if os.geteuid() == 0 and case.name in (starts[suite], "engine-containerd-dotted"):
                tally.run(f"{suite} {case.name} started", start_containerd, program,
                          configuration(target).read_text(), pathlib.Path(tmp))


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: engines.py STEP_RUN")
    tally = Tally()
    for suite in SUITES:
        suite_cases(tally, suite, pathlib.Path(sys.argv[1]).resolve())
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    sys.exit(1 if tally.failed else 0)


if __name__ == "__main__":
    main()
