# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Write the reference pages of ``docs/reference/abi`` in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .banner import COPYRIGHT, LICENSE
from .explain import REFERENCE, jump_rows, number, place, rows, source
from .model import Argument, CallSpec, Constant, Interface, JumpPoint, Member, Structure

_HEAD = f"""\
<!-- {COPYRIGHT}
     {LICENSE}
     Written by `python -m openvmi.abi.generate` from src/openvmi/abi/tables: change the tables, not this page. -->
"""
_CONVENTION = (
    ("transfer", "near CALL and near RET, flat 32-bit code segment"),
    ("arguments 1, 2, 3", "EAX, EDX, ECX"),
    ("further arguments", "on the stack, [ESP+4] the first of them at entry; the caller removes them"),
    ("64-bit values", "two places in a row, low half first; returned in EDX:EAX"),
    ("clobbers", "EAX, EDX, ECX and the flags, unless the call says otherwise"),
    ("kept", "EBX, ESI, EDI, EBP, ESP, segment registers"),
    ("segments", "CS, SS, DS, ES flat, unless the call says CS and SS only; FS and GS never assumed"),
    ("stack", "flat, in the guest kernel's memory, with room for a fault"),
)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [f"| {' | '.join(head)} |", f"|{'|'.join('---' for _ in head)}|"]
    lines += [f"| {' | '.join(_cell(cell) for cell in row)} |" for row in body]
    return "\n".join(lines)


def _page(title: str, *blocks: str) -> str:
    return "\n\n".join([_HEAD.rstrip(), f"# {title}", *(block for block in blocks if block)]) + "\n"


def _places(arguments: Iterable[Argument]) -> str:
    return ", ".join(f"{place(item.at)} {item.name}" for item in arguments) or "-"


def _short(call: CallSpec, page: str) -> tuple[str, ...]:
    link = f"[{call.name}]({page}#{call.name.lower()})"
    return str(call.number), link, _places(call.takes), _places(call.gives), call.does


def _index(interface: Interface) -> str:
    return _page(
        "The interface: VMI, the Virtual Machine Interface",
        f"This is {interface.title} ({interface.years}). A guest reaches the calls through {interface.dispatch}. "
        f"`{REFERENCE}` and its section numbers name the project's collation of the public sources.",
        "* [Calls](calls.md): each with its registers, clobbers and rules\n"
        "* [Values](values.md): constants, flag words, enumerations\n"
        "* [Structures](structures.md): ROM header, PCI and PnP headers, AP state ...\n"
        "* [What a guest tests and asks for](guest.md)\n"
        "* [Generation B](generation-b.md): the patches of March 2006",
        "The same from the command line: `openvmi abi SetPxE`, with `--json` for programs. "
        "For C and assembler: `firmware/include/vmi_abi.h` and `vmi_abi.inc`. For Python: `openvmi.abi`.",
        "## Convention",
        table(("what", "rule"), _CONVENTION),
        "## Jump points",
        *(_jump(point, interface) for point in interface.jump_points),
        "## Calls by number",
        table(("#", "call", "in", "out", "what it does"), (_short(call, "calls.md") for call in interface.calls)),
    )


def _facts(pairs: Iterable[tuple[str, str]]) -> str:
    return table(("", ""), pairs)


def _jump(point: JumpPoint, interface: Interface) -> str:
    return f"### {point.name}\n\n{_sentence(point.does)}\n\n{_facts(jump_rows(point, interface))}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _call(call: CallSpec, interface: Interface) -> str:
    return f"### {call.name}\n\nCall {call.number}: {call.does}\n\n{_facts(rows(call, interface))}"


def _calls(interface: Interface) -> str:
    blocks = []
    for group in interface.groups:
        members = [call for call in interface.calls if call.group == group.name]
        blocks += [f"## {group.title}", *(_call(call, interface) for call in members)]
    wholes = [
        f"* {whole.name}: {', '.join(whole.members)}; present if {whole.leader} is not NONE ({source(whole.sections)})"
        for whole in interface.wholes
    ]
    presence = table(("rule", "meaning"), ((rule.name, rule.rule) for rule in interface.presence))
    closing = ["## Which may be absent", presence, "All of a group or none:", "\n".join(wholes)]
    return _page("Calls", f"Every call of {interface.title}.", *blocks, *closing)


def _members(members: Iterable[Member], prefix: str) -> list[tuple[str, str, str]]:
    return [(f"`{prefix}_{member.name}`", number(member.value), member.doc) for member in members]


def _constant(item: Constant, prefix: str) -> tuple[str, str, str, str]:
    value = f"`{item.value}`" if isinstance(item.value, str) else number(item.value)
    return f"`{prefix}{item.name}`", str(item.value) if item.decimal else value, item.doc, source(item.sections)


