#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""OCI archives of everything that a cluster pulls, from programs that are here: no registry is needed.

The programs are those of kube/build.sh, iptables and nft come from Debian 13, pause is ours. Names and
tags are what `kubeadm config images list` and flannel's manifest ask for. An archive is an OCI image
layout in a tar, with the name as `io.containerd.image.name`, which `ctr images import` reads. Same
programs, same bytes.

usage: images.py [--bin DIR] [--out DIR] [--compress gzip|none] [NAME...]
Prints a JSON list of {"name", "image", "path", "sha256", "size"}."""
import argparse
import fcntl
import gzip
import hashlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent.parent
sys.path.insert(0, str(HERE.parent))
import lab  # noqa: E402  (beside us, not installed)

CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "promenade"
SUITE = "trixie"
FLANNEL = "ghcr.io/flannel-io/flannel:v0.28.10"
FLANNEL_CNI = "ghcr.io/flannel-io/flannel-cni-plugin:v1.9.1-flannel3"
BUSYBOX = "promenade.test/busybox:1"
CREATED = "2024-01-01T00:00:00Z"
EPOCH = 1704067200
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NETFILTER = ("iptables", "nftables", "kmod", "conntrack")
APPLETS = ("cat cp echo env grep hostname httpd ip ls mkdir nc nslookup ping ps sh sleep tar test true wget"
           .split())
# Debian makes these links in a postinst.
NETFILTER_LINKS = {"usr/sbin/" + name + tail: "xtables-nft-multi"
                   for name in ("iptables", "ip6tables") for tail in ("", "-save", "-restore")}
ETC = {"etc/passwd": "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
       "etc/group": "root:x:0:\nnobody:x:65534:\n", "etc/nsswitch.conf": "hosts: files dns\n"}


class Image:
    """What goes into one image: files by target path, symbolic links, a Debian tree, the process."""

    def __init__(self, files, entrypoint, *, links=None, tree=(), user=None):
        self.files, self.entrypoint, self.links = files, entrypoint, links or {}
        self.tree, self.user = tree, user


def kubernetes(program):
    return Image({f"usr/local/bin/{program}": program}, [f"/usr/local/bin/{program}"])


def busybox_image():
    return Image({}, ["/bin/sh"], tree=("busybox-static",),
                 links={f"usr/bin/{name}": "busybox" for name in APPLETS})


IMAGES = {
    "pause": Image({"pause": "pause"}, ["/pause"], user="65535:65535"),
    "etcd": Image({f"usr/local/bin/{name}": name for name in ("etcd", "etcdctl", "etcdutl")}, ["etcd"]),
    "kube-apiserver": kubernetes("kube-apiserver"),
    "kube-controller-manager": kubernetes("kube-controller-manager"),
    "kube-scheduler": kubernetes("kube-scheduler"),
    "kube-proxy": Image({"usr/local/bin/kube-proxy": "kube-proxy"}, ["/usr/local/bin/kube-proxy"],
                        tree=NETFILTER, links=NETFILTER_LINKS),
    "coredns": Image({"coredns": "coredns"}, ["/coredns"]),
    "flannel": Image({"opt/bin/flanneld": "flanneld", "opt/bin/install-conf": "install-conf"},
                     ["/opt/bin/flanneld"], tree=(*NETFILTER, "busybox-static"),
                     links={**NETFILTER_LINKS, "usr/bin/cp": "busybox", "usr/bin/sh": "busybox"}),
    "flannel-cni-plugin": Image({"flannel": "flannel-cni"}, [], tree=("busybox-static",),
                                links={"usr/bin/cp": "busybox", "usr/bin/sh": "busybox"}),
    "busybox": busybox_image(),
}


def image_names(programs):
    """Name of an archive -> image with tag, as this kubeadm wants it."""
    done = subprocess.run([programs / "kubeadm", "config", "images", "list", "--kubernetes-version",
                           kubeadm_version(programs)], capture_output=True, text=True, check=True)
    names = {line.rpartition("/")[2].partition(":")[0]: line for line in done.stdout.split()}
    return {**names, "flannel": FLANNEL, "flannel-cni-plugin": FLANNEL_CNI, "busybox": BUSYBOX}


def kubeadm_version(programs):
    return subprocess.run([programs / "kubeadm", "version", "-o", "short"], capture_output=True, text=True,
                          check=True).stdout.strip()


# Debian

def package_files(packages):
    """Names of the .deb files of packages and all that they need (apt's own resolver)."""
    done = subprocess.run([TOP / "agent/deps/apt.sh", "run", SUITE, "apt-get", "install", "-y", "-s",
                           "--no-install-recommends", *packages], capture_output=True, text=True)
    if done.returncode:
        raise lab.LabError(f"apt cannot resolve {packages}: {done.stderr[-500:]}")
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("Inst ")]
    return sorted(f"{words[1]}={words[2].lstrip('(')}" for words in lines)


