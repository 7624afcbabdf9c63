#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds the initramfs, or its rescue supplement, or a report of sizes.

Same inputs, same bytes: times come from SOURCE_DATE_EPOCH, owners are root, the order is by name,
and the compressor runs in one thread. Needs no privilege; needs depmod (kmod) and zstd.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import contents
import image
import kernel_modules
import newc

# The window of --ultra -22 is at most 128 MiB, the largest that the kernel's unzstd takes, and
# shrinks to the archive's size because zstd reads a file. zstd's output depends on its threads.
ZSTD = ("zstd", "-22", "--ultra", "--long=27", "--single-thread", "-q", "-c")
ZSTD_QUICK = ("zstd", "-9", "--single-thread", "-q", "-c")
HERE = os.path.dirname(os.path.abspath(__file__))


def compress(data, command=ZSTD):
    with tempfile.NamedTemporaryFile(prefix="initramfs-") as plain:
        plain.write(data)
        plain.flush()
        return subprocess.run([*command, plain.name], check=True, stdout=subprocess.PIPE).stdout


def compressed_before(path, data):
    """The archive at path where it holds exactly data and this builder made it, else None:
    compressing is nearly all of a build's time."""
    builder = os.path.abspath(__file__)
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(builder):
        return None
    old = subprocess.run(["zstd", "-dcq", "--long=27", path], stdout=subprocess.PIPE, check=False)
    if old.returncode != 0 or old.stdout != data:
        return None
    with open(path, "rb") as archive:
        return archive.read()


def cpio_of(packed, time):
    return newc.archive([one.entry for one in packed], time)


def mebibytes(size):
    return f"{size / (1 << 20):.2f} MiB"


def check_limits(items, packed, size, time):
    """Refuses an archive that is larger than its set allows."""
    for item in (item for item in items if item.verb == "limit"):
        limit = contents.size_bytes(item.words[0], item.where)
        what, measured = "the archive", size
        if "without-firmware" in item.words and size > limit:
            what = "the archive without firmware"
            measured = len(compress(cpio_of([p for p in packed if p.kind != "firmware"], time)))
        if measured > limit:
            raise contents.Error(
                f"{item.where}: {what} has {measured} bytes ({mebibytes(measured)}), "
                f"{measured - limit} more than {item.words[0]}; "
                "`make initramfs-report` shows what is large"
            )
        print(f"{what}: {mebibytes(measured)} of at most {item.words[0]}")


def write(path, data):
    """Replaces path at once: a build that is interrupted leaves no half of an archive."""
    beside = f"{path}.new"
    with open(beside, "wb") as out:
        out.write(data)
    os.replace(beside, path)


def shares(packed, size):
    """{path: bytes of the archive} that add up to size. What an entry adds depends on its
    neighbours: its own compressed size is scaled, except where it is incompressible.
    """
    alone = {
        one.entry.path: len(compress(one.entry.data, ZSTD_QUICK))
        for one in packed
        if one.entry.data
    }
    fixed = {}
    for one in packed:
        stored = len(one.entry.data)
        if stored and alone[one.entry.path] > 0.98 * stored:
            fixed[one.entry.path] = stored
    rest = sum(bytes_ for path, bytes_ in alone.items() if path not in fixed)
    scale = (size - sum(fixed.values())) / rest if rest else 1
    return {path: fixed.get(path) or round(bytes_ * scale) for path, bytes_ in alone.items()}


def report(set_name, packed, size):
    """Size by entry, largest first, and by kind."""
    share_of = shares(packed, size)
    lines, totals = [], {}
    for one in packed:
        if not one.entry.data:
            continue
        share = share_of[one.entry.path]
        lines.append((share, one.raw_size, len(one.entry.data), one.kind, one.entry.path))
        kind = totals.setdefault(one.kind, [0, 0, 0, 0])
        for index, number in enumerate((1, share, one.raw_size, len(one.entry.data))):
            kind[index] += number
    print(f"set {set_name}: {mebibytes(size)} compressed")
    print("archive ~bytes   stored    unpacked  kind      entry")
    for share, raw, stored, kind, path in sorted(lines, reverse=True):
        print(f"{share:14} {stored:8} {raw:11}  {kind:8}  /{path}")
    print("\narchive ~bytes   stored    unpacked  kind      number")
    for kind, (number, share, raw, stored) in sorted(totals.items()):
        print(f"{share:14} {stored:8} {raw:11}  {kind:8}  {number}")
    stored, raw = (sum(line[index] for line in lines) for index in (2, 1))
    print(f"{size:14} {stored:8} {raw:11}  in all    {len(lines)}")


def kernel_tree(options, scratch):
    release = kernel_modules.release_of_kernel(options.kernel)
    folder = kernel_modules.find_tree(options.modules, release)
    tree = kernel_modules.Tree(folder, scratch)
    if release and tree.release != release:
        raise contents.Error(
            f"kernel '{options.kernel}' is {release}, but the modules in '{options.modules}' "
            f"are for {tree.release}: give KERNEL and MODULES of one build"
        )
    return tree


def applets_of(busybox):
    listing = subprocess.run([busybox, "--list"], check=True, stdout=subprocess.PIPE).stdout
    return sorted(listing.decode().split())


def run(options, scratch):
    sections = contents.parse(options.contents)
    items = contents.select(sections, options.set)
    files = dict(pair.split("=", 1) for pair in options.file)
    sources = image.Sources(files, kernel_tree(options, scratch), options.firmware, options.policy)
    if options.rescue:
        packed = image.build_rescue(sections, options.set, sources, applets_of(files["busybox"]))
    else:
        packed = image.build(sections, options.set, sources)
    cpio = cpio_of(packed, options.time)
    before = compressed_before(options.out, cpio)
    archive = before or compress(cpio)
    if options.report:
        report(options.set, packed, len(archive))
    elif not options.rescue:
        check_limits(items, packed, len(archive), options.time)
    if options.out:
        if not before:
            write(options.out, archive)
        print(
            f"{options.out}: {len(archive)} bytes ({mebibytes(len(archive))}), "
            f"{len(packed)} entries, {mebibytes(len(cpio))} unpacked, "
            f"kernel {sources.tree.release}, set {options.set}"
        )
        if not options.policy and not options.rescue:
            print(
                "warning: no POLICY=DIR: this image trusts no server and no signature",
                file=sys.stderr,
            )


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contents", default=os.path.join(HERE, "contents"), metavar="FILE")
    parser.add_argument("--set", default="full", metavar="NAME")
    parser.add_argument("--kernel", required=True, metavar="VMLINUZ")
    parser.add_argument("--modules", required=True, metavar="DIR", help="lib/modules/RELEASE")
    parser.add_argument(
        "--firmware", action="append", default=[], metavar="DIR", help="may be repeated"
    )
    parser.add_argument("--policy", default="", metavar="DIR", help="certificates and public keys")
    parser.add_argument(
        "--file",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="what a `file` line calls NAME: agent, initrd-release, busybox",
    )
    parser.add_argument("--out", default="", metavar="FILE")
    parser.add_argument("--report", action="store_true", help="print sizes")
    parser.add_argument("--rescue", action="store_true", help="build the supplement instead")
    options = parser.parse_args()
    options.time = int(os.environ.get("SOURCE_DATE_EPOCH", "0"))
    if options.policy and not os.path.isdir(options.policy):
        parser.error(f"POLICY='{options.policy}' is no directory")
    return options


def main():
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="initramfs-") as scratch:
        try:
            run(options, scratch)
        except (contents.Error, kernel_modules.TreeError, OSError) as error:
            print(f"mkinitramfs: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
