# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m openvmi.toolchain [rom|user|guest ...]``: build images in a source tree (default: all of them)."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import OpenVmiError, UsageError
from . import build_all

TARGETS = ("rom", "user", "guest")


def main(arguments: list[str]) -> int:
    """Build what ``arguments`` names, below the current folder or above it; return the exit code."""
    try:
        unknown = [word for word in arguments if word not in TARGETS]
        if unknown:
            raise UsageError(f"unknown target {unknown[0]!r}", help=f"one of: {', '.join(TARGETS)}")
        build_all(source_root(), targets=arguments or TARGETS)
    except OpenVmiError as error:
        sys.stderr.write(f"openvmi: {error}\n" + (f"  help: {error.help}\n" if error.help else ""))
        return int(error.exit_code)
    return 0


def source_root() -> Path:
    """Return the source tree that this package runs from.

    Raises:
        UsageError: the package is installed from a wheel, which carries no sources.
    """
    root = Path(__file__).resolve().parents[3]
    if not (root / "firmware").is_dir():
        raise UsageError("not in a source tree", where=str(root), help="git clone the project, then `make images`")
    return root


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