def debian_tree(packages):
    """Folder with the packages unpacked, kept by their versions."""
    wanted = package_files(packages)
    key = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:12]
    dest = CACHE / "kube" / f"debian-{key}"
    if dest.is_dir():
        return dest
    part = pathlib.Path(tempfile.mkdtemp(dir=dest.parent))
    part.chmod(0o755)
    # As on a Debian system: one /usr, the rest are links into it.
    for name in ("bin", "sbin", "lib"):
        (part / "usr" / name).mkdir(parents=True)
        (part / name).symlink_to(f"usr/{name}")
    (part / "usr/lib64").mkdir()
    (part / "lib64").symlink_to("usr/lib64")
    with tempfile.TemporaryDirectory() as debs:
        subprocess.run([TOP / "agent/deps/apt.sh", "download", SUITE, *wanted, debs], check=True,
                       stdout=subprocess.DEVNULL)
        for deb in sorted(pathlib.Path(debs).glob("*.deb")):
            with (part / "data.tar").open("wb") as out:
                subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=out, check=True)
            subprocess.run(["tar", "-C", part, "--keep-directory-symlink", "--no-same-owner", "-xf",
                            part / "data.tar", "--exclude=./usr/share/doc", "--exclude=./usr/share/man",
                            "--exclude=./usr/share/locale", "--exclude=./usr/lib/*/gconv",
                            "--exclude=./usr/share/i18n"], check=True)
    (part / "data.tar").unlink()
    try:
        part.rename(dest)
    except OSError:  # another run was quicker
        shutil.rmtree(part)
    return dest


def build_pause(folder):
    """Our pause, static."""
    target = folder / "pause"
    subprocess.run(["musl-gcc", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Os", "-s", "-static", "-Wall",
                    "-Wextra", "-Werror", "-o", target, HERE / "pause.c"], check=True)
    return target


# OCI

def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def add(tar, name, *, data=None, link=None, mode=0o755):
    """One entry, owner root, fixed time. Neither data nor link: a folder."""
    entry = tarfile.TarInfo(name)
    entry.mtime, entry.mode = EPOCH, mode
    if link is not None:
        entry.type, entry.linkname = tarfile.SYMTYPE, link
    elif data is None:
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data) if data is not None else None)


def add_tree(tar, root):
    """All of a folder, sorted; returns the folders' names that are there now."""
    seen = set()
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            add(tar, name, link=os.readlink(path), mode=0o777)
            if not path.exists() or path.is_dir():
                seen.add(name)
        elif path.is_dir():
            add(tar, name)
            seen.add(name)
        else:
            # No set-id bits: nothing in these images is for other users.
            add(tar, name, data=path.read_bytes(), mode=path.stat().st_mode & 0o777)
    return seen


def add_parents(tar, name, seen):
    for parent in list(pathlib.PurePosixPath(name).parents)[-2::-1]:
        if str(parent) not in seen:
            add(tar, str(parent))
            seen.add(str(parent))


