# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Codecs of the interface's structures: ``RomHeader.unpack(image)``, ``ApState(eip=...).pack()``.

Every class has ``SIZE``, ``OFFSETS`` (field name to bytes), ``unpack`` and ``pack`` (:class:`~.record.Record`).
A letter at the end of a name is a generation other than D.
"""

from __future__ import annotations

from ._generated_structs import AnnotationB, ApState, Dtr, IretFrame, Pcir, Pnp, Reloc, RomHeader, RomHeaderB
from .record import Record

__all__ = ["AnnotationB", "ApState", "Dtr", "IretFrame", "Pcir", "Pnp", "Record", "Reloc", "RomHeader", "RomHeaderB"]
