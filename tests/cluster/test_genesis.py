# SPDX-License-Identifier: MIT
"""A machine bootstraps its cluster, by `promenade apply --root`, with real etcd and kube-apiserver; then
the processes of its static pods go on with the same data. All in a network namespace: the ports are those
of a real control plane. Needs root."""
import base64
import ctypes
import fcntl
import hashlib
import http.server
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "images")]

import lab  # noqa: E402  (beside us, not installed)

TOP = HERE.parent.parent
AGENT = pathlib.Path(os.environ.get("PROMENADE_AGENT", TOP / "build/promenade"))
ADDRESS = "192.0.2.10"
CLONE_NEWNET = 0x40000000
PARTS = ("ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.pub", "sa.key", "etcd/ca.crt",
         "etcd/ca.key")
ROLE = """apiVersion: promenade/v1
kind: Role
name: cp1
{match}
node: {{swap: keep, installAgent: false, pinAddress: false, engine: {{name: none}},
  kubelet: {{binary: /usr/local/bin/kubelet, labels: {{example.com/rack: r7}}, taints: ["example.com/gpu=yes:NoSchedule"]}}}}
artifacts:
{artifacts}
cluster:
  action: bootstrap
  role: control-plane
  version: "{version}"
  endpoint: https://{address}:6443
  advertiseAddress: {address}
  caCertHashes: {pins}
  credential: {{url: "{credential}"}}
  timeouts: {{api: 60, etcd: 60}}
{more}
"""
CONFIG = """apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: "{version}"
certificatesDir: "{pki}"
encryptionAlgorithm: ECDSA-P256
"""
EXTRA = """apiVersion: example.com/v1
kind: Rack
metadata: {name: r7, namespace: racks}
size: 42
---
apiVersion: v1
kind: Namespace
metadata: {name: racks}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: racks.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {plural: racks, singular: rack, kind: Rack}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {size: {type: integer}}}}
"""


