# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine offers a kernel through the ROM, by name.

==========  =============================================================================================
none        no ROM in the machine: bare hardware
declining   the ROM is there with nobody behind it: ``vmi_init`` returns -1 and the kernel stays native
native      the ROM is active and serves every call natively, at CPL 0
==========  =============================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import images
from ..errors import UsageError

_ROMS = {"none": None, "declining": "openvmi.rom", "native": "openvmi-native.rom"}
NAMES = tuple(_ROMS)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the machine offers.

    Args:
        name: ``none``, ``declining`` or ``native``.
        roms: option ROMs to put into the machine, in order.
    """

    name: str
    roms: tuple[Path, ...]


def offer(name: str, roms: tuple[Path, ...] = ()) -> Offer:
    """Return what hypervisor ``name`` puts into a machine.

    Args:
        name: one of :data:`NAMES`.
        roms: option ROMs that stand in for the hypervisor's own image; empty for its own.

    Raises:
        UsageError: no hypervisor has that name, or a ROM was given with ``none``.
        HarnessError: the image has not been built.
    """
    if name not in _ROMS:
        raise UsageError(f"unknown hypervisor {name!r}", help=f"one of: {', '.join(NAMES)}")
    image = _ROMS[name]
    if image is None and roms:
        raise UsageError("a machine with hypervisor 'none' has no ROM", help="leave out --rom or --hypervisor none")
    return Offer(name, roms if image is None or roms else (images.path(image),))
