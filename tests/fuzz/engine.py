# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m tests.fuzz.engine TARGET [libFuzzer's options] CORPUS``: one target under atheris, in this process."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["openvmi", "elftools"]):
    from .targets import TARGETS


def main() -> None:
    """Fuzz until an option of libFuzzer's, or a defect, ends it."""
    name, *arguments = sys.argv[1:]
    atheris.Setup([name, *arguments], TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
