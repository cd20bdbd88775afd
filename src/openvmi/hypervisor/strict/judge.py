# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules as a state machine: events in, findings out. It reads no clock, starts nothing, and takes any events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from ...abi import Call
from . import control, entries, pages, segments
from .events import Early, Event, Start
from .findings import Findings
from .pages import Breach
from .sight import Sight
from .state import TOP, Cpu, State

_IF: Final = 0x200
_DF: Final = 0x400
_PAE: Final = 0x20
_JUMPS: Final = frozenset((int(Call.IRET), int(Call.SYSEXIT)))
BEFORE: Final = 8
"""Events kept for the trace of a finding."""

# Frequent, and nothing that the rules know can be wrong with them: preserved registers, no arguments.
UNSEEN: Final = frozenset(
    (
        *(Call.EnableInterrupts, Call.DisableInterrupts, Call.GetInterruptMask, Call.SetInterruptMask),
        *(Call.RDTSC, Call.IODelay),
    )
)

Handler = Callable[[State, Event, Cpu], Iterator[Breach]]

_HANDLERS: Final[dict[int, Handler]] = {
    Call.AllocatePage: pages.allocate_page,
    Call.ReleasePage: pages.release_page,
    Call.SetCR3: pages.set_cr3,
    Call.SetPxE: entries.set_pxe,
    Call.SetPxELong: entries.set_pxe_long,
    Call.UpdatePxE: entries.update_pxe,
    Call.UpdatePxELong: entries.update_pxe,
    Call.SetLinearMapping: entries.set_linear_mapping,
    Call.FlushTLB: entries.flush,
    Call.InvalPage: entries.drained,
    Call.GetCR2: entries.drained,
    Call.SetLazyMode: entries.lazy_mode,
    Call.IRET: control.iret,
    Call.SYSEXIT: control.sysexit,
    Call.Halt: control.halt,
    Call.SetCR0: control.set_cr0,
    Call.SetCR4: control.set_cr4,
    Call.SetIOPLMask: control.set_iopl_mask,
    Call.SetInitialAPState: control.set_initial_ap_state,
    Call.WriteGDTEntry: segments.write_gdt_entry,
    Call.WriteLDTEntry: segments.write_ldt_entry,
    Call.WriteIDTEntry: segments.write_idt_entry,
    Call.SetGDT: segments.set_gdt,
    Call.SetLDT: segments.set_ldt,
    Call.SetIDT: segments.set_idt,
    Call.SetTR: segments.set_tr,
    Call.UpdateKernelStack: segments.update_kernel_stack,
}


class Judge:
    """Holds a guest to the rules.

    Args:
        sight: the guest's memory; none for a recorded run.
        active: ``vmi_init`` has said yes some time before the first event; otherwise a :class:`Start` comes.
        pae: three levels of page tables; None if not known before the start.
        top: ``virtual_top``: where the hypervisor's part of the address space begins.
        blame: names the function that a call is made for; asked only for findings.

    Attributes:
        findings: what was found.
    """

    def __init__(
        self,
        sight: Sight | None = None,
        *,
        active: bool = False,
        pae: bool | None = None,
        top: int = TOP,
        blame: Callable[[Event], str] | None = None,
    ) -> None:
        self._sight = sight or Sight()
        self._top = top
        self._blame = blame
        self._state = State(self._sight, active=active, whole=not active, pae=pae, top=top)
        self._before: deque[Event] = deque(maxlen=BEFORE)
        self.findings = Findings()

    def feed(self, event: Event | Start | Early) -> None:
        """Judge what happened; events come in the order in which they happened on each CPU."""
        if isinstance(event, Start):
            self._start(event)
            return
        if isinstance(event, Early):
            # it comes by another way than calls do, and so maybe after the start
            known = Event(0, event.call, event.caller, 0, 0, 0, told=False)
            self.findings.add("before-init", "vmi_init has not been called", known, ())
            return
        for rule, seen in self._breaches(event):
            self.findings.add(rule, seen, event, tuple(self._before), self._blame)
        self._before.append(event)

    def _start(self, start: Start) -> None:
        pae = None if start.cr4 is None else bool(start.cr4 & _PAE)
        self._state = State(self._sight, active=True, pae=pae, top=self._top)
        if start.eflags is not None and start.eflags & _IF:
            event = Event(0, -1, 0, 0, 0, 0, eflags=start.eflags)
            self.findings.add("init-interrupts", f"EFLAGS is {start.eflags:#x}", event, tuple(self._before))

    def _breaches(self, event: Event) -> Iterator[Breach]:
        state = self._state
        if not state.active:
            yield "before-init", "the interface is not active"
            return
        cpu = state.cpu(event.cpu)
        if event.cr3 is not None:
            cpu.cr3 = event.cr3
            if not state.walked:
                state.walk(event.cr3)
        if event.gdt is not None:
            cpu.gdt = event.gdt
        if event.ss is not None and (event.ss, event.ds, event.es, event.gdt) != cpu.flat:
            yield from segments.flat_segments(state, event, cpu)
        if event.esp is not None and event.esp >= state.top:
            yield "stack-flat", f"ESP is {event.esp:#x}, virtual_top is {state.top:#x}"
        if event.eflags is not None and event.eflags & _DF and event.call not in _JUMPS:
            yield "direction-flag", f"EFLAGS is {event.eflags:#x}"
        handler = _HANDLERS.get(event.call)
        if handler is not None:
            yield from handler(state, event, cpu)


JUDGED: Final = frozenset(_HANDLERS)
"""Numbers of the calls that have rules of their own."""
