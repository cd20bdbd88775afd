# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""CPUID and model-specific registers (vmi-abi.md 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .. import devices
from ..bench import Bench
from ..case import Case, Expect, Problem, Problems, boundary, negative, positive
from ..seen import GENERAL_PROTECTION, Seen
from .common import ALL, gives, number

_FAULTS = frozenset({GENERAL_PROTECTION})
_ORDER = ("eax", "ebx", "ecx", "edx")
_VALUE = 0x1122_3344_C010_5000
_NO_MSR = 0xDEAD
_CHANGES = frozenset({f"msr{devices.SYSENTER_ESP:x}"})


def _same_as_cpu(bench: Bench, seen: Seen) -> Problems:
    del bench
    expected = devices.cpuid(0)
    found = tuple(seen.get(name) for name in _ORDER)
    if found != expected:
        yield Problem("result", " ".join(map(number, expected)), " ".join(map(number, found)))


def _features_masked(bench: Bench, seen: Seen) -> Problems:
    del bench
    native = dict(zip(_ORDER, devices.cpuid(1), strict=True))
    for name in ("ecx", "edx"):
        extra = seen.get(name) & ~native[name]
        # bit 31 of ECX is the hypervisor's own
        if extra & ~(1 << 31 if name == "ecx" else 0):
            yield Problem("result", f"{name.upper()} within {native[name]:#x}", number(seen.get(name)))


def _write(index: int, value: int) -> Callable[[Bench], None]:
    def setup(bench: Bench) -> None:
        bench.pc.devices.write_msr(index, value)

    return setup


def _written(index: int, value: int) -> Expect:
    def expect(bench: Bench, seen: Seen) -> Problems:
        del seen
        found = bench.pc.devices.read_msr(index)
        if found != value and bench.value("RDMSR", index=index) != value:
            yield Problem("effect", number(value), "none" if found is None else number(found))

    return expect


def cases() -> Mapping[str, tuple[Case, ...]]:
    """Return the cases by call."""
    esp = devices.SYSENTER_ESP
    return {
        "CPUID": (
            positive("leaf 0", expect=_same_as_cpu),
            boundary("leaf 1: features may be masked, not added", arguments={"leaf": 1}, expect=_features_masked),
            negative("a leaf that there is not", arguments={"leaf": 0x7FFFFFFF, "subleaf": ALL}),
        ),
        "WRMSR": (
            positive("SYSENTER_ESP", arguments={"index": esp, "value": 1}, expect=_written(esp, 1), changes=_CHANGES),
            boundary(
                "all of the value",
                arguments={"index": esp, "value": _VALUE},
                expect=_written(esp, _VALUE),
                changes=_CHANGES,
            ),
            negative("a register that there is not", arguments={"index": _NO_MSR, "value": _VALUE}, faults=_FAULTS),
        ),
        "RDMSR": (
            positive(
                "SYSENTER_ESP",
                arguments={"index": esp},
                setup=_write(esp, 1),
                expect=gives("RDMSR", 1, "WRMSR", index=esp, value=1),
            ),
            boundary(
                "all of the value",
                arguments={"index": esp},
                setup=_write(esp, _VALUE),
                expect=gives("RDMSR", _VALUE, "WRMSR", index=esp, value=_VALUE),
            ),
            negative("a register that there is not", arguments={"index": _NO_MSR}, faults=_FAULTS),
        ),
    }