def _values(interface: Interface, prefix: str = "") -> list[str]:
    """Return the blocks on constants and flag words; ``prefix`` is that of the names in a header, if there is one."""
    constants = [_constant(item, prefix) for item in interface.constants]
    blocks = ["## Constants", table(("name", "value", "meaning", "source"), constants)]
    for enum in interface.enums:
        kind = "Flag word" if enum.kind == "flag" else "Enumeration"
        body = _members((*enum.members, *enum.masks), prefix + enum.prefix)
        blocks += [f"## {enum.name}", f"{kind}. {_sentence(enum.doc)} Source: {source(enum.sections)}."]
        blocks.append(table(("name", "value", "meaning"), body))
    return blocks


def _types(interface: Interface) -> tuple[str, str, str]:
    body = [(name, str(bits)) for name, bits in interface.types.items()]
    text = "Enumerations are 32 bits wide, and so is `NAME*`, the linear address of a NAME."
    return "## Types", text, table(("type", "bits"), body)


def _structure(structure: Structure) -> str:
    body = [(number(item.offset), str(item.size), f"`{item.name}`", item.doc) for item in structure.fields]
    title = f"## vmi_{structure.name}: {structure.size} bytes"
    text = f"{_sentence(structure.doc)} Source: {source(structure.sections)}."
    return f"{title}\n\n{text}\n\n{table(('offset', 'size', 'field', 'meaning'), body)}"


def _acceptance(interface: Interface) -> str:
    failures = {"skip": "silently not VMI", "reject": "a warning; not used", "warn": "a warning; used all the same"}
    body = [
        (str(test.order), test.test, failures[test.failure], ", ".join(f"`{name}`" for name in test.reads))
        for test in interface.acceptance
    ]
    return table(("#", "test", "when it fails", "looks at"), body)


def _guest(interface: Interface) -> str:
    conditions = {
        "": "always",
        "legacy": "without PAE",
        "pae": "with PAE",
        "smp": "multiprocessor kernels",
        "apic": "with a local APIC",
        "timer": "if GetCycleFrequency is not NONE",
    }
    body = [
        (str(interface.call(query.call).number), query.call, conditions[query.condition], str(query.times))
        for query in interface.queries
    ]
    return _page(
        "What a guest tests and asks for",
        "As mainline Linux 2.6.32 does it; other versions of 2.6.21-2.6.36 differ in the order of queries only.",
        "## Tests on a ROM, in order",
        _acceptance(interface),
        "Not tested: checksum, length, PCI and PnP signatures, the number of jump slots.",
        "## Order of queries",
        "The patcher asks again for calls 29 to 34 at each site, at boot and for each module.",
        table(("#", "call", "asked", "times"), body),
    )


def _old(interface: Interface) -> str:
    extensions = [
        f"* {item.title} ({item.name}): {', '.join(f'{slot} {name}' for name, slot in _by_number(item.calls))}"
        for item in interface.extensions
    ]
    return _page(
        "Generation B",
        f"This is {interface.title} ({interface.years}). A guest reaches the calls through {interface.dispatch}. "
        "`openvmi-v13.rom` speaks it. For C and assembler: `firmware/include13/vmi_abi.h` and `.inc`, whose names "
        "are those of generation D. For Python: `openvmi.abi.generation_b`.",
        "## Calls by number",
        table(("#", "call", "in", "out", "what it does"), (_bare(call) for call in interface.calls)),
        "## Extensions",
        "\n".join(extensions),
        "## Tests on a ROM, in order",
        _acceptance(interface),
        *_values(interface),
        *map(_structure, interface.structures),
    )


def _bare(call: CallSpec) -> tuple[str, ...]:
    since = f" (since 13.{call.since})" if call.since else ""
    return str(call.number), call.name, _places(call.takes), _places(call.gives), f"{call.does}{since}"


def _by_number(calls: Iterable[tuple[int, str]]) -> list[tuple[str, int]]:
    return [(name, slot) for slot, name in sorted(calls)]


def pages(current: Interface, old: Interface) -> dict[str, str]:
    """Return every page by its file name."""
    return {
        "README.md": _index(current),
        "calls.md": _calls(current),
        "values.md": _page("Values", f"Values of {current.title}.", *_values(current, "VMI_"), *_types(current)),
        "structures.md": _page(
            "Structures",
            "Packed, little-endian. In C `struct vmi_...`, in Python `openvmi.abi.structs`.",
            *map(_structure, current.structures),
        ),
        "guest.md": _guest(current),
        "generation-b.md": _old(old),
    }
