# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel file is, told before anything starts.

QEMU's own messages for a bad kernel are terse, and a truncated or 64-bit one just hangs; so the file is read here
first. Entry: :func:`inspect_kernel`. The two formats have a module each: ``_bzimage`` and ``_multiboot``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from stat import S_ISBLK, S_ISDIR, S_ISREG

from ..errors import InputError
from .config import StrPath

# The setup part of a bzImage is at most 64 sectors; the multiboot header lies in the first 8 KiB.
HEAD_SIZE = 65536

_OTHER_KINDS = (
    (b"\x1f\x8b", "a gzip file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"\xfd7zXZ", "an xz file"),
    (b"BZh", "a bzip2 file"),
    (b"070701", "a cpio archive (an initrd?)"),
    (b"070702", "a cpio archive (an initrd?)"),
    (b"\x55\xaa", "an option ROM"),
    (b"#!", "a script"),
    (b"!<arch>", "an ar archive"),
    (b"MZ", "a DOS or EFI program"),
)


@dataclass(frozen=True, slots=True)
class KernelInfo:
    """A kernel that this machine can load.

    Args:
        path: the file.
        kind: ``bzImage`` or ``multiboot``.
        version: what the kernel calls itself; empty when it does not say.
        needs: guest-physical address in bytes below which everything lies that the kernel touches before it manages
            memory itself, as far as the file tells: the least RAM.
        initrd_limit: highest address that an initrd may use.
        append_limit: longest command line in bytes, without the terminating zero.
    """

    path: str
    kind: str
    version: str
    needs: int
    initrd_limit: int
    append_limit: int


@dataclass(frozen=True, slots=True)
class KernelFile:
    """The part of a file that the inspectors read.

    Args:
        path: the file.
        head: its first :data:`HEAD_SIZE` bytes, fewer when it is shorter.
        size: its length in bytes.
    """

    path: str
    head: bytes
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes at ``offset``, fewer at the end of the file."""
        if offset + length <= len(self.head):
            return self.head[offset : offset + length]
        with open(self.path, "rb") as file:  # noqa: PTH123 - as in config.StrPath
            file.seek(offset)
            return file.read(length)


def inspect_kernel(path: StrPath) -> KernelInfo:
    """Say what the kernel at ``path`` is.

    Raises:
        InputError: missing, unreadable, truncated, 64-bit, or not a kernel; the message says what it is instead.
    """
    file = open_kernel(path)
    if file.head[0x202:0x206] == b"HdrS":
        from ._bzimage import inspect_bzimage  # noqa: PLC0415 - only one of the two is ever needed

        return inspect_bzimage(file)
    from ._multiboot import find_header, inspect_multiboot  # noqa: PLC0415

    header = find_header(file.head)
    if header is not None:
        return inspect_multiboot(file, header)
    raise InputError(
        f"not a kernel: {describe(file.head)}", where=os.fspath(path), help="give a bzImage or a multiboot 1 kernel"
    )


def open_kernel(path: StrPath) -> KernelFile:
    """Read the head of the file at ``path``; raise :class:`InputError` when that can't be done."""
    size = file_size(path, "kernel")
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123
            head = file.read(HEAD_SIZE)
    except OSError as error:
        raise InputError(f"can't read the kernel: {error.strerror}", where=os.fspath(path)) from error
    return KernelFile(os.fspath(path), head, size)


def file_size(path: StrPath, what: str) -> int:
    """Return the size of a readable regular file or block device. Never waits for anybody, as for a pipe's writer.

    Args:
        path: the file.
        what: what it is to the user, for the message.

    Raises:
        InputError: it is missing, empty, not a file, or can't be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            mode = os.fstat(fd).st_mode
            # what is no file may not have an end to seek
            size = os.lseek(fd, 0, os.SEEK_END) if S_ISREG(mode) or S_ISBLK(mode) else -1
        finally:
            os.close(fd)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"can't read the {what}: {reason}", where=os.fspath(path)) from error
    if size < 0:
        kind = "Is a directory" if S_ISDIR(mode) else "it is a pipe or a device, not a file"
        raise InputError(f"can't read the {what}: {kind}", where=os.fspath(path))
    if size == 0:
        raise InputError(f"the {what} is empty", where=os.fspath(path))
    return size


def describe(head: bytes) -> str:
    """Say in a few words what a file that starts with ``head`` is."""
    if head[:4] == b"\x7fELF":
        bits = "64" if head[4:5] == b"\x02" else "32"
        return f"a {bits}-bit ELF file without a multiboot 1 header in its first 8192 bytes"
    for magic, name in _OTHER_KINDS:
        if head.startswith(magic):
            return name
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head[510:512] == b"\x55\xaa":
        return "a boot sector or disk image"
    return "a text file" if _is_text(head[:512]) else "unknown data"


def _is_text(head: bytes) -> bool:
    return all(byte in b"\t\n\r\f" or 32 <= byte < 127 for byte in head)
