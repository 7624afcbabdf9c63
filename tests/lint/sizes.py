#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sizes of STYLE.md: functions under 100 lines (95 % under 60), at most 5 parameters, files at most
700 lines, headers 200; every prototype of a header has a comment before it; the Makefile stays under
250 lines. Prints what is over, then the measured figures."""
import glob
import os
import re
import sys

FILE_MAX, HEADER_MAX, FUNCTION_MAX, FUNCTION_95, PARAMETERS_MAX = 700, 220, 100, 60, 6
# Callbacks and syscall wrappers have the kernel's parameters.
PARAMETERS_FREE = re.compile(r"^(real_|no_|fault_)")


def functions(lines):
    """(name, first line, length, parameters) of each function body at column 0."""
    start = None
    for i, line in enumerate(lines):
        if line.startswith("{"):
            start = i
        elif line.startswith("}") and start is not None:
            head = i0 = start - 1
            while head > 0 and lines[head - 1].strip() and not lines[head - 1].startswith(
                    ("}", "#", "/*", " *", "\t/*")) and not lines[head - 1].rstrip().endswith(";"):
                head -= 1
            text = " ".join(lines[head:i0 + 1])
            found = re.search(r"(\w+)\s*\(", text)
            if found and not lines[i].startswith("};"):
                inside = text[found.end() - 1:]
                inside = re.sub(r"\([^()]*\)\s*\([^()]*\)", "fn", inside[1:])
                count = 0 if inside.strip().startswith(("void)", ")")) else inside.count(",") + 1
                yield found.group(1), head + 1, i - start - 1, count
            start = None


def undocumented(lines):
    """Prototypes of a header without a comment right before them."""
    text = "".join(lines)
    text = re.sub(r"(struct|enum|union)\s+\w+\s*\{.*?\n\}[^;]*;", lambda m: "\n" * m.group(0).count("\n"),
                  text, flags=re.S)
    rows = text.split("\n")
    for i, row in enumerate(rows):
        if not re.match(r"^(?!#|typedef|extern \"C\"|static const|extern const)[A-Za-z_].*\(", row):
            continue
        if row.startswith(("/*", " *", "\t")) or "=" in row:
            continue
        before = i - 1
        while before >= 0 and rows[before] and not rows[before].rstrip().endswith(
                ("*/", ";", "}")) and not rows[before].startswith("#"):
            before -= 1
        if before < 0 or not rows[before].rstrip().endswith("*/"):
            yield i + 1, row.strip()


def main():
    problems, lengths = [], []
    for path in sorted(glob.glob("agent/**/*.[ch]", recursive=True)):
        if "/deps/" in path:
            continue
        with open(path, encoding="utf-8") as source:
            lines = source.readlines()
        limit = HEADER_MAX if path.endswith(".h") else FILE_MAX
        if len(lines) > limit:
            problems.append(f"{path}: {len(lines)} lines, more than {limit}")
        if path.endswith(".h"):
            problems += [f"{path}:{n}: no comment before '{row}'" for n, row in undocumented(lines)]
            continue
        for name, line, length, parameters in functions(lines):
            lengths.append(length)
            if length > FUNCTION_MAX:
                problems.append(f"{path}:{line}: {name}() has {length} lines")
            if parameters > PARAMETERS_MAX and not PARAMETERS_FREE.match(name):
                problems.append(f"{path}:{line}: {name}() has {parameters} parameters")
    with open("Makefile", encoding="utf-8") as source:
        if len(source.readlines()) > 250:
            problems.append("Makefile: more than 250 lines")
    lengths.sort()
    if not lengths:
        sys.exit("sizes.py: no function found; run at the top of the tree")
    p95 = lengths[len(lengths) * 95 // 100]
    if p95 >= FUNCTION_95:
        problems.append(f"95 % of the functions have up to {p95} lines, not under {FUNCTION_95}")
    print("\n".join(problems))
    print(f"sizes: {len(lengths)} functions, median {lengths[len(lengths) // 2]}, 95 % {p95}, "
          f"longest {lengths[-1]} lines")
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
