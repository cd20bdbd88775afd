# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Control registers: what the guest may write, what it then reads, and what the CPU has (Intel SDM 3A, 2.5).

The interface lets features be turned on, never off again. What ``ring`` is built on stays as it is: paging, protection,
and the width of page tables. Write protection stays on in the CPU (the window is read-only for CPL 1 by it), while the
shadows are made as if it had what the guest wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .answers import Fault, protection

CR0_PE: Final = 1 << 0
CR0_MP: Final = 1 << 1
CR0_EM: Final = 1 << 2
CR0_TS: Final = 1 << 3
CR0_ET: Final = 1 << 4
CR0_NE: Final = 1 << 5
CR0_WP: Final = 1 << 16
CR0_AM: Final = 1 << 18
CR0_NW: Final = 1 << 29
CR0_CD: Final = 1 << 30
CR0_PG: Final = 1 << 31
_CR0_ALWAYS: Final = CR0_PE | CR0_ET | CR0_PG
_CR0_ON_THE_CPU: Final = CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_AM
_CR0_KNOWN: Final = _CR0_ALWAYS | _CR0_ON_THE_CPU | CR0_WP | CR0_NW | CR0_CD

CR4_VME: Final = 1 << 0
CR4_PVI: Final = 1 << 1
CR4_TSD: Final = 1 << 2
CR4_DE: Final = 1 << 3
CR4_PSE: Final = 1 << 4
CR4_PAE: Final = 1 << 5
CR4_MCE: Final = 1 << 6
CR4_PGE: Final = 1 << 7
CR4_PCE: Final = 1 << 8
CR4_OSFXSR: Final = 1 << 9
CR4_OSXMMEXCPT: Final = 1 << 10
_CR4_ON_THE_CPU: Final = CR4_TSD | CR4_DE | CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT
_CR4_IN_VIEW: Final = _CR4_ON_THE_CPU | CR4_MCE | CR4_PCE
_CR4_STAYS_ON: Final = CR4_PSE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT

_CR3_LEGACY: Final = 0xFFFFF000
_CR3_PAE: Final = 0xFFFFFFE0


@dataclass(frozen=True, slots=True)
class Control:
    """What becomes of a value for a control register.

    Args:
        hardware: what the CPU has.
        view: what the guest reads from now on.
    """

    hardware: int
    view: int


def cr0(wanted: int) -> Control | Fault:
    """Decide about a write of ``wanted`` to CR0.

    Returns:
        What becomes of it: PG and PE stay set whatever is written, since a kernel of this interface can't turn features
        off; caches stay on. WP is the guest's in what its page tables mean, and always set in the CPU. A fault for what
        hardware never takes.
    """
    if wanted & CR0_PG and not wanted & CR0_PE:
        return protection("paging without protection")
    if wanted & CR0_NW and not wanted & CR0_CD:
        return protection("NW without CD")
    now = wanted & _CR0_KNOWN | _CR0_ALWAYS
    return Control(now & ~(CR0_CD | CR0_NW) | CR0_WP, now)


def cr4(view: int, wanted: int, offered: int = _CR4_IN_VIEW) -> Control | Fault:
    """Decide about a write to CR4.

    Args:
        view: what the guest reads there now.
        wanted: what it writes.
        offered: bits that CPUID says there are, without PAE.

    Returns:
        What becomes of it; a fault for bits that are not offered, as hardware has it, and for another width of page
        tables. Machine checks and RDPMC are seen on and are off.
    """
    if (wanted ^ view) & CR4_PAE:
        return protection("the width of page tables is settled when the interface is activated")
    unknown = wanted & ~(offered & _CR4_IN_VIEW | CR4_PAE)
    if unknown:
        return protection(f"CR4 bits {unknown:#x} are not offered")
    now = wanted | view & _CR4_STAYS_ON
    return Control(now & (_CR4_ON_THE_CPU | CR4_PAE), now)


def cr3(wanted: int, *, pae: bool, is_ram: bool) -> int | Fault:
    """Decide about a root of page tables.

    Args:
        wanted: what the guest writes.
        pae: its page tables have three levels.
        is_ram: the frame is RAM of the guest's own.

    Returns:
        The physical address of the root, without flags; a fault where there is no memory.
    """
    if not is_ram:
        return protection(f"no page tables at {wanted:#010x}: not the guest's memory")
    return wanted & (_CR3_PAE if pae else _CR3_LEGACY)
