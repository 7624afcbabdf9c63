# SPDX-License-Identifier: MIT
"""Archives that must be refused, and honest ones that must be taken, as bytes of plain tar.

The first seventeen are the cases measured against libarchive 3.8.9 with all of its SECURE flags
(reference/node.md 8.1): several of them it unpacks."""
import io
import tarfile

BLOCK = 512


def member(name, data=b"x", **fields):
    """One entry; fields are those of tarfile.TarInfo."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    info.mtime = 1700000000
    for key, value in fields.items():
        setattr(info, key, value)
    if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE):
        info.size = 0
    return info, data if info.size else b""


def pack(*members, form=tarfile.GNU_FORMAT, **more):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, **more) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def directory(name, mode=0o755):
    return member(name, type=tarfile.DIRTYPE, mode=mode)


def symlink(name, target):
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hardlink(name, target):
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def reseal(block):
    """A header block with its checksum made right again (POSIX ustar)."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def with_field(archive, at, value, header=0):
    """The archive with bytes of the header at offset header replaced."""
    block = bytearray(archive[header:header + BLOCK])
    block[at:at + len(value)] = value
    return archive[:header] + reseal(block) + archive[header + BLOCK:]


def old_gnu_sparse(name, real_size):
    """1 KiB on the wire, real_size bytes on the disk."""
    info, data = member(name, b"d" * BLOCK)
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[156] = ord("S")
    header[386:398] = b"%011o\0" % 0            # offset of the first piece
    header[398:410] = b"%011o\0" % BLOCK        # its length
    header[483:495] = big(real_size)
    return reseal(header) + data + bytes(2 * BLOCK)


def big(number):
    """A number in a 12-byte field; base 256 when octal does not hold it (GNU)."""
    if number < 8 ** 11:
        return b"%011o\0" % number
    return b"\x80" + number.to_bytes(11, "big")


def pax_sparse(name, real_size):
    info, data = member(name, b"d" * BLOCK, pax_headers={
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": name,
        "GNU.sparse.size": str(real_size), "GNU.sparse.map": f"0,{BLOCK}"})
    return pack((info, data), form=tarfile.PAX_FORMAT)


def pax(name, **headers):
    info, data = member(name, pax_headers={k.replace("__", "."): v for k, v in headers.items()})
    return pack((info, data), form=tarfile.PAX_FORMAT)


def gnu_long_name_cut():
    """A GNU long name whose data never comes."""
    info, _ = member("././@LongLink", b"a" * 300, type=b"L")
    info.size = 300
    return info.tobuf(tarfile.GNU_FORMAT)


def many(count):
    return pack(*[member(f"f{i}", b"") for i in range(count)])


GOOD = member("good", b"good" * 100, mode=0o755)

