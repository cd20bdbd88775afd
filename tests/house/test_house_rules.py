# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The rules of the house as tests: layers, types, format, licences, sizes."""

from __future__ import annotations

import ast
import re
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("src", "tests")
TOOLS = (
    ("ruff", "format", "--check"),
    ("ruff", "check"),
    ("mypy",),
    ("lint-imports",),
    ("reuse", "lint", "--quiet"),
)


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the length in lines, docstring left out, of each function in ``path``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body
            start = node.lineno
            docstring = ast.get_docstring(node, clean=False)
            lines = (node.end_lineno or start) - start + 1 - (docstring.count("\n") + 1 if docstring and body else 0)
            yield f"{path.relative_to(ROOT)}:{node.name}", lines


@pytest.mark.parametrize("command", TOOLS, ids=lambda command: "-".join(command[:2]))
def test_tool_is_content(command: tuple[str, ...]) -> None:
    tool = Path(sys.executable).parent / command[0]
    if not tool.exists():
        pytest.fail(f"{command[0]} is not in this environment: make test installs it")
    done = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr


def test_functions_are_small() -> None:
    sizes = dict(pair for path in python_files("src") for pair in functions(path))
    too_long = {name: size for name, size in sizes.items() if size > 60}
    assert not too_long
    assert statistics.median(sizes.values()) <= 12


def test_modules_are_small() -> None:
    sizes = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in python_files("src")}
    assert not {name: size for name, size in sizes.items() if size > 400 and "_generated" not in name}


def test_guest_and_firmware_files_are_small() -> None:
    files = [path for folder in ("firmware", "guest") for path in (ROOT / folder).rglob("*.[chS]")]
    assert files
    generated = {ROOT / "firmware" / "include", ROOT / "firmware" / "include13"}
    sizes = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in files
        if not generated & set(path.parents)
    }
    assert not {name: size for name, size in sizes.items() if size > 500}


def test_the_project_speaks_of_itself_alone() -> None:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run([git, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30).stdout
    banned = re.compile(r"/wo[r]k/|/roo[t]/|hel[p]er-\d|iss[u]e #?\d")
    for name in listed.split():
        path = ROOT / name
        if path.is_file():
            text = path.read_text(errors="replace")
            assert not banned.search(text), f"{name}: {banned.search(text)}"


def test_importing_every_module_opens_nothing() -> None:
    modules = [
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for path in python_files("src")
        if path.name != "__main__.py"
    ]
    script = (
        "import sys, importlib\n"
        "import openvmi\n"
        "bad = []\n"
        "events = ('socket.connect', 'subprocess.Popen', 'os.system')\n"
        "hook = lambda event, args: bad.append((event, args)) if event in events"
        " or (event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+')) else None\n"
        "sys.dont_write_bytecode = True\n"
        "sys.addaudithook(hook)\n"
        f"[importlib.import_module(name) for name in {modules!r}]\n"
        "sys.exit(repr(bad) if bad else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
