# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measured tables: what each operation of a guest costs, under each hypervisor, as ratios."""
