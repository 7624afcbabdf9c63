#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The lint gate: each check passes or fails as one. The compilers see every file with -Werror and
the libraries' real headers (build/host must have been built)."""
import concurrent.futures
import glob
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
WARNINGS = ("-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes "
            "-Wformat=2 -Wvla -Wundef -Wswitch-enum -Wwrite-strings -Wpointer-arith "
            "-Wimplicit-fallthrough -Werror").split()
COMMON = ["-std=c11", "-D_GNU_SOURCE", "-Iagent", "-Itests", "-Ibuild/generated", "-isystem",
          "build/host/sysroot/include", "-fsyntax-only", "-O1"] + WARNINGS


def sources():
    found = glob.glob("agent/*.c") + glob.glob("agent/*/*.c") + glob.glob("tests/*/*.c")
    return sorted(f for f in found if "/deps/" not in f)


def headers():
    return sorted(f for f in glob.glob("agent/*/*.h") + glob.glob("agent/*.h") if "/deps/" not in f)


def run(command, **more):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **more)
    return done.returncode, done.stdout.decode(errors="replace")


def each(files, command_of):
    """All files through a command, two at a time; the outputs of those that failed."""
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        results = pool.map(lambda f: run(command_of(f)), files)
    return "".join(text for status, text in results if status)


def gcc(path):
    return ["gcc", *COMMON, "-Wno-format-truncation", path]


def clang(path):
    # cmocka's macros and jmp_buf are the tests' own business; clang 14 has no opinion on truncation.
    return [CLANG, *COMMON, path]


def alone(path):
    return ["sh", "-c", 'printf "#include \\"%s\\"\\nextern int lint_unused;\\n" "$1" | '
            'gcc -std=c11 -D_GNU_SOURCE -Iagent -isystem build/host/sysroot/include -fsyntax-only '
            '-Wall -Wextra -Werror -x c -', "sh", path[len("agent/"):]]


def find(*names):
    for name in names:
        if run(["sh", "-c", f"command -v {name}"])[0] == 0:
            return name
    return names[0]


CLANG = find("clang", "clang-19", "clang-14")
FORMAT = find("clang-format", "clang-format-19", "clang-format-14")


def shell_scripts():
    tracked = run(["git", "ls-files"])[1].split()
    scripts = []
    for path in tracked:
        if path.endswith(".sh") or path == ".ci/run":
            scripts.append(path)
        elif "." not in os.path.basename(path) and os.access(path, os.X_OK):
            with open(path, "rb") as first:
                if first.readline().startswith((b"#!/bin/sh", b"#!/usr/bin/env bash")):
                    scripts.append(path)
    return scripts


def cppcheck():
    return run(["cppcheck", "--quiet", "--std=c11", "--error-exitcode=1", "--inline-suppr", "-j2",
                "--enable=warning,portability", "--suppress=missingIncludeSystem",
                "--suppress=unknownMacro", "-D_GNU_SOURCE", "-D__x86_64__", "-DCLEANUP(x)=",
                "-Iagent", "-Ibuild/generated", *[f for f in sources() if f.startswith("agent")]])


CHECKS = {
    "format": lambda: run([FORMAT, "--dry-run", "-Werror", *sources(), *headers()]),
    "gcc": lambda: (lambda text: (bool(text), text))(each(sources(), gcc)),
    "clang": lambda: (lambda text: (bool(text), text))(each(sources(), clang)),
    "headers-alone": lambda: (lambda text: (bool(text), text))(each(headers(), alone)),
    "cppcheck": cppcheck,
    "shellcheck": lambda: run(["shellcheck", *shell_scripts()]),
    "layers": lambda: run([sys.executable, "tests/lint/layers.py"]),
    "sizes": lambda: run([sys.executable, "tests/lint/sizes.py"]),
    "python": lambda: run([sys.executable, "-m", "py_compile", *[
        f for f in run(["git", "ls-files", "*.py"])[1].split() if os.path.exists(f)]]),
}


def main():
    os.chdir(TOP)
    passed = failed = 0
    for name in sys.argv[1:] or CHECKS:
        status, text = CHECKS[name]()
        print(f"{name:<14} {'FAILED' if status else 'passed'}")
        if status or name == "sizes":
            print("\n".join("    | " + line for line in text.splitlines()[-40:]))
        passed, failed = passed + (not status), failed + bool(status)
    print(f"{passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
