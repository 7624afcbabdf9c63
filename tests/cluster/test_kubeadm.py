# SPDX-License-Identifier: MIT
"""The peers themselves: a control plane by kubeadm's phases, a worker by kubeadm and kubelet.

What the agent is measured against must first be seen to work here. A worker's files are also kept in
build/test/cluster/reference, for eyes and for diff."""
import json
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

import lab
import reference

KEPT = pathlib.Path("build/test/cluster/reference")


class Shared:
    """One control plane for all tests here: making it takes most of the time."""

    folder = cluster = None


def setUpModule():
    folder = tempfile.TemporaryDirectory(prefix="cluster-test-")
    unittest.addModuleCleanup(folder.cleanup)
    Shared.folder = pathlib.Path(folder.name)
    Shared.cluster = lab.Lab(Shared.folder / "lab", addons=True)
    unittest.addModuleCleanup(Shared.cluster.stop)
    Shared.cluster.start()


class LabTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder, cls.lab = Shared.folder, Shared.cluster


class ControlPlaneTest(LabTest):
    def test_has_what_kubeadm_makes(self):
        wanted = {"kube-system": {"kubeadm-config", "kubelet-config", "kube-proxy", "coredns"},
                  "kube-public": {"cluster-info"}}
        for namespace, names in wanted.items():
            items = self.lab.objects("-n", namespace, "configmap")["items"]
            self.assertLessEqual(names, {row["metadata"]["name"] for row in items})
        items = self.lab.objects("-n", "kube-system", "secret")["items"]
        secrets = {row["metadata"]["name"] for row in items}
        self.assertIn("kubeadm-certs", secrets)
        self.assertIn("bootstrap-token-" + self.lab.token[:6], secrets)

    def test_version_is_the_programs(self):
        version = json.loads(self.lab.kubectl("version", "-o", "json"))
        self.assertEqual(version["serverVersion"]["gitVersion"], self.lab.version())
        self.assertEqual(version["clientVersion"]["gitVersion"], self.lab.version())

    def test_certificates_have_the_name_guests_use(self):
        text = reference.openssl("x509", "-in", self.lab.pki / "apiserver.crt", "-noout", "-text")
        self.assertIn(f"IP Address:{lab.GUEST_HOST}", text)
        self.assertIn("IP Address:127.0.0.1", text)

    def test_kubeadm_reads_its_own_pki(self):
        said = self.lab.run("kubeadm", "certs", "check-expiration", "--config", self.lab.config,
                            "--kubeconfig", self.lab.admin_conf)
        self.assertIn("apiserver-etcd-client", said)
        self.assertIn("no ", said)


class RestartTest(LabTest):
    def test_same_data_after_a_stop(self):
        self.lab.kubectl("create", "namespace", "kept")
        pids = [self.lab.pid(name) for name in lab.COMPONENTS]
        self.lab.stop()
        self.assertEqual([lab.start_time(pid) for pid in pids], [None] * len(pids))
        self.lab.start()
        self.assertEqual(self.lab.objects("namespace", "kept")["status"]["phase"], "Active")

    def test_a_stopped_server_hangs_and_comes_back(self):
        self.lab.signal("kube-apiserver", signal.SIGSTOP)
        with self.assertRaises((lab.LabError, subprocess.TimeoutExpired)):
            self.lab.kubectl("--request-timeout=3s", "get", "nodes", timeout=20)
        self.lab.signal("kube-apiserver", signal.SIGCONT)
        self.lab.kubectl("get", "nodes")


class TwoLabsTest(LabTest):
    def test_two_beside_each_other(self):
        with lab.Lab(self.folder / "other", keys="ECDSA-P256", scheduler=False) as other:
            self.assertNotEqual(other.port, self.lab.port)
            self.assertNotEqual(lab.ca_hash(other.pki / "ca.crt"), lab.ca_hash(self.lab.pki / "ca.crt"))
            self.assertIn("id-ecPublicKey", reference.openssl("x509", "-in", other.pki / "apiserver.crt",
                                                              "-noout", "-text"))
            other.kubectl("get", "--raw", "/readyz")


