# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""From TOML to :class:`~openvmi.abi.model.Interface`: reads the tables of a generation and has them checked.

Several files make one generation: ``d-calls.toml``, ``d-values.toml`` ... Each says which generation it belongs to;
arrays of the same name are joined in the order of the file names.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar, cast

from .model import (
    ENUM_BITS,
    FRAME,
    POINTER_BITS,
    STANDARD_CLOBBERS,
    Acceptance,
    Argument,
    CallSpec,
    Constant,
    Enumeration,
    Extension,
    Field,
    Group,
    Interface,
    JumpPoint,
    LinuxHook,
    Member,
    Presence,
    Query,
    Shared,
    Structure,
    TableError,
    Whole,
)
from .reader import Reader
from .validate import check_interface

GENERATIONS: Final = ("D", "B")
_FIELD_SIZES: Final = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
_ARGUMENT: Final = re.compile(r"(?P<name>[a-z][a-z0-9_]*) (?P<type>[A-Za-z][A-Za-z0-9_]*\*?) (?P<at>[a-z0-9+]+)")
_HOOK_KINDS: Final = ("fill", "wrap", "patch", "fetch")
_T = TypeVar("_T")
_NOTHING: Final = Interface("", "", "", "", {}, {}, (), (), (), (), (), (), (), (), (), (), ())


@cache
def load_interface(generation: str) -> Interface:
    """Return the tables of ``generation`` (``D`` or ``B``), read and checked once.

    Raises:
        TableError: there is no such generation, or its tables contradict themselves.
    """
    if generation not in GENERATIONS:
        raise TableError(f"there are no tables for generation {generation!r}", help=f"known: {', '.join(GENERATIONS)}")
    folder = files(__package__) / "tables"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.startswith(f"{generation.lower()}-"))
    return parse({name: (folder / name).read_text(encoding="utf-8") for name in names}, generation)


@cache
def load_wire() -> Interface:
    """Return the tables of openvmi's own wire: constants, enumerations and structures, but no calls.

    Raises:
        TableError: they contradict themselves.
    """
    folder = files(__package__) / "tables"
    return parse({name: (folder / name).read_text(encoding="utf-8") for name in ("wire.toml", "ring.toml")}, "wire")


def parse(texts: Mapping[str, str], generation: str) -> Interface:
    """Return the interface that TOML ``texts`` (file name to content) describe together.

    Raises:
        TableError: a text is no TOML, or the tables contradict themselves.
    """
    interface = _interface(Reader(_merge(texts, generation), f"generation {generation}"), generation)
    check_interface(interface)
    return interface


def _merge(texts: Mapping[str, str], generation: str) -> dict[str, object]:
    merged: dict[str, object] = {}
    for name, text in texts.items():
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise TableError(f"not TOML: {error}", where=name) from error
        if table.pop("generation", None) != generation:
            raise TableError(f"generation has to be {generation!r}", where=name)
        for key, value in table.items():
            known = merged.get(key)
            if isinstance(known, list) and isinstance(value, list):
                merged[key] = [*known, *value]
            elif key in merged:
                raise TableError(f"{key} is also in another file of the generation", where=name)
            else:
                merged[key] = value
    return merged


def _each(reader: Reader, key: str, make: Callable[[Reader], _T]) -> tuple[_T, ...]:
    made = []
    for entry in reader.tables(key):
        made.append(make(entry))
        entry.done()
    return tuple(made)


def _like(reader: Reader, base: Interface) -> CallSpec:
    """Return the base generation's call under this one's number.

    How guests reach it is not carried over, nor the answer NOP, which only mainline Linux knows.
    """
    name = reader.name()
    try:
        call = base.call(reader.text("as", name))
    except KeyError as error:
        raise reader.error(f"generation {base.generation} has no such call") from error
    sections = ("3.2", *call.sections[1:])
    answers = tuple(answer for answer in call.answers if answer != "NOP")
    bare = replace(call, answers=answers, presence=(), queue=(), drains=False, linux=(), linux_note="")
    does = reader.text("does", call.does)
    return replace(bare, number=reader.number("number"), name=name, does=does, sections=sections)


