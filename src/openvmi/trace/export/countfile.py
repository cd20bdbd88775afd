# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A count file, for ``openvmi diff``."""

from __future__ import annotations

from typing import BinaryIO

from ..counts import counts_of
from ..source import Source


def write(source: Source, out: BinaryIO) -> None:
    """Write the counts of ``source`` to ``out``.

    Raises:
        InputError: the file contradicts itself.
    """
    out.write(counts_of(source).to_json().encode())
