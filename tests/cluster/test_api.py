# SPDX-License-Identifier: MIT
"""cluster/api and cluster/etcd against the real kube-apiserver and the real etcd behind it; api.py and
etcd.py have the servers that lie."""
import base64
import concurrent.futures
import json
import pathlib
import re
import signal
import tempfile
import time
import unittest

import lab
from cases import tool

SHORT = ("deadline_ms=4000",)
DEPLOYMENT = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "namespace": "default"},
              "spec": {"replicas": -1, "selector": {}, "template": {}}}
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
    "metadata": {"name": "things.example.com"},
    "spec": {"group": "example.com", "scope": "Namespaced",
             "names": {"plural": "things", "singular": "thing", "kind": "Thing"},
             "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {
                 "type": "object", "x-kubernetes-preserve-unknown-fields": True}}}]}}
CONFIG_MAPS = "/api/v1/namespaces/kube-system/configmaps"


def client_of(conf):
    """Certificate and key of a kubeconfig as one PEM text."""
    text = pathlib.Path(conf).read_text()
    return b"".join(base64.b64decode(re.search(rf"client-{part}-data: (\S+)", text).group(1))
                    for part in ("certificate", "key"))


def config_map(name, namespace="kube-system", **data):
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace},
            "data": data}


class RealTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="api-test-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        cls.lab = lab.Lab(cls.folder / "lab", scheduler=False)
        cls.addClassCleanup(cls.lab.stop)
        cls.lab.start()
        cls.admin = cls.write("admin.pem", client_of(cls.lab.admin_conf))

    @classmethod
    def write(cls, name, data):
        path = cls.folder / name
        if isinstance(data, (dict, list)):
            data = json.dumps(data)
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    def call(self, *words, options=(), client=None, ca=None):
        identity = f"client={client or self.admin}"
        return tool(f"endpoint={self.lab.local_endpoint}", f"ca={ca or self.lab.pki / 'ca.crt'}",
                    identity, *map(str, options), *map(str, words), seconds=150)

    def by_token(self, token, *words):
        path = self.write("token", token)
        text = tool(f"endpoint={self.lab.local_endpoint}", f"ca={self.lab.pki / 'ca.crt'}", f"token={path}",
                    *SHORT, *words)
        self.assertNotIn(token.split(".")[1], text)
        return text

    def apply(self, value, **more):
        return self.call("apply", self.write("object.json", value), **more)


class ObjectsTest(RealTest):
    def test_an_objects_life(self):
        self.assertRegex(self.apply(config_map("life", a="b")), "^ok ")
        self.assertRegex(self.apply(config_map("life", a="b")), "^ok ")
        path = self.write("life.json", config_map("life", a="b"))
        self.assertRegex(self.call("post", CONFIG_MAPS, path), r'^E_EXISTS .*configmaps "life" already exists')
        stored = json.loads(self.call("get", CONFIG_MAPS + "/life").removeprefix("ok "))
        self.assertEqual((stored["kind"], stored["data"]), ("ConfigMap", {"a": "b"}))
        patch = self.write("patch.json", {"data": {"a": "c"}})
        self.assertRegex(self.call("merge", CONFIG_MAPS + "/life", patch), '^ok .*"a": "c"')
        stale = self.write("stale.json", stored)
        self.assertRegex(self.call("put", CONFIG_MAPS + "/life", stale), "^E_CONFLICT .*has been modified")
        self.assertRegex(self.apply(config_map("life", a="d")), "^ok ")  # ours again, by force
        self.assertEqual(self.lab.objects("-n", "kube-system", "configmap", "life")["data"], {"a": "d"})
        self.assertRegex(self.call("delete", CONFIG_MAPS + "/life"), "^ok ")
        self.assertRegex(self.call("delete", CONFIG_MAPS + "/life"), '^E_NOT_FOUND .*"life" not found')

    def test_definition_and_its_kind_in_one_go(self):
        """The kind is served some time after its definition; the namespace is as new."""
        items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "things"}}, DEFINITION,
                 {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", "namespace": "things"},
                  "spec": {"x": 1}}, config_map("c", "things")]
        self.assertRegex(self.apply({"apiVersion": "v1", "kind": "List", "items": items}), "^ok ")
        self.assertEqual(self.lab.objects("-n", "things", "thing", "t")["spec"], {"x": 1})

    def test_what_is_invalid_is_named(self):
        text = self.apply(DEPLOYMENT)
        self.assertRegex(text, r"^E_INVALID apply Deployment 'd': .*spec.replicas: Invalid value: -1")
        self.assertRegex(self.apply(config_map("c", "nowhere"), options=SHORT),
                         '^E_NOT_FOUND apply ConfigMap .*namespaces "nowhere" not found')
        kind = {"apiVersion": "v1", "kind": "Nonsense", "metadata": {"name": "x"}}
        self.assertRegex(self.apply({**kind, "apiVersion": "nonsense.example/v1"}, options=SHORT),
                         "^E_NOT_FOUND apply Nonsense 'x': find kind 'Nonsense': ")

    def test_tokens(self):
        self.assertRegex(self.by_token(self.lab.token, "get", "/api/v1/nodes"),
                         r'^E_FORBIDDEN .*User "system:bootstrap:\w+" cannot list resource "nodes"')
        self.assertRegex(self.by_token("abcdef.0123456789abcdef", "get", "/api/v1/nodes"), "^E_UNAUTHORIZED ")
        token = self.lab.new_token("--ttl", "1s")
        time.sleep(12)  # the server believes a good token for 10 s
        self.assertRegex(self.by_token(token, "get", "/api/v1/nodes"), "^E_UNAUTHORIZED .*expired")

    def test_trust(self):
        text = self.call("get", "/api/v1/nodes", ca=self.lab.pki / "etcd/ca.crt")
        self.assertRegex(text, "^E_TLS .*is not by the cluster's CA")
        stranger = self.write("stranger.pem", b"".join((self.lab.pki / f"etcd/peer.{part}").read_bytes()
                                                       for part in ("crt", "key")))
        self.assertRegex(self.call("get", "/api/v1/nodes", client=stranger), "^E_UNAUTHORIZED ")
        # kubeadm's discovery: nobody is known yet, the signature will be checked
        text = tool(f"endpoint={self.lab.local_endpoint}", "unverified=1", "get",
                    "/api/v1/namespaces/kube-public/configmaps/cluster-info")
        self.assertRegex(text, '^ok .*jws-kubeconfig-')


