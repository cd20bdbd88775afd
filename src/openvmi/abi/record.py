# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the generated codecs have in common: bytes to record and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from struct import Struct
from typing import ClassVar, Self

from ..errors import InputError


class Record:
    """A packed little-endian structure; the generated subclasses are frozen dataclasses with these three."""

    __slots__ = ()
    SIZE: ClassVar[int]
    LAYOUT: ClassVar[Struct]
    OFFSETS: ClassVar[Mapping[str, int]]

    @classmethod
    def unpack(cls, data: bytes | bytearray | memoryview, offset: int = 0) -> Self:
        """Return the record that begins at ``offset`` of ``data``.

        Raises:
            InputError: ``data`` ends before the record does, or ``offset`` is negative.
        """
        if not 0 <= offset <= len(data) - cls.SIZE:
            raise InputError(
                f"{cls.__name__} needs {cls.SIZE} bytes at offset {offset:#x}, and the data is {len(data)} bytes long"
            )
        return cls(*cls.LAYOUT.unpack_from(data, offset))

    def pack(self) -> bytes:
        """Return the record's bytes.

        Raises:
            InputError: a value does not fit its field.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        self._check(values)
        return self.LAYOUT.pack(*values.values())

    def _check(self, values: Mapping[str, int | bytes]) -> None:
        starts = [*self.OFFSETS.values(), self.SIZE]
        for (name, value), start, end in zip(values.items(), starts, starts[1:], strict=False):
            size = end - start
            fits = len(value) == size if isinstance(value, bytes) else 0 <= value < 1 << 8 * size
            if not fits:
                raise InputError(f"{type(self).__name__}.{name} = {value!r} does not fit in {size} bytes")
