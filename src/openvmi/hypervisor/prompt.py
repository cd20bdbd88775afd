# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A Python prompt while the guest waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import Hypervisor
    from .vcpu import Vcpu


def prompt(hypervisor: Hypervisor, vcpu: Vcpu | None) -> None:
    """Open the prompt of a ``Debug`` answer where the hypervisor's ``debugger`` says, or else here."""
    if hypervisor.debugger is None:
        interact(hypervisor, vcpu)
    else:
        hypervisor.debugger(vcpu)


def interact(hypervisor: Hypervisor, vcpu: Vcpu | None) -> None:
    """Open a prompt in this terminal, with both names; return when it is left."""
    import code  # noqa: PLC0415 - rarely used

    names: dict[str, object] = {"hypervisor": hypervisor, "vcpu": vcpu}
    if vcpu is not None:
        names["where"] = f"{vcpu.call.name} from {vcpu.where}"
    try:
        code.interact(
            local=names, banner=f"{names.get('where', '')}: the guest waits; Ctrl-D lets it go on", exitmsg=""
        )
    except SystemExit:
        return  # exit() leaves the prompt, and no more
