# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""Broken tables are refused with a message that names the entry and the fault."""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openvmi.abi import load
from openvmi.abi.loader import GENERATIONS, parse
from openvmi.abi.model import Field, Structure, TableError
from openvmi.abi.validate import check_structure

SOUND = """
generation = "D"
title = "a small one"
dispatch = "none"
years = "2026"

[types]
UINT32 = 32
CYCLES = 64

[memory]
gdt = "a table"

[[group]]
name = "g"
title = "G"

[[presence]]
name = "traps"
rule = "may be NONE"
in = ["1"]

[[presence]]
name = "mandatory"
rule = "must be there"
in = ["1"]

[[enum]]
name = "LazyMode"
prefix = "LAZY"
kind = "flag"
in = ["1"]
doc = "modes"
members = [{ name = "MMU", value = 1, doc = "" }, { name = "CPU", value = 2, doc = "" }]
masks = [{ name = "MASK", value = 0xF, doc = "" }]

[[structure]]
name = "dtr"
size = 6
in = ["1"]
doc = "register"
fields = [{ at = 0, type = "u16", name = "limit", doc = "" }, { at = 2, type = "u32", name = "base", doc = "" }]

[[constant]]
name = "IF"
value = 0x200
in = ["1"]
doc = "flag"

[[acceptance]]
order = 1
name = "limit"
test = "is right"
failure = "skip"
reads = ["dtr.limit"]
in = ["1"]

[[call]]
number = 0
name = "First"
group = "g"
does = "first"
takes = ["dtr DTR* eax", "when CYCLES edx+ecx", "more UINT32 s1"]
gives = ["what CYCLES eax+edx"]
reads = ["dtr", "gdt"]
presence = ["traps"]
queue = ["MMU"]
linux = ["load fill+patch"]
in = ["1"]

[[call]]
number = 1
name = "Second"
group = "g"
does = "second"
convention = "instruction"
takes = ["port UINT32 edx"]
in = ["1"]
"""

# What to replace, by what, and words of the message.
BROKEN = {
    "duplicate number": ("number = 1", "number = 0", "duplicate call number 0"),
    "gap": ("number = 1", "number = 3", "call 3 follows call 0"),
    "descending": ("number = 0", "number = 5", "call 1 follows call 5"),
    "duplicate name": ('name = "Second"', 'name = "FIRST"', "duplicate call name first"),
    "unknown register": ("port UINT32 edx", "port UINT32 r8", "unknown register r8"),
    "overlap": ('"port UINT32 edx"', '"port UINT32 edx", "value CYCLES eax+edx"', "overlap in edx"),
    "same argument twice": ('"port UINT32 edx"', '"port UINT32 edx", "port UINT32 eax"', "duplicate argument port"),
    "64 bits in one register": ("when CYCLES edx+ecx", "when CYCLES edx", "wrong size, 64 bits in edx"),
    "32 bits in two registers": ("port UINT32 edx", "port UINT32 edx+ecx", "wrong size, 32 bits in edx+ecx"),
    "out of order": ("more UINT32 s1", "more UINT32 s2", "by convention they fill"),
    "unknown type": ("port UINT32 edx", "port UINT31 edx", "unknown type UINT31"),
    "unknown pointer": ("dtr DTR* eax", "dtr RTD* eax", "unknown type RTD*"),
    "bad argument": ("port UINT32 edx", "port UINT32", "not of the form 'name TYPE place'"),
    "idle pointer": ('reads = ["dtr", "gdt"]', 'reads = ["gdt"]', "pointer dtr is neither read nor written"),
    "unknown memory": ('reads = ["dtr", "gdt"]', 'reads = ["dtr", "ldt"]', "unknown memory ldt"),
    "unknown group": ('group = "g"', 'group = "h"', "unknown group h"),
    "unknown rule": ('presence = ["traps"]', 'presence = ["trap"]', "unknown presence rule trap"),
    "contradicting rule": ('presence = ["traps"]', 'presence = ["mandatory"]', "mandatory contradicts"),
    "unknown lazy mode": ('queue = ["MMU"]', 'queue = ["GPU"]', "unknown lazy mode GPU"),
    "unknown hook kind": ("load fill+patch", "load spill", "not of the form 'op kind'"),
    "jump but returns": ('does = "second"', 'does = ""\nanswers = ["JUMP_REL"]', "only for calls that do not return"),
    "unknown answer": ('does = "second"', 'does = ""\nanswers = ["CALL"]', "unknown relocation type CALL"),
    "result without clobber": ('queue = ["MMU"]', 'clobbers = ["eax"]', "unknown clobber"),
    "unknown clobber": ('does = "second"', 'does = ""\nclobbers = ["ax"]', "unknown register ax"),
    "result but no return": ('queue = ["MMU"]', "returns = false", "gives something but does not return"),
    "unknown convention": ('convention = "instruction"', 'convention = "stdcall"', "has to be one of regparm"),
    "wrong structure size": ("size = 6", "size = 8", "wrong size 8: the fields end at 6"),
    "gap in structure": ("at = 2", "at = 4", "leaves a gap"),
    "overlap in structure": ("at = 2", "at = 1", "overlaps the field before it"),
    "duplicate field": ('name = "base"', 'name = "limit"', "duplicate field limit"),
    "unknown field type": ('type = "u16"', 'type = "i16"', "has to be one of u8"),
    "flag of two bits": ("value = 2,", "value = 6,", "not one bit"),
    "equal flags": ("value = 2,", "value = 1,", "duplicate value 1"),
    "equal members": ('name = "MASK"', 'name = "CPU"', "duplicate"),
    "clash in C": ('name = "IF"', 'name = "LAZY_MMU"', "duplicate C name VMI_LAZY_MMU"),
    "too big": ("value = 0x200", "value = 0x100000000", "fit in 32 bits"),
    "negative": ("value = 0x200", "value = -1", "fit in 32 bits"),
    "a boolean for a number": ("value = 0x200", "value = true", "has to be an integer"),
    "no identifier": ('name = "Second"', 'name = "Second Call"', "no identifier"),
    "missing key": ('does = "second"\n', "", "does is missing"),
    "unknown key": ('does = "second"', 'does = ""\nclobber = []', "unknown key clobber"),
    "unknown table": ("[memory]", "[memories]", "unknown key memories"),
    "wrong type": ('reads = ["dtr", "gdt"]', 'reads = "dtr"', "reads is 'dtr'"),
    "repetition": ('reads = ["dtr", "gdt"]', 'reads = ["dtr", "dtr"]', "repeats itself"),
    "unknown tested field": ('"dtr.limit"', '"dtr.lim"', "unknown field dtr.lim"),
    "tests not in order": ("order = 1", "order = 2", "numbered 1, 2, 3"),
    "no TOML": ("[types]", "[types", "not TOML"),
    "another generation": ('generation = "D"', 'generation = "C"', "generation has to be 'D'"),
}


