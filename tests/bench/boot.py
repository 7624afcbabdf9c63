# SPDX-License-Identifier: MIT
"""/init to the new root's init on one prepared disk, for three initramfs in turns."""
import lzma
import os
import re
import shutil

import artifacts
import machine
import newc
import rig
import rows

HERE = os.path.dirname(os.path.abspath(__file__))
INIT = "/usr/local/sbin/bench-init"
LIMIT_SECONDS = 240
# QEMU 7.2's TCG sometimes loses the kernel's patching of its own code: "Oops: int3" before /init.
ATTEMPTS = 3
# The same words for all; TCG need not pay for the mitigations of a CPU that is not there. The kernel
# would drop most of what is written to /dev/kmsg (10 lines in 5 s), the benchmark's own line as well.
ARGUMENTS = "console=ttyS0 quiet mitigations=off printk.devkmsg=on"
MODULES = ("virtio_pci", "virtio_net", "virtio_blk", "ext4", "crc32c_generic", "af_packet")
APPLETS = ("sh", "mount", "insmod", "ip", "udhcpc", "wget", "findfs", "sleep", "switch_root")


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _in_order(dependencies, name, done):
    """Paths of a module and of what it needs, needs first."""
    path = next((one for one in dependencies
                 if re.split(r"[/.]", one.replace("-", "_"))[-3 if one.endswith("xz") else -2] == name),
                None)
    if path is None:
        return  # built into the kernel
    # depmod lists what is needed last first.
    for one in [*reversed(dependencies[path]), path]:
        if one not in done:
            done.append(one)


def busybox_initramfs(kernel_folder, release):
    """The archive, not compressed: what comes before /init is not measured."""
    tree = os.path.join(kernel_folder, "lib", "modules", release)
    dependencies = {}
    for line in _read(os.path.join(tree, "modules.dep")).decode().splitlines():
        path, _, needs = line.partition(":")
        dependencies[path] = needs.split()
    order = []
    for name in MODULES:
        _in_order(dependencies, name, order)
    entries = [newc.directory(name, 0o755) for name in ("dev", "proc", "sys", "run", "sysroot")]
    entries += [newc.char_device("dev/console", 0o600, 5, 1),
                newc.regular("bin/busybox", 0o755, _read(os.path.join(kernel_folder, "busybox"))),
                newc.regular("init", 0o755, _shell(os.path.join(HERE, "busybox_init.sh"))),
                newc.regular("udhcpc.sh", 0o755, _shell(os.path.join(HERE, "busybox_udhcpc.sh")))]
    entries += [newc.symlink(f"bin/{name}", "busybox") for name in APPLETS]
    names = []
    for path in order:
        names.append(os.path.basename(path).removesuffix(".xz"))
        data = _read(os.path.join(tree, path))
        entries.append(newc.regular(f"modules/{names[-1]}", 0o644,
                                    lzma.decompress(data) if path.endswith(".xz") else data))
    entries.append(newc.regular("modules/order", 0o644, ("\n".join(names) + "\n").encode()))
    return newc.archive(entries, 0)


def _shell(path):
    return _read(path).replace(b"#!/bin/sh", b"#!/bin/busybox sh", 1)


