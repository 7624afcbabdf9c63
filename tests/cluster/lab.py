#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A control plane as real kubeadm makes it, run natively: what the agent joins, and is compared with.

Certificates, kubeconfigs, static pod manifests, ConfigMaps, RBAC, tokens and add-ons come from
`kubeadm init phase`. The programs run as plain processes with the very flags of those manifests; only
addresses and ports are this machine's. Everything listens on one address (loopback by default), so many
labs live beside each other. With --guests the cluster calls itself 10.0.2.2, which is this loopback as
virtual machines on QEMU's user network see it.

Needs no root. Every wait is bounded, every process has a log, and processes are ended by their id."""
import argparse
import base64
import ctypes
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
GUEST_HOST = "10.0.2.2"
COMPONENTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
SETS = ("newest", "older")
PR_SET_PDEATHSIG = 1
CONFIG = """apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
- {{token: "{token}", ttl: 24h0m0s, usages: [signing, authentication],
   groups: ["system:bootstrappers:kubeadm:default-node-token"]}}
certificateKey: "{certificate_key}"
localAPIEndpoint: {{advertiseAddress: "{advertise}", bindPort: {port}}}
nodeRegistration: {{name: "{node}", criSocket: "unix:///run/containerd/containerd.sock"}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: "{version}"
clusterName: {name}
certificatesDir: "{pki}"
encryptionAlgorithm: {keys}
controlPlaneEndpoint: "{endpoint}"
apiServer: {{certSANs: ["127.0.0.1", "localhost", "{guest_host}"{sans}]}}
etcd: {{local: {{dataDir: "{data}", serverCertSANs: ["127.0.0.1"], peerCertSANs: ["127.0.0.1"]}}}}
networking: {{podSubnet: 10.244.0.0/16, serviceSubnet: 10.96.0.0/12, dnsDomain: cluster.local}}
"""
# What a phase says on a machine without kubelet, and what nobody asks here.
KUBEADM_ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent"}


class LabError(Exception):
    """Something that the person who runs the tests must read."""


def binaries(which="newest"):
    """Folder with the real programs, built if they are not there yet."""
    done = subprocess.run([HERE / "kube" / "build.sh", which], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise LabError(f"kube/build.sh {which} failed: its words are above")
    return pathlib.Path(done.stdout.strip())


def free_ports(address, count):
    """COUNT ports that nobody listens on now. Held open together, so that all differ."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets = [socket.socket(family) for _ in range(count)]
    try:
        for sock in sockets:
            sock.bind((address, 0))
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def start_time(pid):
    """Field 22 of /proc/PID/stat: with the id it names one process for good. None: no such process."""
    try:
        words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if words[0] == "Z" else int(words[19])


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def tail(path, lines=15):
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return f"(no {path})"


def host_port(address, port):
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def ca_hash(certificate):
    """kubeadm's pin: SHA-256 of the certificate's public key."""
    der = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"],
                         capture_output=True, check=True).stdout
    body = b"".join(der.splitlines()[1:-1])
    return "sha256:" + hashlib.sha256(base64.b64decode(body)).hexdigest()


