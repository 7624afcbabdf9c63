#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Packs a kernel's whole module tree as the artifact that the role's `os.modules` names.

The archive holds one directory, named after the release, with every module as shipped and
depmod's index, so that the installed OS needs no depmod: it becomes lib/modules/RELEASE there.
Same tree, same bytes. Prints the lines for the role."""

import argparse
import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import tempfile

import kernel_modules


def files_below(folder):
    """Paths relative to folder, directories and files, sorted; `build` and `source` are links to
    headers on the machine that built the kernel and mean nothing elsewhere."""
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.relpath(os.path.join(root, name), folder)
            if path not in ("build", "source"):
                yield path


def member(release, path, mode, size, time):
    info = tarfile.TarInfo(os.path.join(release, path) if path else release)
    directory = stat.S_ISDIR(mode)
    info.type = tarfile.DIRTYPE if directory else tarfile.REGTYPE
    info.mode = 0o755 if directory else 0o644
    info.size, info.mtime = (0 if directory else size), time
    return info


def add_tree(tar, tree, time):
    tar.addfile(member(tree.release, "", stat.S_IFDIR, 0, time))
    added = set()
    for folder in (tree.folder, tree.index):
        for path in files_below(folder):
            full = os.path.join(folder, path)
            mode = os.stat(full).st_mode
            if path in added or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                continue
            added.add(path)
            info = member(tree.release, path, mode, os.path.getsize(full), time)
            if info.isdir():
                tar.addfile(info)
            else:
                with open(full, "rb") as data:
                    tar.addfile(info, data)


def pack(tree, out, time):
    """Writes out; returns its SHA-256. The modules are compressed already: one quick pass."""
    beside = f"{out}.new"
    with open(beside, "wb") as archive:
        command = ["zstd", "-3", "--single-thread", "-q", "-c"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=archive) as zstd:
            buffered = io.BufferedWriter(zstd.stdin, 1 << 20)
            with tarfile.open(fileobj=buffered, mode="w|", format=tarfile.GNU_FORMAT) as tar:
                add_tree(tar, tree, time)
            buffered.close()
        if zstd.returncode != 0:
            raise kernel_modules.TreeError(f"zstd failed with {zstd.returncode}")
    with open(beside, "rb") as archive:
        digest = hashlib.file_digest(archive, "sha256").hexdigest()
    os.replace(beside, out)
    return digest


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modules", required=True, metavar="DIR", help="lib/modules/RELEASE")
    parser.add_argument("--kernel", required=True, metavar="VMLINUZ")
    parser.add_argument("out", metavar="FILE")
    options = parser.parse_args()
    time = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    try:
        release = kernel_modules.release_of_kernel(options.kernel)
        with tempfile.TemporaryDirectory(prefix="modules-") as scratch:
            folder = kernel_modules.find_tree(options.modules, release)
            tree = kernel_modules.Tree(folder, scratch)
            digest = pack(tree, options.out, time)
    except (kernel_modules.TreeError, OSError) as error:
        print(f"modules_artifact: {error}", file=sys.stderr)
        return 1
    with open(f"{options.out}.sha256", "w", encoding="ascii") as check:
        check.write(f"{digest}  {os.path.basename(options.out)}\n")
    name, size = os.path.basename(options.out), os.path.getsize(options.out)
    print(f"{options.out}: {size} bytes, modules of {tree.release}; in the role:")
    print(f'os:\n  modules: {{url: "https://.../{name}", sha256: "{digest}"}}')
    return 0


if __name__ == "__main__":
    sys.exit(main())