def layer(image, source_of):
    """Bytes of the image's one layer, not compressed. source_of: program's name -> its path."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        seen = add_tree(tar, debian_tree(image.tree)) if image.tree else set()
        if "tmp" not in seen:
            add(tar, "tmp", mode=0o1777)
        for name, text in ETC.items():
            add_parents(tar, name, seen)
            add(tar, name, data=text.encode(), mode=0o644)
        for name, program in image.files.items():
            add_parents(tar, name, seen)
            add(tar, name, data=source_of(program).read_bytes())
        for name, target in image.links.items():
            add_parents(tar, name, seen)
            add(tar, name, link=target, mode=0o777)
    return out.getvalue()


def json_blob(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def archive(path, name, image, plain, compress):
    """Writes an OCI image layout with one image."""
    if compress == "gzip":
        blob, kind = gzip.compress(plain, 6, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip"
    else:
        blob, kind = plain, "application/vnd.oci.image.layer.v1.tar"
    process = {"Env": [PATH], "WorkingDir": "/"}
    if image.entrypoint:
        process["Entrypoint"] = image.entrypoint
    if image.user:
        process["User"] = image.user
    config = json_blob({"architecture": "amd64", "os": "linux", "created": CREATED, "config": process,
                        "rootfs": {"type": "layers", "diff_ids": [digest_of(plain)]},
                        "history": [{"created": CREATED, "created_by": "images.py"}]})
    manifest = json_blob({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest_of(config),
                   "size": len(config)},
        "layers": [{"mediaType": kind, "digest": digest_of(blob), "size": len(blob)}]})
    index = json_blob({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{"mediaType": "application/vnd.oci.image.manifest.v1+json",
                       "digest": digest_of(manifest), "size": len(manifest),
                       "platform": {"architecture": "amd64", "os": "linux"},
                       "annotations": {"io.containerd.image.name": name,
                                       "org.opencontainers.image.ref.name": name.rpartition(":")[2]}}]})
    part = path.with_suffix(".tmp")
    with tarfile.open(part, "w", format=tarfile.PAX_FORMAT) as tar:
        add(tar, "oci-layout", data=b'{"imageLayoutVersion":"1.0.0"}', mode=0o644)
        add(tar, "index.json", data=index, mode=0o644)
        add(tar, "blobs")
        add(tar, "blobs/sha256")
        for data in (manifest, config, blob):
            add(tar, "blobs/sha256/" + digest_of(data).partition(":")[2], data=data, mode=0o644)
    part.rename(path)


def describe(name, image, path):
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"name": name, "image": image, "path": str(path), "sha256": sha256, "size": path.stat().st_size}


def default_folder(programs, compress):
    """Cached by the programs' set and by what is in this folder."""
    key = hashlib.sha256(str(programs.resolve()).encode() + compress.encode())
    for path in sorted(programs.iterdir()):
        key.update(f"{path.name} {path.stat().st_size} {int(path.stat().st_mtime)}".encode())
    for path in sorted(HERE.glob("*.*")):
        key.update(path.read_bytes())
    return CACHE / "kube" / f"images-{key.hexdigest()[:12]}"


def make(programs, names=(), *, out=None, compress="gzip"):
    """Archives of NAMES (all of them by default), built where they are missing: list of describe()."""
    programs = pathlib.Path(programs)
    out = pathlib.Path(out or default_folder(programs, compress))
    out.mkdir(parents=True, exist_ok=True)
    tags = image_names(programs)
    made = []
    with (out / "lock").open("w") as lock, tempfile.TemporaryDirectory() as tmp:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name in names or IMAGES:
            path = out / f"{name}.tar"
            if not path.exists():
                image = IMAGES[name]
                source_of = lambda program: (build_pause(pathlib.Path(tmp)) if program == "pause"
                                             else programs / program)
                archive(path, tags[name], image, layer(image, source_of), compress)
            made.append(describe(name, tags[name], path))
    return made


def main():
    parser = argparse.ArgumentParser(description="OCI archives of a cluster's images")
    parser.add_argument("--bin", type=pathlib.Path, help="programs; default: kube/build.sh newest")
    parser.add_argument("--out", type=pathlib.Path, help="folder; default: in the cache")
    parser.add_argument("--compress", choices=("gzip", "none"), default="gzip")
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(IMAGES))
    args = parser.parse_args()
    unknown = set(args.names) - set(IMAGES)
    if unknown:
        sys.exit(f"images.py: no such image: {', '.join(sorted(unknown))}")
    print(json.dumps(make(args.bin or lab.binaries(), args.names, out=args.out, compress=args.compress),
                     indent=1))


if __name__ == "__main__":
    main()
