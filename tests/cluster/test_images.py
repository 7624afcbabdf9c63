# SPDX-License-Identifier: MIT
"""OCI archives: Debian 13's containerd imports them, and the programs in them run.

containerd runs in a mount namespace of its own, with all that it writes in memory. As root only."""
import os
import pathlib
import subprocess
import tempfile
import time
import unittest

import debian
import images
import lab

CONFIG = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
# $1 containerd, $2 configuration, then the command with containerd's folder first in PATH.
WITH_CONTAINERD = """
set -e
for d in /var/lib /run /opt; do mount -t tmpfs none "$d"; done
PATH="$(dirname "$1"):$PATH"
containerd --config "$2" >"$3" 2>&1 &
pid=$!
for i in $(seq 300); do [ ! -S /run/containerd/containerd.sock ] || break; sleep 0.1; done
shift 3
status=0
"$@" || status=$?
kill $pid
wait $pid || true
exit $status
"""
# Image's root, mounted to be written to as a container's is, and a program in it.
RUN_IN_IMAGE = """
set -e
archive=$1 image=$2
shift 2
ctr -n k8s.io images import --digests=true "$archive" >&2
mkdir -p /run/image
ctr -n k8s.io images mount --rw "$image" /run/image >&2
chroot /run/image "$@" 2>&1
"""


@unittest.skipUnless(os.geteuid() == 0, "containerd needs root")
class ContainerdTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = lab.binaries()
        cls.containerd = debian.package("trixie", "containerd") / "usr/bin/containerd"
        cls.archives = {row["name"]: row for row in images.make(cls.programs, compress="none")}
        folder = tempfile.TemporaryDirectory(prefix="images-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.work = pathlib.Path(folder.name)
        (cls.work / "config.toml").write_text(CONFIG)

    def with_containerd(self, *command):
        """Output of a command beside a fresh containerd."""
        log = self.work / f"containerd-{time.monotonic_ns()}.log"
        done = subprocess.run(["unshare", "-m", "--propagation", "private", "sh", "-c", WITH_CONTAINERD,
                               "sh", self.containerd, self.work / "config.toml", log, *command],
                              capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr + lab.tail(log))
        return done.stdout

    def in_image(self, name, *command):
        row = self.archives[name]
        return self.with_containerd("sh", "-c", RUN_IN_IMAGE, "sh", row["path"], row["image"], *command)

    def test_all_are_imported_under_the_names_kubeadm_wants(self):
        paths = [row["path"] for row in self.archives.values()]
        listed = self.with_containerd(
            "sh", "-c", 'for a; do ctr -n k8s.io images import "$a" >&2; done; ctr -n k8s.io images ls -q',
            "sh", *paths)
        self.assertEqual({line for line in listed.split() if not line.startswith("sha256:")},
                         {row["image"] for row in self.archives.values()})
        wanted = subprocess.run([self.programs / "kubeadm", "config", "images", "list",
                                 "--kubernetes-version", images.kubeadm_version(self.programs)],
                                capture_output=True, text=True, check=True).stdout.split()
        self.assertLessEqual(set(wanted), set(listed.split()))

    def test_programs_run_in_their_image(self):
        version = images.kubeadm_version(self.programs)
        for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy"):
            self.assertIn(version, self.in_image(name, f"/usr/local/bin/{name}", "--version"))
        self.assertIn("etcd Version", self.in_image("etcd", "etcd", "--version"))
        self.assertIn("CoreDNS", self.in_image("coredns", "/coredns", "-version"))
        self.assertIn("v0.28", self.in_image("flannel", "/opt/bin/flanneld", "--version"))

    def test_kube_proxy_has_the_netfilter_tools(self):
        self.assertIn("nf_tables", self.in_image("kube-proxy", "iptables", "--version"))
        self.assertIn("iptables-restore", self.in_image("kube-proxy", "iptables-restore", "--version"))
        self.assertIn("nftables", self.in_image("kube-proxy", "nft", "--version"))
        self.assertIn("conntrack", self.in_image("kube-proxy", "conntrack", "--version"))

    def test_flannel_images_have_what_the_manifest_calls(self):
        self.assertIn("Usage", self.in_image("flannel-cni-plugin", "cp", "--help"))
        script = "/opt/bin/install-conf /etc/group /tmp/one && cp /tmp/one /tmp/two"
        self.in_image("flannel", "sh", "-c", script)

    def test_compressed_archive_has_the_same_content(self):
        small = images.make(self.programs, ["pause"])[0]
        self.assertNotEqual(small["sha256"], self.archives["pause"]["sha256"])
        script = 'ctr -n k8s.io images import "$1" >&2; ctr -n k8s.io snapshots ls'
        one, two = (self.with_containerd("sh", "-c", script, "sh", row["path"]).splitlines()[1].split()[0]
                    for row in (small, self.archives["pause"]))
        self.assertEqual(one, two)


class ArchiveTest(unittest.TestCase):
    def test_same_programs_same_bytes(self):
        with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
            rows = [images.make(lab.binaries(), ["pause"], out=folder)[0] for folder in (one, two)]
        self.assertEqual(rows[0]["sha256"], rows[1]["sha256"])
