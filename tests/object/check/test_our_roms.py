# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every ROM of ours conforms, in every mode; the tests' ROM with a timer breaks one rule, on purpose."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from openvmi import images
from openvmi.abi import Call
from openvmi.check.rom import ImageReport, Kind, check_rom
from openvmi.check.rom.formats import text
from openvmi.rom import RomMetadata, RomMode, build_image
from openvmi.toolchain import link
from openvmi.toolchain.recipes import ROM_MODES, firmware, firmware_13

from ...guest.timer_rom.recipe import build_elf, build_rom

ROOT = Path(__file__).resolve().parents[3]
SECONDS = 3.0
STUBS = 62
CALLS_B = 84
SERVED = {RomMode.DECLINE: 0, RomMode.NATIVE: 3, RomMode.STUBS: STUBS, RomMode.STUBS_JUMP: STUBS}
TIMED = {Call(number) for number in range(Call.GetCycleFrequency, Call.WallclockUpdated + 1)}
APIC = {Call.SetInitialAPState, Call.APICWrite, Call.APICRead}


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("rom") / "rom.elf"
    link(firmware(ROOT), ROOT, output)
    return output.read_bytes()


@pytest.fixture(scope="module")
def elf_13(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    output = tmp_path_factory.mktemp("rom13") / "rom13.elf"
    link(firmware_13(ROOT), ROOT, output)
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


@pytest.mark.parametrize("mode", RomMode)
def test_our_rom_of_generation_b_conforms(elf_13: bytes, mode: RomMode) -> None:
    """Its slots hold code in every mode; what the query says differs."""
    image = only(build_image(elf_13, RomMetadata(mode=mode)))
    assert image.findings == ()
    assert image.init == ("declined (-1)" if mode is RomMode.DECLINE else "active (0)")
    assert (image.generation, image.executed, image.served) == ("B", CALLS_B, CALLS_B)
    assert image.complete


@pytest.mark.parametrize("name", ["openvmi-stubs.rom", images.ROM_13])
def test_the_page_shows_a_real_run(name: str) -> None:
    shown = text(check_rom(images.path(name).read_bytes()), f"src/openvmi/images/{name}")
    page = (ROOT / "docs" / "check-rom.md").read_text()
    assert "\n".join(f"    {line}" for line in shown.splitlines()) in page


@pytest.mark.parametrize("name", [*ROM_MODES, images.ROM_13])
def test_the_image_that_is_delivered_conforms_in_time(name: str) -> None:
    data = images.path(name).read_bytes()
    start = time.process_time()
    report = check_rom(data)
    assert report.findings == ()
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize("name", sorted(path.name for path in images.path("openvmi.rom").parent.glob("*.rom")))
def test_every_image_that_is_installed_conforms(name: str) -> None:
    report = check_rom(images.path(name).read_bytes())
    assert report.passed
    served = any(image.served for image in report.images)
    assert ("(it serves no call, so none was executed)" in text(report, name)) is not served
    assert served is (name not in {"openvmi.rom", images.ROM_STRICT})


def test_the_rom_with_a_timer_breaks_nothing_but_that_it_writes_to_itself(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """It makes its image writable first, on the chipset of its one machine; so it is no ROM for any other."""
    image = only(build_rom(build_elf(tmp_path_factory.mktemp("timer"))))
    assert {finding.rule for finding in image.findings} == {"rom-written"}
    assert {Call[finding.call] for finding in image.findings} <= TIMED | APIC
    cases = {Call[call.name]: {case.kind for case in call.cases if not case.reason} for call in image.calls}
    assert all(cases[call] == set(Kind) for call in TIMED | APIC)
    assert image.executed == image.served == STUBS + len(TIMED | APIC)
