# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``python -m openvmi``: the ``openvmi`` command."""

from .cli import main

if __name__ == "__main__":
    main()