def _calls(reader: Reader, types: _Types, base: Interface) -> tuple[CallSpec, ...]:
    own = _each(reader, "call", lambda entry: _call(entry, types))
    taken = _each(reader, "like", lambda entry: _like(entry, base))
    return tuple(sorted((*own, *taken), key=lambda call: call.number)) if taken else own


def _interface(reader: Reader, generation: str) -> Interface:
    base_name = reader.text("base", "")
    base = load_interface(base_name) if base_name else _NOTHING
    types = base.types | reader.numbers("types")
    enums = _each(reader, "enum", _enumeration)
    structures = _each(reader, "structure", _structure)
    sizes = types | {enum.name: ENUM_BITS for enum in (*base.enums, *enums)} | {"Call": ENUM_BITS}
    frames = {structure.name.upper(): structure.size * 8 for structure in (*base.structures, *structures)}
    known = _Types(sizes, frames)
    interface = Interface(
        generation=generation,
        title=reader.text("title"),
        dispatch=reader.text("dispatch"),
        years=reader.text("years"),
        types=types,
        memory=base.memory | reader.texts("memory"),
        calls=_calls(reader, known, base),
        jump_points=_each(reader, "jump_point", lambda entry: _jump_point(entry, known)),
        enums=enums,
        constants=_each(reader, "constant", _constant),
        structures=structures,
        groups=(*base.groups, *_each(reader, "group", lambda entry: Group(entry.text("name"), entry.text("title")))),
        presence=_each(reader, "presence", _presence),
        wholes=_each(reader, "whole", _whole),
        acceptance=_each(reader, "acceptance", _acceptance),
        queries=_each(reader, "query", _query),
        extensions=_each(reader, "extension", _extension),
        shared=_shared(reader, base),
    )
    reader.done()
    return interface


def _shared(reader: Reader, base: Interface) -> Shared:
    names = reader.strings("shared", ())
    shared = Shared(
        tuple(constant for constant in base.constants if constant.name in names),
        tuple(enum for enum in base.enums if enum.name in names),
        tuple(structure for structure in base.structures if structure.name in names),
    )
    known = {entry.name for entries in (shared.constants, shared.enums, shared.structures) for entry in entries}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise reader.error(f"generation {base.generation} has no {', '.join(unknown)} to share")
    return shared


class _Types:
    """Sizes of types: scalars and enumerations, and structures that are passed in memory."""

    def __init__(self, scalars: Mapping[str, int], structures: Mapping[str, int]) -> None:
        self._scalars = scalars
        self._structures = structures

    def bits(self, name: str, at: tuple[str, ...]) -> int | None:
        """Return the size of ``name``, or None for an unknown type."""
        target = name.removesuffix("*")
        if target != name:
            return POINTER_BITS if target in self._scalars or target in self._structures else None
        return self._structures.get(name) if at == (FRAME,) else self._scalars.get(name)


def _arguments(reader: Reader, key: str, types: _Types) -> tuple[Argument, ...]:
    made = []
    for text in reader.strings(key, ()):
        match = _ARGUMENT.fullmatch(text)
        if match is None:
            raise reader.error(f"{key} {text!r} is not of the form 'name TYPE place'")
        at = tuple(match["at"].split("+"))
        bits = types.bits(match["type"], at)
        if bits is None:
            raise reader.error(f"{key} {match['name']}: unknown type {match['type']}")
        made.append(Argument(match["name"], match["type"], bits, at))
    return tuple(made)


def _hooks(reader: Reader) -> tuple[LinuxHook, ...]:
    made = []
    for text in reader.strings("linux", ()):
        op, _, kinds = text.partition(" ")
        hook = LinuxHook(op, tuple(kinds.split("+")))
        if not op or not set(hook.kinds) <= set(_HOOK_KINDS):
            raise reader.error(f"linux {text!r} is not of the form 'op kind'; kinds are {', '.join(_HOOK_KINDS)}")
        made.append(hook)
    return tuple(made)


