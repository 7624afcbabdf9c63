#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The suite on real Kubernetes: make test-cluster.

Every test_*.py beside this file is a unittest module. Words choose tests by a part of their name. The
programs are built on first use (tests/cluster/kube), or KUBE_BIN names their folder.
Last line: N passed, N failed, N skipped."""
import argparse
import pathlib
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "images")]

import lab  # noqa: E402  (beside us, not installed)


class Result(unittest.TextTestResult):
    """A line a test, with its seconds: these tests are long, and a stuck one must show."""

    def startTest(self, test):
        self.began = time.monotonic()
        super().startTest(test)
        self.stream.flush()

    def stopTest(self, test):
        self.stream.writeln(f"    {time.monotonic() - self.began:.1f} s")
        self.stream.flush()
        super().stopTest(test)


def all_tests(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from all_tests(entry)
        else:
            yield entry


def chosen(words):
    """Tests whose name has one of the words; a module that does not import is a failure, not a gap."""
    loaded = unittest.TestSuite(unittest.defaultTestLoader.loadTestsFromName(path.stem)
                                for path in sorted(HERE.glob("test_*.py")))
    return unittest.TestSuite(test for test in all_tests(loaded)
                              if not words or any(word in test.id() for word in words))


def main():
    parser = argparse.ArgumentParser(description="tests on real Kubernetes")
    parser.add_argument("--list", action="store_true", help="names of the tests")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only tests whose name has it")
    args = parser.parse_args()
    suite = chosen(args.words)
    if args.list:
        for test in all_tests(suite):
            print(test.id())
        return 0
    began = time.monotonic()
    print(f"programs: {lab.binaries()} ({time.monotonic() - began:.0f} s)", flush=True)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    skipped = len(result.skipped) + len(result.expectedFailures)
    print(f"{max(result.testsRun - failed - skipped, 0)} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except lab.LabError as error:
        print(f"tests/cluster: {error}")
        print("0 passed, 1 failed, 0 skipped")
        sys.exit(1)
