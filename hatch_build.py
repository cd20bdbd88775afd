# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Build hook: compiles firmware and guest with the pinned zig, so that wheels carry images and kit as data."""

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
            build_data: is told of the paravirt layer's sources, which the package carries for other kernels.

        Raises:
            openvmi.errors.HarnessError: a source file does not compile; the compiler's words are in the message.
        """
        if version == "editable":
            return
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))
        try:
            from openvmi.kit import layer_sources  # noqa: PLC0415 - only importable once the path is set
            from openvmi.toolchain import build_all  # noqa: PLC0415

            build_all(root)
            packed = {str(path): f"openvmi/kit/layer/{name}" for name, path in layer_sources(root).items()}
            build_data["force_include"].update(packed)
        finally:
            sys.path.pop(0)
