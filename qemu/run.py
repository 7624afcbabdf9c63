#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots one machine in the rig and shows what it says; a tool for trying things.

The disk is a fresh overlay over the guest, or with --keep the one of the last run of this name.
Words after -- are added to QEMU's command line. PROMENADE_ACCEL=kvm|tcg overrides the probe.
"""
import argparse
import os
import sys

import rig
from scenario import Terminal
from verdict import Facts


def options_of(arguments):
    """The command line; what follows "--" is QEMU's."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--name", default="run", help="folder below build/qemu (run)")
    parser.add_argument("--top", help="folder of the site (build/qemu)")
    parser.add_argument("--initramfs", help="netboot this one (build/initramfs.cpio.zst)")
    parser.add_argument("--firmware", choices=("bios", "uefi"), default="bios")
    parser.add_argument("--keep", action="store_true", help="boot the disk as the last run left it")
    parser.add_argument("--variant", action="append", default=[], help="word for guest/build.sh")
    parser.add_argument("--bus", choices=("virtio", "nvme", "ahci", "scsi"), default="virtio")
    parser.add_argument("--cmdline", default="", help="more words for the kernel; rig.stay keeps "
                        "the machine up")
    parser.add_argument("--modules", action="store_true", help="the role brings os.modules")
    parser.add_argument("--no-provisioning", action="store_true", help="that server is off")
    parser.add_argument("--nics", type=int, default=0, help="more NICs, on silent networks")
    parser.add_argument("--rtc", help="the machine's clock: 2011-11-11T11:11:00")
    parser.add_argument("--watchdog", action="store_true", help="an i6300esb")
    parser.add_argument("--until", help="end at a console line that matches")
    parser.add_argument("--limit", type=int, default=600, help="seconds (600)")
    parser.add_argument("--fact", action="append", default=[], help="print this fact; 'all'")
    own, qemu = (arguments, [])
    if "--" in arguments:
        cut = arguments.index("--")
        own, qemu = arguments[:cut], arguments[cut + 1:]
    return parser.parse_args(own), qemu


def main(arguments):
    """Boots; returns 0 when the machine ended as it should."""
    options, qemu = options_of(arguments)
    terminal = Terminal(quiet=False)
    with rig.Rig(options.top, options.initramfs) as site:
        disk = os.path.join(site.top, "disks", f"{options.name}.qcow2")
        if not options.keep:
            disk = site.fresh_disk(options.name, *options.variant)
        site.serve_role(modules=options.modules)
        site.set_arguments(options.cmdline)
        if options.no_provisioning:
            site.servers.stop("provision")
        outcome = site.boot(options.name, disk, options.firmware, options.limit, terminal.line,
                            options.until, disk_bus=options.bus, extra_nics=options.nics,
                            rtc=options.rtc, watchdog=options.watchdog, extra=qemu)
        terminal.close()
        for request in site.servers.requests():
            print(f"served: {request['status']} {request['method']} {request['uri']} "
                  f"({request['bytes']} bytes) to {request['agent']}")
    print(f"{outcome.kind} after {outcome.seconds:.0f} s {outcome.detail}")
    facts = Facts(outcome.facts)
    wanted = facts.names() if "all" in options.fact else options.fact
    for name in wanted:
        print(f"== {name} ({facts.status(name)})\n{facts.text(name)}")
    return 0 if outcome.kind in ("verdict", "matched") else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
