# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hypervisor that checks its guest: every call across the interface is held to the rules that guests have to keep.

The rules (:mod:`.rules`) are a state machine over events (:mod:`.judge`), fed by a running guest (:mod:`.brain`) or
by a recorded one (:mod:`.offline`).
"""
