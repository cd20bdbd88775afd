# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a shell offers while a command is typed."""

from __future__ import annotations

import pytest
from click.shell_completion import ShellComplete

from openvmi.bench.measure import BENCHMARKS
from openvmi.boot import BUNDLED
from openvmi.cli.group import cli


def offered(*words: str) -> list[tuple[str, str]]:
    """Return kind and value of what completes the last of ``words``."""
    found = ShellComplete(cli, {}, "openvmi", "_OPENVMI_COMPLETE").get_completions(list(words[:-1]), words[-1])
    return [(item.type, item.value) for item in found]


def plain(*words: str) -> list[str]:
    return [value for kind, value in offered(*words) if kind == "plain"]


@pytest.mark.parametrize("words", [("run", "--kernel"), ("bench", "--guest")])
def test_a_kernel_is_a_name_or_a_file(words: tuple[str, ...]) -> None:
    assert plain(*words, "") == list(BUNDLED)
    assert plain(*words, "plain-") == ["plain-pae"]
    # bash drops what stands before the file
    assert offered(*words, "./bz") == [("file", "./bz")]
    assert offered(*words, "g")[0] == ("file", "g")


def test_lists() -> None:
    assert plain("bench", "--hypervisors", "")[:4] == ["none", "declining", "native", "native13"]
    assert plain("bench", "--hypervisors", "none,n") == ["none,native", "none,native13"]
    assert plain("bench", "--only", "") == list(BENCHMARKS)
    assert plain("bench", "--only", "switch,null-") == ["switch,null-int80", "switch,null-sysenter"]
    guests = ["guest", "guest-pae", "guest-13", "guest-13-pae"]
    assert plain("bench", "--guest", "plain,guest") == [f"plain,{name}" for name in guests]
    assert plain("bench", "--guest", "bzImage,gu") == [f"bzImage,{name}" for name in guests]


def test_calls_of_the_chosen_generation() -> None:
    assert plain("abi", "setcr") == ["SetCR0", "SetCR2", "SetCR3", "SetCR4"]
    assert plain("abi", "VMI") != plain("abi", "--generation", "b", "VMI")
    assert plain("abi", "none-such") == []
