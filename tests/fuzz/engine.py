# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.fuzz.engine TARGET [libFuzzer's options] CORPUS``: one target under atheris, in this process."""

from __future__ import annotations

import sys
from importlib import import_module

import atheris

# What the targets import only when they run: it would not be instrumented then.
LATE = (
    *(f"openvmi.machine.{name}" for name in ("_bzimage", "_multiboot", "inputs", "kernel")),
    *(f"openvmi.trace.export.{name}" for name in ("charts", "countfile", "flame", "folded", "html", "jsonl", "svg")),
    *("elftools.elf.elffile", "elftools.elf.sections", "elftools.elf.structs"),
)

with atheris.instrument_imports(include=["openvmi", "elftools"]):
    for name in LATE:
        import_module(name)
    from .targets import TARGETS


def main() -> None:
    """Fuzz until an option of libFuzzer's, or a defect, ends it."""
    name, *arguments = sys.argv[1:]
    atheris.Setup([name, *arguments], TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
