# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A head start: QEMU is started on suspicion while Python still imports what works out how to start it.

A command that starts a machine leaves a note in the user's cache directory: its own words and surroundings, QEMU's
command, and what the files that the command rests on looked like. When the same words come again, :class:`HeadStart`
runs the noted command at once. The normal way then goes its whole length, checks included, and comes to the true
command: if that is the noted one and no file has changed, it takes over what runs; otherwise that is killed. So a note
can change when something happens, never what happens.

Imports next to nothing: everything before the start is time that the user waits.
"""

from __future__ import annotations

import os
from _signal import SIG_BLOCK, SIG_SETMASK, SIGHUP, SIGINT, SIGTERM, pthread_sigmask  # type: ignore[import-not-found] # as in launcher
from stat import S_ISREG

from .. import __version__
from ._cache import folder
from .launcher import Started, spawn_here
from .wires import Wires

OFF = "OPENVMI_NO_SPECULATION"
# What decides, besides the words, which QEMU runs with which files.
_VARIABLES = ("HOME", "OPENVMI_QEMU", "PATH", "XDG_CACHE_HOME")
_LARGEST = 1 << 16
# How many commands are remembered at most; one takes the place of another that falls into the same slot.
_SLOTS = 61
_MODULUS = (1 << 61) - 1


class HeadStart:
    """What one command may start early. Empty until :meth:`begin`, and in most lives after it.

    Args:
        words: the command's words, without its name.
    """

    def __init__(self, words: list[str]) -> None:
        self._note = "" if os.environ.get(OFF) else f"{folder('starts')}/{{}}"
        self._key = b""
        self._words = words
        self._argv: list[str] = []
        self._prints: list[str] = []
        self._started: Started | None = None

    def begin(self) -> None:
        """Start what the same command started before, if there is a note that can be trusted. Never fails."""
        if not self._note:
            return
        try:
            self._key = _key(self._words)
            self._note = self._note.format(_digest(self._key) % _SLOTS)
            self._argv, self._prints = self._recall()
            if self._prints != [_fingerprint(line.split(" ", 5)[-1]) for line in self._prints]:
                return
            if not _one_thread():
                return  # Ctrl-C could not be held back, and the child might depend on the wrong thread
            with _InterruptsHeld():
                self._started = Started(self._argv, Wires(0), spawn_here)
        except Exception:  # noqa: BLE001 - the normal start says what is wrong, if anything is
            return

    def take(self, argv: list[str], files: list[str]) -> Started | None:
        """Hand over what runs if it is ``argv`` and ``files`` have not changed; otherwise end it and return None.

        Call it with interrupts held; what is returned is the caller's to end.
        """
        if self._started is not None and argv == self._argv and self._prints == [_fingerprint(f) for f in files]:
            started, self._started = self._started, None
            return started
        self.discard()
        return None

    def discard(self) -> None:
        """End what runs and was not taken; harmless when there is nothing."""
        with _InterruptsHeld():
            started, self._started = self._started, None
            if started is not None:
                started.undo()

    def remember(self, argv: list[str], files: list[str]) -> None:
        """Note that this command started ``argv``, which rests on ``files``. A note that can't be written is none."""
        if not self._key:
            return
        prints = [_fingerprint(path) for path in files]
        body = self._key + _join([str(len(prints)), *prints, *argv, "end"])
        draft = f"{self._note}.{os.getpid()}"
        try:
            os.makedirs(os.path.dirname(self._note), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
            fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with open(fd, "wb", buffering=0) as file:  # noqa: PTH123
                file.write(b"%d\n%b" % (_digest(body), body))
            os.replace(draft, self._note)  # noqa: PTH105 - whole or not at all
        except OSError:
            return

    def _recall(self) -> tuple[list[str], list[str]]:
        """Return QEMU's command and the fingerprints under it; raise OSError or ValueError if there is no good note."""
        digest, _, body = _read_private(self._note).partition(b"\n")
        if digest != b"%d" % _digest(body) or not body.startswith(self._key):
            raise ValueError("not a note of this command")
        count, *fields, end = os.fsdecode(body[len(self._key) :]).split("\0")
        prints, argv = fields[: int(count)], fields[int(count) :]
        if end != "end" or not argv:
            raise ValueError("not a whole note")
        return argv, prints


class _InterruptsHeld:
    """Holds Ctrl-C and its like back between a process's start and our knowing of it; it arrives right after."""

    def __enter__(self) -> None:
        self._before = pthread_sigmask(SIG_BLOCK, [SIGINT, SIGTERM, SIGHUP])

    def __exit__(self, *_: object) -> None:
        pthread_sigmask(SIG_SETMASK, self._before)


def _one_thread() -> bool:
    return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208


def _key(words: list[str]) -> bytes:
    """Return what has to be the same for a note to hold. After a boot KVM is probed again, and not beside a guest."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        boot = file.readline().strip()
    values = [os.environ.get(name, "-") for name in _VARIABLES]
    return _join([__version__, __file__, boot, os.getcwd(), *values, str(len(words)), *words, ""])  # noqa: PTH109


def _join(fields: list[str]) -> bytes:
    return os.fsencode("\0".join(fields))


def _digest(data: bytes) -> int:
    """Return a checksum against accidents; zlib's would have to be imported."""
    return int.from_bytes(data, "big") % _MODULUS


def _fingerprint(path: str) -> str:
    """Return a line that changes when the file does; what can't be seen has one, too. The path stands last."""
    try:
        stat = os.stat(path)  # noqa: PTH116
    except OSError:
        return f"- - - - - {path}"
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino} {stat.st_dev} {path}"


def _read_private(path: str) -> bytes:
    """Read a small file that nobody but the user can have written, or raise OSError or ValueError."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        stat = os.fstat(fd)
        if not (S_ISREG(stat.st_mode) and _is_private(stat) and _is_private(os.stat(os.path.dirname(path)))):  # noqa: PTH116, PTH120
            raise ValueError("others can write it")
        data = os.read(fd, _LARGEST + 1)
    finally:
        os.close(fd)
    if len(data) > _LARGEST:
        raise ValueError("too large")
    return data


def _is_private(stat: os.stat_result) -> bool:
    return stat.st_uid == os.geteuid() and not stat.st_mode & 0o022
