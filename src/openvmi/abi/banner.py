# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The two lines that every generated file begins with, in one place because licence checkers read sources too."""

from __future__ import annotations

from typing import Final

# REUSE-IgnoreStart
COPYRIGHT: Final = "SPDX-FileCopyrightText: 2026 The openvmi authors"
LICENSE: Final = "SPDX-License-Identifier: GPL-2.0-or-later"
# REUSE-IgnoreEnd
