# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the hostile kernel is built: the bundled kernel's parts with another main, by the project's own toolchain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from openvmi import images
from openvmi.toolchain import link
from openvmi.toolchain.recipes import VARIANTS, kernel, sources

ROOT = Path(__file__).resolve().parents[4]
HERE = Path(__file__).resolve().parent.relative_to(ROOT).as_posix()


def build(folder: Path, *includes: str) -> Path:
    """Link the hostile kernel in ``folder`` and return its ELF; the ring-3 programs must have been built.

    Args:
        folder: where to.
        includes: folders of headers that come before all others, relative to the root.
    """
    programs = images.path("guest.elf").parent / "user"
    base = kernel(ROOT, VARIANTS[0], programs)
    program = replace(
        base,
        name="hostile kernel",
        sources=(
            *(source for source in base.sources if source != "guest/kernel/main.c"),
            *sources(ROOT, HERE),
        ),
        includes=(*includes, *base.includes, "guest/paravirt", HERE),
    )
    output = folder / "hostile.elf"
    link(program, ROOT, output)
    return output
