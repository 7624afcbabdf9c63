#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The whole agent as PID 1 with its real worker, from DHCP to the first breath of the installed OS.

usage: boot.py folder|loop [PART-OF-A-NAME]     rig.py says what the two kinds are; "loop" wants root and loop devices"""
import os
import random
import shutil
import socket
import sys
import tempfile
import unittest

import rig

KIND = sys.argv[1] if len(sys.argv) > 1 else "folder"
SEED = 20240607
LOOP = KIND == "loop"


class Boots(unittest.TestCase):
    """Each test has a machine of its own; the servers are everybody's."""

    @classmethod
    def setUpClass(cls):
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        cls.folder = tempfile.mkdtemp(prefix="ns-boot.", dir=memory)
        os.chmod(cls.folder, 0o755)
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.servers = rig.Servers(cls.folder)
        cls.servers.start()
        cls.addClassCleanup(lambda: cls.servers.stop())
        cls.servers.role()
        machine = rig.Machine(cls.servers, KIND)
        cls.clean = cls.boot_of(machine).finish()
        cls.expected = machine.tree()
        machine.done()

    @staticmethod
    def boot_of(machine, *words, speed=10):
        """A boot; where time can be made to pass faster, speed times."""
        more = {} if LOOP else {"FAULT_DISKS": "/disks", "FAULT_EXE": "/out/agent",
                                "BOOT_SPEED": speed}
        return machine.boot(*words, **more)

    def setUp(self):
        self.servers.role()
        self.machine = self.new_machine()

    def new_machine(self, *filesystem, extra=None):
        machine = rig.Machine(self.servers, KIND, *filesystem, extra=extra)
        self.addCleanup(machine.done)
        return machine

    def boot(self, *words, speed=10):
        return self.boot_of(self.machine, *words, speed=speed)

    def check_prepared(self, boot):
        """The new init is up in a machine as it should be."""
        self.assertIsNotNone(boot.verdict, boot.console[-4000:] + boot.output)
        self.assertNotIn("Sanitizer", boot.console + boot.output)
        self.assertNotIn("runtime error", boot.console + boot.output)
        for key, value in (("pid", "1"), ("hostname", "node-1"), ("old-root", "0"),
                           ("sigchld-blocked", "0")):
            self.assertEqual(boot.verdict[key], [value], key)
        self.assertEqual(int(boot.verdict["eth0"][0], 0) & 1, 0, "the link is not down (IFF_UP)")
        root = [line for line in boot.verdict["mount"] if line.split()[4] == "/"]
        self.assertEqual(len(root), 1, "mounts at '/'")
        self.assertIn(" ro,", root[0], "fstab has '/', so systemd makes it writable, not we")
        self.assertFalse([line for line in boot.verdict["mount"] if "/promenade-search" in line])

    def check_tree(self):
        self.assertEqual(rig.difference(self.machine.tree(), self.expected), "")

    def prepare(self):
        boot = self.boot().finish()
        self.check_prepared(boot)
        self.check_tree()
        return boot

    def test_first_and_second_boot(self):
        first = self.prepare()
        self.assertRegex(first.console, r"step=swap state=done")
        self.assertEqual(first.verdict["motd"], ["prepared 7"])
        before = self.machine.sectors_written() if LOOP else 0
        second = self.boot().finish()
        self.check_prepared(second)
        self.assertNotRegex(second.console, r"step=(?!root|pivot|boot)\w+ state=change")
        if LOOP:
            self.assertEqual(self.machine.sectors_written(), before, "sectors written")
        self.check_tree()

    def test_server_off(self):
        self.prepare()
        before = self.machine.sectors_written() if LOOP else 0
        self.servers.stop("nginx")
        self.addCleanup(self.servers.start, "nginx")
        boot = self.boot().finish()
        self.check_prepared(boot)
        self.assertIn("role=stale", boot.console)
        self.assertIn("serial 7", boot.console)
        if LOOP:
            self.assertEqual(self.machine.sectors_written(), before, "sectors written")
        self.check_tree()

    def test_no_network_at_all(self):
        self.prepare()
        self.servers.stop("nginx", "dnsmasq")
        self.addCleanup(self.servers.start)
        boot = self.boot().finish()
        self.check_prepared(boot)
        self.assertIn("role=stale", boot.console)
        self.check_tree()

    def test_unprepared_machine_waits_for_the_server(self):
        self.servers.stop("nginx")
        boot = self.boot()
        self.assertTrue(boot.await_text("step=role state=wait"), boot.console)
        self.servers.start("nginx")
        self.check_prepared(boot.finish())
        self.check_tree()

    def refuse(self, wanted):
        boot = self.boot(speed=60)
        self.assertTrue(boot.await_text("a person must mend this"), boot.console)
        self.assertRegex(boot.console, wanted)
        return boot

    def test_refused_role_holds_no_prepared_machine(self):
        self.prepare()
        self.servers.role(serial=3)  # an older one than this machine has had
        boot = self.refuse(r"serial 3").finish()
        self.check_prepared(boot)
        self.assertRegex(boot.console, r"role=stale.*serial 7")
        self.check_tree()

    def test_role_that_does_not_parse(self):
        with open(os.path.join(self.servers.files, "role.yaml"), "w", encoding="ascii") as out:
            out.write("apiVersion: promenade/v1\nkind: Role\nnmae: x\n")
        boot = self.refuse(r"line 3 column 1: .*nmae")
        if LOOP:  # three minutes in real time until it asks again; the folder kind sees it heal
            boot.cut()
            return
        self.servers.role()
        self.check_prepared(boot.finish())
        self.check_tree()

    def test_missing_root_is_shown_with_the_evidence(self):
        self.servers.role(label="elsewhere")
        boot = self.boot(speed=60)
        self.assertTrue(boot.await_text("step=boot state=held", 60), boot.console)
        self.assertRegex(boot.console, r"label 'elsewhere'.*/dev/vda ext4 'root'")
        boot.cut()

    def test_a_wrong_digest_is_held_and_nothing_is_visible(self):
        self.servers.role(tool="0" * 64)
        boot = self.boot(speed=60)
        self.assertTrue(boot.await_text("step=boot state=held"), boot.console)
        self.assertRegex(boot.console, r"tool' \(36000 bytes\) has SHA-256")
        boot.cut()
        self.assertNotIn("usr/local/bin/tool", self.machine.tree())
        self.servers.role()
        self.check_prepared(self.boot().finish())
        self.check_tree()

    def test_reboot_instead_of_switch_root(self):
        self.servers.role(pivot="reboot")
        boot = self.boot().finish()
        # reboot(2) in a pid namespace ends its PID 1 by SIGHUP (pid_namespaces(7)).
        self.assertIn(boot.status, (129, -1), boot.console[-3000:] + boot.output)
        self.assertIsNone(boot.verdict)
        self.assertIn("etc/promenade/role.yaml", self.machine.tree())

    def test_selinux_is_told_by_the_way_that_outlives_the_pivot(self):
        extra = {"etc/selinux/config": "SELINUX=enforcing\n"}
        self.machine = self.new_machine(extra=extra)
        boot = self.boot().finish()
        self.assertIn("/etc/motd", boot.verdict["relabel"], boot.console)
        self.assertNotIn(".autorelabel", self.machine.tree())
        self.servers.role(pivot="reboot")
        self.machine = self.new_machine(extra=extra)
        self.boot().finish()
        self.assertIn(".autorelabel", self.machine.tree())

    def test_a_silent_server_is_named_while_it_is_awaited(self):
        self.servers.stop("nginx")
        with socket.create_server((rig.SERVER, rig.PORT)):
            boot = self.boot(speed=20)
            self.assertTrue(boot.await_text("has not answered for"), boot.console)
            self.assertRegex(boot.console, r"role.yaml' has not answered for 1\d s")
        self.servers.start("nginx")
        self.check_prepared(boot.finish())

    def moments(self, count):
        """Texts of a clean boot's console, spread from the first to the last."""
        lines = [line for line in self.clean.console.splitlines() if " state=" in line]
        texts = ["step=" + line.split("step=")[1].split(" t=")[0] for line in lines
                 if "step=" in line and "switch" not in line]
        once = list(dict.fromkeys(texts))
        return [once[i * len(once) // count] for i in range(count)]

    def test_killed_worker_starts_again_and_converges(self):
        chance = random.Random(SEED)
        for text in self.moments(4 if LOOP else 12):
            delay = chance.random() * 0.01
            with self.subTest(text=text, delay=delay):
                self.machine = self.new_machine()
                boot = self.boot()
                self.assertTrue(boot.await_text(text), boot.console)
                rig.time.sleep(delay)
                killed = boot.kill_worker()
                boot.finish()
                if killed and "killed by signal" not in boot.console:
                    self.assertIn("step=pivot state=switch", boot.console)
                elif killed:
                    self.assertRegex(boot.console, r"killed by signal 9 .*starts again in 2 s")
                self.check_prepared(boot)
                self.check_tree()

    def test_a_worker_that_never_lives_is_said_with_growing_pauses(self):
        boot = self.boot(speed=60)
        for pause in ("2", "10") if LOOP else ("2", "10", "60"):
            for _ in range(2000):
                if boot.kill_worker():
                    break
                rig.time.sleep(0.01)
            self.assertTrue(boot.await_text(f"it starts again in {pause} s"), boot.console)
        self.assertIsNone(boot.process.poll(), "PID 1 ended")
        self.check_prepared(boot.finish(90))
        self.check_tree()

    def test_power_cut_then_converge(self):
        for text in self.moments(5 if LOOP else 8):
            with self.subTest(text=text):
                self.machine = self.new_machine()
                boot = self.boot()
                self.assertTrue(boot.await_text(text), boot.console)
                if LOOP:
                    self.machine.snapshot(boot)
                else:
                    boot.cut()
                self.check_prepared(self.boot().finish())
                self.check_tree()

    def test_other_file_systems(self):
        for name in ("xfs", "btrfs"):
            with self.subTest(filesystem=name):
                self.machine = self.new_machine(name)
                self.prepare()
                # XFS writes a part of its log at every mount (xlog_clear_stale_blocks): what a bare
                # mount costs is not the agent's.
                before = self.machine.sectors_written()
                rig.run("mount", "-o", "ro", self.machine.loop, self.machine.path("root"))
                rig.run("umount", self.machine.path("root"))
                bare, before = self.machine.sectors_written() - before, self.machine.sectors_written()
                self.check_prepared(self.boot().finish())
                self.assertLessEqual(self.machine.sectors_written() - before, bare, "sectors written")


def main():
    rig.enter(KIND)
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(Boots)
    # Not a test of this kind at all, rather than a skipped one.
    other = "silent_server" if LOOP else "file_systems"
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    tests = unittest.TestSuite(t for t in tests if other not in t.id() and wanted in t.id())
    result = unittest.TextTestRunner(verbosity=2).run(tests)
    bad = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - bad, 0)} passed, {bad} failed, {len(result.skipped)} skipped")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
