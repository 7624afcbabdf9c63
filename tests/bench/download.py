# SPDX-License-Identifier: MIT
"""Artifacts from a local nginx through the release's code: time against curl and tar, memory."""
import hashlib
import os
import shutil
import subprocess
import tempfile
import time

import artifacts
import rows

GIB = 1 << 30
STREAM_BYTES = 2 * GIB
# A decoder keeps as much as the window that the packer chose; 8 MiB is what zstd -19 has.
ZSTD = ("zstd", "-q", "-f", "-1", "--zstd=wlog=23")
BLOCK = 32 << 20
RANDOM_IN_BLOCK = 8 << 20
MEMORY_AIM_MIB = 24


def _sha256(path):
    return artifacts.sha256(path)


class Downloads:
    """Servers that are running, the tool, and a scratch folder on a real disk."""

    def __init__(self, servers, tool, scratch):
        self.tool = os.path.abspath(tool)
        self.target = os.path.join(scratch, "target")
        self.served = os.path.join(servers._roots["provision"], "artifacts")
        self.authority = os.path.join(scratch, "ca.pem")
        self.urls = {
            "HTTPS": f"https://127.0.0.1:{servers.ports['provision']}/artifacts",
            "HTTP": f"http://127.0.0.1:{servers.ports['plain']}/artifacts",
        }

    def _target(self):
        """An empty folder; what was in the one before is on the disk by now and does not disturb."""
        shutil.rmtree(self.target, ignore_errors=True)
        os.makedirs(os.path.join(self.target, "opt"))
        os.sync()
        return self.target

    def _tool(self, kind, url, digest, path):
        """Seconds, and KiB of peak memory of the process and of its child that unpacks."""
        target = self._target()
        started = time.monotonic()
        done = subprocess.run([self.tool, self.authority, target, kind, url, digest, path],
                              stdout=subprocess.PIPE, text=True, check=True)
        return time.monotonic() - started, [int(word) for word in done.stdout.split()]

    def _curl_and_tar(self, url, digest, durable):
        """What an administrator's script does; durable: also everything on the disk at its end, as
        the agent leaves it."""
        target = self._target()
        script = ('set -e; cd "$1"; curl -sSf --cacert "$2" -o cni.tgz "$3"; '
                  'echo "$4  cni.tgz" | sha256sum -c --quiet; mkdir -p opt/cni/bin; '
                  'tar -C opt/cni/bin -xzf cni.tgz; rm cni.tgz')
        if durable:
            script += "; sync opt/cni/bin/* opt/cni/bin"
        started = time.monotonic()
        subprocess.run(["sh", "-c", script, "sh", target, self.authority, url, digest], check=True)
        return time.monotonic() - started

    def cni_in_memory(self, scheme, pairs):
        """cni() on a tmpfs: no disk, so what is left is the work itself."""
        on_disk = self.target
        with tempfile.TemporaryDirectory(prefix="bench-", dir="/dev/shm") as folder:
            self.target = os.path.join(folder, "target")
            row = self.cni(scheme, pairs)
        self.target = on_disk
        row.what += ", tmpfs"
        return row

    def cni(self, scheme, pairs, durable=False):
        """Fetch, check and unpack the CNI plugins in turns with curl, sha256sum and tar."""
        name = "cni-plugins.tgz"
        digest = _sha256(os.path.join(self.served, name))
        url = f"{self.urls[scheme]}/{name}"
        ours, theirs = [], []
        for _ in range(pairs + 1):
            ours.append(self._tool("plugins", url, digest, "/opt/cni/bin")[0])
            theirs.append(self._curl_and_tar(url, digest, durable))
        what = f"CNI archive over {scheme}: curl, sha256sum, tar" + (
            ", sync of the files" if durable else "")
        # The first pair has warmed the caches.
        return rows.paired(what, ours[1:], theirs[1:], "s", 0.7)

    def _memory_row(self, what, kind, name, path):
        digest = _sha256(os.path.join(self.served, name))
        seconds, (own, child) = self._tool(kind, f"{self.urls['HTTPS']}/{name}", digest, path)
        shutil.rmtree(self.target)
        total = (own + child) / 1024
        text = f"{total:.1f} MiB ({own / 1024:.1f} + child {child / 1024:.1f}) in {seconds:.0f} s"
        return rows.Row(what, text, "", "", f"{MEMORY_AIM_MIB} MiB", total < MEMORY_AIM_MIB)

    def memory_of_file(self):
        """Peak memory while a plain file of 2 GiB streams to the disk."""
        path = os.path.join(self.served, "large")
        with open(path, "wb") as file:
            file.truncate(STREAM_BYTES)
        try:
            return self._memory_row("memory, file of 2 GiB", "file", "large", "/opt/large")
        finally:
            os.remove(path)

    def memory_of_archive(self):
        """The same while a tar.zst unpacks to 2 GiB; the sum counts pages twice that the child
        shares with its parent."""
        path = os.path.join(self.served, "large.tar.zst")
        _pack(path)
        packed = os.path.getsize(path) >> 20
        try:
            return self._memory_row(f"memory, tar.zst of 2 GiB ({packed} MiB packed)", "tree",
                                    "large.tar.zst", "/opt/large")
        finally:
            os.remove(path)


def _blocks():
    """2 GiB, a quarter of it random, repeated from beyond the compressor's window."""
    noise = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest()
                     for number in range(RANDOM_IN_BLOCK // 32))
    block = noise.ljust(BLOCK, b"\0")
    for _ in range(STREAM_BYTES // BLOCK):
        yield block


def _header(name, length):
    """A ustar header of a regular file."""
    head = bytearray(512)
    for at, text in ((0, name), (100, "0000644"), (108, "0000000"), (116, "0000000"),
                     (124, f"{length:011o}"), (136, "00000000000"), (148, " " * 8), (156, "0"),
                     (257, "ustar\0" + "00")):
        head[at:at + len(text)] = text.encode()
    head[148:156] = f"{sum(head):06o}\0 ".encode()
    return bytes(head)


def _pack(path):
    with subprocess.Popen([*ZSTD, "-o", path], stdin=subprocess.PIPE) as zstd:
        zstd.stdin.write(_header("large", STREAM_BYTES))
        for block in _blocks():
            zstd.stdin.write(block)
        zstd.stdin.write(bytes(1024))
        zstd.stdin.close()
    if zstd.returncode:
        raise SystemExit(f"zstd ends with status {zstd.returncode}")
