# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Exit codes that are needed before enum can be imported; :class:`openvmi.errors.ExitCode` has them all."""

INTERRUPTED = 130
