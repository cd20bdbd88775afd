# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Words of others, for a terminal: names of files and what guests say may be anything."""


def printable(text: str, keep: str = "") -> str:
    """Return ``text`` with what a terminal might obey escaped, but for the characters in ``keep``."""
    return "".join(char if char.isprintable() or char in keep else _escaped(ord(char)) for char in text)


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
