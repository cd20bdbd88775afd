# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What must hold between the entries of a generation's tables; every violation is a :class:`TableError`.

Types of single values are the loader's matter. Entry: :func:`check_interface`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from .model import (
    FRAME,
    REGISTERS,
    REGPARM_ORDER,
    STACK_SLOTS,
    Argument,
    CallSpec,
    Enumeration,
    Interface,
    JumpPoint,
    Structure,
    TableError,
)

_PLACES = frozenset((*REGISTERS, *STACK_SLOTS, FRAME))
_ANSWERS = ("NONE", "CALL_REL", "JUMP_REL", "NOP")


def check_interface(interface: Interface) -> None:
    """Check everything.

    Raises:
        TableError: the first contradiction found, with the entry concerned.
    """
    where = f"generation {interface.generation}"
    _check_names(interface, where)
    for structure in interface.structures:
        check_structure(structure, f"{where}: structure {structure.name}")
    for enum in interface.enums:
        check_enum(enum, f"{where}: enum {enum.name}")
    _check_numbers([call.number for call in interface.calls], where)
    for call in interface.calls:
        check_call(call, interface, f"{where}: call {call.name}")
    for point in interface.jump_points:
        _check_jump_point(point, interface, f"{where}: jump_point {point.name}")
    _check_references(interface, where)
    _unique((f"VMI_{name}" for name in c_names(interface)), "C name", where)


def _unique(values: Iterable[object], what: str, where: str) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise TableError(f"duplicate {what} {value}", where=where)
        seen.add(value)


def _known(names: Iterable[str], known: Iterable[str], what: str, where: str) -> None:
    unknown = [name for name in names if name not in set(known)]
    if unknown:
        raise TableError(f"unknown {what} {', '.join(unknown)}", where=where)


def _check_names(interface: Interface, where: str) -> None:
    _unique((call.name.lower() for call in interface.calls), "call name", where)
    _unique((group.name for group in interface.groups), "group", where)
    _unique((rule.name for rule in interface.presence), "presence rule", where)
    _unique((structure.name for structure in interface.structures), "structure", where)
    _unique((enum.name for enum in interface.enums), "enum", where)


def c_names(interface: Interface) -> list[str]:
    """Return every macro name of the generated header, without its ``VMI_``."""
    names = [f"CALL_{call.name}" for call in interface.calls]
    names += [constant.name for constant in interface.every_constant]
    for enum in interface.every_enum:
        names += [f"{enum.prefix}_{member.name}" for member in (*enum.members, *enum.masks)]
    for structure in interface.every_structure:
        prefix = structure.name.upper()
        names += [f"{prefix}_SIZE", *(f"{prefix}_{field.name}_OFFSET" for field in structure.fields)]
    return names


def _check_numbers(numbers: Sequence[int], where: str) -> None:
    _unique(numbers, "call number", where)
    for before, after in pairwise(numbers):
        if after != before + 1:
            raise TableError(f"call {after} follows call {before}: numbers ascend without gaps", where=where)


def check_structure(structure: Structure, where: str) -> None:
    """Check that fields cover the structure in order, without gap or overlap, and that names differ."""
    _unique((field.name for field in structure.fields), "field", where)
    end = 0
    for field in structure.fields:
        if field.size == 0:
            raise TableError(f"field {field.name} has no size", where=where)
        if field.offset != end:
            fault = "overlaps the field before it" if field.offset < end else "leaves a gap before it"
            raise TableError(f"field {field.name} at {field.offset} {fault}: {end} expected", where=where)
        end += field.size
    if end != structure.size:
        raise TableError(f"wrong size {structure.size}: the fields end at {end}", where=where)


def check_enum(enum: Enumeration, where: str) -> None:
    """Check that names differ, that members differ, and that a flag is a single bit."""
    _unique((member.name for member in (*enum.members, *enum.masks)), "member", where)
    _unique((member.value for member in enum.members), "value", where)
    for member in enum.members:
        if enum.kind == "flag" and member.value.bit_count() != 1:
            raise TableError(f"{member.name} is {member.value:#x}, which is not one bit", where=where)


