# SPDX-License-Identifier: MIT
"""Writes and reads cpio archives of the kind that the kernel unpacks ("newc").

    header: "070701" and 13 numbers of 8 hex digits, then name NUL, padded to 4, data, padded to 4
    (Documentation/driver-api/early-userspace/buffer-format.rst)

The writer gives the same bytes for the same entries: owner 0, one time for all, sorted names,
inode numbers by position. It needs no privilege for device nodes."""

import stat

MAGIC = b"070701"
TRAILER = "TRAILER!!!"


class Entry:
    """path without leading slash; mode with type bits; data of a file or target of a link."""

    def __init__(self, path, mode, data=b"", device=(0, 0)):
        self.path = path.strip("/")
        self.mode = mode
        self.data = data
        self.device = device


def directory(path, mode):
    return Entry(path, stat.S_IFDIR | mode)


def regular(path, mode, data):
    return Entry(path, stat.S_IFREG | mode, data)


def symlink(path, target):
    return Entry(path, stat.S_IFLNK | 0o777, target.encode())


def char_device(path, mode, major, minor):
    return Entry(path, stat.S_IFCHR | mode, device=(major, minor))


def _padding(length):
    return b"\0" * (-length % 4)


def _record(entry, inode, time):
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (
        inode,
        entry.mode,
        0,
        0,
        links,
        time,
        len(entry.data),
        0,
        0,
        *entry.device,
        len(name),
        0,
    )
    head = MAGIC + b"".join(b"%08x" % field for field in fields) + name
    return head + _padding(len(head)) + entry.data + _padding(len(entry.data))


def _with_parents(entries):
    """One entry per path, each with its directories: the kernel drops a file without a parent."""
    by_path = {}
    for entry in entries:
        if entry.path in by_path:
            raise ValueError(f"'/{entry.path}' is in the archive twice")
        by_path[entry.path] = entry
    for path in list(by_path):
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            parent = "/".join(parts[:depth])
            by_path.setdefault(parent, directory(parent, 0o755))
    return [by_path[path] for path in sorted(by_path, key=lambda path: path.split("/"))]


def archive(entries, time):
    """Bytes of the archive."""
    records = [_record(entry, inode, time) for inode, entry in enumerate(_with_parents(entries), 1)]
    records.append(_record(Entry(TRAILER, 0), 0, 0))
    return b"".join(records)


def read(data):
    """Entries of an archive, in order; for tests and reports."""
    offset = 0
    while data[offset : offset + 6] == MAGIC:
        head = data[offset : offset + 110]
        fields = [int(head[6 + 8 * i : 14 + 8 * i], 16) for i in range(13)]
        name_end = offset + 110 + fields[11]
        path = data[offset + 110 : name_end - 1].decode()
        if path == TRAILER:
            return
        start = name_end + (-(110 + fields[11]) % 4)
        entry = Entry(path, fields[1], data[start : start + fields[6]], (fields[9], fields[10]))
        entry.inode, entry.owner, entry.time = (fields[0], (fields[2], fields[3]), fields[5])
        yield entry
        offset = start + fields[6] + (-fields[6] % 4)
    raise ValueError(f"no cpio header at byte {offset}")
