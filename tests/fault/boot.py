#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The effects of a whole boot, mount, network and pivot included, in the machine of tests/ns/rig.py:
fails the N-th of the worker's in a first boot, kills the worker before the N-th of a boot of a
prepared machine, and fails the N-th of PID 1's. Each time the machine gets to its new init by itself,
with the same tree, and what it holds for names the step.

usage: boot.py [I/OF]   every OF-th point, beginning with the I-th: runs beside each other"""
import os
import re
import shutil
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "ns"))
import rig  # noqa: E402

# Minutes for a person, two seconds here; DHCP and TLS still have time to answer.
SPEED = 100


class Bench:
    """One folder disk, put back before each point to what it was when keep() was called."""

    def __init__(self, folder):
        self.servers = rig.Servers(folder)
        self.servers.role()
        self.servers.start()
        self.machine = rig.Machine(self.servers, "folder")
        self.saved = os.path.join(folder, "saved")

    def keep(self):
        shutil.rmtree(self.saved, ignore_errors=True)
        rig.run("cp", "-a", self.machine.path("disk"), self.saved)

    def put_back(self):
        disk = self.machine.path("disk")
        for name in os.listdir(disk):
            full = os.path.join(disk, name)
            if os.path.isdir(full) and not os.path.islink(full):
                shutil.rmtree(full)
            else:
                os.remove(full)
        rig.run("cp", "-a", self.saved + "/.", disk)

    def boot(self, who, **fault):
        # A put-back disk has new inodes, so a stale role could not do without the server.
        return self.machine.boot("promenade.rolewait=1500", FAULT_WHO=who, FAULT_DISKS="/disks", FAULT_EXE="/out/agent",
                                 BOOT_SPEED=SPEED, FAULT_LOG="/out/effects", **fault).finish(30)

    def judge(self, who, expected, fault):
        """Problems of one disturbed boot; empty when all is well."""
        self.put_back()
        boot = self.boot(who, **fault)
        said = boot.console + boot.output
        if "Sanitizer" in said or "runtime error" in said:
            return ["sanitizer: " + said[-2000:]]
        # Its own failure to move /dev costs PID 1 the console that the new init would write to; it
        # ends well all the same, and PID 1 itself never ends.
        silent = who == "init" and boot.status == 0 and "step=pivot state=switch" in said
        if boot.verdict is None and not silent:
            return [f"no new init (status {boot.status}): {said[-1500:]}"]
        problems = []
        if "what happened:" in said and not re.search(r"what happened: \w[\w ]*[:']", said):
            problems.append("no step named: " + re.search("what happened:.*", said)[0])
        odd = rig.difference(self.machine.tree(), expected)
        if odd:
            problems.append("another tree: " + odd[:600])
        return problems


def points(bench, expected):
    """(name, who, fault, prepared) of every point, the first boot's first; counts by clean boots."""
    first = bench.boot("worker")
    assert first.verdict, first.console + first.output
    expected.update(bench.machine.tree())
    second = bench.boot("worker")
    init = bench.boot("init")
    jobs = [(f"fail-{n}-{effect}", "worker", {"FAULT_FAIL_AT": n}, False)
            for n, effect in enumerate(first.effects, 1)]
    jobs += [(f"kill-{n}-{effect}", "worker", {"FAULT_KILL_AT": n}, True)
             for n, effect in enumerate(second.effects, 1)]
    jobs += [(f"init-{n}-{effect}", "init", {"FAULT_FAIL_AT": n}, True)
             for n, effect in enumerate(init.effects, 1)]
    return jobs


def main():
    rig.enter("folder")
    index, of = (int(n) for n in (sys.argv[1] if len(sys.argv) > 1 else "0/1").split("/"))
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="fault-boot.", dir=memory) as folder:
        os.chmod(folder, 0o755)
        bench = Bench(folder)
        expected = {}
        bench.keep()
        jobs = points(bench, expected)
        print(f"{len(jobs)} points, {sum(job[1] == 'init' for job in jobs)} of them PID 1's")
        prepared = False
        for name, who, fault, wants_prepared in jobs:
            # By number, not by place: a boot here may have an effect more than one elsewhere.
            if int(name.split("-")[1]) % of != index:
                continue
            if wants_prepared and not prepared:
                bench.put_back()
                assert bench.boot("worker").verdict
                bench.keep()
                prepared = True
            problems = bench.judge(who, expected, fault)
            passed, failed = passed + (not problems), failed + bool(problems)
            for problem in problems:
                print(f"{name}: {problem}", flush=True)
        bench.machine.done()
        bench.servers.stop()
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