class OutageTest(RealTest):
    def test_a_server_that_restarts(self):
        """A call during the restart gets its answer after it."""
        self.lab.end("kube-apiserver")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiting = [pool.submit(self.call, "ready", "120000"),
                       pool.submit(self.apply, config_map("restart"))]
            time.sleep(1)
            # here and not in a thread, with whose end the kernel would kill it
            self.lab.spawn("kube-apiserver")
            # apply outlasts the 403 that a server gives before it has read its roles
            self.assertEqual([one.result() for one in waiting], ["ok \n", "ok \n"])
        self.assertRegex(self.call("get", "/api/v1/nodes"), '^ok .*"NodeList"')

    def test_a_server_that_hangs(self):
        self.lab.signal("kube-apiserver", signal.SIGSTOP)
        try:
            self.assertRegex(self.call("get", "/api/v1/nodes", options=SHORT), "^E_TIMEOUT ")
        finally:
            self.lab.signal("kube-apiserver", signal.SIGCONT)
        self.assertRegex(self.call("get", "/api/v1/nodes"), "^ok ")

    def test_a_server_without_its_etcd(self):
        self.lab.end("etcd")
        try:
            self.assertRegex(self.call("ready", "10000"), "^E_NOT_YET wait for the API server: .*not ready: etcd")
        finally:
            self.lab.spawn("etcd")
        self.assertRegex(self.call("ready", "120000"), "^ok ")


class EtcdTest(RealTest):
    def etcd(self, *words):
        pki = self.lab.pki / "etcd"
        client = self.write("etcd.pem", b"".join((pki / f"healthcheck-client.{part}").read_bytes()
                                                 for part in ("crt", "key")))
        return tool(f"endpoint={self.lab.describe()['etcd']}", f"ca={pki / 'ca.crt'}", f"client={client}", "etcd",
                    *map(str, words))

    def test_kubeadms_etcd(self):
        self.assertRegex(self.etcd("list"), f"^member [0-9a-f]+ '{self.lab.node}' voter ")
        self.assertRegex(self.etcd("health"), "^ok ")
        count = int(re.match(r"count (\d+)", self.etcd("count", "/registry/")).group(1))
        self.assertGreater(count, 50)
        path = self.folder / "snapshot"
        self.assertRegex(self.etcd("snapshot", path), r"^bytes \d+\nok ")
        state = json.loads(self.lab.run("etcdutl", "snapshot", "status", path, "-w", "json"))
        self.assertGreaterEqual(state["totalKey"], count)


del RealTest  # a base, no test


if __name__ == "__main__":
    unittest.main()
