# SPDX-License-Identifier: MIT
"""The objects of a new cluster, ours and those of `kubeadm init`, each as a real API server keeps them.

kubeadm's are read, deleted, ours are created in their place and read. What differs in meaning must stand
in objects_differences with its reason; what one side has alone must, too."""
import hashlib
import json
import pathlib
import re
import subprocess
import tempfile
import unittest

import yaml

import lab

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE.parents[1] / "build/host/golden/cluster_files"
KINDS = ("clusterroles", "clusterrolebindings", "roles", "rolebindings", "serviceaccounts", "configmaps",
         "secrets", "services", "deployments", "daemonsets")
# Made by the API server or its controllers, whoever made the cluster; and the phase upload-certs.
FOREIGN = re.compile(r"^(ConfigMap/\S+/(kube-root-ca.crt|extension-apiserver-authentication|kube-apiserver-legacy\S*)"
                     r"|ServiceAccount/(?!kube-flannel/flannel|kube-system/(coredns|kube-proxy)$)\S+"
                     r"|Service/default/kubernetes|\S+kubeadm:kubeadm-certs|Secret/\S+/kubeadm-certs)")
DEFAULTS = "kubernetes.io/bootstrapping"
SERVER_OWN = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink",
              "ownerReferences"}
ZERO = (None, "", "0", "0s", 0, False, [], {})


def prune(value):
    if isinstance(value, dict):
        pruned = {key: prune(item) for key, item in value.items()}
        return {key: item for key, item in pruned.items() if item not in ZERO}
    return [prune(item) for item in value] if isinstance(value, list) else value


def flatten(value, path=""):
    if isinstance(value, list):
        named = all(isinstance(i, dict) and "name" in i for i in value)
        value = {i["name"]: i for i in value} if named else dict(enumerate(value))
    if not isinstance(value, dict):
        return {path: value}
    rows = {}
    for key, item in value.items():
        rows.update(flatten(item, f"{path}.{key}" if path else str(key)))
    return rows


def read_data(name, text):
    """What a ConfigMap carries, if it is YAML or JSON with structure."""
    if name == "Corefile":
        return " ".join(text.split())
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return prune(parsed) if isinstance(parsed, dict) else text


def normal(item):
    """An object without what the server adds, its ConfigMap's texts parsed."""
    item = json.loads(json.dumps(item))
    for key in SERVER_OWN:
        item["metadata"].pop(key, None)
    item.pop("status", None)
    annotations = item["metadata"].get("annotations", {})
    annotations.pop("deployment.kubernetes.io/revision", None)
    annotations.pop("deprecated.daemonset.template.generation", None)
    # Over the bytes; that it fits them is a test of its own.
    annotations.pop("kubeadm.kubernetes.io/component-config.hash", None)
    if item["kind"] == "ConfigMap":
        item["data"] = {key: read_data(key, text) for key, text in item.get("data", {}).items()}
    return flatten(prune(item))


def key_of(item):
    meta = item["metadata"]
    return f"{item['kind']}/{meta.get('namespace', '')}/{meta['name']}"


def read_table():
    rows = {}
    for line in (HERE / "objects_differences").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            row, reason = line.rsplit(" | ", 1)
            assert reason.strip(), line
            rows[row.strip()] = line
    return rows