def check_arguments(arguments: Sequence[Argument], where: str) -> None:
    """Check that places exist, hold what is put there, and are not used twice."""
    _unique((argument.name for argument in arguments), "argument", where)
    for argument in arguments:
        unknown = [place for place in argument.at if place not in _PLACES]
        if unknown:
            raise TableError(f"{argument.name}: unknown register {unknown[0]}", where=where)
        if argument.at != (FRAME,) and (max(argument.bits, 32) != 32 * len(argument.at)):
            raise TableError(
                f"{argument.name}: wrong size, {argument.bits} bits in {'+'.join(argument.at)}", where=where
            )
    places = [place for argument in arguments for place in argument.at]
    twice = sorted({place for place in places if places.count(place) > 1})
    if twice:
        raise TableError(f"arguments overlap in {', '.join(twice)}", where=where)


def _check_regparm(arguments: Sequence[Argument], where: str) -> None:
    places = tuple(place for argument in arguments for place in argument.at)
    if places != REGPARM_ORDER[: len(places)]:
        raise TableError(
            f"arguments in {', '.join(places)}: by convention they fill {', '.join(REGPARM_ORDER[: len(places)])}",
            where=where,
        )


def check_call(call: CallSpec, interface: Interface, where: str) -> None:
    """Check one call against itself and the generation's other tables."""
    check_arguments(call.takes, f"{where}: takes")
    check_arguments(call.gives, f"{where}: gives")
    if call.convention == "regparm":
        _check_regparm(call.takes, where)
    _known(call.clobbers, (*REGISTERS, "flags"), "register", f"{where}: clobbers")
    results = [place for result in call.gives for place in result.at]
    _known(results, call.clobbers, "clobber (a result changes its register)", where)
    if call.gives and not call.returns:
        raise TableError("gives something but does not return", where=where)
    _known([call.group], [group.name for group in interface.groups], "group", where)
    _known(call.presence, [rule.name for rule in interface.presence], "presence rule", where)
    _known(call.queue, _members(interface, "LazyMode"), "lazy mode", where)
    _check_memory(call, interface, where)
    _check_answers(call, where)


def _members(interface: Interface, name: str) -> list[str]:
    return [member.name for enum in interface.enums if enum.name == name for member in enum.members]


def _check_memory(call: CallSpec, interface: Interface, where: str) -> None:
    pointers = [argument.name for argument in call.takes if argument.type.endswith("*")]
    touched = (*call.reads, *call.writes)
    _known(touched, (*pointers, *interface.memory), "memory", where)
    idle = [name for name in pointers if name not in touched]
    if idle:
        raise TableError(f"pointer {idle[0]} is neither read nor written", where=where)


def _check_answers(call: CallSpec, where: str) -> None:
    _known(call.answers, _ANSWERS, "relocation type", where)
    rules = {
        "mandatory": (not call.may_be_none and not call.may_be_nop, "NONE or NOP"),
        "noop": (call.may_be_nop, "no NOP"),
        "traps": (call.may_be_none, "no NONE"),
        "page-tables": (call.may_be_none, "no NONE"),
        "optimisation": (call.may_be_none, "no NONE"),
    }
    for rule, (holds, fault) in rules.items():
        if rule in call.presence and not holds:
            raise TableError(f"presence {rule} contradicts its answers: {fault}", where=where)
    if "JUMP_REL" in call.answers and call.returns:
        raise TableError("JUMP_REL is only for calls that do not return", where=where)


def _check_jump_point(point: JumpPoint, interface: Interface, where: str) -> None:
    check_arguments(point.takes, f"{where}: takes")
    check_arguments(point.gives, f"{where}: gives")
    _check_regparm(point.takes, where)
    fields = [field.name for structure in interface.structures for field in structure.fields]
    _known([point.name], fields, "header field", where)


def _check_references(interface: Interface, where: str) -> None:
    names = [call.name for call in interface.calls]
    for whole in interface.wholes:
        _known((whole.leader, *whole.members), names, "call", f"{where}: whole {whole.name}")
    _known((query.call for query in interface.queries), names, "call", f"{where}: query")
    orders = [test.order for test in interface.acceptance]
    if orders != list(range(1, len(orders) + 1)):
        raise TableError("acceptance tests are not numbered 1, 2, 3 ...", where=where)
    fields = {f"{structure.name}.{field.name}" for structure in interface.structures for field in structure.fields}
    for test in interface.acceptance:
        _known(test.reads, fields, "field", f"{where}: acceptance {test.name}")
    for extension in interface.extensions:
        _unique((number for number, _ in extension.calls), "call number", f"{where}: extension {extension.name}")
