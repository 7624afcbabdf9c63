#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A machine netboots, joins a real control plane that runs natively here, pivots, and becomes a node.

The control plane is that of tests/cluster/lab.py. After the pivot this asks it, as an administrator
would: is the node Ready, and does a pod run on it with an image that came as an OCI archive. Last line:
N passed, N failed, N skipped."""
import argparse
import json
import os
import pathlib
import sys
import threading
import time

import artifacts
import machine
import rig
from scenario import Terminal
from verdict import Facts, Point, table

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests/cluster"), str(HERE.parent / "tests/cluster/images")]
import images  # noqa: E402
import lab  # noqa: E402

NAME = "demo-worker"
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hello", "namespace": "default"},
       "spec": {"nodeName": NAME, "restartPolicy": "Never", "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 0, "tolerations": [{"operator": "Exists"}],
                "containers": [{"name": "hello", "imagePullPolicy": "Never",
                                "command": ["sh", "-c", "echo hello; sleep 100000"]}]}}


def serve_role(site, cluster, archives):
    """Renders join.yaml.in; the token is a file on the provisioning server, as an operator would put it
    there for some minutes."""
    folder = pathlib.Path(site.provision_root)
    artifacts.link(str(cluster.bin / "kubelet"), site.artifact("kubelet"))
    lines = []
    for archive in archives:
        name = os.path.basename(archive["path"])
        artifacts.link(str(archive["path"]), site.artifact(name))
        lines.append(f'    - {{url: "{site.servers.plain_url}/artifacts/{name}", '
                     f'sha256: "{archive["sha256"]}"}}')
    text = (HERE / "join.yaml.in").read_text()
    for word, value in {
            "NAME": NAME, "UUID": machine.DEFAULT_UUID, "URL": site.servers.url,
            "PLAIN": site.servers.plain_url, "ENDPOINT": cluster.endpoint,
            "PIN": lab.ca_hash(cluster.pki / "ca.crt"), "ARCHIVES": "\n".join(lines),
            "PAUSE": next(a["image"] for a in archives if a["name"] == "pause"),
            "KUBELET_SHA256": artifacts.sha256(site.artifact("kubelet")),
            "CNI_SHA256": artifacts.sha256(site.artifact("cni-plugins.tgz"))}.items():
        text = text.replace(f"@{word}@", value)
    (folder / "roles").mkdir(exist_ok=True)
    (folder / "roles" / f"{machine.DEFAULT_UUID}.yaml").write_text(text)
    (folder / "token").write_text(cluster.token + "\n")


def condition(node, kind="Ready"):
    for item in node.get("status", {}).get("conditions", []):
        if item["type"] == kind:
            return item
    return {}


class Asker(threading.Thread):
    """Watches the node from outside while the machine boots: what it was, in order, and when."""

    def __init__(self, cluster, say):
        super().__init__(daemon=True)
        self.cluster, self.say = cluster, say
        self.began = time.monotonic()
        self.seen = []
        self.node, self.pod = {}, {}
        self.over = threading.Event()
        self.done = threading.Event()

    def note(self, text):
        if not self.seen or self.seen[-1][1] != text:
            self.seen.append((time.monotonic() - self.began, text))
            self.say(f"-- {text}")

    def look(self):
        nodes = self.cluster.objects("nodes")["items"]
        if not nodes:
            return
        self.node = next(node for node in nodes if node["metadata"]["name"] == NAME)
        ready = condition(self.node)
        self.note(f"node {self.node['metadata']['name']}: Ready={ready.get('status')} "
                  f"({ready.get('reason')})")
        if ready.get("status") == "True" and not self.pod:
            self.cluster.kubectl("create", "-f", "-", text=json.dumps(POD))
        if ready.get("status") == "True":
            self.pod = self.cluster.objects("pod", "hello")
            self.note(f"pod hello: {self.pod.get('status', {}).get('phase')}")
            if self.pod.get("status", {}).get("phase") == "Running":
                self.done.set()

    def run(self):
        while not self.over.is_set() and not self.done.is_set():
            try:
                self.look()
            except (lab.LabError, OSError) as error:
                self.say(f"-- {str(error).splitlines()[-1]}")
            self.over.wait(5)


def boot(site, cluster, options, terminal):
    """Runs the machine until the pod runs or the time is up. Returns what was seen outside and in."""
    run_dir = os.path.join(site.top, "join")
    spec = machine.Spec(run_dir=run_dir, disk=site.fresh_disk("join", "kubelet=yes"), accel=site.accel,
                        tftp=site.tftp_root, memory_mib=2048)
    asker = Asker(cluster, lambda text: terminal.line(None, text))
    deadline = time.monotonic() + options.limit
    asker.start()
    with machine.Machine(spec) as vm:
        outcome = vm.run(options.limit, on_line=terminal.line, keep_running=True)
        while outcome.kind == "verdict" and not asker.done.is_set() and time.monotonic() < deadline:
            more = vm.run(5, on_line=terminal.line, keep_running=True)
            if more.kind in ("panic", "exited"):
                outcome = more
    asker.over.set()
    asker.join()
    return asker, outcome


def judge(cluster, asker, outcome):
    facts = Facts(outcome.facts)
    words = [text for _, text in asker.seen]
    ready = condition(asker.node)
    info = asker.node.get("status", {}).get("nodeInfo", {})
    held = f"node {NAME}: Ready=False (Provisioning)"
    points = [
        Point("the boot", f"{outcome.kind} {outcome.detail}".strip(), "verdict",
              outcome.kind == "verdict"),
        Point("the Node before the pivot", words[0] if words else "", held, bool(words) and words[0] == held),
        Point("kubectl get node", f"{NAME} {ready.get('status')}", f"{NAME} True",
              ready.get("status") == "True"),
        Point("kubelet", info.get("kubeletVersion", ""), cluster.version(),
              info.get("kubeletVersion") == cluster.version()),
        Point("system UUID", info.get("systemUUID", ""), machine.DEFAULT_UUID,
              info.get("systemUUID", "").lower() == machine.DEFAULT_UUID),
        Point("label of the role", asker.node.get("metadata", {}).get("labels", {}).get(
            "promenade.test/rig", ""), "yes",
            asker.node.get("metadata", {}).get("labels", {}).get("promenade.test/rig") == "yes"),
        Point("a pod with an image of the role", asker.pod.get("status", {}).get("phase", ""), "Running",
              asker.pod.get("status", {}).get("phase") == "Running"),
        Point("token in console or facts", "none", "none",
              cluster.token.split(".")[1] not in "\n".join(outcome.facts + outcome.agent)),
    ]
    if facts.complete:
        failed = " ".join(line.split()[0] for line in facts.text("failed").splitlines() if line.strip())
        points.append(Point("failed units", failed or "none", "none", not failed))
    return points


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--top", help="folder of the run (build/qemu)")
    parser.add_argument("--initramfs", help="netboot this one (build/initramfs.cpio.zst)")
    parser.add_argument("--limit", type=int, default=2400, help="seconds (2400)")
    parser.add_argument("--quiet", action="store_true", help="no console, only the verdicts")
    return parser.parse_args(arguments)


def main(arguments=None):
    options = options_of(arguments)
    terminal = Terminal(options.quiet)
    began = time.monotonic()
    with rig.Rig(options.top, options.initramfs) as site:
        pod = images.make(lab.binaries(), ["pause", "busybox"])
        POD["spec"]["containers"][0]["image"] = next(a["image"] for a in pod if a["name"] == "busybox")
        with lab.Lab(os.path.join(site.top, "lab"), guests=True, keys="ECDSA-P256") as cluster:
            serve_role(site, cluster, pod)
            site.set_arguments("rig.stay")
            asker, outcome = boot(site, cluster, options, terminal)
            terminal.close()
            points = judge(cluster, asker, outcome)
            print(table(points))
            print(cluster.kubectl("get", "nodes,pods", "-o", "wide", "--all-namespaces"))
    for seconds, text in asker.seen:
        print(f"{seconds:7.1f} s  {text}")
    bad = [point for point in points if not point.good]
    print(f"{'FAIL' if bad else 'PASS'} join ({time.monotonic() - began:.0f} s)")
    print(f"{len(points) - len(bad)} passed, {len(bad)} failed, 0 skipped")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