# name: (kind of limits, archive, what the refusal says)
REFUSED = {
    # the seventeen
    "absolute": ("tree", pack(GOOD, member("/etc/evil")), "'/etc/evil': an absolute name"),
    "dotdot": ("tree", pack(GOOD, member("../evil")), "'../evil': escapes"),
    "through-symlink": ("tree", pack(symlink("d", "/tmp"), member("d/evil")), "'d': a symbolic"),
    "hardlink-dotdot": ("tree", pack(hardlink("x", "../../etc/passwd")), "'x': a hard link"),
    "hardlink-absolute": ("tree", pack(hardlink("x", "/etc/passwd")), "'x': a hard link"),
    "symlink": ("tree", pack(GOOD, symlink("evil", "/etc")), "'evil': a symbolic link"),
    "hardlink-to-symlink": ("tree", pack(member("a/inside"), symlink("a/b/s", "../../inside"),
                                         hardlink("top", "a/b/s")), "'a/b/s': a symbolic"),
    "hardlink-inside": ("tree", pack(GOOD, hardlink("two", "good")), "'two': a hard link"),
    "char-device": ("tree", pack(member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)),
                    "'null': a character device"),
    "block-device": ("tree", pack(member("sda", type=tarfile.BLKTYPE, devmajor=8)),
                     "'sda': a block device"),
    "fifo": ("tree", pack(GOOD, member("pipe", type=tarfile.FIFOTYPE)), "'pipe': a FIFO"),
    "setuid": ("tree", pack(member("su", mode=0o4755)), "'su': setuid"),
    "setgid": ("tree", pack(member("sg", mode=0o2755)), "'sg': setuid or setgid"),
    "file-over-symlink": ("tree", pack(symlink("x", "/etc/passwd"), member("x")), "'x': a symb"),
    "name-newline": ("tree", pack(member("a\nb")), r"'a\?b': its name is not printable"),
    "name-escape": ("tree", pack(member("a\x1b[2Jb")), "its name is not printable"),
    "sparse-8g": ("tree", old_gnu_sparse("hole", 8 << 30), "'hole': "),
    # more
    "dotdot-inside": ("tree", pack(member("a/../../evil")), "escapes"),
    "dotdot-end": ("tree", pack(directory("a/..")), "escapes"),
    "dotdot-only": ("tree", pack(directory("..")), "escapes"),
    "dotdot-dots": ("tree", pack(member("./../evil")), "escapes"),
    "absolute-double": ("tree", pack(member("//etc/evil")), "an absolute name"),
    "pax-path": ("tree", pax("good", path="../evil"), "'../evil': escapes"),
    "pax-path-utf8": ("tree", pax("good", path="caf\u00e9"), "its name is not printable|damaged"),
    "pax-linkpath": ("tree", pack(symlink("a", "b"), form=tarfile.PAX_FORMAT), "a symbolic link"),
    "pax-xattr": ("tree", pax("x", SCHILY__xattr__user__a="v"), "'x': extended attributes"),
    "pax-capability": ("tree", pax("ping", SCHILY__xattr__security__capability="cap"),
                       "'ping': extended attributes"),
    "pax-acl": ("tree", pax("x", SCHILY__acl__access="user::rwx,user:1000:rwx,group::r-x,"
                            "mask::rwx,other::r-x"), "'x': extended attributes|damaged"),
    "pax-fflags": ("tree", pax("x", SCHILY__fflags="immutable"), "'x': extended attributes"),
    "pax-sparse": ("tree", pax_sparse("hole", 8 << 30), "'hole': |damaged"),
    "sparse-small": ("tree", old_gnu_sparse("hole", 1 << 20), "'hole': a sparse file"),
    "latin1": ("tree", pack(member("caf\u00e9"), encoding="latin-1"),
               "its name is not printable|damaged"),
    "twice": ("tree", pack(member("x", b"1"), member("x", b"2")), "'x': is in it twice"),
    "twice-dot": ("tree", pack(member("x", b"1"), member("./x", b"2")), "'x': is in it twice"),
    "file-then-folder": ("tree", pack(member("x"), directory("x")), "a file and a folder"),
    "file-as-parent": ("tree", pack(member("x"), member("x/y")), "a file and a folder"),
    "folder-then-file": ("tree", pack(directory("x"), member("x")), "is in it twice"),
    "name-long": ("tree", pack(member("n" * 256)), "its name is too long"),
    "path-long": ("tree", pack(member("/".join(["d" * 200] * 22))), "its name is too long"),
    "deep": ("tree", pack(member("/".join(["d"] * 25))), "deeper than 24"),
    "cni-folder": ("plugins", pack(directory("cni"), member("cni/bridge")), "files must be at"),
    "no-files": ("tree", pack(directory("d")), "holds no file"),
    "empty-tar": ("tree", pack(), "holds no file|is no tar"),
    "empty": ("tree", b"", "is empty|unpacks to nothing"),
    "not-tar": ("tree", b"<html>404 not found</html>\n" * 100, "is no tar archive"),
    "zip": ("tree", b"PK\3\4" + bytes(2000), "is no tar archive"),
    "cpio": ("tree", b"070701" + b"0" * 104 + bytes(1000), "is no tar archive"),
    "cut-data": ("tree", pack(member("x", b"y" * 5000))[:2000], "damaged tar|does not unpack"),
    "cut-header": ("tree", pack(GOOD, member("x"))[:1024 + 200], "damaged|holds|unpack|after"),
    "cut-long-name": ("tree", gnu_long_name_cut(), "damaged|is no tar"),
    "bad-checksum": ("tree", pack(GOOD)[:148] + b"000000\0 " + pack(GOOD)[156:], "is no tar|dama"),
    "bad-second": ("tree", pack(GOOD) [:1024] + b"junk" * 128 + bytes(1024), "damaged tar"),
    "trailing": ("tree", pack(GOOD) + b"more", "other bytes after the end"),
    "second-archive": ("tree", pack(GOOD) + pack(member("evil")), "other bytes after the end"),
    "negative-size": ("tree", with_field(pack(GOOD), 124, b"\xff" * 12), "damaged|no tar|MiB"),
    "huge-size": ("tree", with_field(pack(GOOD), 124, big(1 << 62)), "MiB|damaged"),
    "huge-file": ("plugins", with_field(pack(GOOD), 124, big(300 << 20)), "'good': 300 MiB"),
    "many": ("plugins", many(4097), "more than 4096 entries"),
    "contiguous-dir": ("tree", pack(member("x", type=b"V")), "damaged|neither|holds"),
}

# name: (kind, archive)
TAKEN = {
    "plugins": ("plugins", pack(directory("./", 0o700), member("./bridge", b"b" * 70000, mode=0o755),
                                member("./loopback", b"", mode=0o711), member("./LICENSE", b"l"))),
    "plugins-bare": ("plugins", pack(member("bridge", b"b", mode=0o700), member("README", b"r"))),
    "tree": ("tree", pack(directory("a", 0o2775), directory("a/b"), member("a/b/c", b"1" * 1000),
                          member("top", b"t", mode=0o100))),
    "no-folders": ("tree", pack(member("a/b/c/d", b"1"), member("a/e", b"2"))),
    "folder-twice": ("tree", pack(directory("a"), member("a/x"), directory("a"))),
    "long-names": ("tree", pack(member("d" * 90 + "/" + "e" * 90 + "/" + "f" * 90, b"1"))),
    "pax": ("tree", pack(member("x" * 150, b"1", mtime=1.5), directory("d"),
                         form=tarfile.PAX_FORMAT)),
    "ustar": ("tree", pack(member("d" * 80 + "/" + "e" * 80, b"1"), form=tarfile.USTAR_FORMAT)),
    "odd-names": ("tree", pack(member("a b"), member("dev-disk-by\\x2dlabel.mount"),
                               member("c++@1~=,;"), member("-rf"), member(".hidden"))),
    "odd-paths": ("tree", pack(member(".//a/./b"), member("a//c"))),
    "kernel-names": ("tree", pack(member("xt_TCPMSS.ko"), member("xt_tcpmss.ko"))),
    "no-end": ("tree", pack(GOOD)[:1024]),
    "one-zero-block": ("tree", pack(GOOD)[:1536]),
    "sizes": ("tree", pack(*[member(f"s{n}", bytes([n & 255]) * n) for n in
                             (0, 1, 511, 512, 513, 65535, 65536, 65537, 200000)])),
}
