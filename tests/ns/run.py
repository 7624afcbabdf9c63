#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The agent as PID 1 in namespaces of its own (user, mount, pid, net). First PID 1 with a scripted
worker: every way a worker can end, reaping, switch_root by both of its roads. Then with the real
worker, in a folder without privileges and, as root, on a loop device: boot.py."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PID1 = os.path.join(TOP, "build/musl/ns/pid1")
# The initramfs is a tmpfs that the process is chrooted into; the new root a second one.
SETUP = r"""
set -e
mount -t tmpfs none "$1"
cp "$2" "$1/init"; cp "$3/script" "$1/script"
[ ! -e "$3/no-pivot-root" ] || touch "$1/no-pivot-root"
mkdir "$1/proc" "$1/sys" "$1/dev" "$1/run" "$1/sysroot" "$1/etc" "$1/keep"
mount -t tmpfs none "$1/sysroot"
mkdir "$1/sysroot/sbin" "$1/sysroot/proc" "$1/sysroot/sys" "$1/sysroot/dev" "$1/sysroot/run"
[ ! -e "$3/rescue-shell" ] || { mkdir "$1/bin"; cp "$2" "$1/bin/sh"; }
[ ! -e "$3/rescue-word" ] || { echo "quiet promenade.rescue" >"$3/cmdline"; }
[ -e "$3/no-init" ] || cp "$2" "$1/sysroot/sbin/init"
touch "$1/dev/kmsg"; mount --bind "$3/kmsg" "$1/dev/kmsg"
mkdir "$1/disk"; mount --bind "$3/disk" "$1/disk"
mkdir "$1/sysroot/out"; mount --bind "$3/out" "$1/sysroot/out"
touch "$1/dev/console"; mount --bind /dev/null "$1/dev/console"
# PID 1 leaves a /proc that is mounted already, so the words stay.
[ ! -e "$3/cmdline" ] || { mount -t proc none "$1/proc"; mount --bind "$3/cmdline" "$1/proc/cmdline"; }
cd "$1"; exec chroot . /init
"""


class Pid1(unittest.TestCase):
    """Each test is a script for the worker."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="ns.")
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder)
        open(os.path.join(self.folder, "kmsg"), "w", encoding="ascii").close()
        for name in ("root", "disk", "out"):
            os.mkdir(os.path.join(self.folder, name))
        with open(os.path.join(self.folder, "disk", "kept"), "w", encoding="ascii") as out:
            out.write("a file system that somebody left mounted in the initramfs")

    def run_script(self, *lines, seconds=20, **files):
        """Runs until PID 1 ends (the new init did) or the time is up; its log lines."""
        with open(os.path.join(self.folder, "script"), "w", encoding="ascii") as out:
            out.write("".join(line + "\n" for line in lines))
        for name in files:
            open(os.path.join(self.folder, name.replace("_", "-")), "w", encoding="ascii").close()
        command = ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--net", "--fork",
                   "--kill-child=SIGKILL", "sh", "-c", SETUP, "sh",
                   os.path.join(self.folder, "root"), PID1, self.folder]
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, start_new_session=True) as process:
            try:
                self.output = process.communicate(timeout=seconds)[0].decode(errors="replace")
                self.status = process.returncode
            except subprocess.TimeoutExpired:
                process.kill()
                self.output = process.communicate()[0].decode(errors="replace")
                self.status = None
        with open(os.path.join(self.folder, "kmsg"), encoding="utf-8", errors="replace") as log:
            return log.read()

    def test_worker_failures_are_said_and_it_starts_again(self):
        log = self.run_script("exit 1", "signal 11", "signal 9", "hang", seconds=4)
        self.assertIsNone(self.status, "PID 1 must never end: " + self.output)
        self.assertIn("the worker ended: exit status 1 (failure 1)", log)
        self.assertIn("killed by signal 11", log)
        self.assertIn("killed by signal 9", log)
        self.assertRegex(log, r"failure 3\); it starts again in 60 s")

    def test_pause_grows_and_stays(self):
        log = self.run_script(*["exit 3"] * 6, "hang", seconds=8)
        pauses = re.findall(r"starts again in (\d+) s", log)
        self.assertEqual(pauses, ["2", "10", "60", "300", "300", "300"])

    def test_orphans_are_reaped(self):
        log = self.run_script("orphans 40", "zombies", "pivot /sysroot /sbin/init")
        self.assertIn("exit status 7", log)
        self.assertIn("exit status 20", log, "none of the 40 is left")
        self.assertEqual(self.status, 0, log + self.output)

    def check_found(self, log):
        self.assertEqual(self.status, 0, log + self.output)
        self.assertIn("switch_root to '/sysroot', init '/sbin/init'", log)
        with open(os.path.join(self.folder, "out", "found"), encoding="utf-8") as out:
            found = out.read().splitlines()
        for line in ("pid 1", "cwd /", "run-type 1021994", "fds 3", "sigchld-blocked 0",
                     "sigchld-default 1", "old-root 0", "env TERM=linux", "env HOME=/"):
            self.assertIn(line, found)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "disk", "kept")),
                        "freeing the initramfs entered another file system")

    def test_switch_root_by_pivot_root(self):
        self.check_found(self.run_script("pivot /sysroot /sbin/init"))

    def test_switch_root_by_moving_the_mount(self):
        self.check_found(self.run_script("pivot /sysroot /sbin/init", no_pivot_root=True))

    def test_no_rescue_shell_without_the_word(self):
        self.run_script("hang", seconds=3, rescue_shell=True)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "disk", "shell")))

    def test_a_rescue_shell_by_word_starts_again_after_exit(self):
        self.run_script("hang", seconds=4, rescue_shell=True, rescue_word=True)
        with open(os.path.join(self.folder, "disk", "shell"), encoding="ascii") as out:
            self.assertGreater(len(out.read().split()), 1, "it left and came back")

    def test_a_root_that_is_no_mount_is_refused(self):
        log = self.run_script("pivot /keep /sbin/init", "hang", seconds=4)
        self.assertIsNone(self.status)
        self.assertIn("'/keep' is not a mounted file system", log)
        self.assertIn("it starts again in 2 s", log)

    def test_a_pivot_without_a_request_is_said(self):
        log = self.run_script("exit 40", "hang", seconds=4)
        self.assertIsNone(self.status)
        self.assertIn("run/promenade/pivot", log)


def run_boots(kind):
    """[passed, failed, skipped] of boot.py; no last line is a failure."""
    print(f"--- the real worker, {kind}", flush=True)
    done = subprocess.run([sys.executable, os.path.join(TOP, "tests/ns/boot.py"), kind],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    text = done.stdout.decode(errors="replace")
    print(text, flush=True)
    found = re.search(r"^(\d+) passed, (\d+) failed, (\d+) skipped\n\Z", text, re.M)
    return [int(n) for n in found.groups()] if found else [0, 1, 0]


def main():
    result = unittest.TextTestRunner(verbosity=2).run(
        unittest.defaultTestLoader.loadTestsFromTestCase(Pid1))
    bad = len(result.failures) + len(result.errors)
    total = [result.testsRun - bad, bad, len(result.skipped)]
    for kind in ["folder"] + (["loop"] if os.geteuid() == 0 else []):
        total = [a + b for a, b in zip(total, run_boots(kind))]
    print("{} passed, {} failed, {} skipped".format(*total))
    bad = total[1]
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
