# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write ``_generated_enums.py`` and ``_generated_structs.py``, already in the shape that ``ruff format`` gives."""

from __future__ import annotations

from collections.abc import Sequence

from .banner import COPYRIGHT, LICENSE
from .model import Constant, Enumeration, Interface, Structure

_HEAD = f"""\
# {COPYRIGHT}
# {LICENSE}
"""
_FORMATS = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}


def _hex(value: int) -> str:
    digits = f"{value:X}"
    return str(value) if value < 10 else f"0x{digits}"


def _docstring(text: str) -> str:
    return f'    """{text[:1].upper()}{text[1:].rstrip(".")}."""'


def _value(constant: Constant) -> str:
    if isinstance(constant.value, str):
        return f'"{constant.value}"'
    return str(constant.value) if constant.decimal else _hex(constant.value)


def _enum(enum: Enumeration) -> list[str]:
    base = "IntFlag" if enum.kind == "flag" else "IntEnum"
    lines = ["", "", f"class {enum.name}({base}):", _docstring(enum.doc), ""]
    lines += [f"    {member.name} = {_hex(member.value)}" for member in enum.members]
    return lines


def enums(interface: Interface) -> str:
    """Return the text of ``_generated_enums.py``."""
    names = ["Call", *(enum.name for enum in interface.enums)]
    values = {constant.name: _value(constant) for constant in interface.constants}
    values |= {f"{enum.prefix}_{mask.name}": _hex(mask.value) for enum in interface.enums for mask in enum.masks}
    since = ["SINCE"] if any(call.since for call in interface.calls) else []
    exported = sorted([*values, "CALL_COUNT", *since]) + sorted(names)
    lines = [
        '"""Enumerations and constants of the interface.',
        "",
        "Written by ``python -m openvmi.abi.generate`` from ``tables``: change those, not this file.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from enum import IntEnum, IntFlag",
        "from typing import Final",
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in exported),
        "]",
        "",
    ]
    lines += [f"{name}: Final = {value}" for name, value in values.items()]
    lines.append(f"CALL_COUNT: Final = {interface.calls[-1].number + 1}")
    lines += ["", "", "class Call(IntEnum):", _docstring(f"Calls of {interface.title}"), ""]
    lines += [f"    {call.name} = {call.number}" for call in interface.calls]
    for enum in interface.enums:
        lines += _enum(enum)
    later = [call for call in interface.calls if call.since]
    if later:
        lines += ["", "", "SINCE: Final = {", *(f"    Call.{call.name}: {call.since}," for call in later), "}"]
        lines.append('"""API minor version of the calls that came after the first."""')
    return _HEAD + "\n".join(lines) + "\n"


def wire(interface: Interface, wire_hash: int) -> str:
    """Return the text of ``_generated_wire.py``: constants, enumerations and codecs."""
    lines = [
        f'"""What payload and brain share: {interface.title}.',
        "",
        "Written by ``python -m openvmi.abi.generate`` from ``tables``: change those, not this file.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from dataclasses import dataclass",
        "from enum import IntEnum",
        "from struct import Struct",
        "from types import MappingProxyType",
        "from typing import ClassVar, Final",
        "",
        "from .record import Record",
        "",
        f"WIRE_HASH: Final = 0x{wire_hash:X}",
    ]
    lines += [f"{constant.name}: Final = {_value(constant)}" for constant in interface.constants]
    for enum in interface.enums:
        lines += _enum(enum)
    for structure in interface.structures:
        lines += _struct(structure, structure.class_name)
    return _HEAD + "\n".join(lines) + "\n"


def _field_doc(structure: Structure) -> list[str]:
    lines = [f'    """{structure.doc[:1].upper()}{structure.doc[1:]}.', "", "    Args:"]
    lines += [f"        {field.name}: {field.doc}." for field in structure.fields]
    return [*lines, '    """']


def _struct(structure: Structure, class_name: str) -> list[str]:
    layout = "<" + "".join(_FORMATS.get(field.type, f"{field.size}s") for field in structure.fields)
    lines = ["", "", "@dataclass(frozen=True, slots=True)", f"class {class_name}(Record):", *_field_doc(structure), ""]
    lines += [f"    SIZE: ClassVar[int] = {structure.size}", f'    LAYOUT: ClassVar[Struct] = Struct("{layout}")']
    lines.append("    OFFSETS: ClassVar[Mapping[str, int]] = MappingProxyType(")
    lines += ["        {", *(f'            "{field.name}": {field.offset},' for field in structure.fields), "        }"]
    lines += ["    )", ""]
    for field in structure.fields:
        kind, default = ("bytes", f"bytes({field.size})") if field.type == "bytes" else ("int", "0")
        lines.append(f"    {field.name}: {kind} = {default}")
    return lines


def structs(interfaces: Sequence[Interface]) -> str:
    """Return the text of ``_generated_structs.py``; later generations' names get the generation's letter."""
    lines = [
        '"""Codecs of the interface\'s structures: packed, little-endian.',
        "",
        "Written by ``python -m openvmi.abi.generate`` from ``tables``: change those, not this file.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from dataclasses import dataclass",
        "from struct import Struct",
        "from types import MappingProxyType",
        "from typing import ClassVar",
        "",
        "from .record import Record",
    ]
    for index, interface in enumerate(interfaces):
        suffix = interface.generation if index else ""
        for structure in interface.structures:
            lines += _struct(structure, structure.class_name + suffix)
    return _HEAD + "\n".join(lines) + "\n"
