#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots machines through the whole path and judges what the installed OS says afterwards.

usage: scenario.py [--top DIR] [--initramfs FILE] [--limit SECONDS] [--quiet] [--rest] [NAME...]
       scenario.py --list
NAME is one of the table below; a second boot brings its first one along; --rest means all that are
not run without a name. Exit status 0 when every
point of every scenario holds.
"""
import argparse
import dataclasses
import json
import os
import re
import sys
import time

import rig
from machine import DEFAULT_MAC, DEFAULT_UUID
from verdict import Facts, Point, table


@dataclasses.dataclass
class Scenario:
    """A boot. Scenarios with the same disk name share it, in the order of the table."""
    name: str
    what: str
    firmware: str
    disk: str
    after: str | None = None  # the scenario that leaves the disk as this one needs it
    provisioning: bool = True
    variant: tuple = ()
    modules: bool = False  # the role brings os.modules
    pivot: str = "switch-root"  # the role's
    arguments: str = ""
    inject: bool = False  # the role comes as a file by iPXE
    signed: str = ""  # the role comes over plain HTTP with a "good" signature or a "bad" one
    machine: dict = dataclasses.field(default_factory=dict)  # fields of machine.Spec
    until: str | None = None  # the boot ends, and is good, with a console line like this
    says: tuple = ()  # the console has a line like each of these


PIVOT = "step=pivot state=switch"
PROGRESS = re.compile(r"step=fetch state=progress .*\] +\d?\d % ")
AGENT_STARTS = re.compile(r'msg="promenade \S+"')

SCENARIOS = [
    Scenario("bios-first", "BIOS, a machine that needs the work", "bios", "bios"),
    Scenario("bios-second", "BIOS, the same machine again: nothing is written", "bios", "bios",
             after="bios-first"),
    Scenario("bios-second-server-off", "BIOS, again, without the provisioning server", "bios",
             "bios", after="bios-first", provisioning=False,
             arguments="promenade.rolewait=10"),
    Scenario("uefi-first", "UEFI, a machine that needs the work", "uefi", "uefi"),
    Scenario("bios-inject", "BIOS, the role as a file by iPXE", "bios", "inject", inject=True,
             says=("step=role state=accepted .* from /promenade/role.yaml",)),
    Scenario("uefi-inject", "UEFI, the role as a file by iPXE", "uefi", "inject", inject=True,
             says=("step=role state=accepted .* from /promenade/role.yaml",)),
    Scenario("bios-dead-battery", "BIOS, a clock that stands at 2011", "bios", "battery",
             machine={"rtc": "2011-11-11T11:11:00"}, says=("step=clock state=floor",)),
    Scenario("bios-local", "BIOS, a boot server with nothing for us: the local disk boots", "bios",
             "local", until=rig.LOCAL_DISK_WORDS),
    Scenario("modules", "BIOS, an installed OS without the netboot kernel's modules", "bios",
             "modules", variant=("modules=no",), modules=True),
    Scenario("ifupdown", "BIOS, an installed OS with ifupdown", "bios", "ifupdown",
             variant=("network=ifupdown",)),
    Scenario("kexec", "BIOS, the installed kernel takes over", "bios", "kexec",
             pivot="kexec"),
    Scenario("reboot", "BIOS, a reboot that ends in the network again: one, then the installed OS",
             "bios", "reboot", pivot="reboot", machine={"may_reboot": True},
             says=("step=pivot state=begin .*reboot", "step=pivot state=begin .*came back")),
    Scenario("signed", "BIOS, a signed role over plain HTTP", "bios", "signed", signed="good",
             says=("step=role state=accepted .*http://.*, signed, serial 1",)),
    Scenario("signed-altered", "BIOS, a role that was altered after it was signed", "bios",
             "signed", signed="bad", until="step=role state=held .*signature"),
    Scenario("watchdog", "BIOS, a watchdog that must not bite after the pivot", "bios", "watchdog",
             arguments="promenade.watchdog=30", machine={"watchdog": True},
             says=("step=init state=watchdog .*armed, 30 s",)),
    Scenario("nvme", "BIOS, to the pivot with an NVMe disk", "bios", "nvme", until=PIVOT,
             machine={"disk_bus": "nvme"}),
    Scenario("ahci", "BIOS, to the pivot with a SATA disk", "bios", "ahci", until=PIVOT,
             machine={"disk_bus": "ahci"}),
    Scenario("scsi", "BIOS, to the pivot with a SCSI disk and two dead NICs", "bios", "scsi",
             until=PIVOT, machine={"disk_bus": "scsi", "extra_nics": 2}),
]
DEFAULT = ("bios-first", "bios-second", "bios-second-server-off", "uefi-first")


class Terminal:
    """Shows the console as it comes, with the seconds since the start."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.started = time.monotonic()
        self.overwrite = False
        self.lines = []

    def line(self, _, text, transient=False):
        """One console line; a transient one is overwritten by the next. On a terminal that goes for
        the agent's progress too, up to its end: a bar that moves instead of a list of bars."""
        if not transient:
            self.lines.append(text)
            transient = sys.stdout.isatty() and bool(PROGRESS.search(text))
        if self.quiet or not text.strip() or (transient and not sys.stdout.isatty()):
            return
        clear = "\r\x1b[K" if self.overwrite else ""
        self.overwrite = transient
        stamp = f"[{time.monotonic() - self.started:6.1f}] "
        if sys.stdout.isatty() and "agent: " in text:
            text = f"\x1b[1m{text}\x1b[0m"
        print(clear + stamp + text, end="" if transient else "\n", flush=True)

    def close(self):
        """Ends a line that was meant to be overwritten."""
        if self.overwrite:
            print()


