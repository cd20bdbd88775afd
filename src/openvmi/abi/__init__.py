# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The interface as data: numbers, registers, flag words, structures, per ABI generation.

Enumerations and constants are here, and cost no TOML: ``from openvmi.abi import Call, PageFlag, SIGNATURE``.
Codecs of structures are in :mod:`openvmi.abi.structs`. The whole tables come from :func:`load`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._generated_enums import (
    ALARM_COUNTER_MASK,
    ALARM_WIRED_IRQ0,
    API_MAJOR,
    API_MINOR,
    CALL_COUNT,
    IF,
    IRET_POISON,
    JUMP_SIZE,
    LICENSE_GPL,
    LICENSE_GPL_V2,
    LINEAR_SLOTS,
    MAX_CALL_SIZE,
    MIN_CYCLE_FREQUENCY,
    PAGE_LEVEL_MASK,
    PAGE_NORMAL,
    PCI_DEVICE,
    PCI_VENDOR,
    PCIR_LAST_IMAGE,
    PCIR_LENGTH,
    PCIR_SIGNATURE,
    PNP_SIGNATURE,
    PNP_UNIT,
    PXE_LEVEL_MASK,
    PXE_VA_MASK,
    ROM_SIGNATURE,
    ROM_UNIT,
    SCAN_END,
    SCAN_FIRST,
    SCAN_FIRST_TEXT,
    SCAN_STEP,
    SIGNATURE,
    STACK_HEADROOM,
    SYSEXIT_POISON,
    AlarmFlag,
    Call,
    Counter,
    FlushFlag,
    LazyMode,
    PageFlag,
    PxeFlag,
    RebootMode,
    RelocType,
)

if TYPE_CHECKING:
    from .model import Interface

__all__ = [
    "ALARM_COUNTER_MASK",
    "ALARM_WIRED_IRQ0",
    "API_MAJOR",
    "API_MINOR",
    "CALL_COUNT",
    "IF",
    "IRET_POISON",
    "JUMP_SIZE",
    "LICENSE_GPL",
    "LICENSE_GPL_V2",
    "LINEAR_SLOTS",
    "MAX_CALL_SIZE",
    "MIN_CYCLE_FREQUENCY",
    "PAGE_LEVEL_MASK",
    "PAGE_NORMAL",
    "PCIR_LAST_IMAGE",
    "PCIR_LENGTH",
    "PCIR_SIGNATURE",
    "PCI_DEVICE",
    "PCI_VENDOR",
    "PNP_SIGNATURE",
    "PNP_UNIT",
    "PXE_LEVEL_MASK",
    "PXE_VA_MASK",
    "ROM_SIGNATURE",
    "ROM_UNIT",
    "SCAN_END",
    "SCAN_FIRST",
    "SCAN_FIRST_TEXT",
    "SCAN_STEP",
    "SIGNATURE",
    "STACK_HEADROOM",
    "SYSEXIT_POISON",
    "AlarmFlag",
    "Call",
    "Counter",
    "FlushFlag",
    "LazyMode",
    "PageFlag",
    "PxeFlag",
    "RebootMode",
    "RelocType",
    "load",
]


def load(generation: str = "D") -> Interface:
    """Return the tables of a generation, read at the first call and kept.

    Args:
        generation: ``D`` (mainline Linux, header API 3.0) or ``B`` (header API 13.x).

    Raises:
        openvmi.abi.model.TableError: there is no such generation, or a table contradicts itself.
    """
    from .loader import load_interface  # noqa: PLC0415 - TOML stays off the path of those who need only numbers

    return load_interface(generation)
