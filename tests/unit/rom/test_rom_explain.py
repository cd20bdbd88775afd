# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Explaining images: every byte of each structure has its line, with the right value."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from openvmi.errors import InputError
from openvmi.rom import Section, explain

Patch = Callable[[bytes, dict[int, bytes]], bytes]


def of(sections: list[Section], title: str) -> dict[str, tuple[int, str, str]]:
    """Return the entries of the section called ``title``, by name: offset, value, meaning."""
    (section,) = (section for section in sections if section.title == title)
    return {entry.name: (entry.offset, entry.value, entry.meaning) for entry in section.entries}


def test_our_own_image(image: bytes) -> None:
    sections = explain(image)
    assert [section.title for section in sections] == [
        "header",
        "openvmi's descriptor",
        "PCI data structure",
        "Plug and Play header",
        "contents",
    ]
    header = of(sections, "header")
    assert header["rom_length"][:2] == (2, "0x04")
    assert header["license_offs"][2].endswith("'GPL'")
    assert header["vmi_init"][1] == "eb fe 00 00 00 00 00 00"
    assert header["get_reloc"][2].endswith("a jump to 0x88")
    assert of(sections, "openvmi's descriptor")["mode"][2].endswith("; native")
    assert of(sections, "Plug and Play header")["product_offs"][2].endswith("'VMI ROM'")
    assert of(sections, "contents")["checksum"][1] == "0x00"


def test_every_byte_of_the_header_has_one_line(image: bytes) -> None:
    header = explain(image)[0]
    covered = [at for entry in header.entries for at in range(entry.offset, entry.offset + entry.size)]
    assert covered == list(range(0x90))


def test_a_rom_of_the_first_published_generation(image: bytes, patch: Patch) -> None:
    sections = explain(patch(image, {13: b"\x0d"}))
    assert "elf_header" in of(sections, "header")
    assert "virtual_top" not in of(sections, "header")


def test_a_rom_that_knows_nothing_of_vmi() -> None:
    plain = b"\x55\xaa\1\xe9\x20\0" + bytes(505) + b"\0"
    sections = explain(plain)
    header = of(sections, "header")
    assert list(header) == ["rom_signature", "rom_length", "rom_entry", "pci_header_offs", "pnp_header_offs"]
    assert header["rom_entry"][2].endswith("a jump to 0x26")
    assert [section.title for section in sections] == ["header", "contents"]


def test_what_lies_behind_the_last_image_is_told(image: bytes) -> None:
    last = explain(image + b"12345")[-1]
    assert (last.entries[0].offset, last.entries[0].size) == (2048, 5)


def test_strings_are_quoted(image: bytes, patch: Patch) -> None:
    at = int.from_bytes(image[0x16:0x18], "little")
    told = of(explain(patch(image, {at: b"\x1b[J"})), "header")["license_offs"][2]
    assert "\x1b" not in told
    assert r"\x1b[J" in told


def test_everything_is_plain_data(image: bytes) -> None:
    section = explain(image)[0].as_dict()
    assert section["title"] == "header"
    assert isinstance(section["entries"], list)
    assert section["entries"][0] == {
        "offset": 0,
        "size": 2,
        "name": "rom_signature",
        "value": "0xaa55",
        "meaning": "of every option ROM: bytes 55 AA",
    }


def test_what_is_no_rom_is_refused() -> None:
    with pytest.raises(InputError):
        explain(b"no")
