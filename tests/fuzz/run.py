#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds each tests/fuzz/fuzz_NAME.c with clang's libFuzzer, ASan and UBSan, replays corpus/NAME, then
fuzzes for FUZZ_SECONDS (default 5) a target. The lines "Links:" in a target's head name the agent's
sources that it needs, "Flags:" further words for the linker. An input that fails is kept beside the
log and its name printed. Words on the command line choose targets by name."""
import glob
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
OUT = os.path.join(TOP, "build", "fuzz")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "5"))
# libFuzzer's own limits: one input may take 10 s and 512 MiB.
LIMITS = ["-timeout=10", "-rss_limit_mb=512", "-max_len=4096", "-print_final_stats=0"]


def words_of(source, label):
    with open(source, encoding="utf-8") as text:
        return [word for line in re.findall(rf"{label}:(.*)", text.read()) for word in line.split()]


def build(name, source):
    program = os.path.join(OUT, name)
    links = [os.path.join(TOP, "agent", unit + ".c") for unit in words_of(source, "Links")]
    command = ["clang", "-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-fsanitize=fuzzer,address,undefined",
               "-fno-sanitize-recover=undefined", "-I" + os.path.join(TOP, "agent"), "-o", program,
               source, *links, *words_of(source, "Flags")]
    subprocess.run(command, check=True)
    return program


def fuzz(name, program):
    """True when neither the corpus nor the fuzzing finds anything."""
    seeds = os.path.join(HERE, "corpus", name)
    found = os.path.join(OUT, name + "-corpus")
    os.makedirs(found, exist_ok=True)
    artifacts = f"-artifact_prefix={OUT}/{name}-"
    replay = sorted(glob.glob(seeds + "/*"))
    runs = [[program, artifacts, *LIMITS, *replay]] if replay else []
    if SECONDS:
        runs.append([program, artifacts, *LIMITS, f"-max_total_time={SECONDS}", found, seeds])
    with open(os.path.join(OUT, name + ".log"), "wb") as log:
        for command in runs:
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                              timeout=SECONDS + 120, check=False).returncode:
                return False
    return True


def main():
    sources = sorted(glob.glob(os.path.join(HERE, "fuzz_*.c")))
    targets = {os.path.basename(s)[len("fuzz_"):-len(".c")]: s for s in sources}
    chosen = sys.argv[1:] or list(targets)
    if not shutil.which("clang"):
        print(f"skipped: needs clang with libFuzzer\n0 passed, 0 failed, {len(chosen)} skipped")
        return 0
    os.makedirs(OUT, exist_ok=True)
    failed = 0
    for name in chosen:
        good = fuzz(name, build(name, targets[name]))
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}", flush=True)
        if not good:
            with open(os.path.join(OUT, name + ".log"), encoding="utf-8", errors="replace") as log:
                print("".join("    | " + line for line in log.readlines()[-30:]))
    print(f"{len(chosen) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
