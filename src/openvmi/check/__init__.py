# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Both sides of the interface, checked against its tables: ROM images, kernels."""
