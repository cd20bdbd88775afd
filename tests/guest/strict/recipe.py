# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""How the wrong guest is built: a kernel of its own, so that the bundled ones stay what they are."""

from __future__ import annotations

from pathlib import Path

from openvmi.toolchain import link
from openvmi.toolchain.recipes import sources
from openvmi.toolchain.zig import Program

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).resolve().parent.relative_to(ROOT).as_posix()


def build(folder: Path) -> Path:
    """Link the wrong guest in ``folder`` and return its file."""
    program = Program(
        name="wrong guest",
        sources=sources(ROOT, HERE),
        script=f"{HERE}/wrong.ld",
        includes=("firmware/include", "guest/include", HERE),
        flags=("-fno-builtin",),
        entry="boot_entry",
    )
    output = folder / "wrong.elf"
    link(program, ROOT, output)
    return output
