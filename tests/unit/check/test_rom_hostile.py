# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Images made to harm: the check ends, in time, with findings or with an error that has words."""

from __future__ import annotations

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openvmi.abi import Call
from openvmi.check.rom import check_rom, formats
from openvmi.check.rom.pc import BUDGET
from openvmi.errors import InputError

from .rom_model import OFFSETS, QUERY, STUBS, TYPES, Model

IMAGE = Model().image()
SECONDS = 3.0
PLACES = st.one_of(
    st.integers(0, len(IMAGE) - 1), st.integers(QUERY, TYPES), st.integers(TYPES, OFFSETS), st.integers(STUBS, 0x1DFF)
)


def survives(data: bytes) -> None:
    start = time.process_time()
    try:
        report = check_rom(data)
    except InputError:
        return
    assert time.process_time() - start < SECONDS
    for image in report.images:
        assert image.reason or image.init
    assert formats.text(report, "x").endswith("\n")
    assert formats.tap(report).startswith("TAP version 13\n1..")
    assert formats.junit(report, "x").startswith("<?xml")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(PLACES, st.binary(min_size=1, max_size=6)), min_size=1, max_size=6))
def test_spoilt_images(changes: list[tuple[int, bytes]]) -> None:
    image = bytearray(IMAGE)
    for at, content in changes:
        image[at : at + len(content)] = content
    survives(bytes(image[: len(IMAGE)]))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(Call)), st.binary(min_size=1, max_size=40))
def test_stubs_of_anything(call: Call, code: bytes) -> None:
    survives(Model().but(call, code.hex()).image())


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=400), st.binary(max_size=300))
def test_files_of_anything(head: bytes, tail: bytes) -> None:
    survives(head + tail)
    survives(b"\x55\xaa\x10" + head + tail)
    survives(IMAGE[:0x90] + head + tail)


def test_everything_loops() -> None:
    """Each call's code, the query and init: the instructions of an image are counted together."""
    survives(Model(stubs=dict.fromkeys(Call, "ebfe")).image())
    survives(Model(init="ebfe").image())
    survives(Model(before="ebfe").image())
    report = check_rom(Model(stubs=dict.fromkeys(Call, "ebfe")).image())
    assert {finding.rule for finding in report.findings} == {"endless"}
    assert {finding.call for finding in report.findings} == {call.name for call in Call}
    assert 20_000 * len(Call) > BUDGET


def test_memory_and_tables_are_thrown_away() -> None:
    for init in ("31c0 0f22c0 c3", "31c0 0f22d8 c3", "6a00 6a00 0f011424 58 58 31c0 c3"):
        survives(Model(init=init).image())
