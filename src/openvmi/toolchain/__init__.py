# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Builds firmware and guest with the pinned zig; used by the package's build hook, ``make`` and the tests."""

from ..images import IMAGES
from .recipes import VARIANTS, Variant, build_all
from .zig import Program, link

__all__ = ["IMAGES", "VARIANTS", "Program", "Variant", "build_all", "link"]
