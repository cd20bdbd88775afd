# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From an exit in a mailbox to a method of :class:`~.base.Ring`, and from its answer back (docs/ring-exits.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...abi import wire
from ...abi.wire import RingAction, RingExit
from .._generated_calls import CallShape, Places
from ..handlers import Handler, Verdict, apply, asker, exit_answer
from ..link import area
from ..vcpu import WORD
from .answers import End, Fault
from .vcpu import RingVcpu

if TYPE_CHECKING:
    from ..answers import Answer
    from ..link import Link
    from ..vcpu import Vcpu
    from .base import Ring

_ACTION: Final = WORD["action"]
_EAX, _EDX = WORD["eax"], WORD["edx"]


def _takes(**places: str) -> Places:
    """Return arguments: name, and where each is; two registers are a number of 64 bits, low half first."""
    return tuple((name, 32 * len(at.split()), tuple(at.split())) for name, at in places.items())


def _shape(method: str, takes: Places = (), gives: Places = (), *, returns: bool = True) -> CallShape:
    return CallShape(method, takes, gives, returns)


_CONTROL: Final = _takes(number="ecx", value="eax")
_NUMBER: Final = _takes(number="ecx")
_RESULT: Final = _takes(value="eax")
_TABLE: Final = _takes(base="eax", limit="ecx")
_SELECTOR: Final = _takes(selector="eax")
_FRAME: Final = _takes(pfn="eax", flags="edx")

EXITS: Final[dict[RingExit, CallShape]] = {
    RingExit.EXCEPTION: _shape("on_exception", _takes(vector="eax", error="edx")),
    RingExit.CPUID: _shape(
        "on_cpuid",
        _takes(leaf="eax", subleaf="ecx", a="s1", b="ebx", c="s2", d="edx"),
        _takes(a="eax", b="ebx", c="ecx", d="edx"),
    ),
    RingExit.RDMSR: _shape("on_rdmsr", _takes(index="ecx"), _takes(value="eax edx")),
    RingExit.WRMSR: _shape("on_wrmsr", _takes(index="ecx", value="eax edx")),
    RingExit.IN: _shape("on_in", _takes(port="edx", size="ecx"), _RESULT),
    RingExit.OUT: _shape("on_out", _takes(port="edx", size="ecx", value="eax")),
    RingExit.READ_CR: _shape("on_read_cr", _NUMBER, _RESULT),
    RingExit.WRITE_CR: _shape("on_write_cr", _CONTROL),
    RingExit.READ_DR: _shape("on_read_dr", _NUMBER, _RESULT),
    RingExit.WRITE_DR: _shape("on_write_dr", _CONTROL),
    RingExit.SET_GDT: _shape("on_set_gdt", _TABLE),
    RingExit.SET_LDT: _shape("on_set_ldt", _SELECTOR),
    RingExit.SET_IDT: _shape("on_set_idt", _TABLE),
    RingExit.SET_TR: _shape("on_set_tr", _SELECTOR),
    RingExit.DESCRIPTOR: _shape("on_descriptor", _takes(place="ecx", value="eax edx")),
    RingExit.GATE: _shape("on_gate", _takes(vector="ecx", value="eax edx")),
    RingExit.SET_ROOT: _shape("on_set_root", _takes(value="eax")),
    RingExit.ALLOCATE: _shape("on_allocate", _FRAME),
    RingExit.RELEASE: _shape("on_release", _FRAME),
    RingExit.AP_STATE: _shape("on_ap_state", _takes(state="eax", apic_id="edx")),
    RingExit.AP_START: _shape("on_ap_start", _takes(apic_id="eax")),
    RingExit.APIC: _shape("on_apic", _takes(register="ecx", value="eax")),
    RingExit.IO_APIC: _shape("on_io_apic", _takes(register="ecx", value="eax")),
    RingExit.REBOOT: _shape("on_reboot", _takes(how="eax")),
    RingExit.SHUTDOWN: _shape("on_shutdown"),
    RingExit.REFUSED: _shape("on_refused", _takes(address="eax", physical="ecx edx")),
    RingExit.UNKNOWN: _shape("on_unknown"),
    RingExit.END: _shape("on_end", _takes(reason="eax"), returns=False),
    RingExit.SET_ALARM: _shape("on_set_alarm", _takes(flags="eax", expiry="edx ecx", period="s1 s2")),
    RingExit.CANCEL_ALARM: _shape("on_cancel_alarm", _takes(counter="eax"), _takes(armed="eax")),
    RingExit.WALLCLOCK: _shape("on_wallclock", _takes(real="eax edx"), _takes(time="eax edx")),
    RingExit.WALLCLOCK_SET: _shape("on_wallclock_set", _takes(real="eax edx"), _takes(updated="eax")),
    RingExit.RDPMC: _shape("on_rdpmc", _takes(counter="ecx"), _takes(value="eax edx")),
}
"""Exits that Python can be asked about, and how. The others are too many, or there is nothing to decide."""


def exit_handlers(ring: Ring, link: Link, vcpus: list[Vcpu]) -> list[Handler | None]:
    """Return, by number of the exit, what answers each; None for those that ``ring`` is not asked about."""
    handlers: list[Handler | None] = [None] * wire.RING_EXITS
    for number in ring.asked():
        shape = EXITS[number]
        leaving: list[Vcpu] = [RingVcpu(link, vcpu, number) for vcpu in vcpus]
        handlers[number] = _handler(ring, number, shape, link, leaving)
    return handlers


def _handler(ring: Ring, number: RingExit, shape: CallShape, link: Link, vcpus: list[Vcpu]) -> Handler:
    method = getattr(ring, shape.method)
    ask = asker(method, shape, link, vcpus)

    def take(cpu: int) -> Verdict | None:
        box = area(cpu) // 4
        link.words[box + _ACTION] = 0
        answer: Answer | Fault | End
        try:
            answer = ask(cpu)
        except SystemExit as error:
            answer = exit_answer(error)
        if answer is None:
            return None
        if isinstance(answer, Fault):
            ring.note_fault(number, answer)
            _raise(answer, link, box)
            return None
        if isinstance(answer, End):
            ring.note_end(answer)
            link.words[box + _ACTION] = RingAction.END
            return None
        return apply(answer, shape, link, vcpus[cpu], box)

    return take


def _raise(fault: Fault, link: Link, box: int) -> None:
    link.words[box + _EAX] = fault.vector
    link.words[box + _EDX] = fault.error
    link.words[box + _ACTION] = RingAction.FAULT
