#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every unit test program of build/host/unit and adds up what cmocka says. A program that dies
(a sanitizer's report included) counts as a failure with its last lines shown."""
import glob
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PASSED = re.compile(r"^\[  PASSED  \] (\d+) test", re.M)
FAILED = re.compile(r"^\[  FAILED  \] (\d+) test", re.M)
SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) test", re.M)


def count(pattern, text):
    return sum(int(n) for n in pattern.findall(text))


def main():
    passed = failed = skipped = 0
    programs = sorted(p for p in glob.glob(os.path.join(TOP, "build/host/unit/test_*"))
                      if os.access(p, os.X_OK) and not p.endswith((".d", ".o")))
    for program in programs:
        done = subprocess.run([program], cwd=TOP, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120, check=False)
        text = (done.stdout + done.stderr).decode(errors="replace")
        good, bad = count(PASSED, text), count(FAILED, text)
        skipped += count(SKIPPED, text)
        if done.returncode != 0 and bad == 0:
            bad = 1
        passed += good
        failed += bad
        print(f"{os.path.basename(program):<28} {good:>3} passed {bad:>3} failed")
        if bad:
            print("\n".join("    | " + line for line in text.splitlines()[-40:]))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
