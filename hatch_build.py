# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Build hook: compiles firmware and guest with the pinned zig, so that wheels carry the images as data."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface[Any]):
    """Builds every image into ``src/openvmi/images`` before the wheel is packed."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless the install is an editable one, whose images ``make`` builds in the tree.

        Args:
            version: hatchling's name of what is built: ``standard`` or ``editable``.
            build_data: not changed.

        Raises:
            openvmi.errors.HarnessError: a source file does not compile; the compiler's words are in the message.
        """
        del build_data
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))
        try:
            from openvmi.toolchain import build_all  # noqa: PLC0415 - only importable once the path is set

            build_all(root)
        finally:
            sys.path.pop(0)
