# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from openvmi.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
NAMED = re.compile(r"`((?:src|guest|firmware|tests|tools)/[\w./-]+?)(?::(\w+))?`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[^)]*)?\)")
DEFINITIONS = {
    ".py": r"^(?:class |def |async def |    def ){0}\b|^{0}\b.*=",
    ".c": r"^[A-Za-z].*\b{0}\(",
    ".h": r"\b{0}\b",
    ".S": r"^{0}:|FUNCTION\({0}\)|ONE\({0},",
}


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_and_functions_that_a_page_names_exist(page: Path) -> None:
    for path, symbol in NAMED.findall(page.read_text()):
        file = ROOT / path
        assert file.exists(), f"{page_id(page)} names {path}"
        if symbol:
            pattern = DEFINITIONS[file.suffix].format(re.escape(symbol))
            assert re.search(pattern, file.read_text(), re.MULTILINE), f"{page_id(page)}: no {symbol} in {path}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page_id(page)} links to {target}"


def test_the_walk_through_one_call_is_there() -> None:
    named = NAMED.findall((ROOT / "docs" / "architecture.md").read_text())
    assert len([symbol for _, symbol in named if symbol]) > 20


def test_every_exit_code_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text()
    rows = dict(re.findall(r"^\| (\d+) \| `(\w+)`", page, re.MULTILINE))
    assert rows == {str(int(code)): code.name for code in ExitCode}


def test_every_folder_of_the_package_is_in_the_table() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    for folder in (ROOT / "src" / "openvmi").iterdir():
        if folder.is_dir() and folder.name != "__pycache__":
            assert f"src/openvmi/{folder.name}/" in page, folder.name
