# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From a method of a hypervisor to what the brain calls: arguments out of the mailbox, the answer into it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..abi import CALL_COUNT
from ..abi.wire import Action
from ..errors import HarnessError
from ._generated_calls import SHAPES, CallShape, Places
from .answers import Answer, Continue, Debug, Delay, Refuse, Snapshot, Stop, Value
from .base import Hypervisor
from .checks import check_answer, places_of, results
from .link import Link, area
from .vcpu import WORD, Vcpu

_FULL = (1 << 32) - 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a handler wants beyond an answer.

    Args:
        kind: ``stop``, ``snapshot``, ``debug`` or ``failed``.
        answer: the answer that says so; None when it failed.
        error: the exception; None when it did not fail.
        vcpu: who called.
    """

    kind: str
    answer: Answer = None
    error: Exception | None = None
    vcpu: Vcpu | None = None


Handler = Callable[[int], Verdict | None]
"""Takes a CPU's index; the mailbox is filled when it returns, except for its state."""


def make_handlers(hypervisor: Hypervisor, link: Link, vcpus: list[Vcpu]) -> list[Handler | None]:
    """Return, by call number, what answers each call; None for those that ``hypervisor`` does not override."""
    hypervisor.guest = vcpus[0].guest if vcpus else None
    handlers: list[Handler | None] = [None] * CALL_COUNT
    for call in hypervisor.routed():
        shape = SHAPES[call]
        # not by the mailbox: the guest may write another number there at any time
        calling = [vcpu.during(call) for vcpu in vcpus]
        handlers[call] = _handler(getattr(hypervisor, shape.method), shape, link, calling)
    return handlers


def _place(places: tuple[str, ...]) -> tuple[int, ...]:
    """Return the mailbox words of an argument, low half first; the frame of IRET lies where ESP points."""
    return tuple(WORD["esp" if place == "frame" else place] for place in places)


def _handler(method: Callable[..., Answer], shape: CallShape, link: Link, vcpus: list[Vcpu]) -> Handler:
    ask = asker(method, shape, link, vcpus)

    def take(cpu: int) -> Verdict | None:
        try:
            answer = ask(cpu)
            if answer is None:
                return None
        except SystemExit as error:
            answer = exit_answer(error)
        except (KeyboardInterrupt, GeneratorExit) as error:
            raise HarnessError(f"{shape.method} raised {type(error).__name__}") from error
        return apply(answer, shape, link, vcpus[cpu], area(cpu) // 4)

    return take


def asker(method: Callable[..., Answer], shape: CallShape, link: Link, vcpus: list[Vcpu]) -> Callable[[int], Answer]:
    """Return what calls ``method`` with its arguments out of a CPU's mailbox; the common shapes without a loop."""
    words, boxes = link.words, [area(cpu) // 4 for cpu in range(link.cpus)]
    places = [_place(at) for _, _, at in shape.takes]
    masks = [(1 << bits) - 1 for _, bits, _ in shape.takes]
    simple = all(len(at) == 1 for at in places) and all(mask == _FULL for mask in masks)
    at = [tuple(box + place[0] for place in places) for box in boxes]

    def none(cpu: int) -> Answer:
        return method(vcpus[cpu])

    def one(cpu: int) -> Answer:
        return method(vcpus[cpu], words[at[cpu][0]])

    def two(cpu: int) -> Answer:
        first, second = at[cpu]
        return method(vcpus[cpu], words[first], words[second])

    def three(cpu: int) -> Answer:
        first, second, third = at[cpu]
        return method(vcpus[cpu], words[first], words[second], words[third])

    def others(cpu: int) -> Answer:
        found = [_read(words, boxes[cpu], place, mask) for place, mask in zip(places, masks, strict=True)]
        return method(vcpus[cpu], *found)

    by_count = (none, one, two, three)
    return by_count[len(places)] if simple and len(places) < len(by_count) else others


def exit_answer(error: SystemExit) -> Stop:
    """Return what ``sys.exit()`` in a method means: the machine ends, with what would be the process's status."""
    code = error.code
    if isinstance(code, int) or code is None:
        return Stop("sys.exit()", status=(code or 0) & 0xFF)
    return Stop(str(code), status=1)


def _read(words: memoryview[int], box: int, at: tuple[int, ...], mask: int) -> int:
    value = words[box + at[0]]
    if len(at) > 1:
        value |= words[box + at[1]] << 32
    return value & mask


def _write(words: memoryview[int], box: int, at: tuple[int, ...], value: int) -> None:
    for index, place in enumerate(at):
        words[box + place] = value >> 32 * index & _FULL


def apply(answer: Answer, shape: CallShape, link: Link, vcpu: Vcpu, box: int) -> Verdict | None:
    """Put an answer other than None into the mailbox; return what is left to do."""
    if isinstance(answer, Delay):
        with link.hold:
            time.sleep(max(0.0, answer.seconds))
        return None if answer.then is None else apply(answer.then, shape, link, vcpu, box)
    if isinstance(answer, Continue):
        _fill(answer.arguments, shape.takes, shape, link, box)
        link.words[box + WORD["action"]] = Action.CHANGED
        return None
    if isinstance(answer, Value | Refuse):
        _fill(results(answer, shape), shape.gives, shape, link, box)
        link.words[box + WORD["action"]] = Action.RETURN
        return None
    if isinstance(answer, Stop | Snapshot | Debug):
        return Verdict(type(answer).__name__.lower(), answer=answer, vcpu=vcpu)
    check_answer(answer, shape)
    return None


def _fill(values: dict[str, int], places: Places, shape: CallShape, link: Link, box: int) -> None:
    for value, at in places_of(values, places, shape):
        if at != ("frame",):
            _write(link.words, box, _place(at), value)
