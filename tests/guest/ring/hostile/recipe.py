# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the hostile kernel is built: the bundled kernel's parts with another main, by the project's own toolchain."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from openvmi import images
from openvmi.toolchain import link
from openvmi.toolchain.recipes import VARIANTS, kernel, sources

ROOT = Path(__file__).resolve().parents[4]
HERE = Path(__file__).resolve().parent.relative_to(ROOT).as_posix()


def monitor() -> tuple[str, ...]:
    """Return the monitor's selectors as macros."""
    text = (ROOT / "firmware/ring/ring.h").read_text()
    found = {
        name: int(value, 0) for name, value in re.findall(r"^#define (\w+) (0x[0-9a-f]+|\d+)\b", text, re.MULTILINE)
    }
    places = {name: found[f"RING_{name}"] for name in ("CS", "DS", "GATE")}
    places |= {"TASK": found["RING_TSS_DOUBLE"], "FIRST": found["GDT_OURS"], "LAST": found["GDT_ENTRIES"] - 1}
    return tuple(f"MONITOR_{name}={value:#x}" for name, value in places.items())


def build(folder: Path, *, pae: bool = False, includes: tuple[str, ...] = ()) -> Path:
    """Link the hostile kernel in ``folder`` and return its ELF; the ring-3 programs must have been built.

    Args:
        folder: where to.
        pae: with three levels of page tables.
        includes: folders of headers that come before all others, relative to the root.
    """
    programs = images.path("guest.elf").parent / "user"
    variant = next(each for each in VARIANTS if each.paravirt and each.pae is pae and "-13" not in each.image)
    base = kernel(ROOT, variant, programs)
    program = replace(
        base,
        name="hostile kernel",
        sources=(
            *(source for source in base.sources if source != "guest/kernel/main.c"),
            *sources(ROOT, HERE),
        ),
        defines=(*base.defines, *monitor()),
        includes=(*includes, *base.includes, "guest/paravirt", HERE),
    )
    output = folder / ("hostile-pae.elf" if pae else "hostile.elf")
    link(program, ROOT, output)
    return output
