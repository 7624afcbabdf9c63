# SPDX-License-Identifier: MIT
"""Static pods and kubelet configuration beside those of the kubeadm that was built here, for each set
of programs: what tests/golden/cluster.py does with kept files, done live."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import lab

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "golden"))
import cluster  # noqa: E402  (tests/golden/cluster.py)

PROGRAM = HERE.parents[1] / "build/host/golden/cluster_files"
CA_DIRS = {"etcPkiCaTrust": "/etc/pki/ca-trust", "etcPkiTlsCerts": "/etc/pki/tls/certs",
           "etcCaCertificates": "/etc/ca-certificates",
           "usrShareCaCertificates": "/usr/share/ca-certificates",
           "usrLocalShareCaCertificates": "/usr/local/share/ca-certificates"}
CONFIG = """apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: "{address}", bindPort: 6443}}
nodeRegistration: {{name: cp1, criSocket: "unix:///run/containerd/containerd.sock"}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: {version}
controlPlaneEndpoint: api.example.test:6443
networking: {{podSubnet: "{pods}", serviceSubnet: "{services}", dnsDomain: lab.local}}
"""
NETWORKS = {"ipv4": ("192.0.2.10", "10.32.0.0/12", "10.64.0.0/16"),
            "ipv6": ("2001:db8::10", "fd00:2::/48", "fd00:1::/108")}


class ManifestsTest(unittest.TestCase):
    def compare(self, which, networks):
        programs = lab.binaries(which)
        with tempfile.TemporaryDirectory(prefix="cluster-test-") as folder:
            theirs, ours = pathlib.Path(folder, "theirs"), pathlib.Path(folder, "ours")
            theirs.mkdir()
            ours.mkdir()
            version = subprocess.run([programs / "kubeadm", "version", "-o", "short"], check=True,
                                     capture_output=True, text=True).stdout.strip()
            address, pods, services = NETWORKS[networks]
            config = pathlib.Path(folder, "kubeadm.yaml")
            config.write_text(CONFIG.format(version=version, address=address, pods=pods, services=services))
            for phase in (("control-plane", "all"), ("etcd", "local"), ("kubelet-start",)):
                subprocess.run([programs / "kubeadm", "init", "phase", *phase, "--config", config,
                                "--dry-run"], check=True, capture_output=True,
                               env={**lab.KUBEADM_ENV, "KUBEADM_INIT_DRYRUN_DIR": str(theirs)})
            (theirs / "config.yaml").rename(theirs / "kubelet-config.yaml")
            words = [f"version={version}", "nodeName=cp1", f"advertiseAddress={address}",
                     "endpoint=api.example.test:6443", f"podCIDR={pods}", f"serviceCIDR={services}",
                     "dnsDomain=lab.local",
                     *(f"{name}=true" for name, path in CA_DIRS.items() if os.path.isdir(path))]
            subprocess.run([PROGRAM, ours, *words], check=True, timeout=60)
            table = cluster.read_table(pathlib.Path(cluster.CASES, "differences"))
            names = ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet-config"]
            found = [row for name in names
                     for row in cluster.differences(f"{name}.yaml", cluster.load(ours / f"{name}.yaml"),
                                                    cluster.load(theirs / f"{name}.yaml"))]
            self.assertEqual([row for row in found if row not in table], [], version)

    def test_newest(self):
        self.compare("newest", "ipv4")

    def test_newest_ipv6(self):
        self.compare("newest", "ipv6")

    def test_older(self):
        self.compare("older", "ipv4")