class Network:
    """A network namespace with a node's address, held by a process."""

    def __init__(self):
        setup = f"ip link set lo up && ip addr add {ADDRESS}/32 dev lo && echo ready && exec sleep 86400"
        self.holder = subprocess.Popen(["unshare", "--net", "sh", "-c", setup], stdout=subprocess.PIPE,
                                       text=True, preexec_fn=lab.die_with_parent)
        if self.holder.stdout.readline() != "ready\n":
            raise lab.LabError("no network namespace: these tests need root and the package iproute2")

    def inside(self, *words):
        return ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net", "--", *map(str, words)]

    def listen(self):
        """A listening socket of the namespace: a socket stays where it was made."""
        libc = ctypes.CDLL(None, use_errno=True)
        with open("/proc/self/ns/net", "rb") as ours, \
                open(f"/proc/{self.holder.pid}/ns/net", "rb") as theirs:
            if libc.setns(theirs.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            try:
                sock = socket.socket()
                sock.bind(("127.0.0.1", 0))
                sock.listen(16)
            finally:
                libc.setns(ours.fileno(), CLONE_NEWNET)
        return sock

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Provision:
    """An HTTPS server in the namespace: texts and files by path, and how often each was asked for."""

    def __init__(self, folder, network):
        self.folder, self.content, self.asked = folder, {}, []
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", folder / "https.key",
                        "-out", folder / "https.crt", "-subj", "/CN=prov", "-addext",
                        "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                found = outer.content.get(self.path)
                body = found.read_bytes() if isinstance(found, pathlib.Path) else (found or "").encode()
                self.send_response(200 if found else 403)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        sock = network.listen()
        self.port = sock.getsockname()[1]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "https.crt", folder / "https.key")
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self.server.socket.close()
        self.server.socket = context.wrap_socket(sock, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, path, content):
        self.content[path] = content
        return f"https://127.0.0.1:{self.port}{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Node:
    """One machine: a root, its role, and the agent on it."""

    def __init__(self, tests, **more):
        self.tests = tests
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=tests.folder))
        self.root = self.folder / "root"
        for sub in ("etc", "var/lib", "usr/lib/systemd/system", "usr/share/ca-certificates",
                    f"lib/modules/{os.uname().release}"):
            (self.root / sub).mkdir(parents=True)
        (self.root / "etc/os-release").write_text("ID=debian\nVERSION_ID=13\n")
        (self.root / f"lib/modules/{os.uname().release}/modules.dep").touch()
        (self.root / "etc/hosts").write_text("203.0.113.1 cp1\n")
        (self.root / "etc/resolv.conf").write_text("nameserver 203.0.113.53\n")
        self.write_role(**more)

    def write_role(self, **more):
        tests = self.tests
        values = {"match": tests.match, "artifacts": tests.artifacts, "version": tests.version,
                  "address": ADDRESS, "pins": json.dumps([tests.pin]), "credential": tests.credential,
                  "more": "", **more}
        (self.folder / "role.yaml").write_text(ROLE.format(**values))

    def start(self):
        return subprocess.Popen(
            self.tests.network.inside(AGENT, "apply", "--ca", self.tests.folder / "https.crt", "--root",
                                      self.root, self.folder / "role.yaml"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self, process, limit=600):
        said = process.communicate(timeout=limit)[0]
        self.tests.assertNotIn("Sanitizer", said)
        self.tests.no_secrets(said)
        return process.returncode, said

    def good(self):
        status, said = self.finish(self.start())
        self.tests.assertEqual(status, 0, said)
        return said

    def refused(self, *patterns):
        status, said = self.finish(self.start())
        self.tests.assertNotEqual(status, 0, said)
        last = said.strip().splitlines()[-1]
        for pattern in patterns:
            self.tests.assertRegex(last, pattern, said)
        return last

    def read(self, path):
        return (self.root / path).read_text()

    def exists(self, path):
        return (self.root / path).exists()

    def state(self):
        """Every file that matters after the pivot, with its mode and bytes."""
        return {str(p.relative_to(self.root)): (p.lstat().st_mode, p.lstat().st_mtime_ns)
                for top in ("etc", "var/lib") for p in sorted((self.root / top).rglob("*"))
                if not p.is_dir()}


class Pods:
    """What kubelet would run: the commands of the static pods, final addresses, as plain processes."""

    def __init__(self, node):
        self.node, self.processes = node, []
        self.log = (node.folder / "pods.log").open("ab")

    def command(self, name):
        text = self.node.read(f"etc/kubernetes/manifests/{name}.yaml")
        words = re.findall(r"^    - (kube-apiserver|etcd|--.*)$", text, re.MULTILINE)
        words = [word.strip("'\"").replace("=/etc/", f"={self.node.root}/etc/")
                 .replace("=/var/", f"={self.node.root}/var/") for word in words]
        return [self.node.tests.bin / name, *words[1:]]

    def __enter__(self):
        for name in ("etcd", "kube-apiserver"):
            self.processes.append(subprocess.Popen(
                self.node.tests.network.inside(*self.command(name)), stdout=self.log, stderr=self.log,
                stdin=subprocess.DEVNULL, preexec_fn=lab.die_with_parent))
        conf = self.node.root / "etc/kubernetes/admin.conf"
        deadline = time.monotonic() + 180
        while self.kubectl("get", "--raw", "/readyz", conf=conf, check=False).returncode:
            if time.monotonic() > deadline or any(p.poll() is not None for p in self.processes):
                raise lab.LabError("the static pods do not serve: " + lab.tail(self.node.folder / "pods.log"))
            time.sleep(0.5)
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            process.wait()
        self.log.close()

    def kubectl(self, *words, conf=None, check=True):
        conf = conf or self.node.root / "etc/kubernetes/admin.conf"
        done = subprocess.run(
            self.node.tests.network.inside(self.node.tests.bin / "kubectl", "--kubeconfig", conf, *words),
            capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise lab.LabError(f"kubectl {' '.join(map(str, words))}: {done.stderr}")
        return done

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "-o", "json").stdout)


