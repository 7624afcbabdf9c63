# SPDX-License-Identifier: MIT
"""Turns the man page's SYNOPSIS, COMMANDS, OPTIONS and EXIT STATUS into a C header with the text
of --help, so that the two cannot drift. Knows the few macros that the page uses; any other macro
in those sections is an error."""
import re
import sys

SECTIONS = ("SYNOPSIS", "COMMANDS", "OPTIONS", "EXIT STATUS")
FONTS = {"B", "I", "BR", "RB", "IR", "RI", "BI", "IB"}


def plain(text):
    """Without escapes and quotes: alternating-font macros join their arguments."""
    text = re.sub(r"\\f.", "", text)
    return text.replace(r"\-", "-").replace(r"\&", "")


def macro_text(name, rest):
    words = [q or w for q, w in re.findall(r'"([^"]*)"|(\S+)', rest)]
    return ("" if len(name) == 2 else " ").join(words)


def render(lines):
    out, current, tag_next, indent = [], "", False, ""

    def flush():
        nonlocal current
        if current.strip():
            out.append(indent + current.strip())
        current = ""

    section = None
    for line in lines:
        if line.startswith('.\\"'):
            continue
        if line.startswith(".SH "):
            flush()
            section = line[4:].strip().strip('"')
            if section in SECTIONS:
                out.extend(["", section])
            indent = "  "
            continue
        if section not in SECTIONS:
            continue
        if line == ".TP":
            flush()
            indent, tag_next = "  ", True
        elif line == ".br":
            flush()
        elif line.startswith("."):
            name, _, rest = line[1:].partition(" ")
            if name not in FONTS:
                sys.exit(f"help.py: macro .{name} in {section} is not known")
            current += " " + plain(macro_text(name, rest))
        else:
            current += " " + plain(line)
        if tag_next and line != ".TP":
            flush()
            indent, tag_next = "      ", False
    flush()
    return "\n".join(out).strip("\n") + "\n"


def main():
    with open(sys.argv[1], encoding="utf-8") as page:
        text = render(page.read().splitlines())
    print("/* Made by agent/man/help.py from the man page. */")
    print("#define HELP_TEXT \\")
    rows = [f'\t"{row}\\n"' for row in text.splitlines()]
    print(" \\\n".join(rows))


if __name__ == "__main__":
    main()
