# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""As much of GDB's remote serial protocol as a debugger needs to stop at a breakpoint, look, and go on.

Source: the GDB manual, appendix "GDB Remote Serial Protocol"; QEMU's end is gdbstub.c. Packets are acknowledged unless
the stub can do without, as GDB has it too.
"""

from __future__ import annotations

import socket
from typing import Final

from ..errors import HarnessError

_BUFFER: Final = 1 << 16
_LONGEST: Final = 1 << 20
# eax, ecx, edx, ebx, esp, ... of i386; rax, rbx, rcx, rdx, rsi, rdi, rbp, rsp, ... of x86-64
_NARROW: Final = (4, {"eax": 0, "ecx": 1, "edx": 2, "esp": 4, "eip": 8})
_WIDE: Final = (8, {"eax": 0, "ecx": 2, "edx": 3, "esp": 7, "eip": 16})
_WIDE_FROM: Final = 500  # bytes of all registers: i386 has 308, x86-64 more than 500


class RspClient:
    """The debugger's end of a connection.

    Args:
        connection: to the stub; with a time-out, if waiting is to have an end. Whoever made it closes it.

    Raises:
        HarnessError: the other end does not speak the protocol, as every method.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._data = bytearray()
        self._acknowledging = True
        answer = self.ask("QStartNoAckMode")
        while answer[:1] == "T":  # it says that connecting has stopped it
            answer = self.receive()
        self._acknowledging = answer != "OK"

    def ask(self, command: str) -> str:
        """Send a packet and return the answer to it."""
        self.send(command)
        return self.receive()

    def send(self, command: str) -> None:
        """Send a packet."""
        body = command.encode("ascii")
        self._write(b"$%s#%02x" % (body, sum(body) & 0xFF))

    def receive(self) -> str:
        """Return the next packet's content; what a stub prints on the side (packets ``O``) is passed over."""
        while True:
            packet = self._packet()
            if not packet.startswith("O") or packet == "OK":
                return packet

    def insert(self, address: int) -> None:
        """Put a breakpoint at a linear address."""
        self._expect(self.ask(f"Z0,{address:x},1"), "OK", "Z0")

    def remove(self, address: int) -> None:
        """Take it away."""
        self._expect(self.ask(f"z0,{address:x},1"), "OK", "z0")

    def registers(self) -> dict[str, int]:
        """Return eax, ecx, edx, esp and eip."""
        data = self._bytes(self.ask("g"), "g")
        width, places = _WIDE if len(data) > _WIDE_FROM else _NARROW
        if len(data) < width * (max(places.values()) + 1):
            raise HarnessError(f"the stub gave {len(data)} bytes of registers")
        return {name: int.from_bytes(data[width * at : width * at + 4], "little") for name, at in places.items()}

    def word(self, address: int) -> int:
        """Return the 32-bit word at a linear address."""
        data = self._bytes(self.ask(f"m{address:x},4"), "m")
        if len(data) != 4:
            raise HarnessError(f"the stub gave {len(data)} bytes of memory, not 4")
        return int.from_bytes(data, "little")

    def step(self) -> None:
        """Execute one instruction."""
        self._expect(self.ask("s")[:1], "T", "s")

    def go(self) -> None:
        """Go on; the next packet comes when it stops: :meth:`stopped`."""
        self.send("c")

    def stopped(self) -> bool:
        """Wait until it stops; False: it has ended."""
        try:
            return self.receive()[:1] in {"T", "S"}
        except _EndedError:
            return False

    def leave(self) -> None:
        """Let it run, and expect nothing more of it."""
        self._expect(self.ask("D"), "OK", "D")

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _EndedError(f"the debugger's connection broke: {error}") from error

    def _packet(self) -> str:
        while True:
            begin = self._data.find(b"$")
            end = self._data.find(b"#", begin)
            if begin >= 0 and 0 <= end <= len(self._data) - 3:
                break
            self._fill()
        body, check = bytes(self._data[begin + 1 : end]), bytes(self._data[end + 1 : end + 3])
        del self._data[: end + 3]
        if check.lower() != b"%02x" % (sum(body) & 0xFF):
            raise HarnessError("the stub sent a packet with a wrong checksum")
        if self._acknowledging:
            self._write(b"+")
        return body.decode("latin-1")

    def _fill(self) -> None:
        if len(self._data) > _LONGEST:
            raise HarnessError("the stub sent a packet without an end")
        try:
            data = self._socket.recv(_BUFFER)
        except TimeoutError as error:
            raise HarnessError("the stub does not answer") from error
        except OSError as error:
            raise _EndedError(f"the debugger's connection broke: {error}") from error
        if not data:
            raise _EndedError("the stub has closed the connection")
        self._data += data

    @staticmethod
    def _bytes(answer: str, command: str) -> bytes:
        try:
            return bytes.fromhex(answer.replace("x", "0"))
        except ValueError as error:
            raise HarnessError(f"the stub answered {answer[:40]!r} to {command}") from error

    @staticmethod
    def _expect(answer: str, wanted: str, command: str) -> None:
        if answer != wanted:
            raise HarnessError(f"the stub answered {answer[:40]!r} to {command}")


class _EndedError(HarnessError):
    """The other end is gone."""
