# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin: machines as fixtures. Registered by the package; imports nothing heavy until a machine is asked for."""