class ObjectsTest(unittest.TestCase):
    maxDiff = None  # a row is what a person must judge

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="cluster-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.lab = lab.Lab(cls.folder / "lab", addons=True, scheduler=False)
        cls.addClassCleanup(cls.lab.stop)
        cls.lab.start()
        cls.lab.wait_cluster_info()
        cls.theirs = cls.read_all()
        cls.ours_raw = cls.make_ours()
        cls.replace()
        cls.ours = cls.read_all()

    @classmethod
    def read_all(cls):
        found = {}
        for kind in KINDS:
            for item in cls.lab.objects(kind, "-A")["items"]:
                labels = item["metadata"].get("labels", {})
                key = key_of(item)
                # upload-certs has a second token for the time that its Secret has to live.
                other = "/bootstrap-token-" in key and not key.endswith(cls.lab.token[:6])
                if DEFAULTS not in labels and not other and not FOREIGN.match(key):
                    found[key_of(item)] = item
        return found

    @classmethod
    def make_ours(cls):
        out = cls.folder / "ours"
        out.mkdir()
        words = [f"version={cls.lab.version()[1:]}", f"nodeName={cls.lab.node}",
                 f"advertiseAddress={cls.lab.advertise}", f"clusterName={cls.lab.name}",
                 f"endpoint={cls.lab.endpoint.removeprefix('https://')}", f"keyAlgorithm={cls.lab.keys}",
                 f"caFile={cls.lab.pki / 'ca.crt'}", f"token={cls.lab.token}"]
        subprocess.run([PROGRAM, out, *words], check=True, timeout=60)
        return json.loads((out / "objects.json").read_text())

    @classmethod
    def replace(cls):
        """kubeadm's away, ours there: in our order, namespaces first."""
        for key in cls.theirs:
            kind, namespace, name = key.split("/", 2)
            cls.lab.kubectl("delete", kind, name, *(["-n", namespace] if namespace else []), "--wait=true",
                            conf=cls.lab.folder / "super-admin.conf")
        for item in cls.ours_raw:
            cls.lab.kubectl("create", "-f", "-", text=json.dumps(item),
                            conf=cls.lab.folder / "super-admin.conf")

    def canonical(self, text):
        """The lab's own places, as a node has them."""
        return str(text).replace(str(self.lab.pki), "/etc/kubernetes/pki").replace(
            str(self.lab.folder / "etcd"), "/var/lib/etcd")

    def rows(self):
        for key in sorted(set(self.ours) | set(self.theirs)):
            if key not in self.ours or key not in self.theirs:
                yield f"{key} | {'ours alone' if key in self.ours else 'kubeadm alone'}"
                continue
            ours, theirs = normal(self.ours[key]), normal(self.theirs[key])
            for path in sorted(set(ours) | set(theirs)):
                mine = self.canonical(ours[path]) if path in ours else "absent"
                other = self.canonical(theirs[path]) if path in theirs else "absent"
                if mine != other:
                    shown = "" if path.endswith("expiration") else f" | {mine} | {other}"
                    yield f"{key} {path}{shown}"

    def test_differences_are_the_reviewed_ones(self):
        table = read_table()
        found = {re.sub(re.escape(self.lab.token[:6]), "ID", row) for row in self.rows()}
        self.assertEqual(sorted(found - set(table)), [], "not in objects_differences")
        self.assertEqual(sorted(set(table) - found), [], "in objects_differences and not met any more")

    def test_cluster_info_is_signed_as_the_controller_does(self):
        """Byte for byte: what the controller wrote, for the same token and the same text."""
        key = "ConfigMap/kube-public/cluster-info"
        ours, theirs = self.ours[key]["data"], self.theirs[key]["data"]
        self.assertEqual(ours["kubeconfig"], theirs["kubeconfig"])
        signature = f"jws-kubeconfig-{self.lab.token[:6]}"
        self.assertEqual(ours[signature], theirs[signature])

    def test_kubeadm_reads_its_configuration(self):
        """kubeadm finds ours where it looks for its own, and takes its hashes for its own."""
        token = self.lab.run("kubeadm", "--kubeconfig", self.lab.admin_conf, "token", "list")
        self.assertIn(self.lab.token[:6], token)
        self.lab.run("kubeadm", "--kubeconfig", self.lab.admin_conf, "token", "create", "--print-join-command")
        for name in ("kubelet-config", "kube-proxy"):
            item = self.ours[f"ConfigMap/kube-system/{name}"]
            data = "".join(item["data"][key] for key in sorted(item["data"]))
            self.assertEqual(item["metadata"]["annotations"]["kubeadm.kubernetes.io/component-config.hash"],
                             "sha256:" + hashlib.sha256(data.encode()).hexdigest())
