# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A real BIOS finds the ROM, runs its entry and leaves its bytes in the window, as a guest then sees them."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from openvmi import images
from openvmi.abi import SCAN_END, SCAN_FIRST, SCAN_STEP
from openvmi.rom import RomMetadata, RomMode, rebuild, with_mode

QEMU = "qemu-system-i386"
LIMIT_SECONDS = 60
LOAD_ADDRESS = 0x100000


def dumper() -> bytes:
    """Return a multiboot kernel that writes the option-ROM window to port 0xE9 and powers the PC off."""
    start = LOAD_ADDRESS + 32
    code = bytes.fromhex("fc be") + struct.pack("<I", SCAN_FIRST)  # cld; mov esi, window
    code += b"\xb9" + struct.pack("<I", SCAN_END - SCAN_FIRST)  # mov ecx, size
    code += bytes.fromhex("ba e9000000 f3 6e")  # mov edx, 0xe9; rep outsb
    code += bytes.fromhex("66ba 0406 66b8 0020 66ef")  # mov dx, 0x604; mov ax, 0x2000; out dx, ax: power off
    code += bytes.fromhex("fa f4 eb fc")  # cli; 1: hlt; jmp
    flags = 1 << 16  # the addresses that follow count
    end = start + len(code)
    header = struct.pack("<III", 0x1BADB002, flags, -(0x1BADB002 + flags) & 0xFFFFFFFF)
    return header + struct.pack("<5I", LOAD_ADDRESS, LOAD_ADDRESS, end, end, start) + code


def window(tmp_path: Path, *roms: bytes, extra: tuple[str, ...] = ()) -> bytes:
    """Boot a PC with ``roms`` and return what its guest sees in the window."""
    if shutil.which(QEMU) is None:
        pytest.skip(f"qemu: {QEMU} is not installed")
    kernel, seen = tmp_path / "dumper", tmp_path / "window"
    kernel.write_bytes(dumper())
    command = [QEMU, "-accel", "tcg", "-m", "32", "-nodefaults", "-display", "none", "-no-reboot", *extra]
    command += ["-kernel", str(kernel), "-debugcon", f"file:{seen}"]
    for number, rom in enumerate(roms):
        path = tmp_path / f"{number}.rom"
        path.write_bytes(rom)
        command += ["-option-rom", str(path)]
    subprocess.run(command, check=True, timeout=LIMIT_SECONDS, stdin=subprocess.DEVNULL)
    content = seen.read_bytes()
    # SeaBIOS writes its own messages to the same port before the kernel runs; the window is what comes last.
    return content[-(SCAN_END - SCAN_FIRST) :]


def found(content: bytes) -> list[int]:
    """Return where a guest's scan finds a VMI signature, as physical addresses."""
    places = range(0, len(content), SCAN_STEP)
    return [
        SCAN_FIRST + at for at in places if content[at : at + 2] == b"\x55\xaa" and content[at + 8 : at + 12] == b"cVmi"
    ]


@pytest.fixture(scope="module")
def base() -> bytes:
    return images.path("openvmi.rom").read_bytes()


@pytest.mark.parametrize("mode", RomMode)
def test_the_bios_leaves_every_byte_as_it_was(base: bytes, tmp_path: Path, mode: RomMode) -> None:
    rom = with_mode(base, mode)
    content = window(tmp_path, rom)
    (place,) = found(content)
    at = place - SCAN_FIRST
    assert content[at : at + len(rom)] == rom


def test_a_rom_with_a_bad_checksum_is_left_out(base: bytes, tmp_path: Path) -> None:
    assert found(window(tmp_path, base[:-1] + b"\1")) == []


def test_no_rom_no_finding(tmp_path: Path) -> None:
    assert found(window(tmp_path)) == []


def test_two_roms_each_have_their_place(base: bytes, tmp_path: Path) -> None:
    second = rebuild(base, RomMetadata(RomMode.NATIVE, 0xFFC00000, product="second"))
    content = window(tmp_path, base, second)
    places = found(content)
    assert len(places) == 2
    assert {content[place - SCAN_FIRST :][: len(base)] for place in places} == {base, second}


def test_beside_a_display_it_lies_where_the_2_0_text_looks_too(base: bytes, tmp_path: Path) -> None:
    """The VGA BIOS comes first, from 0xC0000: with one, the ROM satisfies the 2.0 text's scan from 0xC8000."""
    (place,) = found(window(tmp_path, base, extra=("-vga", "std")))
    assert place >= 0xC8000


@pytest.mark.parametrize("machine", [("-smp", "2"), ("-cpu", "486"), ("-cpu", "n270,-apic"), ("-machine", "q35")])
def test_any_pc_will_do(base: bytes, tmp_path: Path, machine: tuple[str, str]) -> None:
    """Several CPUs, a CPU of 1989, no local APIC, another chipset."""
    content = window(tmp_path, base, extra=machine)
    (place,) = found(content)
    assert content[place - SCAN_FIRST :][: len(base)] == base
