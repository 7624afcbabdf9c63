# SPDX-License-Identifier: MIT
"""Turns the list of contents into archive entries: modules with their index, firmware, policy.

The result names, per entry, where it came from, so that the report can group by it."""

import fnmatch
import os
import re
import shutil
import stat
import tempfile

import contents
import kernel_modules
import newc

MODULES = "lib/modules"
FIRMWARE = "lib/firmware"
CLIENT_KEY = "client.pem"
# What libkmod reads, and the texts of the same for people; modules.symbols is for depmod only.
INDEX = (
    "modules.alias",
    "modules.alias.bin",
    "modules.builtin",
    "modules.builtin.alias.bin",
    "modules.builtin.bin",
    "modules.dep",
    "modules.dep.bin",
    "modules.softdep",
)


class Sources:
    """What the operator hands in: files by name, the kernel's tree, firmware and policy folders."""

    def __init__(self, files, tree, firmware, policy):
        self.files = files
        self.tree = tree
        self.firmware = firmware
        self.policy = policy


class Packed:
    """An archive entry and its kind: "agent", "module", "firmware", "index", "policy", "file"."""

    def __init__(self, kind, entry, raw_size=None):
        self.kind = kind
        self.entry = entry
        self.raw_size = len(entry.data) if raw_size is None else raw_size


def wanted_modules(items, tree):
    """Names that the module lines ask for. All that are missing are named in one Error."""
    wanted, missing = [], []
    for item in items:
        if item.verb not in ("module", "module?"):
            continue
        for pattern in item.words:
            names, builtin = tree.match(pattern)
            wanted.extend(names)
            if not names and not builtin and item.verb == "module":
                missing.append(
                    f"{item.where}: module '{pattern}': kernel {tree.release} has no such module"
                )
    if missing:
        hint = (
            f"neither as a file nor built in (looked in '{tree.folder}'); "
            "pack a kernel that has it, or write the line with 'module?' if machines can do without"
        )
        raise contents.Error("\n".join(missing + [hint]))
    return wanted


def stored_form(tree, name, keep_from):
    """(path, bytes, unpacked bytes) as the archive holds the module. Unpacked, the archive's own
    compression sees all small modules together; large ones stay as shipped, in xz where they
    come without compression."""
    path, shipped, raw = tree.read(name)
    plain = path.split(".ko", 1)[0] + ".ko"
    if len(raw) < keep_from:
        return plain, raw, raw
    if path == plain:
        return f"{path}.xz", kernel_modules.packed_xz(raw), raw
    return path, shipped, raw


def find_firmware(blob, folders):
    """Bytes of a blob from the first folder that has it, None where none has."""
    for folder in folders:
        for below in ("", "lib/firmware", "usr/lib/firmware"):
            path = os.path.join(folder, below, blob)
            if os.path.isfile(path):
                with open(path, "rb") as data:
                    return data.read()
    return None


def firmware_entries(asked, left_out, folders):
    """asked: {blob: module that names it}."""
    packed, missing = [], []
    for blob in sorted(asked):
        if any(fnmatch.fnmatchcase(blob, pattern) for pattern in left_out):
            continue
        data = find_firmware(blob, folders)
        if data is None:
            missing.append(
                f"firmware '{blob}', which module '{asked[blob]}' names, is in none of: "
                + ", ".join(folders)
            )
        else:
            packed.append(Packed("firmware", newc.regular(f"{FIRMWARE}/{blob}", 0o644, data)))
    if missing:
        hint = "give FIRMWARE_DIR=DIR with it, or list it under 'without-firmware' in the contents"
        raise contents.Error("\n".join(missing + [hint]))
    return packed


def module_entries(tree, names, keep_from):
    """Entries of the modules, and {blob: module} of the firmware that they name."""
    packed, asked = [], {}
    for name in sorted(names):
        path, data, raw = stored_form(tree, name, keep_from)
        entry = newc.regular(f"{MODULES}/{tree.release}/{path}", 0o644, data)
        packed.append(Packed("module", entry, len(raw)))
        for blob in kernel_modules.firmware_of(raw):
            asked.setdefault(blob, name)
    return packed, asked


