# SPDX-License-Identifier: MIT
"""What real kubeadm and real kubelet leave on a machine that joins: what the agent is compared with.

The joining machine is a folder that kubeadm and kubelet see as their root (kubeadm --rootfs, chroot), so
paths in the files are the ones of a real node. kubelet asks the container engine who it is before it asks
for a certificate: Debian 13's containerd answers. It runs until it has the certificate, no further."""
import contextlib
import json
import os
import shutil
import subprocess
import time

import debian
import lab

# $1 root, then the command. The mounts end with the namespace.
IN_ROOT = """
set -e
root=$1
shift
for name in proc sys dev; do mkdir -p "$root/$name"; mount --rbind "/$name" "$root/$name"; done
exec chroot "$root" "$@"
"""
CONF = "etc/kubernetes/kubelet.conf"
CURRENT = "var/lib/kubelet/pki/kubelet-client-current.pem"


def namespace():
    """unshare's words: mounts of our own, as root of a user namespace where we are nobody."""
    mine = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", "--mount", "--propagation", "private", *mine]


def make_root(root, programs):
    """A root with nothing but the programs and a name."""
    for name in ("usr/bin", "etc", "var/lib/kubelet", "run", "tmp"):
        (root / name).mkdir(parents=True, exist_ok=True)
    for program in ("kubeadm", "kubelet"):
        shutil.copy(programs / program, root / "usr/bin" / program)
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n")


def kubeadm_join(cluster, root, name, *words):
    """kubeadm's phase kubelet-start in ROOT: discovery, kubelet's configuration, bootstrap-kubelet.conf."""
    make_root(root, cluster.bin)
    command = [*namespace(), "sh", "-c", IN_ROOT, "sh", root, "/usr/bin/kubeadm", "join", "phase",
               "kubelet-start", cluster.local_endpoint.removeprefix("https://"), "--token", cluster.token,
               "--discovery-token-ca-cert-hash", lab.ca_hash(cluster.pki / "ca.crt"), "--node-name", name,
               "--cri-socket", "unix:///run/containerd/containerd.sock", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=lab.KUBEADM_ENV)
    if done.returncode:
        raise lab.LabError(f"kubeadm join phase kubelet-start: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def kubelet_flags(root, name):
    """Flags of kubeadm's drop-in for kubelet.service."""
    written = (root / "var/lib/kubelet/kubeadm-flags.env").read_text()
    extra = written.partition('"')[2].rpartition('"')[0].split()
    return ["--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf", f"--kubeconfig=/{CONF}",
            "--config=/var/lib/kubelet/config.yaml", f"--hostname-override={name}", *extra]


# Everything that containerd touches, below $root; kubelet sees the socket in its usual place.
CONTAINERD = """version = 2
root = "{root}/var/lib/containerd"
state = "{root}/run/containerd"
[grpc]
address = "{root}/run/containerd/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
path = "{root}/opt/containerd"
[plugins."io.containerd.nri.v1.nri"]
disable = true
"""


@contextlib.contextmanager
def container_engine(root, limit=60):
    """containerd for the machine in ROOT."""
    program = debian.package("trixie", "containerd") / "usr/bin/containerd"
    config, log = root / "containerd.toml", root / "containerd.log"
    config.write_text(CONTAINERD.format(root=root))
    with log.open("wb") as out:
        process = subprocess.Popen([program, "--config", config], stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=out, preexec_fn=lab.die_with_parent)
    try:
        deadline = time.monotonic() + limit
        while b"containerd successfully booted" not in log.read_bytes():
            if process.poll() is not None or time.monotonic() > deadline:
                raise lab.LabError(f"containerd does not start: {lab.tail(log)}")
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


def kubelet_bootstrap(root, name, limit=90):
    """Real kubelet in ROOT until it has its certificate and its kubeconfig."""
    # It would refuse a host with cgroup v1 before it asks for anything.
    config = root / "var/lib/kubelet/config.yaml"
    original = config.read_text()
    config.write_text(original + "failCgroupV1: false\n")
    log = root / "kubelet.log"
    with log.open("wb") as out:
        command = [*namespace(), "--fork", "--kill-child", "sh", "-c", IN_ROOT, "sh", root,
                   "/usr/bin/kubelet", *kubelet_flags(root, name)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   preexec_fn=lab.die_with_parent)
    try:
        deadline = time.monotonic() + limit
        while not ((root / CONF).exists() and (root / CURRENT).is_symlink()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise lab.LabError(f"kubelet got no certificate: {lab.tail(log, 30)}")
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
        config.write_text(original)


def join_worker(cluster, root, name):
    """All of it; returns the CertificateSigningRequest that kubelet made, as the API server has it."""
    kubeadm_join(cluster, root, name)
    with container_engine(root):
        kubelet_bootstrap(root, name)
    for row in cluster.objects("csr")["items"]:
        if subject_of_request(row["spec"]["request"]).endswith(f"CN = system:node:{name}"):
            return row
    raise lab.LabError(f"no request of {name} among {json.dumps(cluster.objects('csr'))[:2000]}")


# OpenSSL's view of what they made


def openssl(*words, data=None):
    return subprocess.run(["openssl", *map(str, words)], input=data, capture_output=True, check=True,
                          text=True).stdout


def subject_of_request(encoded):
    """Subject of a CSR as the API has it (base64 of PEM): "O = system:nodes, CN = ..."."""
    pem = subprocess.run(["base64", "-d"], input=encoded, capture_output=True, text=True, check=True).stdout
    return openssl("req", "-noout", "-subject", data=pem).strip().removeprefix("subject=").strip()


def text_of_request(encoded):
    pem = subprocess.run(["base64", "-d"], input=encoded, capture_output=True, text=True, check=True).stdout
    return openssl("req", "-noout", "-text", data=pem)
