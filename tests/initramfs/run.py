#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests of the initramfs builder: on a small made-up kernel tree, and on Debian's real one.

Last line: N passed, N failed, N skipped."""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "initramfs"))

import test_boot  # noqa: E402
import test_builder  # noqa: E402
import test_debian  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kernel", default="build/kernel", metavar="DIR", help="as debian-kernel.sh made it"
    )
    parser.add_argument("--build", default="build", metavar="DIR")
    options = parser.parse_args()
    test_debian.use(options.kernel, options.build)
    suite = unittest.TestSuite()
    for module in (test_builder, test_debian, test_boot):
        suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    skipped = len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or result.testsRun == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
