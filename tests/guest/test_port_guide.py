# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/port-your-kernel.md, typed from top to bottom: its files written, its changes made, its commands given.

Each command must succeed and print what the page shows. The end must be what `openvmi new guest` writes.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from openvmi import kit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "port-your-kernel.md"
BLOCK = re.compile(r"(?:^`([\w.]+)`\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")
SECONDS = 60
HYPERVISORS = {"none", "native", "strict", "hosted"}


class Block(NamedTuple):
    """A fenced block: the file whose name stands above it, its kind, and its text."""

    name: str
    kind: str
    text: str


def blocks(page: str) -> list[Block]:
    return [Block(*match.groups("")) for match in BLOCK.finditer(page)]


def patched(old: list[str], diff: list[str]) -> list[str]:
    """Return the lines ``old`` with the hunks of ``diff``, which must fit to the line, as they do for patch(1)."""
    new: list[str] = []
    at = 0
    for line in diff:
        hunk = HUNK.match(line)
        if hunk:
            first = int(hunk[1]) - 1
            new += old[at:first]
            at = first
            continue
        mark, text = line[:1], line[1:]
        if mark in {" ", "-", ""}:
            assert old[at] == text, f"line {at + 1}: the page has {text!r}, the file {old[at]!r}"
            at += 1
        if mark in {" ", "+", ""}:
            new.append(text)
    return new + old[at:]


def change(folder: Path, text: str) -> None:
    for part in re.split(r"^(?=--- a/)", text, flags=re.MULTILINE)[1:]:
        head, new_head, *lines = part.splitlines()
        file = folder / head.removeprefix("--- a/")
        assert new_head == f"+++ b/{file.name}"
        file.write_text("\n".join(patched(file.read_text().splitlines(), lines)) + "\n")


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a block, and what it is shown to print."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which openvmi and python3 are the ones that run this test."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, words in (("openvmi", f"{sys.executable} -m openvmi"), ("python3", sys.executable)):
        (folder / name).write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def give(command: str, shown: str, folder: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    if command != "make":  # which echoes what it does
        assert done.stdout == shown, command


@pytest.mark.timeout(300)
def test_the_page_from_top_to_bottom(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "kernel"
    folder.mkdir()
    given: list[str] = []
    for block in blocks(PAGE.read_text()):
        if block.name:
            (folder / block.name).write_text(block.text)
        elif block.kind == "diff":
            change(folder, block.text)
        elif block.kind == "console":
            for command, shown in commands(block.text):
                give(command, shown, folder, environment)
                given.append(command)
    assert sum(command.startswith("openvmi run") for command in given) >= 9
    assert set(re.findall(r"--hypervisor (\w+)", "\n".join(given))) == HYPERVISORS
    ours = kit.template()
    assert {name: (folder / name).read_bytes() for name in ours} == ours
    assert not (folder / "cpu.h").exists()


def test_a_hunk_that_does_not_fit_is_refused() -> None:
    old = ["one", "two", "three"]
    assert patched(old, ["@@ -2,2 +2,2 @@", " two", "-three", "+four"]) == ["one", "two", "four"]
    with pytest.raises(AssertionError, match="line 1"):
        patched(old, ["@@ -1,2 +1,2 @@", " two", "-three"])
