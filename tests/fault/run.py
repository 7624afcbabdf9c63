#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Fails the N-th effect of `promenade apply` for every N, kills it before every effect, and kills it
after every journal line. Each time: no crash and no sanitizer report, a failure names its step, and
the next run without faults ends with exactly the tree of a run that was never disturbed. boot.py then
does the like with whole boots.

usage: run.py [--every N]   N > 1 takes every N-th point of apply only"""
import argparse
import collections
import concurrent.futures
import functools
import hashlib
import http.server
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AGENT = os.environ.get("FAULT_AGENT", os.path.join(TOP, "build/host/promenade-fault"))

# An installed Debian as far as the steps look at it.
TREE = {
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian 13"\n',
    "etc/fstab": "UUID=1 / ext4 defaults 0 1\nUUID=2 none swap sw 0 0\n/swapfile none swap sw 0 0\n",
    "etc/hosts": "127.0.0.1 localhost\n127.0.1.1 debian\n",
    "etc/hostname": "debian\n",
    "etc/docker/daemon.json": '{\n  "log-driver": "json-file",\n  "storage-driver": "aufs"\n}\n',
    "etc/systemd/zram-generator.conf": "[zram0]\nzram-size = ram / 2\n",
    "etc/initramfs-tools/conf.d/resume": "RESUME=UUID=2\n",
    "usr/lib/systemd/system/docker.service": "[Service]\nExecStart=/usr/sbin/dockerd -H fd://\n",
    "usr/lib/systemd/system/zramswap.service": "[Service]\nExecStart=/bin/true\n",
    "usr/lib/systemd/systemd": "#!/bin/true\n",
    "usr/sbin/dockerd": "#!/bin/true\n",
    "opt/cni/bin/operators-own": "kept\n",
    "var/lib/dpkg/status": "Package: docker.io\nStatus: install ok installed\nVersion: 26.1.5\n\n",
}
DIRECTORIES = ["etc/systemd/network", "etc/systemd/system", "proc", "sys", "dev", "run", "tmp",
               "root", "var/log"]

ROLE = """apiVersion: promenade/v1
kind: Role
name: node-1
serial: 7
checks:
  nic: {{broadcom: ignore}}
os:
  root: {{label: root}}
  pivot: reboot
node:
  swap: disabled
  engine: {{name: docker, storageDriver: overlay2}}
  sysctl: {{vm.max_map_count: "262144"}}
  modulesLoad: [vxlan]
  files:
    - {{path: /etc/motd, content: "prepared\\n", mode: "0644"}}
  units:
    - name: hello.service
      content: |
        [Service]
        ExecStart=/bin/true
        [Install]
        WantedBy=multi-user.target
      enable: true
artifacts:
  - {{url: "{base}/tool", sha256: "{tool}", path: /usr/local/bin/tool, mode: "0755"}}
  - {{url: "{base}/tree.tgz", sha256: "{plugins}", path: /opt/tree, unpack: true}}
cni:
  plugins: {{url: "{base}/cni.tgz", sha256: "{plugins}", dir: /opt/cni/bin}}
"""


def plugins_archive():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name in ("bridge", "loopback"):
            data = f"#!/bin/true {name}\n".encode() * 400
            info = tarfile.TarInfo("./" + name)
            info.size, info.mode = len(data), 0o755
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves without talking."""

    def log_message(self, *_):
        pass


def serve(folder):
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def make_target(path):
    for name in DIRECTORIES:
        os.makedirs(os.path.join(path, name), exist_ok=True)
    for name, text in TREE.items():
        full = os.path.join(path, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as out:
            out.write(text)
        if text.startswith("#!"):
            os.chmod(full, 0o755)
    os.makedirs(os.path.join(path, "sbin"), exist_ok=True)
    os.symlink("/usr/lib/systemd/systemd", os.path.join(path, "sbin/init"))


def tree_of(path):
    """path -> kind, mode, content of everything but journals and stamps (their times differ)."""
    found = {}
    for folder, names, files in os.walk(path):
        for name in names + files:
            full = os.path.join(folder, name)
            key = os.path.relpath(full, path)
            if key.startswith(("var/lib/promenade/journal", "var/lib/promenade/artifacts/")):
                continue
            info = os.lstat(full)
            if os.path.islink(full):
                found[key] = ("link", os.readlink(full))
            elif os.path.isdir(full):
                found[key] = ("dir", oct(info.st_mode))
            else:
                with open(full, "rb") as data:
                    found[key] = ("file", oct(info.st_mode), hashlib.sha256(data.read()).hexdigest())
    return found


class Bench:
    """One scratch folder: a role and targets in it."""

    def __init__(self, scratch):
        self.scratch = scratch
        files = os.path.join(scratch, "files")
        os.makedirs(files)
        contents = {"tool": b"#!/bin/true\n" * 3000, "cni.tgz": plugins_archive()}
        contents["tree.tgz"] = contents["cni.tgz"]
        for name, data in contents.items():
            with open(os.path.join(files, name), "wb") as out:
                out.write(data)
        # Stands in for the agent's own bytes: 12 MiB with sanitizers, read at every check.
        self.tool = os.path.join(files, "tool")
        self.role = os.path.join(scratch, "role.yaml")
        with open(self.role, "w", encoding="utf-8") as out:
            out.write(ROLE.format(base=serve(files),
                                  tool=hashlib.sha256(contents["tool"]).hexdigest(),
                                  plugins=hashlib.sha256(contents["cni.tgz"]).hexdigest()))

    def apply(self, target, **fault):
        """(status, stderr). A mount namespace of its own keeps the machine's /run clean."""
        env = {"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=1:exitcode=99",
               "UBSAN_OPTIONS": "print_stacktrace=1",
               "FAULT_EXE": self.tool, **{k: str(v) for k, v in fault.items()}}
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c",
             'mount -t tmpfs none /run && exec "$@"', "sh",
             AGENT, "apply", "--root", target, self.role],
            env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False)
        return done.returncode, done.stderr.decode(errors="replace")

    def fresh(self, name):
        target = os.path.join(self.scratch, name)
        shutil.rmtree(target, ignore_errors=True)
        make_target(target)
        return target