class WorkerJoinTest(LabTest):
    NAME = "worker-ref"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = cls.folder / "root"
        cls.request = reference.join_worker(cls.lab, cls.root, cls.NAME)
        cls.keep()

    @classmethod
    def keep(cls):
        """A copy without keys that others could use: the cluster is gone when this test is."""
        shutil.rmtree(KEPT, ignore_errors=True)
        KEPT.mkdir(parents=True)
        for name in ("etc/kubernetes", "var/lib/kubelet"):
            shutil.copytree(cls.root / name, KEPT / name, symlinks=True)
        (KEPT / "request.json").write_text(json.dumps(cls.request, indent=1))
        (KEPT / "request.txt").write_text(reference.text_of_request(cls.request["spec"]["request"]))

    def pem(self):
        """The file behind kubelet's link, which is absolute on its machine."""
        return self.root / str((self.root / reference.CURRENT).readlink()).lstrip("/")

    def text(self, name):
        return (self.root / name).read_text()

    def test_request_is_a_kubelet_s(self):
        spec = self.request["spec"]
        self.assertEqual(reference.subject_of_request(spec["request"]),
                         f"O = system:nodes, CN = system:node:{self.NAME}")
        self.assertEqual(spec["signerName"], "kubernetes.io/kube-apiserver-client-kubelet")
        self.assertIn("digital signature", spec["usages"])
        self.assertIn("client auth", spec["usages"])
        self.assertEqual(spec["username"], "system:bootstrap:" + self.lab.token[:6])
        self.assertIn("system:bootstrappers:kubeadm:default-node-token", spec["groups"])
        self.assertEqual([c["type"] for c in self.request["status"]["conditions"]], ["Approved"])

    def test_certificate_is_the_node_s(self):
        link, current = (self.root / reference.CURRENT).readlink(), self.pem()
        subject = reference.openssl("x509", "-in", current, "-noout", "-subject", "-nameopt", "RFC2253")
        self.assertEqual(subject.strip(), f"subject=CN=system:node:{self.NAME},O=system:nodes")
        reference.openssl("verify", "-CAfile", self.lab.pki / "ca.crt", "-purpose", "sslclient", current)
        self.assertEqual(current.read_text().count("-----BEGIN "), 2)
        self.assertTrue(str(link).startswith("/var/lib/kubelet/pki/kubelet-client-2"))
        self.assertEqual(stat.S_IMODE(current.stat().st_mode), 0o600)

    def test_kubeconfig_names_the_link(self):
        text = self.text(reference.CONF)
        self.assertIn("client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem", text)
        self.assertIn("client-key: /var/lib/kubelet/pki/kubelet-client-current.pem", text)
        self.assertIn(f"server: {self.lab.endpoint}", text)

    def test_configuration_is_the_cluster_s(self):
        text = self.text("var/lib/kubelet/config.yaml")
        for line in ("rotateCertificates: true", "clusterDomain: cluster.local", "- 10.96.0.10",
                     "clientCAFile: /etc/kubernetes/pki/ca.crt"):
            self.assertIn(line, text)
        self.assertEqual(self.text("etc/kubernetes/pki/ca.crt"), (self.lab.pki / "ca.crt").read_text())

    def test_certificate_may_post_its_node_only(self):
        conf = self.folder / "node.conf"
        conf.write_text(self.text(reference.CONF).replace("/var/lib/kubelet", f"{self.root}/var/lib/kubelet"))
        conf.write_text(conf.read_text().replace(f"{self.root}/{reference.CURRENT}", str(self.pem())))
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.NAME}}
        self.lab.kubectl("create", "-f", "-", conf=conf, text=json.dumps(node))
        node["metadata"]["name"] = "another"
        with self.assertRaisesRegex(lab.LabError, "not allowed to modify node"):
            self.lab.kubectl("create", "-f", "-", conf=conf, text=json.dumps(node))
