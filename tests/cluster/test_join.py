# SPDX-License-Identifier: MIT
"""A worker joins, by `promenade apply --root`, a control plane that real kubeadm made (lab.py)."""
import http.server
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

import lab

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
AGENT = pathlib.Path(os.environ.get("PROMENADE_AGENT", TOP / "build/host/promenade"))
PIN_NOBODY = "sha256:" + "12" * 32
ROLE = """apiVersion: promenade/v1
kind: Role
name: {name}
node: {{swap: keep, installAgent: false, pinAddress: false, {node}}}
cluster:
  action: join
  endpoint: {endpoint}
  endpoints: {endpoints}
  caCertHashes: ["{pin}"]
  {secret}: {{url: "{url}"}}
  timeouts: {{api: {api}, certificate: {certificate}}}
"""
FILES = ("etc/kubernetes/pki/ca.crt", "etc/kubernetes/kubelet.conf", "var/lib/kubelet/config.yaml",
         "var/lib/kubelet/pki/kubelet-client-current.pem")


def openssl(*words, text=None):
    done = subprocess.run(["openssl", *map(str, words)], input=text, text=True, capture_output=True,
                          check=False)
    if done.returncode:
        raise lab.LabError(f"openssl {words[0]}: {done.stderr}")
    return done.stdout


class Provision:
    """An HTTPS server with a CA of its own. answers: path -> function that gives (status, text)."""

    def __init__(self, folder):
        self.folder = folder
        self.answers, self.asked = {}, []
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "2", "-keyout", folder / "https.key", "-out", folder / "https.crt", "-subj", "/CN=prov",
                "-addext", "subjectAltName=IP:127.0.0.1")
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.path)
                status, text = outer.answers.get(self.path, lambda: (404, "nothing"))()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "https.crt", folder / "https.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"https://127.0.0.1:{self.server.server_address[1]}{path}"

    def serve(self, path, *texts):
        """Answers with the texts one after the other, the last one for ever. A number is a status."""
        queue = list(texts)

        def answer():
            text = queue.pop(0) if len(queue) > 1 else queue[0]
            return (text, "") if isinstance(text, int) else (200, text)
        self.answers[path] = answer
        return self.url(path)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Worker:
    """One machine: a root to be prepared, and the agent that does it."""

    def __init__(self, tests, name):
        self.tests, self.name = tests, name
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=tests.folder))
        self.root = self.folder / "root"
        modules = f"lib/modules/{os.uname().release}"
        for sub in ("etc", "var/lib", "usr/lib/systemd/system", modules):
            (self.root / sub).mkdir(parents=True)
        (self.root / modules / "modules.dep").touch()
        (self.root / "etc/os-release").write_text("ID=debian\nVERSION_ID=13\n")

    def start(self, secret, url, **more):
        cluster = self.tests.cluster
        values = {"name": self.name, "secret": secret, "url": url, "pin": self.tests.pin,
                  "endpoint": cluster.endpoint, "endpoints": "[]", "api": 60, "certificate": 30,
                  "node": "engine: {name: none}", **more}
        (self.folder / "role.yaml").write_text(ROLE.format(**values))
        return subprocess.Popen([AGENT, "apply", "--ca", self.tests.folder / "https.crt", "--root", self.root,
                                 self.folder / "role.yaml"], text=True, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, process, limit=240):
        said = process.communicate(timeout=limit)[0]
        self.tests.assertNotIn("Sanitizer", said)
        self.tests.no_secrets(said)
        return process.returncode, said

    def join(self, secret, url, **more):
        return self.finish(self.start(secret, url, **more))

    def good(self, secret, url, **more):
        status, said = self.join(secret, url, **more)
        self.tests.assertEqual(status, 0, said)
        return said

    def refused(self, *patterns, **more):
        """Ends badly with one line that has all the patterns, and no kubelet.conf."""
        status, said = self.join(**more)
        last = said.strip().splitlines()[-1]
        self.tests.assertNotEqual(status, 0, said)
        for pattern in patterns:
            self.tests.assertRegex(last, pattern)
        self.tests.assertFalse((self.root / "etc/kubernetes/kubelet.conf").exists(), said)
        return last

    def path(self, name):
        path = self.root / name
        if path.is_symlink():
            path = self.root / str(path.readlink()).lstrip("/")
        return path

    def read(self, name):
        return self.path(name).read_text()

    def state(self):
        """Every file with its mode, time and bytes."""
        return {str(p.relative_to(self.root)): (p.lstat().st_mode, p.lstat().st_mtime_ns,
                                                p.read_bytes() if p.is_file() and not p.is_symlink()
                                                else str(p.readlink()) if p.is_symlink() else "")
                for p in sorted(self.root.rglob("*")) if "promenade" not in p.parts}


