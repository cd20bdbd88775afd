# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The built images that a wheel carries: ROMs, payloads, bundled guests, ring-3 programs."""

from __future__ import annotations

from pathlib import Path

from ..errors import HarnessError

FOLDER = Path(__file__).resolve().parent
ROMS = ("openvmi.rom", "openvmi-native.rom", "openvmi-stubs.rom")
ROM_STRICT = "openvmi-strict.rom"
"""As the first of :data:`ROMS`, and it tells of calls before ``vmi_init``."""
ROM_13 = "openvmi-v13.rom"
"""Of generation B; those of generation D are :data:`ROMS`."""
PAYLOADS = ("payload-up.bin", "payload-smp.bin")
RING_PAYLOADS = ("payload-ring.bin", "payload-ring-pae.bin")
GUESTS = ("guest.elf", "guest-pae.elf", "guest-plain.elf", "guest-plain-pae.elf", "guest-13.elf", "guest-13-pae.elf")
USER_PROGRAMS = ("args", "init", "true")
LINUX_INITRD = "linux-initrd.cpio"
IMAGES = (
    *(*ROMS, ROM_STRICT, ROM_13, *PAYLOADS, *RING_PAYLOADS, LINUX_INITRD),
    *(f"user/{name}" for name in USER_PROGRAMS),
    *GUESTS,
)
"""Every image that is built, by its place in :data:`FOLDER`."""


def path(name: str) -> Path:
    """Return the path of the image ``name``, for example ``openvmi.rom`` or ``user/init``.

    Raises:
        HarnessError: it has not been built.
    """
    found = FOLDER / name
    if not found.is_file():
        raise HarnessError(
            "this image has not been built", where=str(found), help="run `make images` in the source tree"
        )
    return found