def address_before(events, console):
    """The machine's address while the agent ran: as it reported it, else as it logged it."""
    for event in reversed(events):
        node = event.get("node") or {}
        if node.get("ip"):
            return node["ip"].split("/")[0]
    for line in console:
        match = re.search(r"step=(?:network|net|dhcp)\S* .*?\b(\d+\.\d+\.\d+\.\d+)/\d+", line)
        if match:
            return match.group(1)
    return ""


def judge_system(points, facts, images):
    """Kernel, units and identity."""
    kernel = facts.text("kernel")
    points.append(Point("running kernel", kernel, images.release, kernel == images.release))
    trees = facts.text("modules").split()
    points.append(Point("module trees", " ".join(trees), images.release, images.release in trees))
    state = facts.text("state")
    points.append(Point("systemd", state, "running", state == "running"))
    failed = " ".join(line.split()[0] for line in facts.text("failed").splitlines() if line.strip())
    points.append(Point("failed units", failed or "none", "none", not failed))
    name = facts.text("hostname")
    points.append(Point("host name", name, "demo-node", name == "demo-node"))
    identity = facts.text("machineid")
    points.append(Point("machine-id", "present" if identity else "", "present",
                        bool(re.fullmatch(r"[0-9a-f]{32}\s*", identity))))


def judge_swap(points, facts):
    """No swap, however it was brought up."""
    swaps = [line.split()[0] for line in facts.swaps()]
    points.append(Point("swaps", " ".join(swaps) or "none", "none",
                        not swaps and "Filename" in facts.text("swaps")))


def judge_engine(points, facts):
    """The engines' own words."""
    docker = facts.docker()
    driver = docker[0] if docker else facts.text("docker").strip().splitlines()[-1:] or [""]
    points.append(Point("docker's storage driver", str(driver if docker else driver[0])[:60],
                        "overlay2 or overlayfs", bool(docker) and driver in
                        ("overlay2", "overlayfs")))
    points.append(Point("docker's cgroup driver", docker[1] if docker else "", "systemd",
                        bool(docker) and docker[1] == "systemd"))
    points.append(Point("docker's log driver (was there)", docker[2] if docker else "", "json-file",
                        bool(docker) and docker[2] == "json-file"))
    try:
        kept = json.loads(facts.text("daemonjson"))
    except ValueError:
        kept = {}
    points.append(Point("daemon.json keeps other keys", " ".join(sorted(kept)),
                        "log-opts, live-restore", kept.get("live-restore") is True
                        and kept.get("log-opts", {}).get("max-file") == "3"))
    snapshotter = facts.snapshotter()
    state = facts.snapshotter_state("overlayfs")
    points.append(Point("containerd's snapshotter", f"{snapshotter} ({state})", "overlayfs (ok)",
                        snapshotter == "overlayfs" and state == "ok"))
    for unit in ("containerd.service", "docker.service"):
        enabled, active = facts.unit(unit)
        points.append(Point(unit, f"{enabled} {active}", "enabled active",
                            (enabled, active) == ("enabled", "active")))


def judge_artifacts(points, facts, site):
    """Plugins by what they print, the tool by its digest."""
    plugins = facts.cni()
    for name, version in site.cni_plugins.items():
        said = plugins.get(name, "")
        points.append(Point(f"CNI {name}", said.replace("|", "; ").replace(
            "CNI protocol versions supported:", "protocol"), "as it says here",
                            bool(version) and said == version))
    extra = sorted(set(plugins) - set(site.cni_plugins))
    if extra:
        points.append(Point("CNI, not in the archive", " ".join(extra), "none", False))
    digest = rig.artifacts.sha256(site.artifact("etcdctl"))
    points.append(Point("/usr/local/bin/etcdctl", facts.text("tools")[:12], digest[:12],
                        facts.text("tools").startswith(digest)))


def judge_address(points, facts, before):
    """The same address on both sides of the pivot."""
    after = [address.split("/")[0] for address in facts.addresses(DEFAULT_MAC)]
    points.append(Point("address before, after", f"{before or '?'}, {' '.join(after) or '?'}",
                        "the same", bool(before) and after == [before]))


def judge_events(points, events, wanted):
    """What the webhook heard."""
    finished = [event for event in events if event.get("event_type") == "finish"]
    bad = [event.get("name", "?") for event in finished if event.get("result") == "FAIL"]
    if not wanted:
        points.append(Point("events", str(len(events)), "none, the server is off", not events))
        return
    points.append(Point("events at the webhook", f"{len(finished)} finished, "
                        f"{len(bad)} failed {' '.join(bad)}".strip(), "some, none failed",
                        bool(finished) and not bad))


