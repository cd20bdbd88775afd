# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests and users call things is printed as it is, and never obeyed."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from openvmi.bench.render import table
from openvmi.bench.statistics import columns


def test_names_are_not_markup() -> None:
    taken = {name: [{"[/x]": 1.0, "[red]a\x1b[2J": 2.0}] for name in ("[/none]", "native")}
    out = StringIO()
    Console(file=out, width=140).print(table(columns(taken), "ns"))
    for words in ("[/x]", "[red]a\\x1b[2J", "[/none]"):
        assert words in out.getvalue()
