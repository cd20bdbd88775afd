# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Codecs: bytes to record and back, and offsets as the reference prints them."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.abi import load, structs
from openvmi.abi.structs import ApState, Dtr, Pcir, Pnp, Record, Reloc, RomHeader, RomHeaderB
from openvmi.errors import InputError

RECORDS = [getattr(structs, name) for name in structs.__all__ if name != "Record"]
# vmi-abi.md 1.3, 1.4, 1.5, 1.6, 2.1, 2.6, 4.11
OFFSETS: list[tuple[type[Record], int, dict[str, int]]] = [
    (
        RomHeader,
        144,
        {
            "rom_signature": 0,
            "rom_length": 2,
            "rom_entry": 3,
            "vrom_signature": 8,
            "api_version_min": 0xC,
            "api_version_maj": 0xD,
            "jump_slots": 0xE,
            "virtual_top": 0x10,
            "license_offs": 0x16,
            "pci_header_offs": 0x18,
            "pnp_header_offs": 0x1A,
            "vmi_init": 0x80,
            "get_reloc": 0x88,
        },
    ),
    (RomHeaderB, 128, {"api_version_maj": 0xD, "reserved2": 0x10, "pci_header_offs": 0x18, "elf_header": 0x40}),
    (Pcir, 24, {"vendor": 4, "device": 6, "length": 10, "image_length": 16, "version_min": 18, "indicator": 21}),
    (Pnp, 32, {"length": 5, "checksum": 9, "device_id": 10, "manufacturer_offs": 14, "product_offs": 16}),
    (Reloc, 8, {"eip": 0, "type": 4}),
    (Dtr, 6, {"limit": 0, "base": 2}),
    (
        ApState,
        90,
        {
            "cr3": 8,
            "efer": 16,
            "eip": 24,
            "ebx": 36,
            "esp": 48,
            "ebp": 52,
            "edi": 60,
            "cs": 64,
            "ss": 66,
            "gs": 74,
            "gdtr_limit": 78,
            "gdtr_base": 80,
            "idtr_base": 84,
            "idtr_limit": 88,
        },
    ),
]


@pytest.mark.parametrize(("record", "size", "offsets"), OFFSETS, ids=lambda value: getattr(value, "__name__", None))
def test_layout_is_the_reference_s(record: type[Record], size: int, offsets: dict[str, int]) -> None:
    assert record.SIZE == record.LAYOUT.size == size
    assert {name: record.OFFSETS[name] for name in offsets} == offsets


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
@given(st.data())
def test_bytes_survive_the_round_trip(record: type[Record], data: st.DataObject) -> None:
    raw = data.draw(st.binary(min_size=record.SIZE, max_size=record.SIZE))
    before = data.draw(st.binary(max_size=9))
    assert record.unpack(before + raw + b"tail", len(before)).pack() == raw


@given(st.binary(min_size=90, max_size=90))
def test_a_field_is_where_its_offset_says(raw: bytes) -> None:
    state = ApState.unpack(raw)
    for field in load().structure("ap_state").fields:
        at = raw[field.offset : field.offset + field.size]
        assert getattr(state, field.name) == int.from_bytes(at, "little")


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.__name__)
def test_defaults_are_zero_bytes(record: type[Record]) -> None:
    assert record().pack() == bytes(record.SIZE)
    assert [field.name for field in fields(record)] == list(record.OFFSETS)  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "offset"), [(0, 0), (5, 0), (6, 1), (6, -1), (12, 7), (6, 1 << 40)])
def test_too_little_data_is_refused(size: int, offset: int) -> None:
    with pytest.raises(InputError, match="Dtr needs 6 bytes at offset"):
        Dtr.unpack(bytes(size), offset)


@pytest.mark.parametrize("limit", [-1, 0x10000])
def test_a_value_too_big_is_refused(limit: int) -> None:
    with pytest.raises(InputError, match=r"Dtr\.limit = .* does not fit in 2 bytes"):
        Dtr(limit=limit).pack()


def test_bytes_of_another_length_are_refused() -> None:
    with pytest.raises(InputError, match=r"RomHeader\.vmi_init = .* does not fit in 8 bytes"):
        replace(RomHeader(), vmi_init=b"\xe9").pack()


def test_a_mapped_buffer_will_do() -> None:
    image = bytearray(Reloc(eip=0xC00C0100, type=1).pack())
    assert Reloc.unpack(memoryview(image)) == Reloc(eip=0xC00C0100, type=1)
