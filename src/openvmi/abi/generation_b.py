# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers of generation B (header API 13.x) that are not those of :mod:`openvmi.abi`; the others hold for both."""

from __future__ import annotations

from ._generated_enums_b import (
    API_MAJOR,
    API_MINOR,
    CALL_COUNT,
    HOLE_SIZE,
    LANDING_SIZE,
    PAGE_PDP,
    SINCE,
    SLOT_FIRST,
    SLOT_LAST,
    SLOT_SIZE,
    Call,
    DeferredFlag,
    PageFlag,
)

__all__ = [
    "API_MAJOR",
    "API_MINOR",
    "CALL_COUNT",
    "HOLE_SIZE",
    "LANDING_SIZE",
    "PAGE_PDP",
    "SINCE",
    "SLOT_FIRST",
    "SLOT_LAST",
    "SLOT_SIZE",
    "Call",
    "DeferredFlag",
    "PageFlag",
]