def judge(scenario, site, outcome, events, console):
    """All points of a boot."""
    points = [Point("the boot", f"{outcome.kind} {outcome.detail}".strip(), "verdict",
                    outcome.kind == "verdict")]
    if scenario.until:
        points[0] = Point("the boot", outcome.detail, scenario.until, outcome.kind == "matched")
    for wanted in scenario.says:
        said = next((line for line in console if re.search(wanted, line)), "")
        points.append(Point("said", said[:60], wanted, bool(said)))
    if scenario.until:
        return points
    facts = Facts(outcome.facts)
    if not facts.complete:
        return points
    judge_system(points, facts, site.images)
    judge_swap(points, facts)
    judge_engine(points, facts)
    judge_artifacts(points, facts, site)
    before = address_before(events, console + outcome.agent)
    judge_address(points, facts, before)
    judge_events(points, events, scenario.provisioning)
    starts = len([line for line in console if AGENT_STARTS.search(line)])
    rounds = 2 if scenario.pivot == "reboot" else 1
    points.append(Point("netboots", str(starts), str(rounds), starts == rounds))
    if scenario.after or scenario.pivot == "reboot":
        written = facts.early_sectors_written("vda")
        points.append(Point("sectors written by the agent", str(written), "0", written == 0))
    if scenario.pivot == "kexec":
        words = facts.text("cmdline")
        points.append(Point("kernel command line", words[:60], "the role's",
                            "rig.kexec" in words and "promenade.role" not in words))
    if not scenario.provisioning:
        said = [line for line in console + outcome.agent if "role=stale" in line
                or "state=stale" in line]
        points.append(Point("role", said[0][:60] if said else "", "stale, and said so", bool(said)))
    return points


def run(scenario, site, options):
    """Boots one scenario. Returns its points."""
    disk = os.path.join(site.top, "disks", f"{scenario.disk}.qcow2")
    if scenario.until == rig.LOCAL_DISK_WORDS:
        site.local_disk(disk)
    elif not scenario.after:
        disk = site.fresh_disk(scenario.disk, *scenario.variant)
    site.serve_role(DEFAULT_UUID, modules=scenario.modules, pivot=scenario.pivot)
    site.set_arguments(scenario.arguments, site.servers.plain_url if scenario.signed else None)
    site.restore_boot()
    if scenario.signed:
        site.sign_role(DEFAULT_UUID, tampered=scenario.signed == "bad")
    if scenario.inject:
        site.inject_role(DEFAULT_UUID)
    if scenario.until == rig.LOCAL_DISK_WORDS:
        site.remove_script()
    if not scenario.provisioning:
        site.servers.stop("provision")
    terminal = Terminal(options.quiet)
    known = len(site.servers.events)
    try:
        outcome = site.boot(scenario.name, disk, scenario.firmware, options.limit, terminal.line,
                            scenario.until, **scenario.machine)
    finally:
        terminal.close()
        if not scenario.provisioning:
            site.servers.start("provision")
    events = site.servers.events[known:]
    return judge(scenario, site, outcome, events, terminal.lines)


def with_first_boots(names):
    """The named scenarios in the table's order, each after the one that it needs."""
    by_name = {scenario.name: scenario for scenario in SCENARIOS}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise SystemExit(f"no scenario '{unknown[0]}'; one of: {', '.join(by_name)}")
    wanted = set(names)
    wanted |= {by_name[name].after for name in names if by_name[name].after}
    return [scenario for scenario in SCENARIOS if scenario.name in wanted]


def options_of(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--rest", action="store_true", help="all but " + ", ".join(DEFAULT))
    parser.add_argument("--top", help="folder of the run (build/qemu)")
    parser.add_argument("--initramfs", help="netboot this one (build/initramfs.cpio.zst)")
    parser.add_argument("--limit", type=int, default=600, help="seconds for one boot (600)")
    parser.add_argument("--quiet", action="store_true", help="no console, only the verdicts")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Runs scenarios; returns the exit status."""
    options = options_of(arguments)
    if options.list:
        for scenario in SCENARIOS:
            print(f"{scenario.name:24} {scenario.what}")
        return 0
    failed = []
    names = list(options.names)
    if options.rest:
        names += [scenario.name for scenario in SCENARIOS if scenario.name not in DEFAULT]
    chosen = with_first_boots(names or DEFAULT)
    with rig.Rig(options.top, options.initramfs) as site:
        for scenario in chosen:
            print(f"\n== {scenario.name}: {scenario.what}", flush=True)
            started = time.monotonic()
            points = run(scenario, site, options)
            print(table(points))
            good = all(point.good for point in points)
            print(f"{'PASS' if good else 'FAIL'} {scenario.name} "
                  f"({time.monotonic() - started:.0f} s; {site.top}/{scenario.name}/console.log)",
                  flush=True)
            if not good:
                failed.append(scenario.name)
    print(f"{len(chosen) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