class Boots:
    """A rig whose servers run, and the three initramfs."""

    def __init__(self, site, newroot_init, say):
        self.site = site
        self.say = say
        self.newroot_init = newroot_init
        self.profile = []
        guest = rig.guest_disk()
        release = site.images.release
        folder = artifacts.kernel_folder()
        busybox = os.path.join(site.top, "busybox.cpio")
        with open(busybox, "wb") as file:
            file.write(busybox_initramfs(folder, release))
        role = f"/roles/{machine.DEFAULT_UUID}.yaml"
        servers = site.servers
        self.disk = site.fresh_disk("bench")
        self.cases = {
            "promenade": (os.path.join(site.boot_root, "boot", "initramfs.cpio.zst"),
                          f"promenade.role={servers.url}/roles/{{uuid}}.yaml"),
            "busybox": (busybox, f"bench.role={servers.plain_url}{role} bench.init={INIT}"),
            "debian": (os.path.join(guest, "boot", f"initrd.img-{release}"),
                       f"root=LABEL=root ro init={INIT}"),
        }

    def _serve_role(self):
        """The rig's role; the benchmark's init comes as one more artifact."""
        site = self.site
        shutil.copy(self.newroot_init, site.artifact("bench-init"))
        site.serve_role()
        path = os.path.join(site.provision_root, "roles", f"{machine.DEFAULT_UUID}.yaml")
        text = _read(path).decode()
        text = text.replace("  pivot: switch-root\n", f"  pivot: switch-root\n  init: {INIT}\n")
        text = text.replace(
            "artifacts:\n", "artifacts:\n"
            f'  - {{url: "{site.servers.plain_url}/artifacts/bench-init", '
            f'sha256: "{artifacts.sha256(self.newroot_init)}", path: {INIT}, mode: "0755"}}\n')
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def _boot(self, name, folder, extra):
        """Milliseconds from /init to the new root's init; a panic of the emulated kernel is said
        and the boot made again, any other end is one of the benchmark."""
        for _ in range(ATTEMPTS):
            outcome = self._boot_once(name, folder, extra)
            if outcome.kind == "matched":
                return int(outcome.detail.rsplit(" ", 1)[1]) / 1000
            if outcome.kind != "panic":
                break
            self.say(f"bench: {name}: kernel panic, {outcome.detail}; once more")
        raise SystemExit(f"{name}: {outcome.kind} {outcome.detail}; "
                         f"see {self.site.top}/{folder}/console.log")

    def _boot_once(self, name, folder, extra):
        """One boot; the log's lines of the agent's go to the profile."""
        initrd, words = self.cases[name]
        run_dir = os.path.join(self.site.top, folder)
        shutil.rmtree(run_dir, ignore_errors=True)
        spec = machine.Spec(run_dir=run_dir, disk=self.disk, firmware="none",
                            kernel=self.site.images.kernel, initrd=initrd,
                            cmdline=f"{ARGUMENTS} {words}", accel=self.site.accel, extra=extra)
        lines = []
        with machine.Machine(spec) as vm:
            outcome = vm.run(LIMIT_SECONDS, until=r"bench: switched -?\d+",
                             on_line=lambda _, line, transient: lines.append(line))
        if name == "promenade":
            self.profile = [line for line in lines if line.startswith("bench: at")]
        return outcome

    def prepare(self):
        """A first boot does the work and leaves the disk as every measured boot finds it."""
        self._serve_role()
        return self._boot("promenade", "prepare", [])

    def measure(self, runs):
        """The boots in turns, none of which changes the disk; the two rows."""
        taken = {name: [] for name in self.cases}
        for number in range(runs):
            for name, values in taken.items():
                values.append(self._boot(name, f"{name}-{number}", ["-snapshot"]))
                self.say(f"bench: {name}: {values[-1]:.0f} ms from /init to the new root")
        return [
            rows.paired(f"/init to switch_root ({self.site.accel}): busybox script",
                        taken["promenade"], taken["busybox"], "ms", 1.2, 0),
            rows.paired(f"/init to switch_root ({self.site.accel}): Debian's initrd",
                        taken["promenade"], taken["debian"], "ms", 0.5, 0),
        ]

    def profile_rows(self, count=8):
        """The longest gaps between two lines of the kernel's log in the agent's last boot."""
        marks = [(0, "/init")]
        for line in self.profile:
            match = re.match(r"bench: at (-?\d+) (.*)", line)
            marks.append((int(match.group(1)) / 1000, match.group(2)))
        gaps = [(later[0] - earlier[0], later[1]) for earlier, later in zip(marks, marks[1:])]
        longest = sorted(gaps, reverse=True)[:count]
        return [f"  {gap:6.0f} ms until {text[:100]}" for gap, text in longest]
