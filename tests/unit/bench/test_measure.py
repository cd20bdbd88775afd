# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, before anything boots."""

from __future__ import annotations

from pathlib import Path

from openvmi.bench.measure import BENCHMARKS, check_names, subjects
from openvmi.boot import Request

from ..machine.builders import multiboot


def test_names_of_anothers_benchmarks_are_anothers_matter(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel.elf"
    kernel.write_bytes(multiboot())
    columns = subjects([str(kernel)], ["none"], Request())
    check_names(["frobnicate"], columns)
    check_names(BENCHMARKS, columns)


def test_so_are_those_of_anothers_init_on_a_linux(tmp_path: Path) -> None:
    linux = tmp_path / "bzImage"
    linux.write_bytes(bytes(0x202) + b"HdrS")
    ours = tmp_path / "initrd"
    check_names(["frobnicate"], subjects([str(linux)], ["none"], Request(initrd=ours)))
