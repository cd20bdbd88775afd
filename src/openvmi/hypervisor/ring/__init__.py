# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``ring``: the guest's kernel at CPL 1, and what decides about it in Python.

Each decision is a method of :class:`Ring` that a class of yours may override; what it goes by stands in a module of its
own, free of any machine, so that it can be tested alone:

=================  ================================================================================================
:mod:`.segments`   what becomes of a segment descriptor
:mod:`.gates`      what becomes of a gate of the interrupt table
:mod:`.registers`  control registers
:mod:`.debug`      debug registers
:mod:`.msrs`       model-specific registers
:mod:`.features`   CPUID
:mod:`.ports`      I/O ports; :mod:`.pci` configuration space, :mod:`.irqs` interrupt controllers
:mod:`.clock`      time and alarms
:mod:`.starting`   the state that a further CPU starts with
:mod:`.pages`      memory for shadows
=================  ================================================================================================
"""

from __future__ import annotations

from .answers import Decision, End, Fault
from .base import Ring

__all__ = ["Decision", "End", "Fault", "Ring"]
