#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every archive of archives.py in every packing through the confined child. Refused ones must be
refused with the entry's name and leave nothing but plain files and directories in staging and nothing
at all outside; honest ones must come out byte for byte as GNU tar unpacks them.

usage: run.py [UNPACK_ONE]   (default: the host build's, with sanitizers)"""
import concurrent.futures
import itertools
import os
import queue
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import threading

import archives

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(
    TOP, "build/host/hostile/unpack_one")
RELEASE = os.path.join(TOP, "build/musl/hostile/unpack_one")
PACKINGS = {"tar": None, "gz": ["gzip", "-nc"], "bz2": ["bzip2", "-c"], "xz": ["xz", "-c"],
            "zst": ["zstd", "-qc"]}
OUTSIDE = ["/etc/evil", "/tmp/evil", "/evil"]
# Peak of the child while a release build unpacks with the packers' usual settings, KiB.
MEMORY_MAX = 24 * 1024

passed, failed, skipped = 0, 0, 0
counting = threading.Lock()


def check(name, problem):
    global passed, failed
    with counting:
        passed += not problem
        failed += bool(problem)
        if problem:
            print(f"FAIL {name}: {problem}", flush=True)


def skip(name, why):
    global skipped
    skipped += 1
    print(f"skip {name}: {why}")


def squeeze(data, command):
    if command is None:
        return data
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def run_tool(kind, data, work, chunk=65536, prefix=()):
    """Result line, peak memory in KiB, staging directory."""
    archive, staging = os.path.join(work, "archive"), os.path.join(work, "staging")
    with open(archive, "wb") as out:
        out.write(data)
    os.chmod(archive, 0o644)
    shutil.rmtree(staging, ignore_errors=True)
    os.mkdir(staging, 0o700)
    done = subprocess.run([*prefix, TOOL, kind, archive, staging, str(chunk)], timeout=120,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    lines = done.stdout.decode(errors="replace").splitlines() or ["(nothing)"]
    peak = int(lines[1]) if len(lines) > 1 and lines[1].isdigit() else 0
    return lines[0] if len(lines) <= 2 else " / ".join(lines), peak, staging


def nasty(staging):
    """What must never be made, or None."""
    for root, directories, files in os.walk(staging):
        for name in directories + files:
            path = os.path.join(root, name)
            info = os.lstat(path)
            if not (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
                return f"made '{path}' of mode {info.st_mode:o}"
            if info.st_mode & 0o7022 or (stat.S_ISREG(info.st_mode) and info.st_nlink != 1):
                return f"made '{path}' with mode {info.st_mode:o}, {info.st_nlink} links"
            if info.st_size > 512 << 20:
                return f"made '{path}' of {info.st_size} bytes"
    return None


def refused(line, staging, work, pattern):
    found = re.match(r"(E_ARCHIVE|E_TOO_BIG) (.*)", line)
    if not found or not re.search(pattern, found.group(2)):
        return f"said '{line}', expected E_ARCHIVE or E_TOO_BIG with /{pattern}/"
    if set(os.listdir(work)) != {"archive", "staging"} or any(map(os.path.lexists, OUTSIDE)):
        return "something was made outside"
    return nasty(staging)


def tree_of(top):
    found = {}
    for root, directories, files in os.walk(top):
        for name in directories:
            found[os.path.relpath(os.path.join(root, name), top) + "/"] = None
        for name in files:
            with open(os.path.join(root, name), "rb") as data:
                found[os.path.relpath(os.path.join(root, name), top)] = data.read()
    return found


def modes_differ(staging, reference):
    """Execute bits decide: 0755 or 0644; directories are 0755."""
    for root, directories, files in os.walk(staging):
        for name in directories:
            if os.lstat(os.path.join(root, name)).st_mode & 0o7777 != 0o755:
                return f"'{name}' is not 0755"
        for name in files:
            path = os.path.join(root, name)
            want = os.lstat(os.path.join(reference, os.path.relpath(path, staging))).st_mode
            if os.lstat(path).st_mode & 0o7777 != (0o755 if want & 0o111 else 0o644):
                return f"'{path}' has the wrong mode"
    return None


def taken(line, staging, data, work):
    if not line.startswith("ok "):
        return f"said '{line}'"
    reference = os.path.join(work, "reference")
    shutil.rmtree(reference, ignore_errors=True)
    os.mkdir(reference)
    subprocess.run(["tar", "-xf", "-", "-C", reference, "--no-same-owner"], input=data, check=False,
                   stderr=subprocess.DEVNULL)
    want, have = tree_of(reference), tree_of(staging)
    problem = None
    if want != have:
        problem = f"differs from GNU tar: {sorted(set(want) ^ set(have))[:5] or 'contents'}"
    problem = problem or nasty(staging) or modes_differ(staging, reference)
    shutil.rmtree(reference)
    return problem


def case_refused(work, name, kind, data, pattern):
    line, _, staging = run_tool(kind, data, work)
    check(name, refused(line, staging, work, pattern))


def case_taken(work, name, kind, data, plain, chunk=65536):
    line, _, staging = run_tool(kind, data, work, chunk)
    check(name, taken(line, staging, plain, work))


def table_cases():
    for name, (kind, data, pattern) in archives.REFUSED.items():
        for packing, command in PACKINGS.items():
            yield case_refused, f"{name}.{packing}", kind, squeeze(data, command), pattern
    for name, (kind, data) in archives.TAKEN.items():
        for packing, command in PACKINGS.items():
            yield case_taken, f"{name}.{packing}", kind, squeeze(data, command), data
        yield (case_taken, f"{name} by 7 bytes", kind, squeeze(data, PACKINGS["gz"]), data, 7)


def packing_cases():
    """What the packing itself can hide."""
    good = archives.pack(archives.GOOD)
    noise = archives.pack(archives.member("noise", os.urandom(300000)))
    half = len(noise) // 2
    for packing, command in list(PACKINGS.items())[1:]:
        packed = squeeze(noise, command)
        other = PACKINGS["xz" if packing != "xz" else "gz"]
        cases = [
            ("trailing", packed + b"junk", "after the end|does not unpack"),
            # xz itself allows zeros in fours
            ("trailing-zeros", packed + bytes(5001), "after the end|does not unpack"),
            ("trailing-tar", packed + good, "after the end|does not unpack"),
            ("cut", packed[:len(packed) // 2], "does not unpack|damaged"),
            ("cut-end", packed[:-3], "does not unpack|damaged"),
            ("magic-only", packed[:6], "does not unpack|no tar|damaged|to nothing"),
            ("packed-twice", squeeze(packed, command), "packed twice|no tar"),
            ("packed-otherwise", squeeze(packed, other), "no tar"),
        ]
        if packing != "gz":  # libarchive does not check gzip's CRC; the digest is there for that
            cases.append(("flipped", packed[:9000] + bytes([packed[9000] ^ 255]) + packed[9001:],
                          "does not unpack|damaged|no tar"))
        for name, data, pattern in cases:
            yield case_refused, f"{name}.{packing}", "tree", data, pattern
        yield (case_taken, f"two members.{packing}", "tree",
               squeeze(noise[:half], command) + squeeze(noise[half:], command), noise)


def bomb_cases():
    zeros = archives.pack(archives.member("zeros", bytes(64 << 20)))
    for packing, command in list(PACKINGS.items())[1:]:
        yield case_refused, f"bomb.{packing}", "tree", squeeze(zeros, command), "times its size"
    # zstd itself gives a small input a small window: the frame header is made to ask for 1 GiB
    # (no single segment, exponent 30; RFC 8878 3.1.1.1.2)
    plain = archives.pack(archives.GOOD)
    frame = squeeze(plain, ["zstd", "-qc", "--no-check"])
    for exponent, taken_too in ((27, True), (28, False), (30, False)):
        asks = bytes([*frame[:4], 0, (exponent - 10) << 3]) + strip_frame(frame)
        name = f"window of {1 << (exponent - 20)} MiB"
        if taken_too:  # what --ultra -22 and --long=27 make
            yield case_taken, name, "tree", asks, plain
        else:
            yield case_refused, name, "tree", asks, "needs more than 192 MiB of memory"
    yield case_taken, "xz -9", "tree", squeeze(plain, ["xz", "-9e"]), plain


def strip_frame(frame):
    """The blocks of a zstd frame: what follows its header."""
    descriptor = frame[4]
    single = descriptor >> 5 & 1
    size = [single, 2, 4, 8][descriptor >> 6]
    return frame[5 + (0 if single else 1) + size + [0, 1, 2, 4][descriptor & 3]:]


def run_cases(works):
    """Two at a time, each with a folder of its own."""
    def one(case):
        work = works.get()
        try:
            case[0](work, *case[1:])
        finally:
            works.put(work)

    with concurrent.futures.ThreadPoolExecutor(works.qsize()) as pool:
        for _ in pool.map(one, itertools.chain(table_cases(), packing_cases(), bomb_cases())):
            pass


def run_memory(work):
    """The release's child: the packers' own defaults and their strong settings stay far below what is
    promised, and what asks for more than the limit is refused in words. (A sanitizer's allocator takes
    memory of its own, and ends a program that asks for too much.)"""
    global TOOL
    host, TOOL = TOOL, RELEASE if os.path.exists(RELEASE) else TOOL
    if b"__asan" in open(TOOL, "rb").read():
        skip("memory", f"no {RELEASE}")
        return
    data = archives.pack(*[archives.member(f"n{i}", os.urandom(1 << 20) + b"a" * (1 << 20))
                           for i in range(24)])
    for command in (["gzip", "-c"], ["bzip2", "-9c"], ["xz", "-6c"], ["zstd", "-qc"], ["zstd", "-19qc"]):
        line, peak, staging = run_tool("tree", squeeze(data, command), work)
        check("memory " + " ".join(command), taken(line, staging, data, work) or (
            f"the child took {peak} KiB" if peak > MEMORY_MAX else None))
    case_refused(work, "xz of 512 MiB", "tree", squeeze(archives.pack(archives.GOOD), [
        "xz", "--lzma2=preset=0,dict=512MiB"]), "needs more than 192 MiB of memory")
    TOOL = host


def run_users(work):
    """Root is not needed: a user of his own, and root of a user namespace."""
    name, good = "users", archives.TAKEN["tree"][1]
    if os.geteuid() != 0:
        skip(name, "not root")
        return
    try:
        subprocess.run(["unshare", "-Ur", "true"], check=True, stderr=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError):
        skip(name, "no user namespaces here")
        return
    line, _, staging = run_tool("tree", good, work, prefix=["unshare", "-Urn"])
    check("root of a user namespace", taken(line, staging, good, work))
    os.chmod(work, 0o755)
    global TOOL
    copy, TOOL = TOOL, os.path.join(work, "unpack_one")
    shutil.copy(copy, TOOL)
    staging = os.path.join(work, "staging")
    line, _, _ = run_tool("tree", good, work, prefix=[
        "sh", "-c", 'chown 65534 "$3"; exec setpriv --reuid=65534 --regid=65534 --clear-groups "$0" "$@"'])
    os.unlink(TOOL)
    TOOL = copy
    check("user nobody", None if line.startswith("ok 2 2 ") else f"said '{line}'")


def main():
    works = queue.Queue()
    with tempfile.TemporaryDirectory() as top:
        for number in range(2):
            os.mkdir(os.path.join(top, str(number)))
            works.put(os.path.join(top, str(number)))
        run_cases(works)
        os.chmod(top, 0o755)
        run_memory(works.queue[0])
        run_users(works.queue[0])
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
