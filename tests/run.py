#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the suites of tests/suites and adds up what they say.

Each suite's output goes to build/test/NAME.log; a suite that fails shows its tail. A suite that says
nothing, is stopped for its time, or ends with a status that does not fit its words counts as one more
failure: silence is not success. Words on the command line choose suites by name; "--long" takes the
table tests/suites-long instead."""
import os
import re
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINE = re.compile(r"^(?:\w+: )?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
TAIL = 60
NOISE = 3  # how many times its allotment a suite may take: tests/suites


def read_suites(name):
    with open(os.path.join(TOP, "tests", name), encoding="utf-8") as table:
        for row in table:
            words = row.split("#")[0].split()
            if words:
                yield words[0], float(words[1]), words[2:]


def last_line(path):
    """Counts of the last line that has them, or None."""
    counts = None
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log:
            found = LINE.match(line.strip())
            if found:
                counts = [int(n or 0) for n in found.groups()]
    return counts


def run_suite(name, minutes, command, log_path):
    """[passed, failed, skipped] and a remark."""
    with open(log_path, "wb") as log:
        process = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        try:
            status = process.wait(minutes * 60 * NOISE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()
            status = None
    counts = last_line(log_path) or [0, 0, 0]
    if status is None:
        counts[1] += 1
        return counts, f"stopped after {minutes * NOISE:g} minutes"
    if sum(counts) == 0:
        counts[1] += 1
        return counts, f"said nothing (exit status {status})"
    if (status != 0) != (counts[1] > 0):
        counts[1] += 1
        return counts, f"exit status {status} does not fit its words"
    return counts, ""


def show_tail(path):
    with open(path, encoding="utf-8", errors="replace") as log:
        for line in log.readlines()[-TAIL:]:
            print("    | " + line.rstrip())


def main():
    chosen = set(sys.argv[1:]) - {"--long"}
    table = "suites-long" if "--long" in sys.argv[1:] else "suites"
    logs = os.path.join(TOP, "build", "test")
    os.makedirs(logs, exist_ok=True)
    total = [0, 0, 0]
    suites = list(read_suites(table))
    unknown = chosen - {name for name, _, _ in suites}
    if unknown:
        sys.exit(f"tests/run.py: no such suite: {', '.join(sorted(unknown))}")
    for name, minutes, command in suites:
        if chosen and name not in chosen:
            continue
        started = time.monotonic()
        log_path = os.path.join(logs, name + ".log")
        counts, remark = run_suite(name, minutes, command, log_path)
        seconds = time.monotonic() - started
        total = [a + b for a, b in zip(total, counts)]
        print(f"{name:<12} {counts[0]:>5} passed {counts[1]:>3} failed {counts[2]:>3} skipped "
              f"{seconds:>6.0f} s of {minutes * 60:.0f} {remark}", flush=True)
        if counts[1]:
            show_tail(log_path)
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    sys.exit(1 if total[1] or not sum(total) else 0)


if __name__ == "__main__":
    main()
