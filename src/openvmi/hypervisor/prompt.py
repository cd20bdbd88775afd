# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Python prompt while the guest waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Hypervisor
    from .vcpu import Vcpu


def prompt(hypervisor: Hypervisor, vcpu: Vcpu | None) -> None:
    """Open a prompt in this terminal, with both names; return when it is left."""
    import code  # noqa: PLC0415 - rarely used

    code.interact(local={"hypervisor": hypervisor, "vcpu": vcpu}, banner="the guest waits; Ctrl-D lets it go on")