class Lab:
    """One control plane in FOLDER.

    bin: folder of programs (binaries()). address: where it listens. guests: the cluster's endpoint is
    10.0.2.2. detach: the processes outlive this one (the command line), else they die with it."""

    def __init__(self, folder, bin=None, *, address="127.0.0.1", guests=False, port=None, keys="RSA-2048",
                 scheduler=True, addons=False, node="cp1", name="kubernetes", sans=(), detach=False):
        self.folder = pathlib.Path(folder).resolve()
        self.bin = pathlib.Path(bin or binaries()).resolve()
        self.address, self.node, self.name, self.keys = address, node, name, keys
        self.scheduler, self.addons, self.detach = scheduler, addons, detach
        self.sans = [address, *sans] if address != "127.0.0.1" else list(sans)
        ports = free_ports(address, 6)
        self.port = port or ports[0]
        self.etcd_port, self.peer_port, self.metrics_port, self.kcm_port, self.sched_port = ports[1:]
        self.public = GUEST_HOST if guests else address
        # Written into objects for pods to dial. Loopback is refused there; nothing on a host asks.
        loopback = ipaddress.ip_address(self.public).is_loopback
        self.advertise = "192.0.2.10" if loopback else self.public
        self.token = f"{secrets.token_hex(3)}.{secrets.token_hex(8)}"
        self.certificate_key = secrets.token_hex(32)
        self.children = {}

    pki = property(lambda self: self.folder / "pki")
    admin_conf = property(lambda self: self.folder / "admin.conf")
    config = property(lambda self: self.folder / "kubeadm.yaml")
    cluster_config = property(lambda self: self.folder / "kubeadm-cluster.yaml")
    endpoint = property(lambda self: "https://" + host_port(self.public, self.port))
    local_endpoint = property(lambda self: "https://" + host_port(self.address, self.port))

    def describe(self):
        """What a joining machine is told, and what a test needs."""
        return {"endpoint": self.endpoint, "local_endpoint": self.local_endpoint,
                "admin_conf": str(self.admin_conf), "token": self.token,
                "ca": str(self.pki / "ca.crt"), "ca_hash": ca_hash(self.pki / "ca.crt"),
                "certificate_key": self.certificate_key, "pki": str(self.pki), "bin": str(self.bin),
                "etcd": f"https://{host_port(self.address, self.etcd_port)}", "version": self.version(),
                "logs": str(self.folder / "log")}

    def version(self):
        """v1.X.Y of these programs."""
        done = subprocess.run([self.bin / "kubeadm", "version", "-o", "short"], capture_output=True,
                              text=True, check=True)
        return done.stdout.strip()

    # kubeadm and kubectl

    def run(self, program, *args, text=None, check=True, timeout=180, env=None):
        """One program of the set to its end: standard output. A failure carries what it said."""
        done = subprocess.run([self.bin / program, *map(str, args)], input=text, text=True, timeout=timeout,
                              capture_output=True, cwd=self.folder, env={**KUBEADM_ENV, **(env or {})})
        if check and done.returncode:
            raise LabError(f"{program} {' '.join(map(str, args))}: exit {done.returncode}\n"
                           f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def phase(self, *words, env=None, config=None):
        """kubeadm init phase WORDS on our configuration."""
        return self.run("kubeadm", "init", "phase", *words, "--config", config or self.config, env=env)

    def kubectl(self, *args, conf=None, **options):
        """kubectl as administrator: its output."""
        return self.run("kubectl", "--kubeconfig", conf or self.admin_conf, *args, **options)

    def objects(self, *args):
        """kubectl get ARGS as data."""
        return json.loads(self.kubectl("get", *args, "-o", "json"))

    def new_token(self, *args):
        """A further bootstrap token, by kubeadm token create ARGS."""
        return self.run("kubeadm", "--kubeconfig", self.admin_conf, "token", "create", *args).strip()

    # Making the cluster

    def write_config(self, path, pki, data):
        sans = "".join(f', "{san}"' for san in self.sans)
        path.write_text(CONFIG.format(
            token=self.token, advertise=self.advertise, port=self.port, node=self.node, name=self.name,
            version=self.version(), pki=pki, keys=self.keys, data=data, sans=sans,
            endpoint=host_port(self.public, self.port), guest_host=GUEST_HOST,
            certificate_key=self.certificate_key))

    def make_files(self):
        """Everything that exists before the first process: kubeadm's offline phases."""
        for sub in ("log", "pid", "manifests", "pki", "kubeconfig"):
            (self.folder / sub).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self.write_config(self.config, self.pki, self.folder / "etcd")
        # What goes into the cluster: its nodes have the usual paths, kubelet's configuration names them.
        self.write_config(self.cluster_config, "/etc/kubernetes/pki", "/var/lib/etcd")
        self.phase("certs", "all")
        self.phase("kubeconfig", "all", "--kubeconfig-dir", self.folder / "kubeconfig")
        # The hidden dry-run folder is the one way to have manifests elsewhere than /etc.
        env = {"KUBEADM_INIT_DRYRUN_DIR": str(self.folder / "manifests")}
        self.phase("control-plane", "all", "--dry-run", env=env)
        self.phase("etcd", "local", "--dry-run", env=env)
        # As this machine reaches the server; the originals keep what a node would have.
        for conf in (self.folder / "kubeconfig").glob("*.conf"):
            local = re.sub(r"server: https://\S+", f"server: {self.local_endpoint}", conf.read_text())
            target = self.folder / conf.name
            target.write_text(local)
            target.chmod(0o600)

    def command(self, component):
        """argv of a component: kubeadm's manifest, with this machine's addresses and paths."""
        found = [p for p in self.folder.glob("manifests/**/*.yaml") if p.stem == component]
        if not found:
            raise LabError(f"kubeadm wrote no manifest for {component}")
        flags = dict(re.findall(r"^ +- --([a-z0-9-]+)=(.*)$", found[0].read_text(), re.MULTILINE))
        flags.update(self.overrides(component))
        flags = {k: v.replace("/etc/kubernetes/", f"{self.folder}/") for k, v in flags.items()}
        return [str(self.bin / component), *(f"--{key}={value}" for key, value in flags.items())]

    def overrides(self, component):
        client = f"https://{host_port(self.address, self.etcd_port)}"
        peer = f"https://{host_port(self.address, self.peer_port)}"
        return {
            "etcd": {"listen-client-urls": client, "advertise-client-urls": client,
                     "listen-peer-urls": peer, "initial-advertise-peer-urls": peer,
                     "initial-cluster": f"{self.node}={peer}", "data-dir": str(self.folder / "etcd"),
                     "listen-metrics-urls": f"http://{host_port(self.address, self.metrics_port)}"},
            "kube-apiserver": {"etcd-servers": client, "bind-address": self.address},
            "kube-controller-manager": {"bind-address": self.address, "secure-port": str(self.kcm_port),
                                        "leader-elect": "false"},
            "kube-scheduler": {"bind-address": self.address, "secure-port": str(self.sched_port),
                               "leader-elect": "false"},
        }[component]

    def populate(self):
        """The cluster's first objects: kubeadm's phases that talk to the API server."""
        admin = ("--kubeconfig", self.admin_conf)
        # kubeadm does this itself only with /etc/kubernetes/admin.conf.
        self.kubectl("create", "clusterrolebinding", "kubeadm:cluster-admins",
                     "--clusterrole=cluster-admin", "--group=kubeadm:cluster-admins",
                     conf=self.folder / "super-admin.conf")
        self.phase("upload-config", "all", *admin, config=self.cluster_config)
        self.phase("upload-certs", "--upload-certs", *admin)
        self.phase("bootstrap-token", *admin)
        if self.addons:
            self.phase("addon", "all", *admin, config=self.cluster_config)

    # Processes

    def spawn(self, component):
        """Starts a component; its id and start time go to pid/, its words to log/."""
        with (self.folder / "log" / f"{component}.log").open("ab") as log:
            process = subprocess.Popen(self.command(component), stdin=subprocess.DEVNULL, stdout=log,
                                       stderr=log, cwd=self.folder, start_new_session=True, env=KUBEADM_ENV,
                                       preexec_fn=None if self.detach else die_with_parent)
        (self.folder / "pid" / component).write_text(f"{process.pid} {start_time(process.pid)}\n")
        self.children[component] = process

    def pid(self, component):
        """Id of a component's process if it is still that very one, else None."""
        child = self.children.get(component)
        if child and child.poll() is not None:
            return None
        try:
            pid, started = (self.folder / "pid" / component).read_text().split()
        except OSError:
            return None
        return int(pid) if str(start_time(int(pid))) == started else None

    def signal(self, component, number):
        """Sends a signal (SIGSTOP: a server that hangs) to a component that runs."""
        pid = self.pid(component)
        if pid is None:
            raise LabError(f"{component} does not run")
        os.kill(pid, number)

    def end(self, component, limit=20):
        """Ends a component: TERM, and KILL after LIMIT seconds. No error when it does not run."""
        pid = self.pid(component)
        if pid is not None:
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + limit
            while self.pid(component) is not None:
                if time.monotonic() > deadline:
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.05)
        (self.folder / "pid" / component).unlink(missing_ok=True)
        self.children.pop(component, None)

    def wait(self, component, path, limit=180):
        """Until the API server answers PATH with ok. Says which process died, with its last words."""
        deadline = time.monotonic() + limit
        said = ""
        while time.monotonic() < deadline:
            if self.pid(component) is None:
                raise LabError(f"{component} ended: {tail(self.folder / 'log' / (component + '.log'))}")
            done = subprocess.run([self.bin / "kubectl", "--kubeconfig", self.folder / "super-admin.conf",
                                   "--request-timeout=5s", "get", "--raw", path], capture_output=True,
                                  text=True)
            if done.returncode == 0:
                return
            said = done.stderr
            time.sleep(0.25)
        log = tail(self.folder / "log" / (component + ".log"))
        raise LabError(f"{component} is not ready after {limit} s: {said}{log}")

    def wait_cluster_info(self, limit=60):
        """Until the controller manager has signed cluster-info: nobody can join earlier."""
        deadline = time.monotonic() + limit
        key = "jws-kubeconfig-" + self.token.split(".", maxsplit=1)[0]
        while time.monotonic() < deadline:
            if key in self.objects("-n", "kube-public", "configmap", "cluster-info")["data"]:
                return
            time.sleep(0.2)
        raise LabError("cluster-info is not signed: "
                       + tail(self.folder / "log/kube-controller-manager.log"))

    def start(self):
        """Makes the cluster on first use, starts its processes, and returns when machines can join."""
        first = not (self.pki / "ca.crt").exists()
        if first:
            self.make_files()
        self.spawn("etcd")
        self.spawn("kube-apiserver")
        self.wait("kube-apiserver", "/readyz")
        self.spawn("kube-controller-manager")
        if self.scheduler:
            self.spawn("kube-scheduler")
        if first:
            self.populate()
        self.wait_cluster_info()
        return self

    def stop(self):
        """Ends all processes, servers last; data and logs stay."""
        for component in reversed(COMPONENTS):
            self.end(component)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()


