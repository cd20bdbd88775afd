# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of every call: what is made from the tables, and what is written here call by call.

To add a call: its cases in the module of its group; until there are any, those from the tables serve. Generation B has
those of the others, and of :mod:`.older`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from .... import abi
from ....abi.model import CallSpec
from ..case import Case
from . import cpu, descriptors, generated, interrupts, older, paging, ports, power, processors, registers, time

_GROUPS = (cpu, descriptors, registers, interrupts, power, paging, ports, processors, time)


@cache
def _written(generation: str) -> Mapping[str, tuple[Case, ...]]:
    found = {name: cases for group in _GROUPS for name, cases in group.cases().items()}
    return found if generation == "D" else {**found, **older.cases()}


def cases_of(spec: CallSpec, generation: str = "D") -> tuple[Case, ...]:
    """Return every case of a call of that generation: at least one of each kind."""
    written = _written(generation).get(spec.name, ())
    kinds = {case.kind for case in written}
    made = generated.cases(spec, abi.load(generation).every_enum)
    return (*written, *(case for case in made if case.kind not in kinds))
