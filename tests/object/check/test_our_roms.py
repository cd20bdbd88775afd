# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ROM of ours conforms, in every mode; the tests' ROM with a timer breaks one rule, on purpose."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openvmi import abi, images
from openvmi.abi import Call
from openvmi.check.rom import ImageReport, Kind, Status, check_rom
from openvmi.rom import RomMetadata, RomMode, build_image
from openvmi.toolchain import link
from openvmi.toolchain.recipes import ROM_MODES, firmware

from ...guest.timer_rom.recipe import build_elf, build_rom

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 3.0
STUBS = 62
SERVED = {RomMode.DECLINE: 0, RomMode.NATIVE: 3, RomMode.STUBS: STUBS, RomMode.STUBS_JUMP: STUBS}
TIMED = {Call.GetCycleFrequency, Call.GetCycleCounter, Call.SetAlarm, Call.CancelAlarm, Call.GetWallclockTime}
WRITERS = {*TIMED, Call.SetInitialAPState, Call.APICWrite, Call.APICRead} - {
    Call.GetCycleCounter,
    Call.GetWallclockTime,
}


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("rom") / "rom.elf"
    link(firmware(ROOT), ROOT, output)
    return output.read_bytes()


def only(data: bytes) -> ImageReport:
    (image,) = check_rom(data).images
    return image


@pytest.mark.parametrize("virtual_top", [0, 0xFC000000], ids=hex)
@pytest.mark.parametrize("mode", RomMode)
def test_our_rom_conforms(elf: bytes, mode: RomMode, virtual_top: int) -> None:
    image = only(build_image(elf, RomMetadata(mode=mode, virtual_top=virtual_top)))
    assert image.findings == ()
    assert image.init == ("declined (-1)" if mode is RomMode.DECLINE else "active (0)")
    assert (image.executed, image.served) == (SERVED[mode], SERVED[mode])
    assert all(not case.reason for call in image.calls for case in call.cases)


@pytest.mark.parametrize("name", ROM_MODES)
def test_the_image_that_is_delivered_conforms_in_time(name: str) -> None:
    data = images.path(name).read_bytes()
    start = time.process_time()
    report = check_rom(data)
    assert report.findings == ()
    assert time.process_time() - start < SECONDS


def test_the_rom_with_a_timer_breaks_nothing_but_that_it_writes_to_itself(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """It makes its image writable first, on the chipset of its one machine; so it is no ROM for any other."""
    image = only(build_rom(build_elf(tmp_path_factory.mktemp("timer"))))
    assert {finding.rule for finding in image.findings} == {"rom-written"}
    assert {Call[finding.call] for finding in image.findings} <= WRITERS | TIMED
    assert image.executed == image.served
    executed = {call.name for call in image.calls if call.status is Status.EXECUTED}
    assert {call.name for call in TIMED} <= executed
    spec = abi.load()
    assert all({case.kind for case in call.cases} == set(Kind) for call in image.calls if call.name in executed)
    assert len(image.calls) == len(spec.calls)
