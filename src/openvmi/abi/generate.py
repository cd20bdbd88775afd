# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write everything that comes from the tables, or check that it is fresh.

``python -m openvmi.abi.generate`` writes; with ``--check`` it writes nothing, names each stale file and exits 1.
Needs a source tree: an installed package has neither ``firmware`` nor ``docs``.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import ExitCode, UsageError
from . import emit_c, emit_hypervisor, emit_pages, emit_python
from .loader import load_interface, load_wire

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = Path("src/openvmi/abi")
INCLUDE = Path("firmware/include")
INCLUDE_B = Path("firmware/include13")
"""Of generation B: the same names for a program that is compiled with this folder in place of the other."""
PAGES = Path("docs/reference/abi")
HYPERVISOR = Path("src/openvmi/hypervisor")


def outputs() -> dict[Path, str]:
    """Return every generated file, by its path in the source tree, with its content."""
    current, old, wire = load_interface("D"), load_interface("B"), load_wire()
    wire_hash = table_hash(emit_c.header(current) + emit_c.wire_header(wire, 0))
    pages = emit_pages.pages(current, old)
    return {
        INCLUDE / "vmi_abi.h": emit_c.header(current),
        INCLUDE / "vmi_wire.h": emit_c.wire_header(wire, wire_hash),
        INCLUDE / "vmi_abi.inc": emit_c.include(current),
        INCLUDE_B / "vmi_abi.h": emit_c.header(old),
        INCLUDE_B / "vmi_abi.inc": emit_c.include(old),
        PACKAGE / "_generated_enums.py": emit_python.enums(current),
        PACKAGE / "_generated_enums_b.py": emit_python.enums(old),
        PACKAGE / "_generated_structs.py": emit_python.structs([current, old]),
        PACKAGE / "_generated_wire.py": emit_python.wire(wire, wire_hash),
        HYPERVISOR / "_generated_calls.py": emit_hypervisor.calls(current),
        **{PAGES / name: text for name, text in pages.items()},
    }


def table_hash(text: str) -> int:
    """Return 32 bits, never 0, that change with ``text``."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little") or 1


def stale(root: Path, expected: Mapping[Path, str]) -> list[str]:
    """Return a line for each file under ``root`` that is missing or differs from ``expected``."""
    found = []
    for path, text in expected.items():
        file = root / path
        if not file.exists():
            found.append(f"{path}: missing")
        elif file.read_bytes() != text.encode():
            found.append(f"{path}: stale")
    return found


def write(root: Path, expected: Mapping[Path, str]) -> list[Path]:
    """Write under ``root`` what differs, and return the paths written."""
    written = []
    for path, text in expected.items():
        file = root / path
        if not file.exists() or file.read_bytes() != text.encode():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
            written.append(path)
    return written


def main(arguments: Sequence[str], root: Path = ROOT) -> ExitCode:
    """Generate, or check with ``--check``; ``root`` is the source tree.

    Raises:
        UsageError: unknown arguments, or ``root`` is no source tree.
    """
    if any(argument != "--check" for argument in arguments):
        raise UsageError(f"unknown argument {arguments[0]}", help="python -m openvmi.abi.generate [--check]")
    if not (root / "pyproject.toml").exists():
        raise UsageError("not a source tree of openvmi", where=str(root))
    if arguments:
        lines = stale(root, outputs())
        for line in lines:
            sys.stderr.write(f"{line}\n")
        return ExitCode.NOT_FINE if lines else ExitCode.OK
    for path in write(root, outputs()):
        sys.stdout.write(f"{path}\n")
    return ExitCode.OK


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
