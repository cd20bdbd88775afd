# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists what in a kernel would trap or misbehave below CPL 0, and what the kernel's own records cover.

``read_kernel`` or ``parse_kernel`` makes a :class:`Kernel` of a file, ``lint`` a :class:`Report` of that. The steps, in
order: ``elf.py``, ``unpack.py``, ``kallsyms.py`` (bytes to sections and symbols); ``sweep.py`` (code to instructions);
``certainty.py`` (which of them are certain); ``records.py``, ``paravirt.py``, ``boot.py``, ``coverage.py`` (what covers
them); ``baseline.py``, ``output.py``, ``table.py`` (what is said).
"""

from .baseline import read_baseline, split, write_baseline
from .lint import lint
from .model import Cover, Doubt, Effect, Finding, Hit, Kernel, Report, Rule, Section, Symbol
from .output import as_json, as_sarif
from .rules import RULES
from .source import parse_kernel, read_kernel
from .table import lines

__all__ = [
    "RULES",
    "Cover",
    "Doubt",
    "Effect",
    "Finding",
    "Hit",
    "Kernel",
    "Report",
    "Rule",
    "Section",
    "Symbol",
    "as_json",
    "as_sarif",
    "lines",
    "lint",
    "parse_kernel",
    "read_baseline",
    "read_kernel",
    "split",
    "write_baseline",
]
