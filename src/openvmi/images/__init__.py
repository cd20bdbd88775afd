# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The built images that a wheel carries: ROMs, bundled guests, ring-3 programs."""

from __future__ import annotations

from pathlib import Path

from ..errors import HarnessError

FOLDER = Path(__file__).resolve().parent


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