def test_the_small_table_is_sound() -> None:
    assert [call.name for call in parse({"small": SOUND}, "D").calls] == ["First", "Second"]


@pytest.mark.parametrize(("old", "new", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_table_is_refused(old: str, new: str, words: str) -> None:
    assert old in SOUND
    with pytest.raises(TableError, match=re.escape(words)) as caught:
        parse({"small": SOUND.replace(old, new, 1)}, "D")
    assert caught.value.where


def test_one_scalar_in_two_files_is_refused() -> None:
    with pytest.raises(TableError, match="also in another file"):
        parse({"a": SOUND, "b": 'generation = "D"\nyears = "2027"\n'}, "D")


def test_a_generation_without_tables_is_refused() -> None:
    with pytest.raises(TableError, match="no tables for generation 'Q'"):
        load("Q")


def test_a_like_of_nothing_is_refused() -> None:
    text = SOUND.replace('generation = "D"', 'generation = "B"\nbase = "D"\nlike = [{ number = 2, name = "Nope" }]')
    with pytest.raises(TableError, match="generation D has no such call"):
        parse({"small": text}, "B")


@given(st.integers(0, len(SOUND) - 1), st.text(alphabet='\x00"[]={}\n,.0aé_', max_size=3))
def test_a_scribble_is_refused_or_harmless(place: int, scribble: str) -> None:
    """No scribble gets out as anything but a TableError."""
    text = SOUND[:place] + scribble + SOUND[place + 1 :]
    with suppress(TableError):
        parse({"small": text}, "D")


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4), st.data())
def test_a_value_of_another_type_is_refused_or_harmless(value: object, data: st.DataObject) -> None:
    """Replace one key's value by anything: never another exception."""
    lines = SOUND.splitlines()
    index = data.draw(st.sampled_from([index for index, line in enumerate(lines) if " = " in line]))
    lines[index] = f"{lines[index].split(' = ')[0]} = {toml(value)}"
    with suppress(TableError):
        parse({"small": "\n".join(lines)}, "D")


def toml(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "true" if value else "false"
    if isinstance(value, list):
        return f"[{', '.join(toml(item) for item in value)}]"
    return repr(value) if isinstance(value, int) else '"x"'


@given(st.lists(st.integers(1, 64), min_size=1, max_size=8), st.data())
def test_any_shift_of_a_field_is_found(sizes: list[int], data: st.DataObject) -> None:
    offsets = [sum(sizes[:index]) for index in range(len(sizes))]
    fields = [
        Field(f"f{index}", offset, "bytes", size, "")
        for index, (offset, size) in enumerate(zip(offsets, sizes, strict=True))
    ]
    check_structure(Structure("s", sum(sizes), tuple(fields), "", ()), "s")
    victim = data.draw(st.integers(0, len(sizes) - 1))
    shift = data.draw(st.integers(-64, 64).filter(bool))
    field = fields[victim]
    fields[victim] = Field(field.name, field.offset + shift, field.type, field.size, field.doc)
    with pytest.raises(TableError):
        check_structure(Structure("s", sum(sizes), tuple(fields), "", ()), "s")


def test_numbers_stand_in_tables_only() -> None:
    """Every generation that loads is a file, and the small table above is TOML on its own."""
    assert tomllib.loads(SOUND)["call"][0]["number"] == 0
    assert [load(name).generation for name in GENERATIONS] == ["D", "B"]
