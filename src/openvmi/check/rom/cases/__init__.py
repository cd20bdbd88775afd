# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases of every call: what is made from the tables, and what is written here call by call.

To add a call: its cases in the module of its group; until there are any, those from the tables serve.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from ....abi.model import CallSpec
from ..case import Case
from . import cpu, descriptors, generated, interrupts, paging, ports, power, processors, registers, time

_GROUPS = (cpu, descriptors, registers, interrupts, power, paging, ports, processors, time)


@cache
def _written() -> Mapping[str, tuple[Case, ...]]:
    return {name: cases for group in _GROUPS for name, cases in group.cases().items()}


def cases_of(spec: CallSpec) -> tuple[Case, ...]:
    """Return every case of a call: at least one of each kind."""
    written = _written().get(spec.name, ())
    kinds = {case.kind for case in written}
    return (*written, *(case for case in generated.cases(spec) if case.kind not in kinds))
