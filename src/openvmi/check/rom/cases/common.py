# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What several groups of cases expect."""

from __future__ import annotations

from collections.abc import Callable

from ..bench import Bench
from ..case import Expect, Problem, Problems, result
from ..seen import Seen

ALL = 0xFFFFFFFF
GARBAGE = 0xDEAD0000


def number(value: int) -> str:
    """Return ``value`` as a report shows it."""
    return f"{value:#x}"


def gives(call: str, expected: int, setter: str = "", mask: int = (1 << 64) - 1, **arguments: int) -> Expect:
    """Expect the result ``expected``, which the CPU's own state has been set to.

    A ROM that keeps state of its own did not see that: it may be told by its own call ``setter``, and asked again.
    """

    def expect(bench: Bench, seen: Seen) -> Problems:
        give = bench.tables.call(call).gives[0]
        found = result(seen, give)
        if found & mask == expected & mask:
            return
        if setter and bench.ask(setter, **arguments) is not None:
            again = bench.value(call, **{name: arguments[name] for name in ("register", "index") if name in arguments})
            if again is not None and again & mask == expected & mask:
                return
        yield Problem("result", number(expected & mask), number(found))

    return expect


def has(name: str, expected: int, getter: str, mask: int = ALL) -> Expect:
    """Expect that the register ``name`` is now ``expected``, as the guest sees it."""

    def expect(bench: Bench, seen: Seen) -> Problems:
        found = bench.sees(expected, lambda: seen.after[name], getter, mask)
        if found is not None:
            yield Problem("effect", f"{name.upper()} {expected & mask:#x}", number(found & mask))

    return expect


def setting(**registers: int) -> Callable[[Bench], None]:
    """Return a setup that loads CPU registers."""

    def setup(bench: Bench) -> None:
        bench.pc.set(**registers)

    return setup


def storing(address: int, data: bytes) -> Callable[[Bench], None]:
    """Return a setup that puts ``data`` into memory."""

    def setup(bench: Bench) -> None:
        bench.pc.write(address, data)

    return setup


def stored(address: int, data: bytes) -> Expect:
    """Expect ``data`` in memory."""

    def expect(bench: Bench, seen: Seen) -> Problems:
        del seen
        found = bench.pc.read(address, len(data))
        if found != data:
            yield Problem("effect", f"{data.hex(' ')} at {address:#010x}", found.hex(" "))

    return expect
