# SPDX-License-Identifier: MIT
"""What the rig's provisioning server hands out, made from Debian's own packages."""
import glob
import hashlib
import os
import subprocess
import sys
import tarfile

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
APT = os.path.join(REPOSITORY, "agent", "deps", "apt.sh")
SUITE = "trixie"


def cache_dir():
    """The folder for what survives a fresh clone."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(base, "promenade")


def sha256(path):
    """Hex digest of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _version(package):
    output = subprocess.run(
        [APT, "run", SUITE, "apt-cache", "show", "--no-all-versions", package],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return next(line.split(": ", 1)[1] for line in output.splitlines()
                if line.startswith("Version: "))


def package_tree(package):
    """The unpacked files of a package of Debian 13; downloaded when its version is a new one."""
    top = os.path.join(cache_dir(), "packages")
    try:
        tree = os.path.join(top, f"{package}_{_version(package)}")
    except (subprocess.CalledProcessError, StopIteration):
        # No archive in reach: what is there from before serves.
        known = sorted(glob.glob(os.path.join(top, f"{package}_*")), key=os.path.getmtime)
        known = [path for path in known if os.path.isdir(path) and not path.endswith(".tmp")]
        if not known:
            raise SystemExit(f"cannot get the package '{package}' and none is in the cache")
        return known[-1]
    if not os.path.isdir(tree):
        work = tree + ".tmp"
        subprocess.run(["rm", "-rf", work], check=True)
        os.makedirs(os.path.join(work, "deb"))
        subprocess.run([APT, "download", SUITE, package, os.path.join(work, "deb")], check=True)
        subprocess.run(["dpkg-deb", "-x", *glob.glob(os.path.join(work, "deb", "*.deb")), work],
                       check=True)
        subprocess.run(["rm", "-rf", os.path.join(work, "deb")], check=True)
        os.rename(work, tree)
    return tree


def ipxe_efi():
    """ipxe.efi of Debian 13: younger than what QEMU's ROMs or an older Debian have."""
    tree = package_tree("ipxe")
    for name in ("ipxe-amd64.efi", "ipxe.efi"):
        path = os.path.join(tree, "usr/lib/ipxe", name)
        if os.path.exists(path):
            return path
    raise SystemExit(f"no ipxe.efi in {tree}")


def kernel_folder():
    """What initramfs/debian-kernel.sh unpacks: vmlinuz, lib/modules/RELEASE, packages."""
    script = os.path.join(REPOSITORY, "initramfs", "debian-kernel.sh")
    output = subprocess.run([script], check=True, stdout=subprocess.PIPE, text=True).stdout
    return output.strip().splitlines()[-1]


def kernel_release(folder):
    """The release of the kernel in such a folder."""
    return os.listdir(os.path.join(folder, "lib", "modules"))[0]


def cni_archive(path):
    """Packs Debian's CNI plugins as upstream packs its release: a .tgz of ./ and ./NAME, 0755."""
    folder = os.path.join(package_tree("containernetworking-plugins"), "usr/lib/cni")
    kept = os.path.join(cache_dir(), "packages",
                        os.path.basename(os.path.dirname(os.path.dirname(os.path.dirname(folder))))
                        + ".tgz")

    def plain(member):
        member.uid = member.gid = 0
        member.uname = member.gname = "root"
        member.mode = 0o755
        return member

    if not os.path.exists(kept):
        with tarfile.open(kept + ".tmp", "w:gz", compresslevel=6,
                          format=tarfile.GNU_FORMAT) as archive:
            archive.add(folder, ".", recursive=False, filter=plain)
            for name in sorted(os.listdir(folder)):
                archive.add(os.path.join(folder, name), f"./{name}", filter=plain)
        os.rename(kept + ".tmp", kept)
    link(kept, path)


def cni_versions():
    """Plugin -> what it prints about itself, asked here; the guest's copies must say the same."""
    folder = os.path.join(package_tree("containernetworking-plugins"), "usr/lib/cni")
    said = {}
    for name in sorted(os.listdir(folder)):
        output = subprocess.run([os.path.join(folder, name)], env={}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False).stdout
        said[name] = "|".join(output.strip().splitlines())
    return said


def module_archive(path):
    """The whole module tree of the netboot kernel, as a role's os.modules brings it."""
    folder = kernel_folder()
    release = kernel_release(folder)
    kept = os.path.join(cache_dir(), "packages", f"modules-{release}.tar.zst")
    if not os.path.exists(kept):
        script = os.path.join(REPOSITORY, "initramfs", "modules_artifact.py")
        subprocess.run([sys.executable, script, "--kernel", os.path.join(folder, "vmlinuz"),
                        "--modules", os.path.join(folder, "lib", "modules", release), kept],
                       check=True, stdout=subprocess.DEVNULL)
    link(kept, path)


def tool(path):
    """A real program for the role to install: etcdctl, as its package has it."""
    link(os.path.join(package_tree("etcd-client"), "usr/bin/etcdctl"), path)


def link(source, path):
    """The same file under another name: a hard link where that works, else a copy."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.remove(path)
    try:
        os.link(source, path)
    except OSError:
        subprocess.run(["cp", "--reflink=auto", source, path], check=True)
