# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the payloads of ``ring`` and what they go by are put into the device's memory, before the guest starts."""

from __future__ import annotations

from typing import Final

from ...abi import wire
from ...abi.wire import RingInfo, WirePayload
from ...errors import HarnessError
from ...images import RING_PAYLOADS, path
from ..link import Link
from .pages import pool_pages

ROOM: Final = wire.RING_STUBS_PAE_OFFSET - wire.WIRE_CODE_OFFSET
"""Bytes of an image that lie in the window; the rest is the monitor's."""
_PAGE: Final = 4096
PLACES: Final = (
    (wire.WIRE_CODE_OFFSET, wire.RING_IMAGE_OFFSET),
    (wire.RING_STUBS_PAE_OFFSET, wire.RING_IMAGE_PAE_OFFSET),
)
"""Offsets of these two parts, for each of :data:`~openvmi.images.RING_PAYLOADS`."""


def window_part() -> bytes:
    """Return the part of the payload without PAE that lies in the window: its head and stubs.

    Raises:
        HarnessError: it has not been built.
    """
    return path(RING_PAYLOADS[0]).read_bytes()[:ROOM]


def place(link: Link, memory: int) -> None:
    """Put both payloads and ``ring_info`` into the device's memory; one of the two serves the guest.

    Args:
        link: the link, set up with :func:`window_part`.
        memory: the guest's RAM, bytes from address 0.

    Raises:
        HarnessError: a payload has not been built, or is of another build.
        UsageError: there is more RAM than is served.
    """
    heads = []
    for name, (window, monitor) in zip(RING_PAYLOADS, PLACES, strict=True):
        image = path(name).read_bytes()
        head = WirePayload.unpack(image)
        if head.hash != wire.WIRE_HASH:
            raise HarnessError("the payload is of another build than this package", help="make images")
        link.bytes[window : window + ROOM] = image[:ROOM]
        link.bytes[monitor : monitor + len(image) - ROOM] = image[ROOM:]
        heads.append(head)
    info = RingInfo(
        frames=memory // _PAGE,
        pool_pages=pool_pages(memory, link.cpus, len(link.bytes)),
        options=0,
        refusal=0,
        end=0,
        end_address=0,
        end_detail=0,
        init_pae=heads[1].init,
        get_reloc_pae=heads[1].get_reloc,
        physical_bits=0,
        frequency=0,
        unused=bytes(16),
        modes=bytes(wire.RING_EXITS),
        shadow=bytes(128),
    )
    link.bytes[wire.RING_INFO_OFFSET : wire.RING_INFO_OFFSET + RingInfo.SIZE] = info.pack()