class Genesis(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="genesis."))
        cls.bin = lab.binaries().resolve()
        cls.network = Network()
        cls.provision = Provision(cls.folder, cls.network)
        done = subprocess.run([cls.bin / "kube-apiserver", "--version"], capture_output=True, text=True,
                              check=True)
        cls.version = done.stdout.split()[-1].removeprefix("v")
        cls.make_authorities(cls.folder / "pki")
        cls.pin = lab.ca_hash(cls.folder / "pki/ca.crt")
        cls.secrets = [(cls.folder / "pki" / name).read_text().splitlines()[2]
                       for name in PARTS if name.endswith(".key")]
        cls.credential = cls.provision.serve("/credential/cp1.json", cls.secret_of(cls.folder / "pki"))
        facts = subprocess.run([AGENT, "facts"], capture_output=True, text=True, check=True).stdout
        cls.match = f"match: {{mac: {re.search('mac=(.*)', facts).group(1)}}}"
        cls.artifacts = "".join(
            f'- {{url: "{cls.provision.serve("/" + name, cls.bin / name)}", '
            f'sha256: {sha256(cls.bin / name)}, path: /usr/local/bin/{name}, mode: "0755"}}\n'
            for name in ("etcd", "kube-apiserver"))

    @classmethod
    def tearDownClass(cls):
        cls.provision.close()
        cls.network.close()
        shutil.rmtree(cls.folder)

    @classmethod
    def make_authorities(cls, folder):
        """kubeadm's own CAs."""
        folder.mkdir()
        config = folder.with_suffix(".yaml")
        config.write_text(CONFIG.format(version="v" + cls.version, pki=folder))
        for phase in ("ca", "front-proxy-ca", "etcd-ca", "sa"):
            subprocess.run([cls.bin / "kubeadm", "init", "phase", "certs", phase, "--config", config],
                           check=True, capture_output=True)

    @staticmethod
    def secret_of(pki):
        data = {part.replace("/", "-"): base64.b64encode((pki / part).read_bytes()).decode()
                for part in PARTS}
        return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "cp1"}, "data": data})

    def no_secrets(self, text):
        for secret in self.secrets:
            self.assertNotIn(secret, text)
        self.assertNotIn("PRIVATE KEY", text)

    def check_root(self, node):
        """Nothing of the bootstrap is left but what kubeadm would have made, and the record."""
        self.assertEqual(sorted(p.name for p in (node.root / "var/lib/etcd").iterdir()), ["member"])
        self.assertEqual((node.root / "var/lib/etcd").stat().st_mode & 0o777, 0o700)
        self.assertFalse(node.exists("var/lib/promenade/bootstrap"))
        manifests = node.root / "etc/kubernetes/manifests"
        self.assertEqual(sorted(p.name for p in manifests.iterdir()),
                         sorted(f"{name}.yaml" for name in lab.COMPONENTS))
        self.assertEqual(manifests.stat().st_mode & 0o777, 0o700)
        with (node.root / "var/lib/etcd/member/snap/db").open("rb") as db:
            fcntl.flock(db, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.assertRegex(node.read("etc/promenade/genesis"), f"(?m)^caCertHash={self.pin}$")
        self.assertEqual(node.read("etc/hosts"), "203.0.113.1 cp1\n")
        self.assertEqual(node.read("etc/resolv.conf"), "nameserver 203.0.113.53\n")
        for log in (node.root / "var/log/promenade").iterdir():
            self.no_secrets(log.read_text(errors="replace"))

    def check_cluster(self, node):
        """The static pods' processes find the cluster: kubeadm's objects, and the Node held back."""
        with Pods(node) as pods:
            names = {f"{o['kind']}/{o['metadata'].get('namespace', '')}/{o['metadata']['name']}"
                     for kind in ("configmap", "daemonset", "deployment", "service", "clusterrolebinding",
                                  "rolebinding", "node")
                     for o in pods.get(kind, "-A")["items"]}
            for name in ("ConfigMap/kube-public/cluster-info", "ConfigMap/kube-system/kubeadm-config",
                         "ConfigMap/kube-system/kubelet-config", "ConfigMap/kube-system/promenade-genesis",
                         "DaemonSet/kube-system/kube-proxy", "Deployment/kube-system/coredns",
                         "DaemonSet/kube-flannel/kube-flannel-ds", "Service/kube-system/kube-dns",
                         "Service/default/kubernetes", "ClusterRoleBinding//kubeadm:cluster-admins",
                         "ClusterRoleBinding//kubeadm:kubelet-bootstrap", "Node//cp1"):
                self.assertIn(name, names)
            this = pods.get("node", "cp1")
            self.assertIn("node-role.kubernetes.io/control-plane", this["metadata"]["labels"])
            self.assertEqual(this["metadata"]["labels"]["example.com/rack"], "r7")
            taints = {(t["key"], t["effect"]) for t in this["spec"]["taints"]}
            self.assertLessEqual({("node-role.kubernetes.io/control-plane", "NoSchedule"),
                                  ("example.com/gpu", "NoSchedule"),
                                  ("node.kubernetes.io/not-ready", "NoSchedule")}, taints)
            ready = [c for c in this["status"]["conditions"] if c["type"] == "Ready"]
            self.assertEqual([(c["status"], c["reason"]) for c in ready], [("False", "Provisioning")])
            slices = pods.get("endpointslice", "kubernetes", "-n", "default")
            self.assertEqual([e["addresses"] for e in slices["endpoints"]], [[ADDRESS]])
            token = pods.kubectl("auth", "can-i", "*", "*").stdout.strip()
            self.assertEqual(token, "yes")

    def test_bootstrap_then_static_pods_then_again(self):
        extra = self.folder / "extra.yaml"
        extra.write_text(EXTRA)
        url = self.provision.serve("/extra.yaml", extra)
        node = Node(self, more=f'  manifests: [{{url: "{url}", sha256: {sha256(extra)}}}]')
        node.good()
        self.check_root(node)
        self.check_cluster(node)
        with Pods(node) as pods:
            self.assertEqual(pods.get("racks.example.com", "r7", "-n", "racks")["size"], 42)
        before = node.state()
        said = node.good()
        self.assertIn("already", said)
        after = node.state()
        self.assertEqual({p for p in before if "etcd" not in p and before[p] != after.get(p)}, set())
        subprocess.run([self.bin / "kubeadm", "certs", "check-expiration", "--cert-dir",
                        node.root / "etc/kubernetes/pki"], check=True, capture_output=True)

    def test_killed_at_any_point(self):
        """kill -9 of the agent takes its servers along; the next run makes the cluster."""
        points = [("etc/kubernetes/pki/ca.key", 0), ("etc/kubernetes/kubelet.conf", 0),
                  ("var/lib/etcd/promenade-bootstrap", 0), ("var/log/promenade/etcd.log", 0),
                  ("var/lib/etcd/member/snap/db", 0.5), ("var/log/promenade/kube-apiserver.log", 0),
                  ("var/log/promenade/kube-apiserver.log", 4), ("var/log/promenade/kube-apiserver.log", 6.5)]
        node = Node(self)
        for path, pause in points:
            if path.startswith("var/log"):
                (node.root / path).unlink(missing_ok=True)
            with self.subTest(path=path, pause=pause):
                self.kill_when(node, path, pause)
        node.good()
        self.check_root(node)
        self.check_cluster(node)

    def kill_when(self, node, path, pause):
        process = node.start()
        try:
            while process.poll() is None and not node.exists(path):
                time.sleep(0.01)
            time.sleep(pause)
            # What runs then must be seen here, or "none is left" below would say nothing.
            expected = ["etcd"] * (pause > 0) + ["kube-apiserver"] * ("kube-apiserver" in path and pause > 0)
            self.assertLessEqual(set(expected), set(self.servers()))
        finally:
            process.kill()
        status, said = node.finish(process)
        self.assertEqual(status, -signal.SIGKILL, said)
        deadline = time.monotonic() + 10
        while self.servers() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.servers(), [], "servers outlive the agent")

    def servers(self):
        """Processes in our network namespace beside the one that holds it."""
        found, ours = [], os.readlink(f"/proc/{self.network.holder.pid}/ns/net")
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                if os.readlink(entry / "ns/net") == ours and int(entry.name) != self.network.holder.pid:
                    found.append((entry / "comm").read_text().strip())
            except OSError:
                pass
        return sorted(found)

    def test_finished_after_the_record(self):
        """A kill between the record and the static pods."""
        node = Node(self)
        node.good()
        shutil.rmtree(node.root / "etc/kubernetes/manifests")
        (node.root / "var/lib/etcd/promenade-bootstrap").write_text("")
        self.provision.asked.clear()
        said = node.good()
        self.assertIn("static pods", said)
        self.assertNotIn("/credential/cp1.json", self.provision.asked)
        self.check_root(node)

    def test_one_time_credential(self):
        """The second attempt takes the CA from the root: the URL would refuse."""
        node = Node(self, credential=self.provision.serve("/once.json", self.secret_of(self.folder / "pki")))
        self.kill_when(node, "var/log/promenade/etcd.log", 0)
        del self.provision.content["/once.json"]
        node.good()
        self.check_root(node)

    def test_programs_from_archives(self):
        """The very bytes of the images: etcd and kube-apiserver out of OCI archives."""
        made = json.loads(subprocess.run(
            [sys.executable, HERE / "images/images.py", "--bin", self.bin, "--out", self.folder / "images",
             "etcd", "kube-apiserver"], capture_output=True, text=True, check=True).stdout)
        archives = "".join(
            f'\n  - {{url: "{self.provision.serve("/" + i["name"] + ".tar", pathlib.Path(i["path"]))}", '
            f'sha256: {i["sha256"]}}}' for i in made)
        etcd = next(i["image"] for i in made if i["name"] == "etcd")
        node = Node(self, artifacts="  []",
                    more=f'  images: {{etcd: "{etcd}"}}\n  archives:{archives}')
        node.good()
        self.check_root(node)
        self.check_cluster(node)

    # What is refused, each with its reason

    def test_foreign_data(self):
        node = Node(self)
        (node.root / "var/lib/etcd/member/wal").mkdir(parents=True)
        (node.root / "var/lib/etcd/member/wal/0.wal").write_text("precious")
        node.refused("/var/lib/etcd.*no bootstrap of this agent made", "empty it")
        self.assertEqual(node.read("var/lib/etcd/member/wal/0.wal"), "precious")
        self.assertFalse(node.exists("etc/kubernetes/pki"))

    def test_data_of_another_machine(self):
        node = Node(self)
        (node.root / "var/lib/etcd/member").mkdir(parents=True)
        (node.root / "var/lib/etcd/promenade-bootstrap").write_text("machine=other\nnode=cp1\n")
        node.refused("machine 'other' bootstrapped", "put the disk back")
        self.assertTrue(node.exists("var/lib/etcd/member"))

    def test_record_without_data(self):
        node = Node(self)
        mac = re.search("mac: (.*)}", self.match).group(1)
        (node.root / "etc/promenade").mkdir()
        record = node.root / "etc/promenade/genesis"
        record.write_text(f"machine={mac}\nnode=cp1\ncaCertHash={self.pin}\n")
        node.refused("etcd's data is not in", "restore a snapshot")
        record.write_text(f"machine={mac}\nnode=cp1\ncaCertHash=sha256:{'12' * 32}\n")
        node.refused("bootstrapped another cluster", "caCertHashes")

    def test_no_match(self):
        Node(self, match="").refused("must name its machine")

    def test_credential_of_another_cluster(self):
        node = Node(self, pins=json.dumps(["sha256:" + "12" * 32]))
        node.refused("pin|sha256:")
        self.assertFalse(node.exists("var/lib/etcd/member"))

    def test_server_that_does_not_start(self):
        """The reason is the server's own, out of its log; nothing runs on."""
        node = Node(self, artifacts=self.artifacts.replace("/usr/local/bin/kube-apiserver",
                                                           "/usr/local/bin/other"))
        node.refused("kube-apiserver.*neither among 'artifacts' nor in 'cluster.archives'")
        self.assertEqual(self.servers(), [])
        node.write_role(artifacts=self.artifacts.replace("bin/etcd,", "bin/x,").replace(
            "bin/kube-apiserver,", "bin/etcd,"))
        node.refused("etcd ended by itself .*unknown flag")
        self.assertEqual(self.servers(), [])
        node.write_role()
        node.good()


if __name__ == "__main__":
    unittest.main(verbosity=2)
