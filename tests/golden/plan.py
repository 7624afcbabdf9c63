#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""role + facts -> plan, as text. A case is a folder of tests/golden/plan: role.yaml, facts, and
expected: what `promenade plan --facts facts role.yaml` prints, then "exit N". "--accept" rewrites
what is expected, for a person to review."""
import difflib
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CASES = os.path.join(TOP, "tests/golden/plan")


def run_case(agent, folder):
    done = subprocess.run([agent, "plan", "--facts", "facts", "role.yaml"], cwd=folder,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.stdout.decode(errors="replace") + f"exit {done.returncode}\n"


def main():
    words = [w for w in sys.argv[1:] if w != "--accept"]
    agent = os.path.join(TOP, words[0] if words else "build/host/promenade")
    passed = failed = 0
    for name in sorted(os.listdir(CASES)):
        folder = os.path.join(CASES, name)
        found = run_case(agent, folder)
        path = os.path.join(folder, "expected")
        if "--accept" in sys.argv:
            with open(path, "w", encoding="utf-8") as out:
                out.write(found)
        with open(path, encoding="utf-8") as text:
            expected = text.read()
        if found == expected:
            passed += 1
            continue
        failed += 1
        print(f"{name}:")
        print("\n".join(difflib.unified_diff(expected.splitlines(), found.splitlines(),
                                             "expected", "found", lineterm="")))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
