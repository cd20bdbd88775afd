# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has the guest wait without limit, for as long as anybody here takes his time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self

from ..abi.wire import WireHeader

_HOLD: Final = WireHeader.OFFSETS["hold"] // 4


class Hold:
    """In a ``with`` statement the guest waits; several threads may be in one at once, and the last lets it go.

    Args:
        words: the shared memory, as 32-bit words.
    """

    __slots__ = ("_holders", "_lock", "_words")

    def __init__(self, words: memoryview[int]) -> None:
        self._words = words
        self._holders = 0
        self._lock = threading.Lock()

    def for_ever(self) -> None:
        """Have it wait until the machine ends."""
        self.__enter__()

    @contextmanager
    def let_go(self) -> Iterator[None]:
        """Have the memory say that nobody is waited for, while the CPUs stand still."""
        with self._lock:
            self._words[_HOLD] = 0
        try:
            yield
        finally:
            with self._lock:
                self._words[_HOLD] = self._holders > 0

    def __enter__(self) -> Self:
        with self._lock:
            self._holders += 1
            self._words[_HOLD] = 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._holders -= 1
            self._words[_HOLD] = self._holders > 0