def index_entries(tree, modules):
    """depmod's view of the packed modules alone: an alias of a module that is not there would make
    the agent look for it."""
    with tempfile.TemporaryDirectory(prefix="initramfs-") as base:
        root = os.path.join(base, MODULES, tree.release)
        for packed in modules:
            path = os.path.join(base, packed.entry.path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as module:
                module.write(packed.entry.data)
        os.makedirs(root, exist_ok=True)
        for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
            if os.path.exists(os.path.join(tree.folder, name)):
                shutil.copyfile(os.path.join(tree.folder, name), os.path.join(root, name))
        kernel_modules.run_depmod(base, tree.release)
        entries = []
        for name in INDEX:
            if not os.path.exists(os.path.join(root, name)):
                continue
            with open(os.path.join(root, name), "rb") as index:
                entry = newc.regular(f"{MODULES}/{tree.release}/{name}", 0o644, index.read())
            entries.append(Packed("index", entry))
    return entries


def policy_entries(item, folder):
    """The policy folder below item's path."""
    below = item.words[0]
    packed = [Packed("policy", newc.directory(below, 0o755))]
    for root, folders, files in os.walk(folder or os.devnull):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(root, name)
            inside = os.path.relpath(path, folder)
            mode = os.stat(path).st_mode
            if stat.S_ISDIR(mode):
                packed.append(Packed("policy", newc.directory(f"{below}/{inside}", 0o755)))
            elif stat.S_ISREG(mode):
                packed.append(policy_file(path, inside, below))
            else:
                raise contents.Error(
                    f"policy '{path}' is neither a file nor a directory; remove it"
                )
    return packed


def policy_file(path, inside, below):
    """A private key is refused, because whoever can boot can read the image: it would give all of
    them what the key protects. client.pem alone is made for one (agent/host/policy.h)."""
    with open(path, "rb") as file:
        data = file.read()
    secret = re.search(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----", data)
    if secret and inside != CLIENT_KEY:
        raise contents.Error(
            f"policy '{path}' holds a private key, and the initramfs is public to its "
            f"network: keep only certificates and public keys in POLICY "
            f"(a client's key for mTLS is {CLIENT_KEY})"
        )
    return Packed("policy", newc.regular(f"{below}/{inside}", 0o600 if secret else 0o644, data))


def file_entry(item, sources, set_name):
    """A `file` line's entry; the initrd-release names what was packed."""
    path, mode, source = item.words
    if not sources.files.get(source):
        raise contents.Error(
            f"{item.where}: '{source}' was not given to the builder (--file {source}=PATH)"
        )
    with open(sources.files[source], "rb") as file:
        data = file.read()
    if source == "initrd-release":
        data = data.replace(b"@SET@", set_name.encode()).replace(
            b"@KERNEL@", sources.tree.release.encode()
        )
    kind = "agent" if source == "agent" else "file"
    return Packed(kind, newc.regular(path, int(mode, 8), data))


def plain_entries(items, sources, set_name):
    """Entries of the lines that are neither modules nor rules."""
    packed = []
    for item in items:
        words = item.words
        if item.verb == "dir":
            packed.append(Packed("file", newc.directory(words[0], int(words[1], 8))))
        elif item.verb == "node":
            device = newc.char_device(words[0], int(words[1], 8), int(words[3]), int(words[4]))
            packed.append(Packed("file", device))
        elif item.verb == "link":
            packed.append(Packed("file", newc.symlink(words[0], words[1])))
        elif item.verb == "file":
            packed.append(file_entry(item, sources, set_name))
        elif item.verb == "policy":
            packed.extend(policy_entries(item, sources.policy))
    return packed


def _keep_from(items):
    sizes = [contents.size_bytes(i.words[0], i.where) for i in items if i.verb == "keep-compressed"]
    return min(sizes, default=float("inf"))


def _left_out(items):
    return [pattern for i in items if i.verb == "without-firmware" for pattern in i.words]


def build(sections, set_name, sources):
    """[Packed] of the main archive."""
    items = contents.select(sections, set_name)
    names = sources.tree.closure(wanted_modules(items, sources.tree))
    modules, asked = module_entries(sources.tree, names, _keep_from(items))
    return (
        plain_entries(items, sources, set_name)
        + modules
        + index_entries(sources.tree, modules)
        + firmware_entries(asked, _left_out(items), sources.firmware)
    )


def build_rescue(sections, set_name, sources, applets):
    """[Packed] of the archive that is appended to the set's: the shell, its links, its modules, and
    an index over the modules of both, which replaces the first archive's."""
    items = contents.select(sections, set_name)
    extra = contents.select(sections, "rescue")
    tree = sources.tree
    base = tree.closure(wanted_modules(items, tree))
    more = tree.closure(wanted_modules(extra, tree)) - base
    keep = _keep_from(items)
    both, _ = module_entries(tree, base | more, keep)
    added, asked = module_entries(tree, more, keep)
    links = [
        Packed("file", newc.symlink(f"bin/{name}", "busybox"))
        for name in applets
        if name != "busybox"
    ]
    return (
        plain_entries(extra, sources, set_name)
        + links
        + added
        + index_entries(tree, both)
        + firmware_entries(asked, _left_out(items + extra), sources.firmware)
    )