def _call(reader: Reader, types: _Types) -> CallSpec:
    return CallSpec(
        number=reader.number("number"),
        name=reader.name(),
        group=reader.text("group"),
        does=reader.text("does"),
        takes=_arguments(reader, "takes", types),
        gives=_arguments(reader, "gives", types),
        convention=cast("Any", reader.choice("convention", ("regparm", "instruction", "frame"), "regparm")),
        clobbers=reader.strings("clobbers", STANDARD_CLOBBERS),
        segments=cast("Any", reader.choice("segments", ("standard", "cs-ss"), "standard")),
        reads=reader.strings("reads", ()),
        writes=reader.strings("writes", ()),
        returns=reader.truth("returns", default=True),
        answers=reader.strings("answers", ("NONE", "CALL_REL")),
        presence=reader.strings("presence", ()),
        queue=reader.strings("queue", ()),
        drains=reader.truth("drains", default=False),
        unpublished=reader.truth("unpublished", default=False),
        linux=_hooks(reader),
        linux_note=reader.text("linux_note", ""),
        since=reader.number("since", 0),
        sections=reader.strings("in"),
    )


def _jump_point(reader: Reader, types: _Types) -> JumpPoint:
    return JumpPoint(
        name=reader.name(),
        does=reader.text("does"),
        takes=_arguments(reader, "takes", types),
        gives=_arguments(reader, "gives", types),
        status=reader.text("status"),
        sections=reader.strings("in"),
    )


def _member(reader: Reader) -> Member:
    return Member(reader.name(), reader.number("value"), reader.text("doc"))


def _enumeration(reader: Reader) -> Enumeration:
    return Enumeration(
        name=reader.name(),
        prefix=reader.name("prefix"),
        kind=cast("Any", reader.choice("kind", ("enum", "flag"))),
        members=_each(reader, "members", _member),
        masks=_each(reader, "masks", _member),
        doc=reader.text("doc"),
        sections=reader.strings("in"),
    )


def _constant(reader: Reader) -> Constant:
    return Constant(
        name=reader.name(),
        value=reader.scalar("value"),
        decimal=reader.truth("decimal", default=False),
        doc=reader.text("doc"),
        sections=reader.strings("in"),
    )


def _field(reader: Reader) -> Field:
    kind = reader.choice("type", (*_FIELD_SIZES, "bytes"))
    size = reader.number("size") if kind == "bytes" else _FIELD_SIZES[kind]
    return Field(reader.name(), reader.number("at"), kind, size, reader.text("doc"))


def _structure(reader: Reader) -> Structure:
    fields = _each(reader, "fields", _field)
    return Structure(reader.name(), reader.number("size"), fields, reader.text("doc"), reader.strings("in"))


def _presence(reader: Reader) -> Presence:
    return Presence(reader.text("name"), reader.text("rule"), reader.strings("in"))


def _whole(reader: Reader) -> Whole:
    return Whole(reader.text("name"), reader.text("leader"), reader.strings("members"), reader.strings("in"))


def _acceptance(reader: Reader) -> Acceptance:
    return Acceptance(
        order=reader.number("order"),
        name=reader.name(),
        test=reader.text("test"),
        failure=cast("Any", reader.choice("failure", ("skip", "reject", "warn"))),
        reads=reader.strings("reads"),
        sections=reader.strings("in"),
    )


def _query(reader: Reader) -> Query:
    conditions = ("", "legacy", "pae", "smp", "apic", "timer")
    return Query(reader.name("call"), reader.choice("condition", conditions, ""), reader.number("times", 1))


def _extension(reader: Reader) -> Extension:
    calls = tuple((number, name) for name, number in reader.numbers("calls").items())
    return Extension(reader.text("name"), reader.text("title"), calls, reader.strings("in"))
