# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""``openvmi abi``: what it prints for people and programs, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from openvmi.abi import Call, generate
from openvmi.cli.abi import command
from openvmi.errors import ExitCode, UsageError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def run_json(*arguments: str) -> Any:  # noqa: ANN401 - it is JSON
    return json.loads(run(*arguments, "--json"))


@pytest.mark.parametrize("which", ["SetPxELong", "setpxelong", "39", "0x27", "VMI_CALL_SetPxELong", " 39 ", "039"])
def test_a_call_by_name_and_number(which: str) -> None:
    text = run(which)
    assert text.startswith("SetPxELong: call 39 of generation D\n")
    assert "EDX:EAX value, LONG_PTE" in text
    assert "[ESP+4] flags, PxeFlag" in text
    assert "VA_MASK 0xFFFFF000" in text
    assert "vmi-abi.md 3.1, 4.5, 9.10" in text


@pytest.mark.parametrize("generation", ["D", "B"])
def test_every_call_can_be_explained(generation: str) -> None:
    listed = run_json("--generation", generation)
    assert listed["generation"] == generation
    for entry in (*listed["calls"], *listed["jump_points"]):
        assert run(entry["name"], "--generation", generation).startswith(entry["name"])
        assert run_json(entry["name"], "--generation", generation) == entry


def test_json_of_a_call() -> None:
    entry = run_json("setalarm")
    assert (entry["number"], entry["name"], entry["kind"]) == (68, "SetAlarm", "call")
    assert entry["takes"][2] == {"name": "period", "type": "CYCLES", "bits": 64, "at": ["s1", "s2"]}
    assert entry["may_be_none"] is True
    assert entry["preserves"] == ["ebx", "esi", "edi", "ebp"]
    assert entry["enums"] == {"AlarmFlag": {"PERIODIC": 0x100, "LVTT": 0x10000, "WIRED_IRQ0": 0, "COUNTER_MASK": 0xFF}}


def test_a_jump_point() -> None:
    assert "image + 0x88" in run("GET_RELOC")
    assert run_json("vmi_init")["kind"] == "jump point"


def test_the_list_has_every_call() -> None:
    text = run("--list")
    assert text == run()
    assert all(f"{call.value:4}  {call.name} " in text for call in Call)
    assert len(text.splitlines()) == 1 + len(Call) + 2


def test_generation_b_has_its_own_numbers() -> None:
    assert run("SetCR3", "--generation", "b").startswith("SetCR3: call 22 of generation B")


@pytest.mark.parametrize(("form", "name"), [("c", "vmi_abi.h"), ("asm", "vmi_abi.inc")])
def test_the_header_is_the_committed_one(form: str, name: str) -> None:
    assert run("--header", form) == (generate.ROOT / generate.INCLUDE / name).read_text()
    assert run("--header", form, "--generation", "b") == (generate.ROOT / generate.INCLUDE_B / name).read_text()


@pytest.mark.parametrize(
    ("arguments", "words", "mend"),
    [
        (("SetCR5",), "generation D has no call 'SetCR5'", "SetCR4"),
        (("irte",), "no call 'irte'", "IRET"),
        (("74",), "no call '74'", "numbered 0 to 73"),
        (("-1",), "no call '-1'", "numbered 0 to 73"),
        (("3", "--generation", "B"), "generation B has no call '3'", "numbered 4 to 87"),
        (("",), "no call ''", "openvmi abi --list"),
        (("☃" * 400,), "no call", "openvmi abi --list"),
        (("9" * 5000,), "no call", "openvmi abi --list"),
        (("²",), "no call", "openvmi abi --list"),
        (("SetCR3", "--list"), "exclude each other", ""),
        (("--header", "c", "--list"), "exclude each other", ""),
    ],
)
def test_what_can_not_be_is_refused(arguments: tuple[str, ...], words: str, mend: str) -> None:
    options = [argument for argument in arguments if argument.startswith("--") or argument in {"B", "c"}]
    names = [argument for argument in arguments if argument not in options]
    with pytest.raises(UsageError) as caught:
        CliRunner().invoke(command, [*options, "--", *names], catch_exceptions=False)
    assert words in str(caught.value)
    assert mend in caught.value.help
    assert caught.value.exit_code == ExitCode.USAGE
