# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Initial RAM file systems for Linux: a writer of "newc" cpio archives, and the one that carries our programs.

Pure functions from entries to bytes: the same entries give the same archive, whatever the order, the day and the user.
Format: Linux ``Documentation/driver-api/early-userspace/buffer-format.rst`` and ``init/initramfs.c``.
"""

from __future__ import annotations

import gzip as gzip_module
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .errors import InputError

MAGIC = b"070701"
TRAILER = "TRAILER!!!"
NAME_MAX = 4095  # the kernel skips entries with longer names without a word
_LIMIT = 1 << 32
_TYPES = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)
_WITH_DATA = (stat.S_IFREG, stat.S_IFLNK)
_DEVICES = (stat.S_IFCHR, stat.S_IFBLK)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive, owned by root.

    Args:
        name: path below the root, without a leading slash; at most 4095 bytes in UTF-8.
        mode: type and permissions, as in ``st_mode``.
        data: a regular file's contents or a symbolic link's target.
        device: major and minor number of a device node.
    """

    name: str
    mode: int
    data: bytes = b""
    device: tuple[int, int] = (0, 0)


# /dev/console is what the kernel opens for PID 1; ttyS0 and ttyS1 are the console and the result channel.
DEVICE_NODES = (
    Entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)),
    Entry("dev/null", stat.S_IFCHR | 0o666, device=(1, 3)),
    Entry("dev/ttyS0", stat.S_IFCHR | 0o600, device=(4, 64)),
    Entry("dev/ttyS1", stat.S_IFCHR | 0o600, device=(4, 65)),
)


def cpio(entries: Iterable[Entry]) -> bytes:
    """Return the archive of ``entries``: sorted by name, no times, padded to four bytes.

    Raises:
        InputError: a name that Linux would refuse or misplace, a name given twice, a folder that is not there, or a
            mode that does not fit what the entry holds.
    """
    by_name: dict[str, Entry] = {}
    for entry in entries:
        _check(entry)
        if entry.name in by_name:
            raise InputError("this file is in the archive twice", where=entry.name)
        by_name[entry.name] = entry
    for name in by_name:
        _check_folder(name, by_name)
    ordered = [by_name[name] for name in sorted(by_name)]
    records = [_record(entry, inode) for inode, entry in enumerate(ordered, start=1)]
    return b"".join([*records, _record(Entry(TRAILER, 0), 0)])


def linux_initrd(programs: Mapping[str, bytes], *, gzip: bool = False) -> bytes:
    """Return an initial RAM file system with ``programs`` and the device nodes that they need.

    Args:
        programs: ELF or script by path, for example ``{"init": ...}``; ``init`` is what the kernel starts.
        gzip: compress; every kernel with an initramfs takes both forms, a plain one unpacks quicker under emulation.

    Raises:
        InputError: there is no ``init``, or a path can't be one.
    """
    if "init" not in programs:
        raise InputError("an initial RAM file system needs an /init", help="pass the program that starts first")
    files = [Entry(name, stat.S_IFREG | 0o755, data) for name, data in programs.items()]
    folders = sorted({folder for entry in (*files, *DEVICE_NODES) for folder in _folders(entry.name)})
    archive = cpio([*(Entry(folder, stat.S_IFDIR | 0o755) for folder in folders), *DEVICE_NODES, *files])
    return gzip_module.compress(archive, mtime=0) if gzip else archive


def _folders(name: str) -> list[str]:
    """Return the folders above ``name``, outermost first."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _check(entry: Entry) -> None:
    """Refuse an entry that can't be written or that the kernel would not unpack as meant."""
    name = entry.name
    if not name or name == TRAILER or "\0" in name or set(name.split("/")) & {"", ".", ".."}:
        raise InputError("not a path below the root, such as dev/console", where=repr(name))
    if len(_encoded(name)) > NAME_MAX:
        raise InputError(f"a path has at most {NAME_MAX} bytes", where=f"{name[:40]}...")
    kind = stat.S_IFMT(entry.mode)
    if kind not in _TYPES or entry.mode >> 16:
        raise InputError("the mode names no type of file", where=f"{name}: {entry.mode:#o}")
    if entry.data and kind not in _WITH_DATA:
        raise InputError("only a regular file or a link holds data", where=name)
    if kind == stat.S_IFLNK and not entry.data:
        raise InputError("a link needs a target", where=name)
    if entry.device != (0, 0) and kind not in _DEVICES:
        raise InputError("only a device node has device numbers", where=name)
    if len(entry.data) >= _LIMIT or not all(0 <= number < _LIMIT for number in entry.device):
        raise InputError("a field of the archive has 32 bits", where=name)


def _check_folder(name: str, by_name: Mapping[str, Entry]) -> None:
    """Refuse a file whose folder the archive does not hold: the kernel would drop it without a word."""
    folder = name.rpartition("/")[0]
    if folder and (folder not in by_name or not stat.S_ISDIR(by_name[folder].mode)):
        raise InputError("its folder is not in the archive", where=name, help=f"add a directory entry {folder!r}")


def _encoded(name: str) -> bytes:
    """Return the name's bytes.

    Raises:
        InputError: it holds half a surrogate pair.
    """
    try:
        return name.encode()
    except UnicodeEncodeError as error:
        raise InputError("the path is not text", where=repr(name)) from error


def _record(entry: Entry, inode: int) -> bytes:
    """Return one header with its name and data, each padded to a multiple of four bytes."""
    name = _encoded(entry.name) + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    # inode, mode, uid, gid, links, time, size, device of the archive (2), device of the node (2), name, checksum
    fields = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, *entry.device, len(name), 0)
    header = MAGIC + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