def judge(bench, name, expected, fault):
    """Problems of one disturbed run and the run after it; empty when all is well."""
    target = bench.fresh(name)
    status, text = bench.apply(target, **fault)
    problems = []
    killed = "FAULT_FAIL_AT" not in fault
    if "Sanitizer" in text or "runtime error" in text or status == 99:
        problems.append("sanitizer: " + text[-1500:])
    elif status < 0 and not (killed and status == -signal.SIGKILL):
        problems.append(f"died by signal {-status}")
    elif status > 0 and not killed and not re.search(r"promenade: \w+", text):
        problems.append("no step named: " + text[-300:])
    status, text = bench.apply(target)
    if status != 0:
        problems.append(f"the next run fails with {status}: {text[-600:]}")
    else:
        after = tree_of(target)
        odd = [f"{k}: {after.get(k)} not {expected.get(k)}"
               for k in sorted(set(after) | set(expected)) if after.get(k) != expected.get(k)]
        if odd:
            problems.append("another tree: " + "; ".join(odd[:5]))
    shutil.rmtree(target, ignore_errors=True)
    return problems


def boots(count):
    """(passed, failed) of each share of boot.py; they run beside each other."""
    program = os.path.join(TOP, "tests/fault/boot.py")
    shares = [subprocess.Popen([sys.executable, program, f"{i}/{count}"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
              for i in range(count)]
    for share in shares:
        text = share.communicate()[0].decode(errors="replace")
        print(text, flush=True)
        found = re.search(r"^(\d+) passed, (\d+) failed, 0 skipped\n\Z", text, re.M)
        yield tuple(int(n) for n in found.groups()) if found else (0, 1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--every", type=int, default=1)
    every = parser.parse_args().every
    passed = failed = 0
    # Memory: thousands of fsyncs of a disk that others write to would only cost time.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="fault.", dir=memory) as scratch:
        bench = Bench(scratch)
        target = bench.fresh("clean")
        log = os.path.join(scratch, "effects")
        status, text = bench.apply(target, FAULT_LOG=log)
        if status != 0:
            print(text)
            print("the undisturbed run fails\n0 passed, 1 failed, 0 skipped")
            sys.exit(1)
        expected = tree_of(target)
        with open(log, encoding="utf-8") as names:
            effects = names.read().split()
        with open(os.path.join(target, "var/lib/promenade/journal"), encoding="utf-8") as journal:
            lines = 2 * len(journal.readlines())
        again, text = bench.apply(target, FAULT_LOG=log + ".again")
        print(f"{len(effects)} effects: {dict(collections.Counter(effects).most_common(8))}")
        jobs = [("second-run", None)]
        jobs += [(f"fail-{n}-{effects[n - 1]}", {"FAULT_FAIL_AT": n})
                 for n in range(1, len(effects) + 1, every)]
        jobs += [(f"kill-{n}-{effects[n - 1]}", {"FAULT_KILL_AT": n})
                 for n in range(1, len(effects) + 1, every)]
        jobs += [(f"line-{n}", {"FAULT_KILL_LINE": n}) for n in range(1, lines + 1)]
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            def work(job):
                name, fault = job
                if fault is None:
                    return name, [] if again == 0 and tree_of(target) == expected else [
                        f"the second run changed something or failed ({again}): {text[-500:]}"]
                return name, judge(bench, name, expected, fault)
            for name, problems in pool.map(work, jobs):
                passed, failed = passed + (not problems), failed + bool(problems)
                for problem in problems:
                    print(f"{name}: {problem}", flush=True)
    for good, bad in boots(2):
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