def saved(folder):
    """State of an earlier start, for stop and for a start on the same data."""
    try:
        return json.loads((folder / "lab.json").read_text())
    except OSError:
        return None


KEEP = ("address", "node", "name", "keys", "scheduler", "addons", "sans", "port", "etcd_port", "peer_port",
        "metrics_port", "kcm_port", "sched_port", "public", "advertise", "token", "certificate_key")


def command_line():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--dir", required=True, type=pathlib.Path, help="the lab's folder, kept")
    parser.add_argument("--set", choices=SETS, default="newest", help="which Kubernetes")
    parser.add_argument("--bin", type=pathlib.Path, help="folder of programs instead of --set")
    parser.add_argument("--address", default="127.0.0.1", help="where everything listens")
    parser.add_argument("--port", type=int, help="of the API server; default: a free one")
    parser.add_argument("--guests", action="store_true", help="for QEMU's user network: 10.0.2.2")
    parser.add_argument("--keys", default="RSA-2048", choices=("RSA-2048", "ECDSA-P256"))
    parser.add_argument("--addons", action="store_true", help="kube-proxy's and CoreDNS's objects too")
    parser.add_argument("action", choices=("start", "stop", "describe"))
    return parser.parse_args()


def main():
    args = command_line()
    old = saved(args.dir)
    if args.action == "start" and old is None:
        args.dir.mkdir(parents=True, exist_ok=True)
        lab = Lab(args.dir, args.bin or binaries(args.set), address=args.address, guests=args.guests,
                  port=args.port, keys=args.keys, addons=args.addons, detach=True)
    elif old is None:
        sys.exit(f"lab.py: no lab in '{args.dir}': start one first")
    else:
        lab = Lab(args.dir, old["bin"], detach=True)
        for key in KEEP:
            setattr(lab, key, old[key])
    if args.action == "stop":
        lab.stop()
        return
    if args.action == "start":
        state = {key: getattr(lab, key) for key in KEEP}
        (lab.folder / "lab.json").write_text(json.dumps({**state, "bin": str(lab.bin)}, indent=1))
        (lab.folder / "lab.json").chmod(0o600)
        try:
            lab.start()
        except BaseException:
            lab.stop()
            raise
    print(json.dumps(lab.describe(), indent=1))


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        sys.exit(f"lab.py: {error}")
