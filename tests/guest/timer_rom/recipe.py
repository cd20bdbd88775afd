# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the test ROM is built: the firmware's sources and the ones here, by the project's own toolchain and builder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from openvmi.rom import RomMetadata, RomMode, build_image
from openvmi.toolchain import link
from openvmi.toolchain.recipes import firmware, sources

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent.relative_to(ROOT).as_posix()
VIRTUAL_TOP = 0xFFC00000
"""The ROM maps the local APIC above it (timer_rom.h)."""


def build_elf(folder: Path) -> bytes:
    """Link the test ROM in ``folder`` and return its ELF."""
    base = firmware(ROOT)
    program = replace(
        base,
        name="test ROM with a timer",
        sources=(*base.sources, *sources(ROOT, HERE)),
        includes=(*base.includes, "guest/include", HERE),
        # Nothing absolute: the code runs wherever the BIOS has put it. Nobody provides memcpy().
        flags=("-fno-jump-tables", "-fno-builtin"),
    )
    output = folder / "timer.elf"
    link(program, ROOT, output)
    return output.read_bytes()


def build_rom(elf: bytes, virtual_top: int = VIRTUAL_TOP) -> bytes:
    """Return the image, in the mode that answers with stubs."""
    return build_image(elf, RomMetadata(mode=RomMode.STUBS, virtual_top=virtual_top, product="test ROM with a timer"))
