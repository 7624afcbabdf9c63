# SPDX-License-Identifier: MIT
"""The builder as a command, on a made-up kernel tree of five modules."""

import gzip
import lzma
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import fixture
import kernel_modules
import newc

BUILDER = os.path.join(os.path.dirname(newc.__file__), "mkinitramfs.py")
MODULES = f"lib/modules/{fixture.RELEASE}"


def build(words, epoch="1700000000"):
    environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch}
    return subprocess.run(
        [sys.executable, "-B", BUILDER, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def unpack(path):
    plain = subprocess.run(["zstd", "-dcq", "--long=27", path], check=True, capture_output=True)
    return {entry.path: entry for entry in newc.read(plain.stdout)}


class BuilderTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="initramfs-test-")
        self.addCleanup(folder.cleanup)
        self.fixture = fixture.Fixture(folder.name)

    def built(self):
        result = build(self.fixture.words())
        self.assertEqual(result.returncode, 0, result.stderr)
        return unpack(self.fixture.path("out.cpio.zst"))

    def refused(self, *texts):
        result = build(self.fixture.words())
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        for text in texts:
            self.assertIn(text, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertFalse(os.path.exists(self.fixture.path("out.cpio.zst")))

    def test_holds_what_is_listed_and_nothing_else(self):
        entries = self.built()
        index = {path for path in entries if path.startswith(f"{MODULES}/modules.")}
        self.assertIn(f"{MODULES}/modules.dep.bin", index)
        self.assertIn(f"{MODULES}/modules.alias.bin", index)
        folders = {path for path, entry in entries.items() if stat.S_ISDIR(entry.mode)}
        self.assertEqual(
            sorted(set(entries) - index - folders),
            [
                "dev/console",
                "etc/initrd-release",
                "init",
                "lib/firmware/nic/main.fw",
                "lib/firmware/nic/old.fw",
                f"{MODULES}/kernel/drivers/net/nic.ko",
                f"{MODULES}/kernel/drivers/net/other-nic.ko",
                f"{MODULES}/kernel/lib/sum_fast.ko",
                f"{MODULES}/kernel/lib/sum_generic.ko",
                "promenade/policy/ca/site.pem",
                "promenade/policy/keys/role.pem",
            ],
        )

    def test_entries_are_root_owned_dated_and_in_order(self):
        entries = list(self.built().values())
        self.assertEqual({entry.owner for entry in entries}, {(0, 0)})
        self.assertEqual({entry.time for entry in entries}, {1700000000})
        self.assertEqual([e.inode for e in entries], list(range(1, len(entries) + 1)))
        paths = [entry.path for entry in entries]
        for path in paths:
            parent = os.path.dirname(path)
            self.assertTrue(not parent or paths.index(parent) < paths.index(path), path)
        by_path = {entry.path: entry for entry in entries}
        self.assertEqual(by_path["init"].mode, stat.S_IFREG | 0o755)
        self.assertEqual(by_path["promenade"].mode, stat.S_IFDIR | 0o700)
        self.assertEqual(by_path["dev/console"].mode, stat.S_IFCHR | 0o600)
        self.assertEqual(by_path["dev/console"].device, (5, 1))
        self.assertEqual(by_path["etc/initrd-release"].data, b"VARIANT_ID=full 6.1.0-test\n")

    def test_same_inputs_give_the_same_bytes(self):
        first = build(self.fixture.words("a.zst"))
        self.assertEqual(first.returncode, 0, first.stderr)
        with tempfile.TemporaryDirectory(prefix="another-place-") as other:
            shutil.copytree(self.fixture.top, other, dirs_exist_ok=True)
            for root, _, files in os.walk(other):
                for name in files:
                    os.utime(os.path.join(root, name), (1, 1))
            twin = fixture.Fixture(other)
            self.assertEqual(build(twin.words("b.zst")).returncode, 0)
            with open(self.fixture.path("a.zst"), "rb") as a, open(twin.path("b.zst"), "rb") as b:
                self.assertEqual(a.read(), b.read())
        self.assertEqual(build(self.fixture.words("c.zst"), epoch="1600000000").returncode, 0)
        self.assertEqual(unpack(self.fixture.path("c.zst"))["init"].time, 1600000000)

    def test_a_changed_entry_replaces_the_archive(self):
        self.assertIn("init", self.built())
        fixture.write(self.fixture.path("agent"), b"another agent")
        self.assertEqual(self.built()["init"].data, b"another agent")

    def test_modules_are_stored_unpacked_or_as_shipped(self):
        modules = ["module nic other_nic large_plain"]
        self.fixture.contents(modules, ["keep-compressed 4KiB"])
        entries = self.built()
        kept = f"{MODULES}/kernel/drivers/net/other-nic.ko.xz"
        with open(os.path.join(self.fixture.tree, "kernel/drivers/net/other-nic.ko.xz"), "rb") as f:
            self.assertEqual(entries[kept].data, f.read())
        self.assertEqual(entries[f"{MODULES}/kernel/lib/sum_fast.ko"].data[:4], b"\x7fELF")
        packed = entries[f"{MODULES}/kernel/fs/large_plain.ko.xz"].data
        with open(os.path.join(self.fixture.tree, "kernel/fs/large_plain.ko"), "rb") as f:
            self.assertEqual(lzma.decompress(packed), f.read())
        self.assertIn(b"other-nic.ko.xz:", entries[f"{MODULES}/modules.dep"].data)
        self.assertIn(b"sum_fast.ko:", entries[f"{MODULES}/modules.dep"].data)

    def test_index_is_of_the_packed_modules_alone(self):
        self.fixture.contents(["module other_nic"])
        entries = self.built()
        self.assertNotIn(b"v000014E4", entries[f"{MODULES}/modules.alias"].data)
        self.assertNotIn(f"{MODULES}/kernel/drivers/net/nic.ko", entries)
        self.assertFalse([path for path in entries if path.startswith("lib/firmware")])

    def test_gzip_is_read_too(self):
        """Debian's own depmod reads no gzip, so this form is tested by itself."""
        data = fixture.elf_module([("license", "GPL"), ("firmware", "a.fw")])
        raw = kernel_modules.unpacked("x.ko.gz", gzip.compress(data))
        self.assertEqual(kernel_modules.firmware_of(raw), ["a.fw"])

    def test_a_glob_takes_a_folder(self):
        self.fixture.contents(["module kernel/drivers/net/*"])
        self.assertIn(f"{MODULES}/kernel/drivers/net/nic.ko", self.built())

    def test_missing_modules_are_all_named_with_their_line(self):
        self.fixture.contents(["module nic no_such_nic", "module kernel/none/*", "module? absent"])
        contents = self.fixture.path("contents")
        self.refused(
            f"{contents}:8: module 'no_such_nic': kernel {fixture.RELEASE} has no such module",
            f"{contents}:9: module 'kernel/none/*'",
            "module?",
        )
        self.assertNotIn("absent", build(self.fixture.words()).stderr)

    def test_missing_firmware_names_blob_and_module(self):
        os.remove(self.fixture.path("firmware/nic/old.fw"))
        self.refused("firmware 'nic/old.fw', which module 'nic' names", "without-firmware")
        self.fixture.contents(["module nic", "without-firmware nic/o*"])
        self.assertNotIn("lib/firmware/nic/old.fw", self.built())

    def test_limit_is_a_gate(self):
        fixture.write(self.fixture.path("agent"), os.urandom(70000))
        self.fixture.contents(["module nic", "limit 64KiB"])
        self.refused(f"{self.fixture.path('contents')}:9: the archive has", "more than 64KiB")

    def test_limit_may_leave_out_firmware(self):
        fixture.write(self.fixture.path("firmware/nic/main.fw"), os.urandom(70000))
        self.fixture.contents(["module nic", "limit 64KiB"])
        self.refused("more than 64KiB")
        self.fixture.contents(["module nic", "limit 64KiB without-firmware"])
        self.assertIn("lib/firmware/nic/main.fw", self.built())

    def test_private_key_is_refused_but_for_the_client(self):
        key = "-----BEGIN EC PRIVATE KEY-----\n"
        fixture.write(self.fixture.path("policy/client.pem"), key)
        self.assertEqual(self.built()["promenade/policy/client.pem"].mode, stat.S_IFREG | 0o600)
        os.remove(self.fixture.path("out.cpio.zst"))
        fixture.write(self.fixture.path("policy/keys/role.key"), key)
        self.refused("policy/keys/role.key' holds a private key")

    def test_kernel_and_modules_of_two_builds_are_refused(self):
        fixture.write(self.fixture.path("vmlinuz"), fixture.bz_image("6.2.0-other"))
        self.refused("is 6.2.0-other", f"are for {fixture.RELEASE}")

    def test_unknown_words_and_sets_are_refused(self):
        self.fixture.contents(["modul nic"])
        self.refused(f"{self.fixture.path('contents')}:8: unknown word 'modul'")
        self.fixture.contents([])
        result = build([*self.fixture.words(), "--set", "tiny"])
        self.assertEqual(result.returncode, 1)
        self.assertIn("SET=tiny: no such set; one of: full", result.stderr)

    def test_report_adds_up_to_the_archive(self):
        result = build([*self.fixture.words(), "--report"])
        self.assertEqual(result.returncode, 0, result.stderr)
        size = os.path.getsize(self.fixture.path("out.cpio.zst"))
        total = [line for line in result.stdout.splitlines() if "in all" in line][0]
        self.assertEqual(int(total.split()[0]), size)
        self.assertIn("/kernel/drivers/net/nic.ko", result.stdout)
