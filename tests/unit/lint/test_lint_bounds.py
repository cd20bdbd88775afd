# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Files made to cost more than any kernel does: an answer in seconds, whatever they hold."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest

from openvmi.check.lint import Cover, lint, parse_kernel
from openvmi.check.lint.budget import BRANCHES, INSTRUCTIONS, RECORDS, STEPS, Budget
from openvmi.errors import InputError

from .kernels import BASE, CLI, DATA, LABEL, NOP, OBJECT, RET, Builder, Piece, one

SECONDS = 10


def labels(count: int, code: bytes) -> list[Piece]:
    return [Piece(f"l{number}", code, LABEL) for number in range(count)]


def too_many_instructions() -> Builder:
    return Builder().text(*labels(INSTRUCTIONS // 65536 + 1, CLI + NOP * 65535))


def too_many_branches() -> Builder:
    return Builder().text(*labels(BRANCHES // 32768 + 1, b"\xeb\0" * 32768))


def too_many_steps() -> Builder:
    """Stretches that run on into one another: each hit is looked for from sixteen of them on."""
    return Builder().text(*labels(80, NOP * 65535 + CLI))


def too_many_records(name: str) -> Callable[[], Builder]:
    content = bytes(12 * (RECORDS + 1))
    return lambda: (
        Builder()
        .text(Piece("f", CLI + RET))
        .part(name, BASE + 0x1000, Piece("", content), flags=DATA)
        .part(".altinstr_replacement", BASE + 0x1000000, Piece("", NOP))
    )


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (too_many_instructions, f"more than {INSTRUCTIONS} instructions"),
        (too_many_branches, f"more than {BRANCHES} branches"),
        (too_many_steps, f"more than {STEPS} steps"),
        (too_many_records(".parainstructions"), "records in .parainstructions"),
        (too_many_records(".altinstructions"), "records in .altinstructions"),
        (too_many_records("__ex_table"), "records in __ex_table"),
    ],
)
def test_more_than_any_kernel_has(build: Callable[[], Builder], words: str) -> None:
    kernel = parse_kernel(build().elf())
    began = time.process_time()
    with pytest.raises(InputError, match=words):
        lint(kernel)
    assert time.process_time() - began < SECONDS


def test_a_budget_is_spent_to_its_last_step() -> None:
    budget = Budget(10)
    budget.spend(9)
    budget.spend(1)
    with pytest.raises(InputError):
        budget.spend(1)


def test_more_pointers_to_a_function_than_can_be_looked_at() -> None:
    """Nothing is claimed then: the function counts as reached by one that is not known."""
    table = struct.pack("<I", BASE)

    def verdict(pointers: int) -> tuple[Cover, str]:
        builder = Builder().text(
            Piece("native_cli", CLI + RET), Piece("vmi_init", b"\xc7\x05" + struct.pack("<I", BASE + 0x1000) + bytes(4))
        )
        builder.part(".data", BASE + 0x1000, Piece("pv_irq_ops", table, OBJECT), flags=DATA)
        builder.part(".more", BASE + 0x2000, Piece("", table * pointers, OBJECT), flags=DATA)
        finding = one(builder.lint(), "native_cli+0x0")
        return finding.cover, finding.note

    assert verdict(0)[0] is Cover.TABLE
    cover, note = verdict(10_001)
    assert cover is Cover.NONE
    assert "0x00000000" in note
