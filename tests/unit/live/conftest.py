# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A wire with a brain at one end and threads that play the guest's CPUs at the other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .wired import Wired


@pytest.fixture
def wired() -> Iterator[Wired]:
    with Wired() as made:
        yield made
