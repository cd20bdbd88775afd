# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Building ROM images: what comes out, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openvmi.errors import InputError, OpenVmiError, UsageError
from openvmi.rom import RomMetadata, RomMode, build_image, check, parse, rebuild, with_mode

Elf = Callable[..., bytes]
Patch = Callable[[bytes, dict[int, bytes]], bytes]


def test_what_is_told_can_be_read_back(code: bytes, elf: Elf) -> None:
    told = RomMetadata(RomMode.STUBS, 0xFFC00000, "Ada", "Engine", "GPL v2", (7, 9))
    rom = parse(build_image(elf(code), told))
    (image,) = rom.images
    assert (rom.size, rom.trailing, image.declared, image.checksum) == (2048, 0, 2048, 0)
    assert image.vmi is not None
    assert image.pci is not None
    assert image.descriptor is not None
    assert (image.vmi.api, image.vmi.virtual_top, image.vmi.licence) == ((3, 0), 0xFFC00000, "GPL v2")
    assert (image.pci.vendor, image.pci.device, image.pci.version) == (0x15AD, 0x0801, (7, 9))
    assert (image.pci.image_length, image.pci.code_type, image.pci.last) == (2048, 0, True)
    assert (image.pnp[0].manufacturer, image.pnp[0].product, image.pnp[0].checksum) == ("Ada", "Engine", 0)
    assert (image.pnp[0].bcv, image.pnp[0].bev, image.pnp_broken) == (0, 0, False)
    assert (image.descriptor.mode, image.descriptor.code_end) == (RomMode.STUBS, len(code))
    assert image.data[0x80 : len(code)] == code[0x80:]
    assert check(rom) == []


@pytest.mark.parametrize("mode", RomMode)
@pytest.mark.parametrize("size", [0x90, 0x100, 0x7A0, 0x800, 0xF000])
def test_every_image_is_fine_and_in_units_of_2_kib(elf: Elf, code: bytes, mode: RomMode, size: int) -> None:
    longer = (code + bytes(size))[:size]
    image = build_image(elf(longer), RomMetadata(mode=mode, virtual_top=0xFC000000))
    assert len(image) % 2048 == 0
    assert check(parse(image)) == []


def test_the_same_arguments_give_the_same_bytes(code: bytes, elf: Elf) -> None:
    assert build_image(elf(code), RomMetadata()) == build_image(elf(code), RomMetadata())


def test_a_mode_is_one_byte_and_the_checksum(image: bytes) -> None:
    for mode in RomMode:
        other = with_mode(image, mode)
        differing = {at for at in range(len(image)) if image[at] != other[at]}
        assert differing <= {0x49, 0x4A}
        assert other[0x49] == mode.number
        assert sum(other) & 0xFF == 0
        assert with_mode(other, RomMode.NATIVE) == image


def test_an_image_can_be_built_again_with_other_names(image: bytes, code: bytes, elf: Elf) -> None:
    told = RomMetadata(RomMode.DECLINE, 0xF0000000, "somebody", "x" * 80)
    assert rebuild(image, told) == build_image(elf(code), told)
    assert rebuild(rebuild(image, told), RomMetadata(mode=RomMode.NATIVE)) == image


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"virtual_top": 0xFFC00800}, "virtual_top"),
        ({"virtual_top": 1 << 32}, "virtual_top"),
        ({"virtual_top": -4096}, "virtual_top"),
        ({"manufacturer": ""}, "manufacturer"),
        ({"product": "tab\there"}, "product"),
        ({"product": "é"}, "product"),
        ({"product": "x" * 81}, "product"),
        ({"licence": "MIT"}, "licence"),
        ({"version": (256, 0)}, "version"),
    ],
)
def test_metadata_out_of_range_is_refused(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        RomMetadata(**arguments)  # type: ignore[arg-type]


def test_an_elf_that_is_no_rom_is_refused(code: bytes, elf: Elf) -> None:
    wrong = {
        "not an ELF": b"MZ" + bytes(100),
        "empty": b"",
        "cut off": elf(code)[:60],
        "x86-64": elf(code, machine=62),
        "elsewhere": elf(code, address=0x1000),
        "zeroed memory": elf(code, memory=len(code) + 4),
        "two pieces": elf(code, pieces=2),
        "none": elf(code, pieces=0),
        "too short": elf(code[:0x8F]),
        "too long": elf(code + bytes(0xF000)),
        "no header": elf(bytes(0x100)),
        "no descriptor": elf(code[:0x40] + bytes(0x20) + code[0x60:]),
    }
    for what, content in wrong.items():
        with pytest.raises(InputError):
            pytest.fail(f"{what}: {build_image(content, RomMetadata())!r}")


def test_code_that_knows_fewer_modes_says_so(code: bytes, elf: Elf, image: bytes, patch: Patch) -> None:
    old = patch(image, {0x4B: b"\1"})
    assert with_mode(old, RomMode.NATIVE) == old
    with pytest.raises(UsageError, match="stubs"):
        with_mode(old, RomMode.STUBS)
    with pytest.raises(UsageError, match="stubs"):
        build_image(elf(code[:0x4B] + b"\1" + code[0x4C:]), RomMetadata(mode=RomMode.STUBS))


def test_only_our_own_whole_images_change_their_mode(image: bytes, patch: Patch) -> None:
    others = (patch(image, {0x40: b"OPENVMI"}), image[:-1] + b"\1", image + bytes(512), image[:-512], b"\x55\xaa\4")
    for other in others:
        with pytest.raises(InputError):
            with_mode(other, RomMode.NATIVE)
        with pytest.raises(InputError):
            rebuild(other, RomMetadata())


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 150), st.integers(0, 255))
def test_no_elf_does_more_than_be_refused(tail: bytes, at: int, value: int) -> None:
    start = bytearray(b"\x7fELF\x01\x01\x01" + bytes(9) + tail)
    if at < len(start):
        start[at] = value
    with pytest.raises(OpenVmiError):
        build_image(bytes(start), RomMetadata())


@settings(deadline=None)
@given(st.data())
def test_a_spoiled_elf_is_refused_or_built(code: bytes, elf: Elf, data: st.DataObject) -> None:
    content = bytearray(elf(code))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, 120))] = data.draw(st.integers(0, 255))
    try:
        image = build_image(bytes(content), RomMetadata())
    except (InputError, UsageError):
        return
    assert parse(image).images[0].checksum == 0


@settings(deadline=None)
@given(st.data())
def test_a_spoiled_image_is_refused_or_changed(image: bytes, patch: Patch, data: st.DataObject) -> None:
    changes = {data.draw(st.integers(0, 0x9F)): bytes([data.draw(st.integers(0, 255))]) for _ in range(3)}
    spoiled = patch(image, changes)
    for change in (partial(with_mode, spoiled, RomMode.STUBS), partial(rebuild, spoiled, RomMetadata())):
        try:
            changed = change()
        except (InputError, UsageError):
            continue
        assert parse(changed).images[0].checksum == 0
