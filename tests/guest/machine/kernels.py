# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of a few dozen bytes, assembled here: each does one thing to its machine."""

from __future__ import annotations

import struct

from ...unit.machine.builders import multiboot

COM1, COM2 = 0x3F8, 0x2F8
SPIN = b"\xeb\xfe"
HALT = b"\xfa\xf4\xeb\xfd"
# mov dx, 0x604; mov ax, 0x2000; out dx, ax: ACPI S5 on QEMU's i440fx PC
POWER_OFF = b"\x66\xba\x04\x06\x66\xb8\x00\x20\x66\xef" + HALT
# push 0; push 0; lidt [esp]; int3: an exception without any handler
TRIPLE_FAULT = b"\x6a\x00\x6a\x00\x0f\x01\x1c\x24\xcc"
# mov al, 0xfe; out 0x64, al: the keyboard controller's reset line
RESET = b"\xb0\xfe\xe6\x64" + HALT


def say(port: int, text: bytes) -> bytes:
    """Return code that sends ``text``, waiting for the UART before each byte."""
    # call over the text; pop esi; mov ecx, length; next: mov edx, port+5; wait: in al,dx; test al,0x20; jz wait;
    # mov edx, port; lodsb; out dx, al; loop next
    out = b"\xba" + struct.pack("<I", port + 5) + b"\xec\xa8\x20\x74\xfb" + b"\xba" + struct.pack("<I", port)
    out += b"\xac\xee"
    loop = b"\xe2" + bytes((256 - len(out) - 2,))
    head = b"\xe8" + struct.pack("<I", len(text)) + text + b"\x5e\xb9" + struct.pack("<I", len(text))
    return head + out + loop


def put(address: int, value: int) -> bytes:
    """Return code that stores a 32-bit ``value``."""
    return b"\xc7\x05" + struct.pack("<II", address, value)


def wait_for(address: int, value: int) -> bytes:
    """Return code that spins until the 32-bit word at ``address`` is ``value``."""
    return b"\x81\x3d" + struct.pack("<II", address, value) + b"\x75\xf4"


def forever(code: bytes) -> bytes:
    """Return ``code`` in an endless loop."""
    return code + b"\xe9" + struct.pack("<i", -len(code) - 5)


# mov esp, 0x90000: the multiboot specification leaves the stack to the kernel
STACK = b"\xbc\x00\x00\x09\x00"


def kernel(*code: bytes) -> bytes:
    """Return a multiboot kernel that runs ``code``."""
    return multiboot(STACK + b"".join(code))
