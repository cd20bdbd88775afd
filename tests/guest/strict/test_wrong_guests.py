# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest for each rule, which breaks it and no other; and the bundled guests, which break none."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from openvmi.boot import Request, configure, machine_of
from openvmi.hypervisor import STRICT, Session
from openvmi.hypervisor.strict.brain import Strict
from openvmi.hypervisor.strict.findings import Findings
from openvmi.hypervisor.strict.rules import RULES

from .recipe import HERE, ROOT, build

# No guest can break it under a ROM that does not offer the call; tests/unit/strict has the events.
_NOT_OFFERED = {"ap-state"}
_TWO_CPUS = {"none-other-cpu", "descriptor-other-cpu", "gdt-other-cpu", "tr-other-cpu"}
DEEDS = re.findall(r'\{ "([a-z0-9-]+)"', (ROOT / HERE / "rules.c").read_text("utf-8"))


@pytest.fixture(scope="module")
def wrong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wrong"))


def judged(request: Request) -> Findings:
    with machine_of(request) as session:
        assert isinstance(session, Session)
        outcome = session.wait()
        hypervisor = session.hypervisor
        assert session.brain is not None
        assert session.brain.failure is None
        assert session.link.losses().upcalls == 0
    assert (outcome.exit_code, outcome.status) == (0, 0), outcome.reason
    assert isinstance(hypervisor, Strict)
    return hypervisor.judge.findings


def test_each_rule_has_its_guest() -> None:
    assert {deed for deed in DEEDS if not deed.startswith("none")} == set(RULES) - _NOT_OFFERED


@pytest.mark.parametrize("deed", DEEDS)
def test_breaks_its_rule_and_no_other(wrong: Path, deed: str) -> None:
    cpus = 2 if deed in _TWO_CPUS else 1
    findings = judged(Request(kernel=str(wrong), hypervisor=STRICT, append=deed, cpus=cpus, accel="tcg", timeout=20))
    wanted = set() if deed.startswith("none") else {deed}
    assert {finding.rule.id for finding in findings} == wanted, [finding.seen for finding in findings]


def test_addresses_from_before_activation_lead_to_the_judge(wrong: Path) -> None:
    findings = judged(Request(kernel=str(wrong), hypervisor=STRICT, append="addresses-kept", accel="tcg", timeout=20))
    assert [finding.rule.id for finding in findings] == ["lazy-nested"]
    (finding,) = findings
    assert len(finding.before) == 6  # what is told after activation, and the first mode


@pytest.mark.parametrize("kernel", ["guest", "guest-pae"])
@pytest.mark.parametrize("cpus", [1, 2])
def test_the_bundled_guest_is_clean(kernel: str, cpus: int) -> None:
    findings = judged(Request(kernel=kernel, hypervisor=STRICT, append="-- check", cpus=cpus, accel="tcg"))
    assert [(finding.rule.id, finding.seen) for finding in findings] == []


def run(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "openvmi", "run", "--quiet", "--accel", "tcg", "--hypervisor", STRICT, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_findings_are_told_with_function_call_and_what_led_there(wrong: Path, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    done = run("--kernel", str(wrong), "--append", "lazy-nested", "--json", str(file))
    assert done.returncode == 0
    assert "error: lazy-nested: " in done.stderr
    assert "(vmi-abi.md 4.6, 10.2)" in done.stderr
    assert "first: CPU 0 SetLazyMode(mode=0x2)" in done.stderr
    assert "before: CPU 0 SetLazyMode(mode=0x1)" in done.stderr
    strict = json.loads(file.read_text("utf-8"))["hosted"]["strict"]
    assert (strict["errors"], strict["warnings"]) == (1, 0)
    (finding,) = strict["findings"]
    assert (finding["rule"], finding["severity"], finding["count"], finding["cpu"]) == ("lazy-nested", "error", 1, 0)
    # the helper is assembler, so the one for whom it calls is found on the stack
    assert finding["functions"] == ["vmi"] or "lazy" in finding["functions"][0]


@pytest.mark.parametrize(
    ("deed", "words", "status"),
    [
        ("lazy-nested", (), 0),
        ("lazy-nested", ("--strict-fail",), 1),
        ("none", ("--strict-fail",), 0),
        ("flush-flags", ("--strict-fail",), 0),  # a warning
        ("no such deed", ("--strict-fail",), 97),
    ],
)
def test_exit_code(wrong: Path, deed: str, words: tuple[str, ...], status: int) -> None:
    assert run("--kernel", str(wrong), "--append", deed, *words).returncode == status


def test_a_boot_takes_at_most_five_times_as_long() -> None:
    seconds: dict[str, list[int]] = {"none": [], STRICT: []}
    for _ in range(5):
        for hypervisor, taken in seconds.items():
            with machine_of(Request(hypervisor=hypervisor, append="-- stop", accel="tcg")) as machine:
                outcome = machine.wait()
            assert outcome.ok
            taken.append(outcome.times.duration)
    assert statistics.median(seconds[STRICT]) < 5 * statistics.median(seconds["none"])


def test_a_guest_that_does_not_use_the_interface_is_not_passed() -> None:
    assert run("--kernel", "plain", "--append", "-- stop").returncode == 0
    done = run("--kernel", "plain", "--append", "-- stop", "--strict-fail")
    assert done.returncode == 1
    assert "made no call that could be judged" in done.stderr


def test_strict_fail_wants_strict() -> None:
    command = [sys.executable, "-m", "openvmi", "run", "--hypervisor", "native", "--strict-fail"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "--hypervisor strict" in done.stderr


def test_instructions_cannot_be_counted() -> None:
    assert run("--icount").returncode == 2


def test_configured_with_its_own_rom() -> None:
    assert [Path(rom).name for rom in configure(Request(hypervisor=STRICT)).option_roms] == ["openvmi-strict.rom"]
