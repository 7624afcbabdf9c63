#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Speed and size as ratios of one run, in a table (BUILD/bench.txt and the terminal). No test: it
fails only when something cannot be measured.

usage: run.py [--build DIR] [--runs N] [--pairs N] [size|download|memory|boot]..."""
import argparse
import os
import platform
import shutil
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for folder in ("qemu", "initramfs"):
    sys.path.append(os.path.join(TOP, folder))

import boot  # noqa: E402
import contents  # noqa: E402
import download  # noqa: E402
import mkinitramfs  # noqa: E402
import newc  # noqa: E402
import rig  # noqa: E402
import rows  # noqa: E402

AGENT_LIMIT = 2560 * 1024  # agent/gates.sh
PARTS = ("size", "download", "memory", "boot")
NOTES = """
Ratios are medians of pairs measured in turns, with their least and greatest.
CNI: the agent's code opens its staging directory, fetches, hashes and unpacks in one pass, and puts
  the whole file system on the disk (syncfs) before it is done; curl and tar do not wait for the disk.
Memory: VmHWM of the process plus that of its child that unpacks, written to a real disk.
Boot: from the kernel's "Run /init as init process" to the first line of the new root's init, by the
  guest's kernel log, on one prepared Debian disk that no boot changes.
  promenade: modules of every device, DHCP, role over verified HTTPS, all checks and steps of that role
    (each finds its work done), events over HTTPS to the webhook, root and /var, links down, switch_root.
  busybox: six modules and their needs by insmod, udhcpc, the role by wget over plain HTTP, root by
    findfs and /var, read-only, switch_root.
  Debian: its initrd as update-initramfs made it, root=LABEL=root; no network, no /var."""


def _limits(set_name):
    """Bytes of the set's limit, and whether firmware is left out of it."""
    sections = contents.parse(os.path.join(TOP, "initramfs", "contents"))
    items = [item for item in contents.select(sections, set_name) if item.verb == "limit"]
    tightest = [item for item in sections[set_name] if item.verb == "limit"] or items
    return (contents.size_bytes(tightest[0].words[0], tightest[0].where),
            "without-firmware" in tightest[0].words)


def _without_firmware(path):
    """Size of the archive without what is below /lib/firmware, compressed alike."""
    plain = subprocess.run(["zstd", "-dcq", "--long=27", path], check=True,
                           stdout=subprocess.PIPE).stdout
    kept = [entry for entry in newc.read(plain) if not entry.path.startswith("lib/firmware")]
    return len(mkinitramfs.compress(newc.archive(kept, 0)))


def size_rows(build):
    """The agent and both sets against their limits."""
    result = [rows.size("agent", os.path.getsize(os.path.join(build, "promenade")), AGENT_LIMIT)]
    for name, path in (("broadcom", os.path.join(build, "bench", "broadcom.cpio.zst")),
                       ("full", os.path.join(build, "initramfs.cpio.zst"))):
        limit, without = _limits(name)
        if without:
            result.append(rows.size(f"initramfs, set {name}, without firmware",
                                    _without_firmware(path), limit))
        else:
            result.append(rows.size(f"initramfs, set {name}", os.path.getsize(path), limit))
    return result


def download_rows(site, options, parts):
    """What nginx serves, through the release's objects."""
    scratch = os.path.join(site.top, "download")
    os.makedirs(scratch, exist_ok=True)
    shutil.copy(os.path.join(site.authority, "ca.crt"), os.path.join(scratch, "ca.pem"))
    one = download.Downloads(site.servers,
                             os.path.join(options.build, "musl", "bench", "artifact_tool"), scratch)
    result = []
    if "download" in parts:
        result += [one.cni("HTTPS", options.pairs), one.cni("HTTP", options.pairs),
                   one.cni("HTTPS", options.pairs, durable=True),
                   one.cni_in_memory("HTTPS", options.pairs),
                   one.cni_in_memory("HTTP", options.pairs)]
    if "memory" in parts:
        result += [one.memory_of_file(), one.memory_of_archive()]
    return result


def boot_rows(site, options, say):
    """Three initramfs on one disk, and where the agent's time goes."""
    boots = boot.Boots(site, os.path.join(options.build, "musl", "bench", "newroot_init"), say)
    say(f"bench: first boot, which prepares the disk: {boots.prepare():.0f} ms")
    result = boots.measure(options.runs)
    return result, boots.profile_rows()


def options_of(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--build", default="build")
    parser.add_argument("--runs", type=int, default=3, help="boots of each initramfs")
    parser.add_argument("--pairs", type=int, default=5, help="downloads of each kind")
    options = parser.parse_args(arguments)
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part '{unknown.pop()}'; one of: {' '.join(PARTS)}")
    return options


def main(arguments=None):
    """Measures, prints, writes."""
    options = options_of(arguments)
    parts = options.parts or PARTS
    build = os.path.abspath(options.build)
    started = time.monotonic()
    result, profile = [], []
    if "size" in parts:
        result += size_rows(build)
    if set(parts) - {"size"}:
        with rig.Rig(os.path.join(build, "bench", "rig"),
                     os.path.join(build, "initramfs.cpio.zst")) as site:
            result += download_rows(site, options, parts)
            if "boot" in parts:
                found, profile = boot_rows(site, options, print)
                result += found
    text = rows.table(result) + "\n" + NOTES + "\n"
    if profile:
        text += "Where the agent's last boot spent its time:\n" + "\n".join(profile) + "\n"
    load = os.getloadavg()
    text += (f"{os.cpu_count()} CPUs of {platform.machine()}, load {load[0]:.1f} at the end, "
             f"{time.monotonic() - started:.0f} s\n")
    with open(os.path.join(build, "bench.txt"), "w", encoding="utf-8") as file:
        file.write(text)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
