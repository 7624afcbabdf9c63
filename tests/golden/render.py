#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`promenade render` from outside, its output judged by openssl and by `promenade validate`.

    render.py AGENT

Each case is a function; what it returns or raises is what is wrong."""
import base64
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

import yaml

AGENT = os.path.abspath(sys.argv[1])
PARTS = ["ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.pub", "sa.key",
         "etcd/ca.crt", "etcd/ca.key"]
HEAD = """apiVersion: promenade/v1
kind: Cluster
version: "{version}"
endpoint: https://api.example:6443
keys: {keys}
credentials: {{url: "https://prov.example/credentials"}}
defaults:
  os: {{root: {{label: root}}}}
  node:
    engine: {{name: containerd}}
    kubelet: {{binary: /usr/bin/kubelet, labels: {{example.com/site: a}}}}
  ntp: [192.0.2.1, 192.0.2.2]
machines:
  - name: cp-01
    role: control-plane
    bootstrap: true
    advertiseAddress: 10.0.0.11
    match: {{serial: "CZ3101"}}
  - name: cp-02
    role: control-plane
    match: {{serial: "CZ3102"}}
  - name: worker-01
    match: {{mac: "52:54:00:12:34:56"}}
    ntp: [192.0.2.3]
    node: {{kubelet: {{labels: {{example.com/rack: r7}}}}}}
