#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Golden tests of steps: a case is a folder in tests/golden/steps, no C to add one.

  steps       names of the steps, in order
  role.yaml   the role; facts: `key=value` lines as `promenade facts` prints them (may be absent)
  target/     the installed OS before (may be absent); target.modes: "0600 /path" lines
  run/        the running system's root (may be absent)
  expected    what the steps print, then every path of the target that is another afterwards

Each case runs twice: the second run must print no change and touch nothing, which is seen by
inode, times, mode and owner of every path. UPDATE=1 writes `expected` anew: read the diff.
"""
import os
import pathlib
import shutil
import stat
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def snapshot(root):
    """path -> (what a person sees, what must not move on the second run)"""
    seen = {}
    for folder, dirs, files in os.walk(root):
        for name in dirs + files:
            path = pathlib.Path(folder, name)
            st = path.lstat()
            shown = "/" + str(path.relative_to(root))
            if path.is_symlink():
                text = f"{shown} -> {os.readlink(path)}\n"
            elif stat.S_ISDIR(st.st_mode):
                text = f"{shown}/\n"
            else:
                data = path.read_bytes()
                text = f"{shown} {stat.S_IMODE(st.st_mode):04o}\n" + body(data)
            seen[shown] = (text, (st.st_ino, st.st_mtime_ns, st.st_ctime_ns, st.st_mode, st.st_uid))
    return seen


def body(data):
    try:
        lines = data.decode().splitlines(keepends=True)
    except UnicodeDecodeError:
        return f"    ({len(data)} bytes)\n"
    return "".join("    |" + (line if line.endswith("\n") else line + "\n    (no newline)\n")
                   for line in lines)


def changes(before, after):
    out = []
    for path in sorted(before.keys() | after.keys()):
        if path not in after:
            out.append(f"{path} removed\n")
        elif path not in before or before[path][0] != after[path][0]:
            out.append(after[path][0])
    return "".join(out)


def copy(case, name, work):
    dest = work / name
    if (case / name).is_dir():
        shutil.copytree(case / name, dest, symlinks=True)
    else:
        dest.mkdir()
    return dest


def run(binary, case, work):
    """The text to compare with `expected`, and a list of complaints."""
    target, run_root = copy(case, "target", work), copy(case, "run", work)
    for entry in sorted(target.rglob("*")):  # whatever umask the checkout was made with
        if not entry.is_symlink():
            entry.chmod(0o755 if entry.is_dir() or os.access(entry, os.X_OK) and
                        entry.stat().st_mode & 0o100 else 0o644)
    modes = case / "target.modes"
    for line in modes.read_text().splitlines() if modes.exists() else []:
        mode, path = line.split(None, 1)
        (target / path.lstrip("/")).chmod(int(mode, 8))
    facts = case / "facts"
    if not facts.exists():
        facts = work / "facts"
        facts.write_text("")
    argv = [binary, run_root, target, case / "role.yaml", facts,
            *(case / "steps").read_text().split()]
    before = snapshot(target)
    first = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    after = snapshot(target)
    second = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    again = snapshot(target)
    bad = []
    for result in (first, second):
        if result.returncode or result.stderr:
            bad.append(f"exit {result.returncode}: {result.stdout}{result.stderr}")
    if [line for line in second.stdout.splitlines()
            if line.split(": ")[1].split()[0] in ("write", "link", "remove", "make")]:
        bad.append("second run has changes:\n" + second.stdout)
    moved = [path for path in after if again.get(path) != after[path]]
    if moved or again.keys() != after.keys():
        bad.append(f"second run touched {moved or again.keys() ^ after.keys()}")
    return first.stdout + "\n" + changes(before, after), bad


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: steps.py STEP_RUN [CASE...]")
    binary = pathlib.Path(sys.argv[1]).resolve()
    names = sys.argv[2:] or sorted(p.name for p in (HERE / "steps").iterdir() if p.is_dir())
    passed = failed = 0
    for name in names:
        case = HERE / "steps" / name
        expected = case / "expected"
        with tempfile.TemporaryDirectory() as tmp:
            text, bad = run(binary, case, pathlib.Path(tmp))
        if os.environ.get("UPDATE"):
            expected.write_text(text)
        wanted = expected.read_text() if expected.exists() else ""
        if text != wanted:
            bad.append("differs from expected (UPDATE=1 writes it):\n" + diff(wanted, text))
        if bad:
            failed += 1
            print(f"FAIL golden/steps/{name}\n" + "\n".join(bad))
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


def diff(wanted, got):
    import difflib
    return "".join(difflib.unified_diff(wanted.splitlines(keepends=True),
                                        got.splitlines(keepends=True), "expected", "now"))


if __name__ == "__main__":
    main()
