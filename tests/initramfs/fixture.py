# SPDX-License-Identifier: MIT
"""A kernel tree of a few modules that is made on the spot: real ELF files with a .modinfo and a
symbol table, so that the real depmod reads them."""

import lzma
import os
import struct
import subprocess

RELEASE = "6.1.0-test"


def elf_module(modinfo):
    """A relocatable 64-bit ELF file with the sections that depmod and the builder read."""
    info = b"".join(f"{key}={value}".encode() + b"\0" for key, value in modinfo)
    names = b"\0.modinfo\0.strtab\0.symtab\0"
    symbols = b"\0" * 24
    header_size, section_size = 64, 64
    offsets, blob = [], b""
    for part in (info, names, symbols):
        offsets.append(header_size + len(blob))
        blob += part + b"\0" * (-len(part) % 8)
    table = header_size + len(blob)
    ident = b"\x7fELF\x02\x01\x01" + b"\0" * 9
    head = ident + struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 4, 2)

    def section(name, kind, index, size, link=0, entry=0):
        offset = offsets[index] if index is not None else 0
        return struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, link, 0, 8, entry)

    assert len(head) == header_size and len(section(0, 0, None, 0)) == section_size
    sections = section(0, 0, None, 0)
    sections += section(names.index(b".modinfo"), 1, 0, len(info))
    sections += section(names.index(b".strtab"), 3, 1, len(names))
    sections += section(names.index(b".symtab"), 2, 2, len(symbols), 2, 24)
    return head + blob + sections


def bz_image(release):
    """The first bytes of an x86 kernel: what release_of_kernel() reads."""
    image = bytearray(0x1000)
    image[0x202:0x206] = b"HdrS"
    image[0x20E:0x210] = struct.pack("<H", 0x600)
    image[0x800 : 0x800 + len(release)] = release.encode()
    return bytes(image)


MODULES = {
    # path: fields of .modinfo
    "kernel/drivers/net/nic.ko": [
        ("license", "GPL"),
        ("alias", "pci:v000014E4d00001639sv*sd*bc*sc*i*"),
        ("firmware", "nic/main.fw"),
        ("firmware", "nic/old.fw"),
        ("softdep", "pre: sum-of-bytes"),
    ],
    "kernel/drivers/net/other-nic.ko.xz": [("license", "GPL"), ("filler", "x" * 6000)],
    "kernel/lib/sum_generic.ko.xz": [("license", "GPL"), ("alias", "sum-of-bytes")],
    "kernel/lib/sum_fast.ko.zst": [("license", "GPL"), ("alias", "sum-of-bytes")],
    "kernel/fs/large_plain.ko": [("license", "GPL"), ("filler", "y" * 6000)],
    "kernel/fs/unwanted.ko": [("license", "GPL"), ("firmware", "unwanted.fw")],
}


def packed_as(path, data):
    if path.endswith(".xz"):
        return lzma.compress(data, check=lzma.CHECK_CRC32)
    if path.endswith(".zst"):
        return subprocess.run(
            ["zstd", "-qc"], input=data, stdout=subprocess.PIPE, check=True
        ).stdout
    return data


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb" if isinstance(data, bytes) else "w") as file:
        file.write(data)


class Fixture:
    """Everything that a build takes, below one folder; `words` is the builder's command line."""

    def __init__(self, top):
        self.top = top
        self.tree = os.path.join(top, "lib", "modules", RELEASE)
        for path, modinfo in MODULES.items():
            write(os.path.join(self.tree, path), packed_as(path, elf_module(modinfo)))
        write(os.path.join(self.tree, "modules.order"), "".join(f"{p}\n" for p in MODULES))
        write(os.path.join(self.tree, "modules.builtin"), "kernel/fs/built-in-fs.ko\n")
        write(self.path("vmlinuz"), bz_image(f"{RELEASE} (test) #1"))
        write(self.path("agent"), b"\x7fELF agent")
        write(self.path("initrd-release"), "VARIANT_ID=@SET@ @KERNEL@\n")
        write(self.path("firmware/nic/main.fw"), b"main firmware")
        write(self.path("firmware/nic/old.fw"), b"old firmware")
        write(self.path("firmware/unwanted.fw"), b"of a module that is not packed")
        write(self.path("policy/ca/site.pem"), "-----BEGIN CERTIFICATE-----\n")
        write(self.path("policy/keys/role.pem"), "-----BEGIN PUBLIC KEY-----\n")
        self.contents(["module nic other_nic built-in-fs"])

    def path(self, name):
        return os.path.join(self.top, name)

    def contents(self, lines, always=()):
        text = [
            "[always]",
            "file /init 0755 agent",
            "file /etc/initrd-release 0644 initrd-release",
            "dir /promenade 0700",
            "policy /promenade/policy",
            "node /dev/console 0600 c 5 1",
            *always,
            "[set full]",
            *lines,
        ]
        write(self.path("contents"), "\n".join(text) + "\n")

    def words(self, out="out.cpio.zst"):
        return [
            *("--contents", self.path("contents"), "--kernel", self.path("vmlinuz")),
            *("--modules", self.tree, "--firmware", self.path("firmware")),
            *("--policy", self.path("policy"), "--file", f"agent={self.path('agent')}"),
            *("--file", f"initrd-release={self.path('initrd-release')}", "--out", self.path(out)),
        ]