"""


def document(version="1.35.4", keys="ecdsa-p256"):
    return HEAD.format(version=version, keys=keys)


def run(*words, text=None, timeout=120):
    done = subprocess.run(words, input=text.encode() if text else None, timeout=timeout, check=False,
                          stdin=None if text else subprocess.DEVNULL, capture_output=True)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def openssl(*words):
    status, out, err = run("openssl", *words)
    assert status == 0, f"openssl {words[0]}: {err}"
    return out


def render(folder, *words, text=None, out="out"):
    path = os.path.join(folder, "lab.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text or document())
    result = run(AGENT, "render", "--cluster", path, "--out", os.path.join(folder, out), *words)
    assert "PRIVATE KEY" not in result[1] + result[2]
    return result


def good(folder, *words, **more):
    status, out, err = render(folder, *words, **more)
    assert status == 0, f"exit {status}: {err}"
    return out, err


def tree(folder, name="out"):
    """{path: (mode, bytes)}"""
    found = {}
    top = os.path.join(folder, name)
    for base, _, names in os.walk(top):
        for file in names:
            path = os.path.join(base, file)
            with open(path, "rb") as opened:
                found[os.path.relpath(path, top)] = (stat.S_IMODE(os.stat(path).st_mode), opened.read())
    return found


def case_files(folder):
    good(folder)
    files = tree(folder)
    secrets = {f"pki/{part}" for part in PARTS} | {
        "admin.conf", "credentials/cp-01.json", "credentials/cp-02.json", "credentials/worker-01.pem"}
    expected = secrets | {f"roles/{name}.yaml" for name in ("cp-01", "cp-02", "worker-01")} | {
        "review/objects.yaml", "review/kubelet-config.yaml"} | {
        f"review/cp-01/etc/kubernetes/manifests/{name}.yaml"
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")}
    assert set(files) == expected, sorted(set(files) ^ expected)
    for path, (mode, content) in files.items():
        assert mode == (0o600 if path in secrets else 0o644), f"{path}: {mode:o}"
        assert path in secrets or b"PRIVATE" not in content, path
    assert stat.S_IMODE(os.stat(os.path.join(folder, "out")).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.join(folder, "out/pki")).st_mode) == 0o700


def case_roles(folder):
    good(folder)
    pin = "sha256:" + hashlib.sha256(base64.b64decode("".join(openssl(
        "x509", "-in", f"{folder}/out/pki/ca.crt", "-pubkey", "-noout").splitlines()[1:-1]))).hexdigest()
    for name, action, kind in (("cp-01", "bootstrap", "json"), ("cp-02", "join", "json"),
                               ("worker-01", "join", "pem")):
        path = f"{folder}/out/roles/{name}.yaml"
        status, _, err = run(AGENT, "validate", path)
        assert status == 0, err
        with open(path, encoding="utf-8") as file:
            role = yaml.safe_load(file)
        cluster = role["cluster"]
        assert role["name"] == name and cluster["action"] == action
        assert cluster["caCertHashes"] == [pin]
        assert cluster["credential"]["url"] == f"https://prov.example/credentials/{name}.{kind}"
        assert "serial" not in role and "notAfter" not in role
    assert role["node"]["kubelet"]["labels"] == {"example.com/site": "a", "example.com/rack": "r7"}
    assert role["ntp"] == ["192.0.2.3"] and role["match"] == {"mac": "52:54:00:12:34:56"}


def case_signed(folder):
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{folder}/key")
    openssl("ec", "-in", f"{folder}/key", "-pubout", "-out", f"{folder}/pub")
    good(folder, "--key", f"{folder}/key")
    for name in ("cp-01", "worker-01"):
        path = f"{folder}/out/roles/{name}.yaml"
        assert "OK" in openssl("dgst", "-sha256", "-verify", f"{folder}/pub", "-signature", path + ".sig", path)
        with open(path, encoding="utf-8") as file:
            role = yaml.safe_load(file)
        assert role["serial"] > 1700000000 and re.match(r"^20\d\d-\d\d-\d\dT.*Z$", role["notAfter"])
    openssl("genrsa", "-traditional", "-out", f"{folder}/rsa", "2048")
    status, _, err = render(folder, "--key", f"{folder}/rsa", out="other")
    assert status == 1 and "P-256" in err and not os.path.exists(f"{folder}/other")


def case_worker(folder):
    good(folder)
    path = f"{folder}/out/credentials/worker-01.pem"
    openssl("verify", "-purpose", "sslclient", "-CAfile", f"{folder}/out/pki/ca.crt", path)
    text = openssl("x509", "-in", path, "-noout", "-subject", "-nameopt", "RFC2253", "-dates")
    assert "subject=CN=system:node:worker-01,O=system:nodes" in text, text
    openssl("x509", "-in", path, "-noout", "-checkend", str(23 * 3600))
    status = run("openssl", "x509", "-in", path, "-noout", "-checkend", str(25 * 3600))[0]
    assert status == 1, "holds longer than a day"
    assert openssl("x509", "-in", path, "-noout", "-pubkey") == openssl("pkey", "-in", path, "-pubout")
    with open(path, encoding="utf-8") as file, open(f"{folder}/out/pki/ca.crt", encoding="utf-8") as ca:
        text = file.read()
        assert text.endswith(ca.read()) and text.count("BEGIN CERTIFICATE") == 2


def case_control_plane(folder):
    good(folder)
    with open(f"{folder}/out/credentials/cp-02.json", encoding="utf-8") as file:
        secret = json.load(file)
    assert secret["kind"] == "Secret" and secret["apiVersion"] == "v1"
    assert set(secret["data"]) == {part.replace("/", "-") for part in PARTS}
    for part in PARTS:
        with open(f"{folder}/out/pki/{part}", "rb") as file:
            assert base64.b64decode(secret["data"][part.replace("/", "-")]) == file.read(), part
    for name in ("ca", "front-proxy-ca", "etcd/ca"):
        crt, key = f"{folder}/out/pki/{name}.crt", f"{folder}/out/pki/{name}.key"
        openssl("verify", "-CAfile", crt, crt)
        assert openssl("x509", "-in", crt, "-noout", "-pubkey") == openssl("pkey", "-in", key, "-pubout")
        openssl("x509", "-in", crt, "-noout", "-checkend", str(3600 * 24 * 3640))
    with open(f"{folder}/out/pki/sa.pub", encoding="utf-8") as file:
        assert file.read() == openssl("pkey", "-in", f"{folder}/out/pki/sa.key", "-pubout")


def case_admin(folder):
    good(folder)
    with open(f"{folder}/out/admin.conf", encoding="utf-8") as file:
        config = yaml.safe_load(file)
    assert config["clusters"][0]["cluster"]["server"] == "https://api.example:6443"
    user = config["users"][0]["user"]
    with open(f"{folder}/crt", "wb") as file:
        file.write(base64.b64decode(user["client-certificate-data"]))
    openssl("verify", "-purpose", "sslclient", "-CAfile", f"{folder}/out/pki/ca.crt", f"{folder}/crt")
    text = openssl("x509", "-in", f"{folder}/crt", "-noout", "-subject", "-nameopt", "RFC2253")
    assert "CN=kubernetes-admin,O=kubeadm:cluster-admins" in text, text


def case_again(folder):
    good(folder)
    before = tree(folder)
    out, _ = good(folder)
    assert out == "" and tree(folder) == before, out
    out, _ = good(folder, "--renew")
    after = tree(folder)
    changed = {path for path in before if before[path] != after[path]}
    assert changed == {"admin.conf", "credentials/worker-01.pem"}, sorted(changed)
    assert set(after) == set(before)


def case_other_ca(folder):
    """A credential of another cluster stays, and is named."""
    good(folder)
    good(folder, out="other")
    shutil.copy(f"{folder}/other/credentials/worker-01.pem", f"{folder}/out/credentials/worker-01.pem")
    _, err = good(folder)
    assert "credentials/worker-01.pem" in err and "not by this cluster's CA" in err and "--renew" in err, err
    _, err = good(folder, "--renew")
    assert err == "", err
    openssl("verify", "-CAfile", f"{folder}/out/pki/ca.crt", f"{folder}/out/credentials/worker-01.pem")


def case_never_overwrites_ca(folder):
    good(folder)
    for part in PARTS:
        if part == "sa.pub":  # made from sa.key
            continue
        os.rename(f"{folder}/out/pki/{part}", f"{folder}/kept")
        before = tree(folder)
        status, _, err = render(folder, "--renew")
        assert status == 1 and "never made anew" in err, f"{part}: {status} {err}"
        assert tree(folder) == before, part
        os.rename(f"{folder}/kept", f"{folder}/out/pki/{part}")
    good(folder, out="other")
    shutil.copy(f"{folder}/other/pki/ca.key", f"{folder}/out/pki/ca.key")
    before = tree(folder)
    status, _, err = render(folder)
    assert status == 1 and "never made anew" in err and tree(folder) == before, err


def case_mistakes(folder):
    status, _, err = render(folder, text=document().replace("role: control-plane", "role: master"))
    assert status == 2 and "lab.yaml:15:11: 'role': unknown value 'master'" in err, err
    status, _, err = render(folder, text=document().replace("root: {label: root}", "pivot: reboot"))
    assert status == 2 and "machine 'cp-01'" in err and "'root' is missing" in err, err
    status, _, err = render(folder, text=document(version="1.38.0"))
    assert status == 1 and "1.20 to 1.37" in err, err
    assert not os.path.exists(f"{folder}/out"), "something was written"
    assert run(AGENT, "render", "--out", f"{folder}/out")[0] == 2
    status, _, err = run(AGENT, "render", "--cluster", f"{folder}/none", "--out", f"{folder}/out")
    assert status == 1 and "open" in err, err


def case_standard_input(folder):
    status, _, err = run(AGENT, "render", "--cluster", "-", "--out", f"{folder}/out", text=document())
    assert status == 0, err


def case_rsa(folder):
    good(folder, text=document(keys="rsa-2048"))
    for path in ("pki/ca.key", "pki/sa.key", "pki/etcd/ca.key", "credentials/worker-01.pem"):
        with open(f"{folder}/out/{path}", encoding="utf-8") as file:
            assert "BEGIN RSA PRIVATE KEY" in file.read(), path
    openssl("verify", "-CAfile", f"{folder}/out/pki/ca.crt", f"{folder}/out/credentials/worker-01.pem")


def case_killed(folder):
    """Killed at any instant, the next run makes a whole output with one set of CAs."""
    path = os.path.join(folder, "lab.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(document())
    for milliseconds in range(4, 200, 6):
        with subprocess.Popen([AGENT, "render", "--cluster", path, "--out", f"{folder}/out"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                process.wait(milliseconds / 1000)
            except subprocess.TimeoutExpired:
                process.kill()
        if os.path.isdir(f"{folder}/out/pki"):
            assert all(os.path.exists(f"{folder}/out/pki/{part}") for part in PARTS), milliseconds
    good(folder)
    assert not os.path.exists(f"{folder}/out/pki.new")
    openssl("verify", "-CAfile", f"{folder}/out/pki/ca.crt", f"{folder}/out/credentials/worker-01.pem")


def case_versions(folder):
    """The oldest and the newest: pods and objects of each are YAML, kubeadm's API fits the version."""
    for version, api in (("1.20.2", "v1beta2"), ("1.25.0", "v1beta3"), ("1.37.2", "v1beta4")):
        good(folder, text=document(version=version), out=version)
        with open(f"{folder}/{version}/review/objects.yaml", encoding="utf-8") as file:
            objects = list(yaml.safe_load_all(file))
        config = next(o for o in objects if o["metadata"]["name"] == "kubeadm-config")
        config = yaml.safe_load(config["data"]["ClusterConfiguration"])
        assert config["apiVersion"] == f"kubeadm.k8s.io/{api}" and config["kubernetesVersion"] == "v" + version
        for item in objects:
            found = re.search(r"\$\{|\$if", json.dumps(item))
            assert not found, item["metadata"]["name"]


def main():
    passed = failed = 0
    for name, case in sorted(globals().items()):
        if not name.startswith("case_"):
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                case(folder)
                passed += 1
            except (AssertionError, OSError, KeyError, ValueError, StopIteration, yaml.YAMLError,
                    subprocess.SubprocessError) as error:
                failed += 1
                print(f"FAIL {name[5:]}: {type(error).__name__} {error}")
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
