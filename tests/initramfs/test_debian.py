# SPDX-License-Identifier: MIT
"""Both sets on Debian's real kernel: sizes, closure, what must not be in it, the artifact."""

import os
import stat
import subprocess
import sys
import tarfile
import tempfile
import unittest

import kernel_modules
import test_builder

INITRAMFS = os.path.dirname(kernel_modules.__file__)
PLACE = {}


def use(kernel, build):
    PLACE.update(kernel=os.path.abspath(kernel), build=os.path.abspath(build))


def agent():
    """The agent where it was built, else a program of the largest size that it may have."""
    path = os.path.join(PLACE["build"], "promenade")
    if os.path.exists(path):
        return path
    stand_in = os.path.join(PLACE["build"], "agent-stand-in")
    with open(sys.executable, "rb") as program, open(stand_in, "wb") as out:
        out.write(os.path.realpath(sys.executable).encode())
        out.write(program.read()[: 5 << 19])
    return stand_in


def words(set_name, out, init=None):
    kernel = PLACE["kernel"]
    release = os.path.join(INITRAMFS, "initrd-release")
    return [
        *("--set", set_name, "--kernel", f"{kernel}/vmlinuz", "--modules", f"{kernel}/lib/modules"),
        *("--firmware", f"{kernel}/lib/firmware", "--file", f"agent={init or agent()}"),
        *("--file", f"initrd-release={release}", "--file", f"busybox={kernel}/busybox"),
        *("--out", out),
    ]


class SetTest:
    """The same questions of each set."""

    set_name = ""
    expected = ()

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="initramfs-test-")
        cls.out = os.path.join(cls.folder.name, "initramfs.cpio.zst")
        cls.result = test_builder.build(words(cls.set_name, cls.out))
        if cls.result.returncode == 0:
            cls.entries = test_builder.unpack(cls.out)
            cls.base = os.path.join(cls.folder.name, "root")
            cls.release = extract(cls.entries, cls.base)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def setUp(self):
        self.assertEqual(self.result.returncode, 0, self.result.stderr)

    def test_dependencies_are_all_packed(self):
        tree = kernel_modules.Tree(
            os.path.join(self.base, "lib/modules", self.release), self.folder.name
        )
        self.assertGreater(len(tree.paths), 40)
        for name, needs in tree.depends.items():
            self.assertTrue(os.path.exists(os.path.join(tree.folder, tree.paths[name])), name)
            for need in needs:
                self.assertIn(need, tree.paths, f"{name} depends on {need}")
        full = kernel_modules.Tree(
            os.path.join(PLACE["kernel"], "lib/modules", self.release), self.folder.name
        )
        for name in tree.paths:
            self.assertEqual(sorted(tree.depends[name]), sorted(full.depends[name]), name)

    def test_modprobe_resolves_every_wanted_module(self):
        for name in self.expected:
            command = ["modprobe", "-d", self.base, "-S", self.release, "--show-depends", name]
            environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
            shown = subprocess.run(command, env=environment, capture_output=True, check=False)
            self.assertEqual(shown.returncode, 0, f"{name}: {shown.stderr.decode()}")

    def test_modalias_finds_its_driver(self):
        alias = "pci:v000014E4d00001639sv00001028sd00000235bc02sc00i00"
        command = ["modprobe", "-d", self.base, "-S", self.release, "-R", alias]
        environment = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}
        shown = subprocess.run(command, env=environment, capture_output=True, check=False)
        self.assertEqual(shown.stdout.decode().split(), ["bnx2"], shown.stderr.decode())

    def test_modules_are_signed_as_shipped(self):
        """Secure Boot's lockdown loads only modules that are byte for byte the distribution's."""
        for path, entry in self.entries.items():
            if ".ko" in path:
                raw = kernel_modules.unpacked(path, entry.data)
                self.assertTrue(raw.endswith(b"~Module signature appended~\n"), path)

    def test_firmware_is_complete(self):
        blobs = {path for path in self.entries if path.startswith("lib/firmware/")}
        for blob in ("bnx2/bnx2-mips-09-6.2.1b.fw", "bnx2x/bnx2x-e2-7.13.21.0.fw", "tigon/tg3.bin"):
            self.assertIn(f"lib/firmware/{blob}", blobs)

    def test_no_program_but_init(self):
        for path, entry in self.entries.items():
            if stat.S_ISREG(entry.mode) and entry.mode & 0o111:
                self.assertEqual(path, "init")
            self.assertFalse(stat.S_ISLNK(entry.mode), path)
        names = {os.path.basename(path) for path in self.entries}
        self.assertFalse(names & {"busybox", "sh", "bash", "dash", "udevd", "systemd-udevd", "bin"})
        top = {path.split("/")[0] for path in self.entries}
        self.assertEqual(top, set("dev etc init lib proc promenade run sys sysroot tmp".split()))


def extract(entries, base):
    """Files below lib/ into base; returns the kernel release."""
    for path, entry in entries.items():
        if path.startswith("lib/") and stat.S_ISREG(entry.mode):
            os.makedirs(os.path.join(base, os.path.dirname(path)), exist_ok=True)
            with open(os.path.join(base, path), "wb") as file:
                file.write(entry.data)
    return os.listdir(os.path.join(base, "lib/modules"))[0]


BROADCOM = (
    "tg3 bnx2 bnx2x bnxt_en virtio_net virtio_blk virtio_scsi nvme ahci megaraid_sas mpt3sas "
    "ext4 xfs overlay bonding 8021q"
).split()


class BroadcomTest(SetTest, unittest.TestCase):
    set_name = "broadcom"
    expected = BROADCOM


class FullTest(SetTest, unittest.TestCase):
    set_name = "full"
    expected = (*BROADCOM, *"e1000e igb ixgbe i40e ice mlx5_core btrfs vfat nls_cp437".split())

    def test_size_with_everything(self):
        self.assertLessEqual(os.path.getsize(self.out), 8 << 20)


class ArtifactTest(unittest.TestCase):
    def test_artifact_is_one_release_with_index(self):
        packer = os.path.join(INITRAMFS, "modules_artifact.py")
        kernel = PLACE["kernel"]
        with tempfile.TemporaryDirectory(prefix="initramfs-test-") as folder:
            out = os.path.join(folder, "modules.tar.zst")
            command = [sys.executable, "-B", packer, "--kernel", f"{kernel}/vmlinuz"]
            command += ["--modules", f"{kernel}/lib/modules", out]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(made.returncode, 0, made.stderr)
            check = subprocess.run(
                ["sha256sum", "-c", "modules.tar.zst.sha256"], cwd=folder, check=False
            )
            self.assertEqual(check.returncode, 0)
            with subprocess.Popen(["zstd", "-dcq", out], stdout=subprocess.PIPE) as plain:
                with tarfile.open(fileobj=plain.stdout, mode="r|") as tar:
                    members = {m.name: m for m in tar}
        release = kernel_modules.release_of_kernel(f"{kernel}/vmlinuz")
        self.assertEqual({name.split("/")[0] for name in members}, {release})
        self.assertIn(f"{release}/modules.dep.bin", members)
        self.assertTrue([n for n in members if n.startswith(f"{release}/kernel/net/bridge/")])
        for member in members.values():
            self.assertTrue(member.isreg() or member.isdir(), member.name)
            self.assertEqual((member.uid, member.gid, member.uname), (0, 0, ""))
