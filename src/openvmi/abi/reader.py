# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Typed reading of one TOML table: every key is asked for once, wrong types and unknown keys are errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from .model import TableError

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MISSING: Final = object()
_KINDS: Final[dict[type, str]] = {
    str: "a string",
    int: "an integer",
    bool: "true or false",
    list: "a list",
    dict: "a table",
}


class Reader:
    """Take typed values out of a TOML table.

    Args:
        table: the table as ``tomllib`` gives it.
        where: file and entry, for messages.
    """

    def __init__(self, table: Mapping[str, object], where: str) -> None:
        self._left = dict(table)
        self.where = where

    def error(self, what: str) -> TableError:
        """Return (not raise) an error about this table."""
        return TableError(what, where=self.where)

    def _take(self, key: str, kind: type, default: object) -> object:
        value = self._left.pop(key, default)
        if value is _MISSING:
            raise self.error(f"{key} is missing")
        if type(value) is not kind:
            raise self.error(f"{key} is {value!r}, but has to be {_KINDS[kind]}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """Return a string; without ``default`` it must be there."""
        return str(self._take(key, str, _MISSING if default is None else default))

    def name(self, key: str = "name") -> str:
        """Return a string that can be an identifier of C and Python."""
        value = self.text(key)
        if not _IDENTIFIER.fullmatch(value):
            raise self.error(f"{key} is {value!r}, which is no identifier")
        return value

    def choice(self, key: str, choices: tuple[str, ...], default: str | None = None) -> str:
        """Return a string that is one of ``choices``."""
        value = self.text(key, default)
        if value not in choices:
            raise self.error(f"{key} is {value!r}, but has to be one of {', '.join(choices)}")
        return value

    def number(self, key: str, default: int | None = None) -> int:
        """Return an integer of at most 32 bits, not negative."""
        value = self._take(key, int, _MISSING if default is None else default)
        if not isinstance(value, int) or not 0 <= value < 1 << 32:
            raise self.error(f"{key} is {value!r}, but has to fit in 32 bits")
        return value

    def scalar(self, key: str) -> int | str:
        """Return an integer as :meth:`number` does, or a string."""
        return self.text(key) if isinstance(self._left.get(key), str) else self.number(key)

    def truth(self, key: str, *, default: bool) -> bool:
        """Return a boolean."""
        return bool(self._take(key, bool, default))

    def strings(self, key: str, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Return a list of different strings."""
        value = self._take(key, list, _MISSING if default is None else list(default))
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.error(f"{key} has to be a list of strings")
        if len(set(value)) != len(value):
            raise self.error(f"{key} repeats itself: {', '.join(value)}")
        return tuple(value)

    def numbers(self, key: str) -> dict[str, int]:
        """Return a table of integers; an absent one is empty."""
        value = self._table(key)
        if not all(type(item) is int for item in value.values()):
            raise self.error(f"{key} has to be a table of integers")
        return {name: item for name, item in value.items() if isinstance(item, int)}

    def texts(self, key: str) -> dict[str, str]:
        """Return a table of strings; an absent one is empty."""
        value = self._table(key)
        if not all(isinstance(item, str) for item in value.values()):
            raise self.error(f"{key} has to be a table of strings")
        return {name: str(item) for name, item in value.items()}

    def _table(self, key: str) -> dict[str, object]:
        value = self._take(key, dict, {})
        return dict(value) if isinstance(value, dict) else {}

    def tables(self, key: str) -> list[Reader]:
        """Return a reader for each entry of an array of tables; an absent one is empty."""
        value = self._take(key, list, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.error(f"{key} has to be an array of tables")
        return [Reader(item, f"{self.where}: {key} {item.get('name', index)}") for index, item in enumerate(value)]

    def done(self) -> None:
        """Check that nothing is left.

        Raises:
            TableError: an unknown key is there.
        """
        if self._left:
            raise self.error(f"unknown key {', '.join(sorted(self._left))}")
