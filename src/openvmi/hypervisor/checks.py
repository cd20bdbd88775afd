# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether an answer is one to its call: the same in a run and in a replay."""

from __future__ import annotations

from ..errors import UsageError
from ._generated_calls import CallShape, Places
from .answers import Continue, Debug, Delay, Refuse, Snapshot, Stop, Value


def check_answer(answer: object, shape: CallShape) -> None:
    """Make sure that ``answer`` can be given to a call of ``shape``.

    Raises:
        UsageError: it can't; it says why.
    """
    if isinstance(answer, Delay):
        check_answer(answer.then, shape)
    elif isinstance(answer, Continue):
        places_of(answer.arguments, shape.takes, shape)
    elif isinstance(answer, Value | Refuse):
        places_of(results(answer, shape), shape.gives, shape)
    elif answer is not None and not isinstance(answer, Stop | Snapshot | Debug):
        raise UsageError(f"{shape.method} answered {answer!r:.80}, which is no answer to a call")


def results(answer: Value | Refuse, shape: CallShape) -> dict[str, int]:
    """Return the call's results by name.

    Raises:
        UsageError: the call does not come back.
    """
    if not shape.returns:
        raise UsageError(f"{shape.method} does not come back to its caller: it can't be answered or refused")
    if not shape.gives:
        return {}
    found = {name: 0 for name, _, _ in shape.gives}
    return found | {shape.gives[0][0]: answer.value} | answer.more if isinstance(answer, Value) else found


def places_of(values: dict[str, int], places: Places, shape: CallShape) -> list[tuple[int, tuple[str, ...]]]:
    """Return each value with its places, low half first.

    Raises:
        UsageError: there is no such place, or a value does not fit.
    """
    known = {name: (bits, at) for name, bits, at in places}
    found = []
    for name, value in values.items():
        if name not in known:
            raise UsageError(f"{shape.method} has nothing called {name!r}", help=f"it has {', '.join(known) or 'none'}")
        bits, at = known[name]
        if not isinstance(value, int):
            raise UsageError(f"{shape.method}: {name} = {value!r:.40} is not a number")
        if not 0 <= value < 1 << bits:
            raise UsageError(f"{shape.method}: {name} = {value:#x} does not fit in {bits} bits")
        found.append((value, at))
    return found
