# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write ``vmi_abi.h`` (C and assembler through the preprocessor) and ``vmi_abi.inc`` (GNU as, ``.include``)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .banner import COPYRIGHT, LICENSE
from .model import Argument, CallSpec, Interface, Structure

_C_TYPES = {"u8": "unsigned char", "u16": "unsigned short", "u32": "unsigned int", "u64": "unsigned long long"}
_VALUE_COLUMN = 36
_COMMENT_COLUMN = 47
_WIDTH = 120


@dataclass(frozen=True, slots=True)
class _Macro:
    name: str
    literal: str
    doc: str


def signature(call: CallSpec) -> str:
    """Return what goes in and what comes out: ``value eax, entry* edx, flags ecx -> eax``; 64 bits low half first."""
    text = ", ".join(map(_place, call.takes))
    return f"{text} -> {', '.join(map(_place, call.gives))}".strip() if call.gives else text


def _place(argument: Argument) -> str:
    pointer = "*" if argument.type.endswith("*") else ""
    return f"{argument.name}{pointer} {'+'.join(argument.at)}"


def _hex(value: int | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if value < 10 else f"{value:#x}"


def _sections(interface: Interface) -> Iterator[tuple[str, list[_Macro]]]:
    """Yield the title and the macros of each block."""
    if interface.calls:
        calls = [_Macro(f"CALL_{call.name}", str(call.number), signature(call)) for call in interface.calls]
        calls.append(_Macro("CALL_COUNT", str(interface.calls[-1].number + 1), "numbers are below this"))
        yield "numbers of calls, arguments -> results; 64 bits as low+high, s1 is the dword at 4(%esp) at entry", calls
    yield (
        "constants",
        [
            _Macro(item.name, str(item.value) if item.decimal else _hex(item.value), item.doc)
            for item in interface.every_constant
        ],
    )
    for enum in interface.every_enum:
        members = (*enum.members, *enum.masks)
        yield enum.doc, [_Macro(f"{enum.prefix}_{member.name}", _hex(member.value), member.doc) for member in members]
    for structure in interface.every_structure:
        prefix = structure.name.upper()
        offsets = [_Macro(f"{prefix}_SIZE", str(structure.size), "")]
        offsets += [_Macro(f"{prefix}_{field.name}_OFFSET", str(field.offset), "") for field in structure.fields]
        yield f"struct vmi_{structure.name}: size and offsets in bytes", offsets


def _define(macro: _Macro) -> list[str]:
    """Return the line of a macro, its comment beside it, or above where that would be too long."""
    line = f"#define VMI_{macro.name} ".ljust(_VALUE_COLUMN) + macro.literal
    comment = f"/* {macro.doc} */"
    beside = line.ljust(_COMMENT_COLUMN) + " " + comment
    if not macro.doc:
        return [line]
    return [beside] if len(beside) <= _WIDTH else [comment, line]


def _struct(structure: Structure) -> list[str]:
    """Return the packed C structure and the proofs of its layout."""
    name = f"vmi_{structure.name}"
    lines = ["", f"/* {structure.doc} */", f"struct {name} {{"]
    for field in structure.fields:
        kind = _C_TYPES.get(field.type, "unsigned char")
        count = f"[{field.size}]" if field.type == "bytes" else ""
        member = f"    {kind} {field.name}{count};"
        lines.append(f"{member:<44}/* {field.doc} */" if field.doc else member)
    lines.append("} __attribute__((packed));")
    prefix = f"VMI_{structure.name.upper()}"
    lines.append(f'_Static_assert(sizeof(struct {name}) == {prefix}_SIZE, "{name}: size");')
    lines += [
        f"VMI_AT(vmi_{structure.name}, {field.name}, {prefix}_{field.name}_OFFSET);" for field in structure.fields
    ]
    return lines


def wire_header(wire: Interface, wire_hash: int) -> str:
    """Return the text of ``vmi_wire.h``, for what is private between the ROM, the payload and Python."""
    lines = [
        f"/* {COPYRIGHT}",
        f" * {LICENSE}",
        " *",
        f" * As data for C and, under __ASSEMBLER__, for assembler: {wire.title}.",
        " * Stands alone: includes nothing. Written by `python -m openvmi.abi.generate` from src/openvmi/abi/tables:",
        " * change the tables, not this file.",
        " */",
        "#ifndef VMI_WIRE_H",
        "#define VMI_WIRE_H",
        "",
        "/* of all tables, these and the interface's: two that differ don't talk to each other */",
        f"#define VMI_WIRE_HASH {wire_hash:#010x}",
    ]
    return _body(lines, wire, "VMI_WIRE_H")


def header(interface: Interface) -> str:
    """Return the text of ``vmi_abi.h``."""
    lines = [
        f"/* {COPYRIGHT}",
        f" * {LICENSE}",
        " *",
        " * The Virtual Machine Interface (VMI), as data for C and, under __ASSEMBLER__, for assembler.",
        f" * {interface.title}.",
        " * Stands alone: includes nothing. Written by `python -m openvmi.abi.generate` from src/openvmi/abi/tables:",
        " * change the tables, not this file. Registers, clobbers and meaning of each call: docs/reference/abi.",
        " */",
        "#ifndef VMI_ABI_H",
        "#define VMI_ABI_H",
    ]
    return _body(lines, interface, "VMI_ABI_H")


def _body(lines: list[str], interface: Interface, guard: str) -> str:
    """Return a header that begins with ``lines``."""
    for title, macros in _sections(interface):
        lines += ["", f"/* {title} */", *(line for macro in macros for line in _define(macro))]
    lines += ["", "#ifndef __ASSEMBLER__"]
    for kind, size in (("unsigned char", 1), ("unsigned short", 2), ("unsigned int", 4), ("unsigned long long", 8)):
        lines.append(f'_Static_assert(sizeof({kind}) == {size}, "{kind}");')
    lines.append("#define VMI_AT(structure, field, offset) \\")
    lines.append('    _Static_assert(__builtin_offsetof(struct structure, field) == offset, #structure "." #field)')
    for structure in interface.every_structure:
        lines += _struct(structure)
    lines += ["", "#undef VMI_AT", "#endif /* __ASSEMBLER__ */", "", f"#endif /* {guard} */"]
    return "\n".join(lines) + "\n"


def include(interface: Interface) -> str:
    """Return the text of ``vmi_abi.inc``; strings have no place in it."""
    lines = [
        f"# {COPYRIGHT}",
        f"# {LICENSE}",
        "#",
        "# The Virtual Machine Interface (VMI), as data for GNU as: .include it where no preprocessor runs.",
        f"# {interface.title}.",
        "# Written by `python -m openvmi.abi.generate` from src/openvmi/abi/tables: change the tables, not this file.",
    ]
    for title, macros in _sections(interface):
        lines += ["", f"# {title}"]
        lines += [f".set VMI_{macro.name}, {macro.literal}" for macro in macros if not macro.literal.startswith('"')]
    return "\n".join(lines) + "\n"
