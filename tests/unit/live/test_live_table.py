# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The lines of ``openvmi ps``."""

from __future__ import annotations

from typing import cast

from openvmi.cli._control import table
from openvmi.hypervisor.control import ControlServer
from openvmi.hypervisor.control_client import ControlClient


def test_a_line_has_the_kernels_name_and_who_hangs(server: ControlServer) -> None:
    with ControlClient(server.name) as client:
        row = cast("dict[str, object]", client.ask(op="status"))
    line = table([{**row, "guest": "/boot/some/bzImage", "hanging": "set_cr3"}])[1]
    assert "/boot" not in line
    assert " bzImage " in line
    assert line.endswith("; set_cr3 does not come back")
    assert "come back" not in table([row])[1]
