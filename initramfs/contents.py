# SPDX-License-Identifier: MIT
"""Parses the reviewed list of what the initramfs holds (the file `contents`).

Every mistake is an Error whose text starts with file and line."""

import shlex


class Error(Exception):
    """A message for the person who builds; one or more lines."""


class Item:
    """One line: verb, its words, and where it stands ("contents:12")."""

    def __init__(self, verb, words, where):
        self.verb = verb
        self.words = words
        self.where = where


# verb: how many words at least and at most (None: no limit).
VERBS = {
    "dir": (2, 2),
    "node": (5, 5),
    "file": (3, 3),
    "link": (2, 2),
    "policy": (1, 1),
    "module": (1, None),
    "module?": (1, None),
    "without-firmware": (1, None),
    "keep-compressed": (1, 1),
    "limit": (1, 2),
    "include": (1, 1),
}

UNITS = {"KiB": 1 << 10, "MiB": 1 << 20}


def size_bytes(text, where):
    """ "5MiB" -> 5242880."""
    number, unit = text[:-3], text[-3:]
    if unit not in UNITS or not number.isdigit():
        raise Error(f"{where}: '{text}' is no size; write it as 5MiB or 64KiB")
    return int(number) * UNITS[unit]


def _section_name(line, where):
    words = line.strip("[]").split()
    if words in (["always"], ["rescue"]):
        return words[0]
    if len(words) == 2 and words[0] == "set":
        return words[1]
    raise Error(f"{where}: '{line}' is no section; one of: [always], [set NAME], [rescue]")


def _item(line, where):
    verb, *words = shlex.split(line)
    if verb not in VERBS:
        raise Error(f"{where}: unknown word '{verb}'; one of: {', '.join(VERBS)}")
    least, most = VERBS[verb]
    if len(words) < least or (most is not None and len(words) > most):
        raise Error(
            f"{where}: '{verb}' takes {least} words" + ("" if most == least else " or more")
        )
    if verb in ("dir", "node", "file", "link", "policy") and not words[0].startswith("/"):
        raise Error(f"{where}: '{words[0]}' must be an absolute path")
    return Item(verb, words, where)


def parse(path):
    """Returns {section: [Item]} of the file."""
    sections = {}
    current = None
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path}:{number}"
            line = line.split("#", 1)[0].strip()
            if not line:
                continue
            if line.startswith("["):
                current = sections.setdefault(_section_name(line, where), [])
            elif current is None:
                raise Error(f"{where}: the line stands before the first [section]")
            else:
                current.append(_item(line, where))
    return sections


def sets(sections):
    """Names of the sets that can be asked for."""
    return sorted(name for name in sections if name not in ("always", "rescue"))


def select(sections, name):
    """Items of the section `name` and of what it includes, with [always] first for a set."""
    if name not in sections:
        raise Error(f"SET={name}: no such set; one of: {', '.join(sets(sections))}")
    items = [] if name == "rescue" else list(sections.get("always", []))
    pending, seen = [name], set()
    while pending:
        section = pending.pop(0)
        if section in seen:
            continue
        seen.add(section)
        for item in sections[section]:
            if item.verb != "include":
                # A limit is for the set that states it: the larger set has its own.
                if item.verb != "limit" or section == name:
                    items.append(item)
            elif item.words[0] in sections:
                pending.append(item.words[0])
            else:
                raise Error(f"{item.where}: include '{item.words[0]}': no such set")
    return items
