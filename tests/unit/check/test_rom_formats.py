# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command: what it writes for people, as JUnit XML, TAP and JSON, and its exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from openvmi import abi
from openvmi.abi import CALL_COUNT, Call
from openvmi.check.rom import Report, check_rom, formats
from openvmi.check.rom.cases import cases_of
from openvmi.check.rom.rules import RULES
from openvmi.cli.check import command
from openvmi.cli.group import COMMANDS
from openvmi.errors import InputError, UsageError
from openvmi.rom import RULES as LAYOUT

from .rom_model import Model, patched, smallest

GOOD = Model().image()
WRONG = Model().but(Call.SetCR2, "c3").image()


@pytest.fixture(scope="module")
def wrong() -> Report:
    return check_rom(WRONG)


def run(image: bytes, folder: Path, *options: str) -> Result:
    file = folder / "a.rom"
    file.write_bytes(image)
    return CliRunner().invoke(command, ["rom", str(file), *options])


def test_text_says_how_many_calls_were_executed(tmp_path: Path) -> None:
    done = run(GOOD, tmp_path)
    assert done.exit_code == 0
    assert f"{CALL_COUNT} of {CALL_COUNT} calls executed" in done.output
    assert done.output.endswith("a.rom: conforms\n")


def test_text_names_rule_call_expected_seen_place_and_section(tmp_path: Path) -> None:
    done = run(WRONG, tmp_path)
    assert done.exit_code == 1
    lines = done.output.splitlines()
    (at,) = (number for number, line in enumerate(lines) if line.startswith("fail "))
    assert lines[at].split()[1] == "effect"
    for words in ("SetCR2 (positive: CR2 := 0x12345678)", "expected CR2 0x12345678, seen 0x0", "at image+0x8"):
        assert words in lines[at]
    assert lines[at + 1].strip() == "vmi-abi.md 3.1; 2 more like this"
    assert lines[-1].endswith("a.rom: does not conform: 3 findings")


def test_verbose_has_a_line_for_each_call(tmp_path: Path) -> None:
    output = run(GOOD, tmp_path, "-v").output
    assert all(f" {call.name} " in output for call in Call)


def test_warnings_do_not_fail(tmp_path: Path) -> None:
    done = run(patched(smallest(), {0x0F: b"\1"}), tmp_path)
    assert done.exit_code == 0
    assert "warn   reserved" in done.output
    assert done.output.endswith("conforms (it serves no call, so none was executed), 1 warning\n")


def test_tap(wrong: Report) -> None:
    lines = formats.tap(wrong).splitlines()
    results = [line for line in lines if line.startswith(("ok ", "not ok "))]
    assert lines[:2] == ["TAP version 13", f"1..{len(results)}"]
    assert [int(line.removeprefix("not ").split()[1]) for line in results] == list(range(1, len(results) + 1))
    assert sum(line.startswith("not ok") for line in results) == 3
    assert any("# fail effect: SetCR2" in line for line in lines)


def test_junit(wrong: Report, tmp_path: Path) -> None:
    root = ET.fromstring(formats.junit(wrong, "a\x1b.rom"))  # noqa: S314 - ours
    cases = root.findall("testsuite/testcase")
    failures = [(case.get("classname"), case.get("name")) for case in cases if case.find("failure") is not None]
    assert failures == [("SetCR2", f"{case.kind}: {case.title}") for case in cases_of(abi.load().call("SetCR2"))]
    assert (root.get("tests"), root.get("failures")) == (str(len(cases)), "3")
    assert len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases)
    target = tmp_path / "out.xml"
    assert run(WRONG, tmp_path, "--junit", str(target)).exit_code == 1
    assert ET.fromstring(target.read_text()).get("failures") == "3"  # noqa: S314


def test_json_alone_on_stdout(tmp_path: Path) -> None:
    file = tmp_path / "a.rom"
    file.write_bytes(WRONG)
    line = [sys.executable, "-m", "openvmi", "check", "rom", str(file), "--json", "-"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "")
    report = json.loads(done.stdout)
    assert report["passed"] is False
    (image,) = report["images"]
    assert (image["served"], image["executed"]) == (CALL_COUNT, CALL_COUNT)
    assert {finding["rule"] for finding in image["findings"]} == {"effect"}
    assert len(image["calls"]) == CALL_COUNT


def test_every_finding_lands_in_one_check(wrong: Report) -> None:
    found = [finding for check in formats.checks(wrong) for finding in check.findings]
    assert sorted(map(str, found)) == sorted(map(str, wrong.findings))
    query = check_rom(Model(before="47").image())
    (failed,) = (check for check in formats.checks(query) if check.failed)
    assert (failed.group, failed.name) == ("jump-points", "get_reloc")


def test_what_was_not_executed_is_skipped_in_tap_and_junit() -> None:
    report = check_rom(Model().but(Call.WBINVD, "0f01c1").image())
    skipped = [line for line in formats.tap(report).splitlines() if " # SKIP " in line]
    assert {line.split(" - ")[1].split(":")[0] for line in skipped} == {"WBINVD"}
    root = ET.fromstring(formats.junit(report, "a"))  # noqa: S314
    assert root.get("skipped") == str(len(root.findall("testsuite/testcase/skipped"))) == str(len(skipped))


def test_names_of_rules_are_one_space() -> None:
    names = formats.rule_names()
    assert len(set(names)) == len(names) == len(LAYOUT) + len(RULES)


def test_what_is_no_rom_is_an_error_with_its_file(tmp_path: Path) -> None:
    done = run(b"no rom", tmp_path)
    assert isinstance(done.exception, InputError)
    assert done.exception.where.endswith("a.rom")
    assert isinstance(CliRunner().invoke(command, ["rom", str(tmp_path / "none")]).exception, InputError)
    assert run(GOOD, tmp_path, "--nothing").exit_code == 2


def test_a_report_is_not_written_over_the_rom(tmp_path: Path) -> None:
    assert isinstance(run(GOOD, tmp_path, "--json", str(tmp_path / "a.rom")).exception, UsageError)


def test_one_report_alone_goes_to_stdout(tmp_path: Path) -> None:
    for options in (("--tap", "--json", "-"), ("--json", "-", "--junit", "-")):
        assert isinstance(run(GOOD, tmp_path, *options).exception, UsageError)


def test_without_unicorn_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "unicorn", None)
    error = run(GOOD, tmp_path).exception
    assert isinstance(error, UsageError)
    assert error.help == "pip install 'openvmi[check]'"


def test_no_other_command_imports_the_check() -> None:
    """Unicorn and XML cost a boot's time: ``openvmi run`` must not pay for them."""
    others = [name for name in COMMANDS if name not in {"check", "lint"}]
    script = (
        "import sys\n"
        "from openvmi.cli.group import cli\n"
        f"[cli.get_command(None, name) for name in {others!r}]\n"
        "print([name for name in sys.modules if name.startswith(('unicorn', 'openvmi.check', 'xml'))])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_the_command_imports_unicorn_only_when_it_runs() -> None:
    script = "import sys, openvmi.cli.check; sys.exit('unicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=60).returncode == 0
