# SPDX-License-Identifier: MIT
"""Which accelerator QEMU can use here: found out by booting something, not by looking.

/dev/kvm may exist and hang (nested virtual machines), or fail on the first MSR. So a probe VM runs
the real kernel under KVM until it says that it has no root file system, which takes a second or
two; a deadline decides otherwise. The verdict holds until the host is booted again.
"""
import json
import os
import subprocess

QEMU = "qemu-system-x86_64"
PROBE_SECONDS = 12

# Before QEMU 10, TCG emulates cmpxchg16b wrongly under load: Debian 13 kernels and Go programs
# crash with plain "max".
CPU = {"kvm": "host", "tcg": "max,-cx16", "icount": "max,-cx16"}
# icount is asked for by name: the guest's clock counts its instructions (2 ns each) while it is busy, so
# that what the host does meanwhile is not in a figure. One CPU at a time, so it is slow.
ARGUMENTS = {"kvm": ["kvm"], "tcg": ["tcg,thread=multi"],
             "icount": ["tcg,thread=single", "-icount", "shift=1"]}


def _boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _probe_kvm(kernel):
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "no access to /dev/kvm"
    command = [QEMU, "-accel", "kvm", "-cpu", "host", "-smp", "2", "-m", "256", "-nodefaults",
               "-machine", "pc,graphics=off", "-display", "none", "-serial", "stdio",
               "-no-reboot", "-kernel", kernel,
               "-append", "console=ttyS0 panic=-1 loglevel=4"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        try:
            output, _ = process.communicate(timeout=PROBE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"/dev/kvm is there, but a kernel did not boot within {PROBE_SECONDS} s"
    if b"Kernel panic" in output:
        return None
    last = output.decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
    return f"KVM failed: {last[0]}"


def choose(kernel, cache_dir, say=print):
    """Returns "kvm" or "tcg". PROMENADE_ACCEL overrides; the probe's verdict is kept in cache_dir."""
    forced = os.environ.get("PROMENADE_ACCEL")
    if forced:
        if forced not in ARGUMENTS:
            raise SystemExit(f"PROMENADE_ACCEL='{forced}': one of {', '.join(ARGUMENTS)}")
        return forced
    path = os.path.join(cache_dir, "accel.json")
    try:
        with open(path, encoding="utf-8") as file:
            known = json.load(file)
        if known["boot_id"] == _boot_id():
            return known["accel"]
    except (OSError, ValueError, KeyError):
        pass
    why = _probe_kvm(kernel)
    accel = "tcg" if why else "kvm"
    say(f"rig: acceleration {accel}" + (f" ({why})" if why else ""))
    os.makedirs(cache_dir, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"boot_id": _boot_id(), "accel": accel}, file)
    return accel
