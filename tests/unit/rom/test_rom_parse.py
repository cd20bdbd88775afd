# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading ROM files: several images, lies, anybody's bytes."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openvmi.errors import InputError
from openvmi.rom import MAX_FILE_BYTES, RomMetadata, check, explain, parse, rebuild, summary

Patch = Callable[[bytes, dict[int, bytes]], bytes]


def at_pci(image: bytes) -> int:
    return int.from_bytes(image[0x18:0x1A], "little")


def at_pnp(image: bytes) -> int:
    return int.from_bytes(image[0x1A:0x1C], "little")


@pytest.mark.parametrize("content", [b"", b"\x55", b"\x55\xaa", b"\xaa\x55\4", b"\x7fELF" + bytes(100)])
def test_what_is_no_option_rom_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="option ROM"):
        parse(content)


def test_a_huge_file_is_refused(image: bytes) -> None:
    assert parse(image + bytes(MAX_FILE_BYTES - len(image))).trailing == MAX_FILE_BYTES - len(image)
    with pytest.raises(InputError, match="too many"):
        parse(image + bytes(MAX_FILE_BYTES))


def test_several_images_in_one_file(image: bytes) -> None:
    rom = parse(image + rebuild(image, RomMetadata(product="second")) + b"rest")
    assert [found.offset for found in rom.images] == [0, 2048]
    assert [found.pnp[0].product for found in rom.images] == ["VMI ROM", "second"]
    assert rom.trailing == 4
    assert summary(rom)[1] == "image 1 at 0x800: VMI ROM, interface 3.0, 2048 bytes, mode decline: openvmi second"


def test_bytes_that_are_missing_are_no_error(image: bytes) -> None:
    for size in range(3, len(image)):
        rom = parse(image[:size])
        (found,) = rom.images
        assert found.data == image[:size]
        assert found.checksum is None
        assert (found.vmi is None) == (size < 0x90)
        assert check(rom)


def test_a_length_of_zero_takes_the_rest(image: bytes, patch: Patch) -> None:
    rom = parse(patch(image, {2: b"\0"}) + image)
    assert len(rom.images) == 1
    assert rom.images[0].checksum is None
    assert rom.trailing == 0


def test_the_longer_of_the_two_lengths_counts(image: bytes, patch: Patch) -> None:
    longer = patch(image, {at_pci(image) + 16: b"\6\0"})
    rom = parse(longer + bytes(1024) + image)
    assert [found.offset for found in rom.images] == [0, 3072]


@pytest.mark.parametrize("pointer", [0x18, 0x1A, 0x16])
@pytest.mark.parametrize("value", [0x7F9, 0x800, 0xFFFF, 1, 2])
def test_offsets_that_lead_nowhere_are_facts(image: bytes, patch: Patch, pointer: int, value: int) -> None:
    spoiled = patch(image, {pointer: value.to_bytes(2, "little")})
    (found,) = parse(spoiled).images
    assert found.vmi is not None
    if pointer == 0x18:
        assert found.pci is None
    elif pointer == 0x1A:
        assert found.pnp == ()
        assert found.pnp_broken
    else:
        assert found.vmi.licence != "GPL"


def test_a_structure_may_end_with_the_image(image: bytes, patch: Patch) -> None:
    pci, pnp = image[at_pci(image) :][:24], image[at_pnp(image) :][:32]
    moved = {0x800 - 24: pci, 0x18: (0x800 - 24).to_bytes(2, "little")}
    (found,) = parse(patch(image, moved)).images
    assert found.pci is not None
    (found,) = parse(patch(image, {0x7E0: pnp, 0x1A: b"\xe0\x07"})).images
    assert found.pnp[0].manufacturer == "openvmi"
    (found,) = parse(patch(image, {0x7E1: pnp[:31], 0x1A: b"\xe1\x07"})).images
    assert found.pnp == ()


def test_a_string_without_an_end_is_none(image: bytes, patch: Patch) -> None:
    (found,) = parse(patch(image, {0x700: b"x" * 0x100, 0x16: b"\0\x07"})).images
    assert found.vmi is not None
    assert found.vmi.licence is None
    (found,) = parse(patch(image, {0x600: b"x" * 0x100, 0x16: b"\0\x06"})).images
    assert found.vmi is not None
    assert found.vmi.licence is None


def test_a_chain_of_pnp_headers_ends(image: bytes, patch: Patch) -> None:
    at = at_pnp(image)
    (circle,) = parse(patch(image, {at + 6: at.to_bytes(2, "little")})).images
    assert len(circle.pnp) == 16
    assert circle.pnp_broken
    second = {0x700: image[at : at + 32], at + 6: b"\0\x07"}
    (chain,) = parse(patch(image, second)).images
    assert [header.offset for header in chain.pnp] == [at, 0x700]
    assert not chain.pnp_broken


def test_time_is_linear() -> None:
    def seconds(images: int) -> float:
        content = (b"\x55\xaa\1" + bytes(509)) * images
        started = time.perf_counter()
        assert len(parse(content).images) == images
        return time.perf_counter() - started

    seconds(100)
    small, large = min(seconds(1000) for _ in range(3)), min(seconds(8000) for _ in range(3))
    assert large < 8 * small * 4


@settings(deadline=None)
@given(st.binary(max_size=6000))
@example(b"\x55\xaa\1" + bytes(15) + b"\xff\xff\xff\xff")
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    for data in (content, b"\x55\xaa" + content):
        try:
            rom = parse(data)
        except InputError:
            continue
        assert sum(len(found.data) for found in rom.images) + rom.trailing == rom.size == len(data)
        check(rom)
        summary(rom)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_spoiled_image_is_read_judged_and_explained(image: bytes, data: st.DataObject) -> None:
    content = bytearray(image * data.draw(st.integers(1, 2)))
    spots = st.one_of(st.integers(0, 0x9F), st.integers(0x100, 0x180), st.integers(0, len(content) - 1))
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(spots)] = data.draw(st.integers(0, 255))
    spoiled = bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        rom = parse(spoiled)
    except InputError:
        return
    check(rom)
    for section in explain(spoiled):
        for entry in section.entries:
            assert 0 <= entry.offset <= entry.offset + entry.size <= len(spoiled)
