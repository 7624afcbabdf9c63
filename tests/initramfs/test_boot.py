# SPDX-License-Identifier: MIT
"""The real kernel unpacks the archive and takes the modules in both forms in which they are stored;
a second archive behind the first is unpacked over it."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

import kernel_modules
import test_builder
import test_debian

HERE = os.path.dirname(os.path.abspath(__file__))
QEMU = "qemu-system-x86_64"
DEADLINE_SECONDS = 180
# In dependency order. xfs is large enough to stay in the kernel's own xz.
PROBE = (
    "kernel/net/core/failover.ko kernel/drivers/net/net_failover.ko "
    "kernel/drivers/net/virtio_net.ko kernel/crypto/crc32c_generic.ko kernel/lib/libcrc32c.ko "
    "kernel/fs/xfs/xfs.ko.xz"
).split()


def compile_init(out):
    command = [
        "gcc",
        "-static",
        "-Os",
        "-D_GNU_SOURCE",
        "-o",
        out,
        os.path.join(HERE, "probe_init.c"),
    ]
    subprocess.run(command, check=True)


def boot(kernel, initrd):
    """Console text of one boot, always in emulation: whether KVM works here is another suite's."""
    command = [QEMU, "-machine", "q35", "-accel", "tcg", "-cpu", "max,-cx16", "-m", "512"]
    command += ["-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"]
    command += ["-kernel", kernel, "-initrd", initrd]
    command += ["-append", f"console=ttyS0 panic=-1 loglevel=4 probe={','.join(PROBE)}"]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return done.stdout.decode(errors="replace").replace("\r", "")


@unittest.skipUnless(shutil.which(QEMU), f"{QEMU} is not installed")
class BootTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="initramfs-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.kernel = os.path.join(test_debian.PLACE["kernel"], "vmlinuz")
        self.init = os.path.join(self.folder, "init")
        compile_init(self.init)

    def built(self, name, *more):
        out = os.path.join(self.folder, name)
        result = test_builder.build([*test_debian.words("full", out, self.init), *more])
        self.assertEqual(result.returncode, 0, result.stderr)
        return out

    def test_kernel_unpacks_and_loads(self):
        policy = os.path.join(self.folder, "policy")
        os.makedirs(policy)
        with open(os.path.join(policy, "ca.pem"), "w", encoding="ascii") as pem:
            pem.write("-----BEGIN CERTIFICATE-----\n")
        main = self.built("main.zst", "--policy", policy)
        console = boot(self.kernel, main)
        release = kernel_modules.release_of_kernel(self.kernel)
        self.assertRegex(console, rf"probe: init runs at \d+ms on {re.escape(release)}\n")
        for path in PROBE:
            self.assertRegex(console, rf"probe: {re.escape(path)} loaded \d+ms\n")
        self.assertIn("probe: done, policy present, rescue absent", console)

        both = os.path.join(self.folder, "both")
        with open(both, "wb") as out:
            for part in (main, self.built("rescue.zst", "--rescue")):
                with open(part, "rb") as data:
                    shutil.copyfileobj(data, out)
                out.write(b"\0" * (-out.tell() % 4))  # as iPXE aligns
        console = boot(self.kernel, both)
        self.assertIn("probe: done, policy present, rescue present", console)
