# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Folded stacks, ``SetPxE;do_fork 12``: what flamegraph.pl, speedscope and inferno read."""

from __future__ import annotations

from typing import BinaryIO

from ..source import Source


def write(source: Source, out: BinaryIO) -> None:
    """Write ``source`` to ``out``, a line for each pair of call and function, in order.

    Raises:
        InputError: the file contradicts itself.
    """
    counts = source.tally().by_function(source.symbols)
    named = sorted((source.meta.name(call), function, count) for (call, function), count in counts.items())
    out.writelines(f"{call};{function.replace(' ', '_')} {count}\n".encode() for call, function, count in named)