class Join(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="join."))
        cls.provision = Provision(cls.folder)
        cls.cluster = lab.Lab(cls.folder / "lab", scheduler=False, keys="ECDSA-P256").start()
        cls.pin = cls.cluster.describe()["ca_hash"]
        cls.secrets = [cls.cluster.token.split(".")[1]]

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()
        cls.provision.close()
        shutil.rmtree(cls.folder)

    def no_secrets(self, text):
        for secret in self.secrets:
            self.assertNotIn(secret, text)
        self.assertNotIn("PRIVATE KEY", text)

    def worker(self):
        """A name per test: they share the cluster."""
        return Worker(self, re.sub("[^a-z0-9]+", "-", self._testMethodName.removeprefix("test_")))

    def token(self, *args):
        made = self.cluster.new_token(*args)
        self.secrets.append(made.split(".")[1])
        return made

    def serve_token(self, *tokens):
        return self.provision.serve(f"/token/{self._testMethodName}", *(tokens or [self.token()]))

    def credential(self, node, days=1, group="system:nodes", ca=None, pki=None):
        """What render makes: a client certificate by the cluster's CA, its key, the CA."""
        work = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        pki = pki or self.cluster.pki
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", work / "key")
        openssl("req", "-new", "-key", work / "key", "-subj", f"/O={group}/CN=system:node:{node}", "-out",
                work / "csr")
        (work / "ext").write_text("extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\n")
        openssl("x509", "-req", "-in", work / "csr", "-CA", pki / "ca.crt", "-CAkey", pki / "ca.key",
                "-CAcreateserial", "-CAserial", work / "srl", "-days", days, "-extfile", work / "ext", "-out",
                work / "crt")
        return ((work / "crt").read_text() + (work / "key").read_text()
                + (ca or (self.cluster.pki / "ca.crt").read_text()))

    def other_pki(self):
        """Another cluster's CA, of the same name."""
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "9", "-keyout", folder / "ca.key",
                "-out", folder / "ca.crt", "-subj", "/CN=kubernetes", "-addext",
                "keyUsage=critical,keyCertSign,digitalSignature")
        return folder

    def serve_credential(self, text):
        return self.provision.serve(f"/credential/{self._testMethodName}", text)

    def check_joined(self, worker):
        """The files as kubelet and kubeadm have them, and the Node held back."""
        ca = (self.cluster.pki / "ca.crt").read_text()
        self.assertEqual(worker.read(FILES[0]), ca)
        link = worker.root / FILES[3]
        self.assertTrue(link.is_symlink())
        self.assertRegex(str(link.readlink()),
                         r"^/var/lib/kubelet/pki/kubelet-client-\d{4}(-\d\d){5}\.pem$")
        self.assertEqual(worker.path(FILES[3]).stat().st_mode & 0o777, 0o600)
        self.assertEqual((worker.root / FILES[1]).stat().st_mode & 0o777, 0o600)
        subject = openssl("x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", worker.path(FILES[3]))
        self.assertEqual(subject.strip(), f"subject=CN=system:node:{worker.name},O=system:nodes")
        openssl("verify", "-CAfile", self.cluster.pki / "ca.crt", worker.path(FILES[3]))
        node = self.cluster.objects("node", worker.name)
        ready = [c for c in node["status"]["conditions"] if c["type"] == "Ready"]
        self.assertEqual([(c["status"], c["reason"]) for c in ready], [("False", "Provisioning")])
        self.check_as_kubelet(worker)
        return node

    def check_as_kubelet(self, worker):
        """kubectl with the node's own kubelet.conf, paths as after the pivot."""
        conf = worker.read(FILES[1]).replace("/var/lib/kubelet", f"{worker.root}/var/lib/kubelet")
        conf = conf.replace("kubelet-client-current.pem", worker.path(FILES[3]).name)
        (worker.folder / "conf").write_text(conf)
        who = json.loads(self.cluster.kubectl("auth", "whoami", "-o", "json", conf=worker.folder / "conf"))
        self.assertEqual(who["status"]["userInfo"]["username"], f"system:node:{worker.name}")
        self.assertIn("system:nodes", who["status"]["userInfo"]["groups"])

    # What goes well

    def test_token(self):
        worker = self.worker()
        worker.good("token", self.serve_token(),
                    node="engine: {name: containerd}, kubelet: {binary: /usr/local/bin/kubelet, "
                    'labels: {example.com/rack: r7}, taints: ["example.com/gpu=yes:NoSchedule"]}')
        node = self.check_joined(worker)
        self.assertEqual(node["metadata"]["labels"]["kubernetes.io/hostname"], worker.name)
        self.assertEqual(node["metadata"]["labels"]["example.com/rack"], "r7")
        self.assertIn(("example.com/gpu", "yes", "NoSchedule"),
                      [(t["key"], t.get("value"), t["effect"]) for t in node["spec"]["taints"]])
        shared = self.cluster.objects("-n", "kube-system", "configmap", "kubelet-config")["data"]["kubelet"]
        for line in ("clusterDNS:", "rotateCertificates: true", "staticPodPath: /etc/kubernetes/manifests"):
            self.assertIn(line, shared)
            self.assertIn(line, worker.read(FILES[2]))
        for path in worker.root.rglob("*"):
            if path.is_file():
                self.assertNotIn(self.secrets[-1].encode(), path.read_bytes(), path)

    def test_credential(self):
        worker = self.worker()
        worker.good("credential", self.serve_credential(self.credential(worker.name)))
        self.check_joined(worker)

    def test_second_run_changes_nothing(self):
        worker = self.worker()
        url = self.serve_credential(self.credential(worker.name))
        worker.good("credential", url)
        before, asked = worker.state(), len(self.provision.asked)
        said = worker.good("credential", url, endpoint=self.cluster.endpoint)
        self.assertRegex(said, "done: 0 step")
        self.assertEqual(worker.state(), before)
        self.assertEqual(len(self.provision.asked), asked)

    def test_other_endpoint_rewrites_the_conf_alone(self):
        worker = self.worker()
        worker.good("credential", self.serve_credential(self.credential(worker.name)))
        pem, asked = worker.read(FILES[3]), len(self.provision.asked)
        other = f"https://localhost:{self.cluster.port}"
        worker.good("credential", self.provision.url("/gone"), endpoint=other)
        self.assertIn(f"server: {other}", worker.read(FILES[1]))
        self.assertEqual((worker.read(FILES[3]), len(self.provision.asked)), (pem, asked))

    def test_failover(self):
        worker = self.worker()
        dead = f"https://127.0.0.1:{lab.free_ports('127.0.0.1', 1)[0]}"
        worker.good("token", self.serve_token(), endpoint=dead, endpoints=f'["{self.cluster.endpoint}"]')
        self.assertIn(f"server: {dead}", worker.read(FILES[1]))

    # What must be waited for

    def test_expired_token_is_fetched_again(self):
        worker = self.worker()
        old = self.token()
        self.cluster.run("kubeadm", "--kubeconfig", self.cluster.admin_conf, "token", "delete",
                         old.split(".")[0])
        time.sleep(11)  # the API server believes a good answer for 10 s
        worker.good("token", self.serve_token(old, self.token()))
        self.check_joined(worker)

    def test_api_down_for_a_while(self):
        worker = self.worker()
        url = self.serve_token()
        self.cluster.end("kube-apiserver")
        process = worker.start("token", url, api=180)
        time.sleep(8)
        self.assertIsNone(process.poll())
        self.cluster.spawn("kube-apiserver")
        self.cluster.wait("kube-apiserver", "/readyz")
        status, said = worker.finish(process)
        self.assertEqual(status, 0, said)
        self.check_joined(worker)

    def test_server_not_ready_yet(self):
        worker = self.worker()
        text = self.credential(worker.name)
        worker.good("credential", self.provision.serve("/credential/late", 404, 503, text))
        self.check_joined(worker)

    # Why a request stays pending

    def refuse_pending(self, *patterns):
        return self.worker().refused(*patterns, secret="token", url=self.serve_token(), certificate=8)

    def test_pending_without_binding(self):
        text = self.cluster.kubectl("get", "clusterrolebinding", "kubeadm:node-autoapprove-bootstrap", "-o",
                                    "yaml")
        self.cluster.kubectl("delete", "clusterrolebinding", "kubeadm:node-autoapprove-bootstrap")
        try:
            self.refuse_pending("node-autoapprove-bootstrap", "kubectl certificate approve node-csr-")
        finally:
            self.cluster.kubectl("create", "-f", "-", text=re.sub(r"\n  (uid|resourceVersion):.*", "", text))

    def test_pending_without_controller_manager(self):
        url = self.serve_token()
        time.sleep(5)  # until cluster-info is signed for it
        self.cluster.end("kube-controller-manager")
        try:
            self.worker().refused("kube-controller-manager is not running", "although it may be approved",
                                  secret="token", url=url, certificate=8)
        finally:
            self.cluster.spawn("kube-controller-manager")

    def test_approved_but_not_signed(self):
        url = self.serve_token()
        time.sleep(5)
        self.cluster.end("kube-controller-manager")
        try:
            worker = self.worker()
            process = worker.start("token", url, certificate=12)
            self.decide("approve", worker)
            status, said = worker.finish(process)
            self.assertNotEqual(status, 0)
            self.assertRegex(said.splitlines()[-1], "is approved, but was not signed.*cluster-signing-key-file")
        finally:
            self.cluster.spawn("kube-controller-manager")

    def decide(self, verb, worker, limit=60):
        """kubectl certificate VERB, as soon as the worker's request is there."""
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            for name in self.cluster.kubectl("get", "csr", "-o", "name").split():
                if f"node-csr-{worker.name}-" in name:
                    self.cluster.kubectl("certificate", verb, name.split("/")[1])
                    return
            time.sleep(0.2)
        self.fail("no request came")

    def test_denied(self):
        url = self.serve_token()
        time.sleep(5)
        self.cluster.end("kube-controller-manager")
        try:
            worker = self.worker()
            process = worker.start("token", url)
            self.decide("deny", worker)
            status, said = worker.finish(process)
            self.assertNotEqual(status, 0)
            self.assertRegex(said.splitlines()[-1], "was denied: KubectlDeny")
        finally:
            self.cluster.spawn("kube-controller-manager")

    # What is refused

    def test_token_of_nobody(self):
        self.secrets.append("0123456789abcdef")
        self.worker().refused("not signed for token abcdef", "kubeadm token create", secret="token",
                              url=self.serve_token("abcdef.0123456789abcdef"), api=6)

    def test_token_is_no_token(self):
        self.worker().refused("bootstrap token", secret="token", url=self.serve_token("<html>"), api=6)

    def test_wrong_pin(self):
        self.worker().refused(self.pin, secret="token", url=self.serve_token(), pin=PIN_NOBODY, api=6)

    def test_credential_with_wrong_pin(self):
        worker = self.worker()
        worker.refused(self.pin, secret="credential", pin=PIN_NOBODY,
                       url=self.serve_credential(self.credential(worker.name)))

    def test_credential_of_another_node(self):
        self.worker().refused("is for 'system:node:w9'", "its own credential", secret="credential",
                              url=self.serve_credential(self.credential("w9")))

    def test_credential_without_group(self):
        worker = self.worker()
        worker.refused("system:nodes", secret="credential",
                       url=self.serve_credential(self.credential(worker.name, group="nodes")))

    def test_credential_expired(self):
        worker = self.worker()
        worker.refused("expired", secret="credential",
                       url=self.serve_credential(self.credential(worker.name, days=-1)))

    def test_credential_by_another_ca(self):
        worker = self.worker()
        worker.refused("credential of", secret="credential",
                       url=self.serve_credential(self.credential(worker.name, pki=self.other_pki())))

    def test_credential_used_already(self):
        self.worker().refused("HTTP 410", "make a new credential", secret="credential",
                              url=self.provision.serve("/credential/used", 410))

    def test_api_server_of_another_ca(self):
        """The name leads to somebody else's server: its certificate is not by the CA that is pinned."""
        other = self.provision.url("")
        worker = self.worker()
        worker.refused("certificate", secret="credential", endpoint=other, api=6,
                       url=self.serve_credential(self.credential(worker.name)))

    # Names and other lives

    def make_node(self, name, uuid, ready="True"):
        self.cluster.kubectl("create", "-f", "-", text=json.dumps(
            {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}))
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        info = {key: "x" for key in ("machineID", "bootID", "kernelVersion", "osImage", "kubeletVersion",
                                     "containerRuntimeVersion", "kubeProxyVersion", "operatingSystem",
                                     "architecture")}
        status = {"nodeInfo": {**info, "systemUUID": uuid}, "conditions": [
            {"type": "Ready", "status": ready, "reason": "KubeletReady", "message": "x",
             "lastHeartbeatTime": now, "lastTransitionTime": now}]}
        self.cluster.kubectl("patch", "node", name, "--subresource=status", "--type=strategic", "-p",
                             json.dumps({"status": status}))

    def test_name_of_a_ready_node_elsewhere(self):
        worker = self.worker()
        self.make_node(worker.name, "11111111-2222-3333-4444-555555555555")
        worker.refused("is Ready on another machine", "11111111-2222", f"kubectl delete node {worker.name}",
                       secret="credential", url=self.serve_credential(self.credential(worker.name)))
        self.assertFalse((worker.root / "var/lib/kubelet/pki").exists())

    def test_node_that_is_not_ready_is_taken_over(self):
        worker = self.worker()
        self.make_node(worker.name, "11111111-2222-3333-4444-555555555555", ready="False")
        worker.good("credential", self.serve_credential(self.credential(worker.name)))
        self.check_joined(worker)

    def test_own_node_that_is_ready_yet(self):
        """A machine that was reset: its Node is Ready until the controllers miss its heartbeat."""
        uuid = pathlib.Path("/sys/class/dmi/id/product_uuid")
        if not uuid.exists():
            self.check_without_uuid()
            return
        worker = self.worker()
        self.make_node(worker.name, uuid.read_text().strip().upper())
        worker.good("credential", self.serve_credential(self.credential(worker.name)))
        self.check_joined(worker)

    def check_without_uuid(self):
        """A machine without DMI cannot say that the Node is its own."""
        worker = self.worker()
        self.make_node(worker.name, "")
        worker.refused("is Ready on another machine .system UUID unknown", secret="credential",
                       url=self.serve_credential(self.credential(worker.name)))

    def put_stale(self, worker, pem, ca):
        pki = worker.root / "var/lib/kubelet/pki"
        pki.mkdir(parents=True)
        (worker.root / "etc/kubernetes/pki").mkdir(parents=True)
        (worker.root / FILES[0]).write_text(ca)
        (worker.root / FILES[1]).write_text("apiVersion: v1\nkind: Config\n")
        (pki / "kubelet-client-2020-01-01-00-00-00.pem").write_text(pem)
        (pki / "kubelet.crt").write_text("old")
        (worker.root / FILES[3]).symlink_to("/var/lib/kubelet/pki/kubelet-client-2020-01-01-00-00-00.pem")

    def check_wiped(self, worker, why):
        said = worker.good("credential", self.serve_credential(self.credential(worker.name)))
        self.assertRegex(said, "wipe what is left of another life: .*" + why)
        self.check_joined(worker)
        self.assertEqual(sorted(p.name for p in (worker.root / "var/lib/kubelet/pki").iterdir()),
                         [worker.path(FILES[3]).name, "kubelet-client-current.pem"])

    def test_stale_of_another_name(self):
        worker = self.worker()
        self.put_stale(worker, self.credential("w0"), (self.cluster.pki / "ca.crt").read_text())
        self.check_wiped(worker, "is for 'system:node:w0'")

    def test_stale_of_another_cluster(self):
        worker, pki = self.worker(), self.other_pki()
        self.put_stale(worker, self.credential(worker.name, pki=pki), (pki / "ca.crt").read_text())
        self.check_wiped(worker, "sha256:")

    def test_stale_garbage(self):
        worker = self.worker()
        self.put_stale(worker, "no certificate\n", (self.cluster.pki / "ca.crt").read_text())
        self.check_wiped(worker, "")

    # Killed

    def test_killed_at_any_point(self):
        """kill -9 at growing delays; what is left never misleads kubelet, and the last run completes."""
        worker = self.worker()
        url = self.serve_token()
        for number in range(1, 13):
            process = worker.start("token", url)
            try:
                process.wait(0.12 * number)
            except subprocess.TimeoutExpired:
                process.kill()
            process.communicate()
            if (worker.root / FILES[1]).exists():
                openssl("verify", "-CAfile", worker.root / FILES[0], worker.path(FILES[3]))
        worker.good("token", url)
        self.check_joined(worker)
        self.assertEqual([p for p in worker.root.rglob("*") if ".tmp" in p.name or p.name.startswith(".")], [])


if __name__ == "__main__":
    os.sys.exit(unittest.main())
