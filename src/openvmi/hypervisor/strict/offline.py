# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A recorded run held to the rules, as far as a trace tells what they need.

A record has three registers and the caller, so rules about the stack's words, segments, flags and memory have nothing
to judge; and what was before the first record is not known.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ...abi import Call
from ...abi.wire import WIRE_BASE
from ...trace.event import Event as Record
from .events import Event
from .judge import UNSEEN, Judge

_LONG: Final = frozenset((int(Call.SetPxELong), int(Call.UpdatePxELong)))
_MOST: Final = 10_000
_SHORT: Final = frozenset((int(Call.SetPxE), int(Call.UpdatePxE)))


def judge_records(records: Iterable[Record], *, pae: bool | None = None) -> Judge:
    """Judge the calls of a trace, by time, and return who did.

    Args:
        records: of one run.
        pae: three levels of page tables; None to go by the first call that tells.
    """
    judge = Judge(active=True, pae=pae, top=WIRE_BASE)
    waiting: list[Event] = []  # until it is known
    for record in records:
        if record.call in UNSEEN:
            continue
        event = Event(record.cpu, record.call, record.caller, record.eax, record.edx, record.ecx)
        if pae is None and record.call in _LONG | _SHORT:
            pae = record.call in _LONG
            judge = Judge(active=True, pae=pae, top=WIRE_BASE)
            for each in waiting:
                judge.feed(each)
            waiting.clear()
        if pae is None and len(waiting) < _MOST:
            waiting.append(event)
        else:
            judge.feed(event)
    for each in waiting:
        judge.feed(each)
    return judge
