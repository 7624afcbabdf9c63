# SPDX-License-Identifier: MIT
"""Debian's packages of any suite, unpacked in the cache (shared with tests/golden/engines.py)."""
import pathlib
import sys

import lab

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "golden"))

import engines  # noqa: E402  (of the neighbouring suite)


def package(suite, name):
    """Folder with a package's files."""
    folder = engines.fetch(suite, name)
    if folder is None:
        raise lab.LabError(f"Debian's {suite} has no package '{name}' for us: see above")
    return folder
