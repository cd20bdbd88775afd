# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The result channel: what a guest says about itself, line by line, on its second serial port.

Lines of ASCII, ended by LF, at most 1000 characters: a verb and words. The verbs that a machine itself understands are
``hello VERSION``, ``mark NAME``, ``panic TEXT`` and ``exit STATUS``; all others are kept for whoever asks. The guest is
not trusted: lines are cut, bytes replaced, and a flood is counted instead of kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LINE_LIMIT = 1000
LINES_LIMIT = 100_000
MARKS_LIMIT = 1000
PROTOCOL = "1"
STATUS_MAX = 255

# printable ASCII as it is, tabs as blanks, everything else as a question mark
_CLEAN = bytes(byte if 32 <= byte < 127 else 32 if byte == 9 else 63 for byte in range(256))


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One line from the guest.

    Args:
        verb: its first word.
        text: the rest, without the blanks around it.
        at: nanoseconds from QEMU's start to the line's arrival.
    """

    verb: str
    text: str
    at: int

    @property
    def words(self) -> list[str]:
        """The words after the verb."""
        return self.text.split()


class ResultChannel:
    """What has arrived so far.

    Args:
        on_line: called with each line as it arrives.

    Attributes:
        lines: the lines in order, the first :data:`LINES_LIMIT` of them.
        dropped: how many more came.
        marks: first arrival of each ``mark``, nanoseconds from QEMU's start.
        hello: the protocol version that the guest announced, or None.
        status: the number of the first valid ``exit`` line, or None.
        panic: the text of the first ``panic`` line, or None.
        cut: how many lines were longer than :data:`LINE_LIMIT` or held bytes that are not ASCII.
    """

    def __init__(self, on_line: Callable[[ResultLine], None] | None = None) -> None:
        self.lines: list[ResultLine] = []
        self.dropped = 0
        self.cut = 0
        self.marks: dict[str, int] = {}
        self.hello: str | None = None
        self.status: int | None = None
        self.panic: str | None = None
        self._on_line = on_line
        self._rest = bytearray()
        self._skipping = False

    @property
    def ended(self) -> bool:
        """Whether the guest has said its last word."""
        return self.status is not None or self.panic is not None

    def of(self, verb: str) -> list[ResultLine]:
        """Return the lines that begin with ``verb``."""
        return [line for line in self.lines if line.verb == verb]

    def feed(self, data: bytes, at: int) -> None:
        """Take bytes that arrived ``at`` nanoseconds after QEMU's start."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._add(piece)
            self._end_line(at)
        self._add(rest)

    def finish(self, at: int) -> None:
        """Take what is left as the last line: the channel is closed."""
        if self._rest:
            self._end_line(at)

    def _add(self, piece: bytes) -> None:
        if self._skipping:
            return
        room = LINE_LIMIT - len(self._rest)
        self._rest += piece[:room]
        if len(piece) > room:
            # one carriage return more than the limit is no damage
            self._skipping = piece[room:] != b"\r"

    def _end_line(self, at: int) -> None:
        raw, damaged = bytes(self._rest).rstrip(b"\r"), self._skipping
        self._rest.clear()
        self._skipping = False
        clean = raw.translate(_CLEAN)
        self.cut += damaged or clean != raw.replace(b"\t", b" ")
        text = clean.decode("ascii").strip()
        if text:
            verb, _, after = text.partition(" ")
            self._take(ResultLine(verb, after.strip(), at))

    def _take(self, line: ResultLine) -> None:
        if len(self.lines) < LINES_LIMIT:
            self.lines.append(line)
        else:
            self.dropped += 1
        self._understand(line)
        if self._on_line is not None:
            self._on_line(line)

    def _understand(self, line: ResultLine) -> None:
        if line.verb == "mark" and len(self.marks) < MARKS_LIMIT:
            self.marks.setdefault(line.text, line.at)
        elif line.verb == "hello" and self.hello is None:
            self.hello = line.text
        elif line.verb == "panic" and self.panic is None:
            self.panic = line.text
        elif line.verb == "exit" and self.status is None:
            self.status = _status(line.text)


def _status(text: str) -> int | None:
    """Return the status that ``text`` stands for; None, so that the guest counts as silent, when it is none."""
    if len(text) > 3 or not text.isdecimal() or int(text) > STATUS_MAX:
        return None
    return int(text)
