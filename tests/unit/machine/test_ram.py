# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest RAM by guest-physical address, and the split of it below 4 GiB."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from openvmi.errors import UsageError
from openvmi.machine import GuestRam
from openvmi.machine.inputs import low_memory

GIB = 1 << 30


def made(size: int) -> GuestRam:
    fd = os.memfd_create("test")
    os.ftruncate(fd, size)
    ram = GuestRam(fd, size)
    os.close(fd)
    return ram


@pytest.fixture
def ram() -> Iterator[GuestRam]:
    small = made(1 << 20)
    yield small
    small.close()


def test_read_and_write(ram: GuestRam) -> None:
    ram.write(0xFFFFC, b"abcd")
    assert ram.read(0xFFFFC, 4) == b"abcd"
    ram.write_u32(8, 0x12345678)
    assert (ram.read_u32(8), ram.read(8, 1)) == (0x12345678, b"\x78")
    view = ram.view(8, 4)
    ram.write(8, b"wxyz")
    assert bytes(view) == b"wxyz"
    view.release()


@pytest.mark.parametrize(
    ("address", "length"), [(-1, 1), (0, -1), (0xFFFFD, 4), (1 << 20, 1), (1 << 32, 1), (1 << 64, 1)]
)
def test_outside(ram: GuestRam, address: int, length: int) -> None:
    with pytest.raises(UsageError, match="not all guest RAM"):
        ram.read(address, length)


def test_numbers_out_of_range(ram: GuestRam) -> None:
    for value in (-1, 1 << 32):
        with pytest.raises(UsageError, match="not a 32-bit number"):
            ram.write_u32(0, value)


def test_split() -> None:
    assert [low_memory(size) for size in (GIB, 7 * GIB // 2 - 1, 7 * GIB // 2, 8 * GIB)] == [
        GIB,
        7 * GIB // 2 - 1,
        3 * GIB,
        3 * GIB,
    ]
    ram = made(4 * GIB)
    ram.write(4 * GIB, b"high")
    ram.write(3 * GIB - 3, b"low")
    assert ram.read(5 * GIB - 1, 1) == b"\0"
    for address in (3 * GIB, 4 * GIB - 1, 5 * GIB):
        with pytest.raises(UsageError):
            ram.read(address, 1)
    with pytest.raises(UsageError):
        ram.read(3 * GIB - 1, 2)
    ram.close()


def test_closing_with_a_view_outstanding(ram: GuestRam) -> None:
    view = ram.view(0, 4)
    ram.close()
    assert bytes(view) == bytes(4)
