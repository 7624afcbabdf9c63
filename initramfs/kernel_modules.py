# SPDX-License-Identifier: MIT
"""A kernel's module tree: which modules there are, what each needs, which firmware it names.

Reads what depmod wrote (modules.dep and its companions); where a tree has no such index, depmod
writes one into a folder of the caller, so that the tree itself may be read-only."""

import fnmatch
import gzip
import lzma
import os
import struct
import subprocess

SUFFIXES = (".ko", ".ko.gz", ".ko.xz", ".ko.zst")


class TreeError(Exception):
    """The tree cannot be used; the text says why."""


def name_of(path):
    """kernel/fs/nls/nls_iso8859-1.ko.xz -> nls_iso8859_1"""
    return os.path.basename(path).split(".ko", 1)[0].replace("-", "_")


def unpacked(path, data):
    """The module itself, whatever its file is compressed with."""
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        return subprocess.run(
            ["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True
        ).stdout
    return data


def packed_xz(data):
    """The form that the kernel's own decompressor takes: CRC32 is the only check that it knows
    (Documentation/staging/xz.rst)."""
    return lzma.compress(data, check=lzma.CHECK_CRC32, preset=9 | lzma.PRESET_EXTREME)


def section(elf, wanted):
    """Bytes of a section of a 64-bit little-endian ELF file, b"" where it has none."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise TreeError("not a 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", elf, 0x28)
    size, count, names_index = struct.unpack_from("<HHH", elf, 0x3A)

    def header(index):
        name, _, _, _, offset, length = struct.unpack_from("<IIQQQQ", elf, table + index * size)
        return name, offset, length

    _, names, _ = header(names_index)
    for index in range(count):
        name, offset, length = header(index)
        end = elf.index(b"\0", names + name)
        if elf[names + name : end] == wanted:
            return elf[offset : offset + length]
    return b""


def firmware_of(module):
    """Blobs that the module's modinfo names."""
    fields = section(module, b".modinfo").split(b"\0")
    return [field[9:].decode() for field in fields if field.startswith(b"firmware=")]


def release_of_kernel(path):
    """The release that an x86 kernel image carries, None where the format has none.
    Documentation/arch/x86/boot.rst: "HdrS" at 0x202, offset of the text less 0x200 at 0x20e.
    """
    with open(path, "rb") as image:
        head = image.read(0x10000)
    if head[0x202:0x206] != b"HdrS":
        return None
    start = struct.unpack_from("<H", head, 0x20E)[0] + 0x200
    return head[start : head.index(b"\0", start)].split(b" ")[0].decode()


def find_tree(path, release):
    """MODULES may be the folder of one release or any parent up to the root of a package."""
    for tail in ("", release or "", f"lib/modules/{release}", f"usr/lib/modules/{release}"):
        folder = os.path.join(path, tail)
        if os.path.exists(os.path.join(folder, "modules.builtin")):
            return os.path.realpath(folder)
    raise TreeError(
        f"'{path}' holds no modules of kernel '{release}': MODULES must be its lib/modules/RELEASE"
    )


class Tree:
    """The modules of one kernel release."""

    def __init__(self, folder, index_folder):
        self.folder = folder
        self.release = os.path.basename(folder)
        self.index = folder
        if not os.path.exists(os.path.join(folder, "modules.dep")):
            self.index = write_index(folder, index_folder)
        self.paths = {}
        self.depends = {}
        for line in self._lines("modules.dep"):
            path, _, needs = line.partition(":")
            self.paths[name_of(path)] = path
            self.depends[name_of(path)] = [name_of(need) for need in needs.split()]
        self.builtin = {name_of(line): line for line in self._lines("modules.builtin")}
        self.soft = self._soft_depends()
        self.aliases = self._aliases()

    def _lines(self, name):
        folder = self.folder if name == "modules.builtin" else self.index
        try:
            with open(os.path.join(folder, name), encoding="ascii") as lines:
                stripped = [line.strip() for line in lines]
        except FileNotFoundError:
            return []
        return [line for line in stripped if line and not line.startswith("#")]

    def _soft_depends(self):
        soft = {}
        for line in self._lines("modules.softdep"):
            _, module, *words = line.split()
            soft.setdefault(name_of(module), []).extend(w for w in words if not w.endswith(":"))
        return soft

    def _aliases(self):
        """Aliases without a device pattern: the names by which modules ask for each other."""
        aliases = {}
        for line in self._lines("modules.alias"):
            _, alias, module = line.split()
            if not set(alias) & set("*?["):
                aliases.setdefault(name_of(alias), []).append(name_of(module))
        return aliases

    def match(self, pattern):
        """Names of loadable modules, and whether the kernel has it built in."""
        if "/" in pattern:
            found = [n for n, path in self.paths.items() if path_matches(path, pattern)]
            return found, any(path_matches(path, pattern) for path in self.builtin.values())
        name = name_of(pattern)
        if "*" in name:
            return fnmatch.filter(self.paths, name), bool(fnmatch.filter(self.builtin, name))
        return [name] if name in self.paths else [], name in self.builtin

    def closure(self, names):
        """The names with all that they need, hard and soft. A soft dependency that is nowhere is
        what its kind allows: the kernel's own code does without."""
        found, pending = set(), list(names)
        while pending:
            name = pending.pop()
            if name in found:
                continue
            if name not in self.paths:
                pending.extend(self.aliases.get(name, []))
                continue
            found.add(name)
            pending.extend(self.depends[name])
            pending.extend(name_of(soft) for soft in self.soft.get(name, []))
        return found

    def read(self, name):
        """(path within the tree, bytes as shipped, bytes unpacked)"""
        path = self.paths[name]
        with open(os.path.join(self.folder, path), "rb") as module:
            data = module.read()
        return path, data, unpacked(path, data)


def path_matches(path, pattern):
    stem = path.split(".ko", 1)[0]
    return fnmatch.fnmatchcase(stem, pattern) or fnmatch.fnmatchcase(path, pattern)


def write_index(folder, out):
    """depmod of a tree into out/lib/modules/RELEASE; returns that folder."""
    release = os.path.basename(folder)
    where = os.path.join(out, "lib", "modules", release)
    os.makedirs(where, exist_ok=True)
    for name in sorted(os.listdir(folder)):
        link = os.path.join(where, name)
        if name in (
            "kernel",
            "extra",
            "updates",
            "modules.order",
            "modules.builtin",
            "modules.builtin.modinfo",
        ):
            if not os.path.lexists(link):
                os.symlink(os.path.join(folder, name), link)
    run_depmod(out, release)
    return where


def run_depmod(base, release):
    command = ["depmod", "-b", base, release]
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    try:
        subprocess.run(
            command, check=True, env={**os.environ, "PATH": path}, stderr=subprocess.PIPE
        )
    except FileNotFoundError:
        raise TreeError("depmod is not installed: apt-get install kmod") from None
    except subprocess.CalledProcessError as failed:
        raise TreeError(f"{' '.join(command)}: {failed.stderr.decode().strip()}") from None
