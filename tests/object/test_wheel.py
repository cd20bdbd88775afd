# SPDX-FileCopyrightText: 2026 The openvmi authors
# SPDX-License-Identifier: GPL-2.0-or-later
"""The package as pip makes it: built with no compiler on the host, carrying the images as data."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from openvmi import kit
from openvmi.kit import layer_sources
from openvmi.toolchain import IMAGES

ROOT = Path(__file__).resolve().parents[2]
PACKED = ("src", "firmware", "guest", "LICENSES", "pyproject.toml", "hatch_build.py", "README.md")
BUILT = ("*.elf", "*.rom", "*.cpio", "user", "__pycache__")


def copy_sources(to: Path) -> Path:
    """Copy what the package is built from, without the images that are built already."""
    to.mkdir()
    for name in PACKED:
        source = ROOT / name
        if source.is_dir():
            images = shutil.ignore_patterns(*BUILT)
            plain = shutil.ignore_patterns("__pycache__")

            def ignore(folder: str, names: list[str]) -> set[str]:
                return images(folder, names) if folder.endswith("images") else plain(folder, names)  # noqa: B023

            shutil.copytree(source, to / name, ignore=ignore)
        else:
            shutil.copy(source, to / name)
    return to


def without_a_compiler(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which no program can be found but those of this Python's own folder."""
    empty = tmp_path / "bin"
    empty.mkdir()
    return {**os.environ, "PATH": str(empty), "CC": "/no/such/cc"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("wheel")
    sources = copy_sources(tmp_path / "sources")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "dist")],
        cwd=sources,
        env=without_a_compiler(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "dist").glob("*.whl")
    return path


def test_the_wheel_carries_every_image(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"openvmi/images/{name}" for name in IMAGES} <= names
    assert "openvmi/py.typed" in names
    assert {f"openvmi/kit/layer/{name}" for name in layer_sources(ROOT)} <= names
    assert not [name for name in names if name.startswith(("firmware", "guest", "tests"))]


def test_what_the_wheel_installs_works_without_the_sources(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"}
    code = (
        "import hashlib, openvmi, openvmi.images as i, openvmi.kit as k; print(openvmi.__file__);"
        "print(len(i.path('openvmi.rom').read_bytes()));"
        "print(hashlib.sha256(repr(sorted(k.template().items())).encode()).hexdigest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    where, size, template = done.stdout.split()
    assert where.startswith(str(tmp_path))
    assert int(size) == 2048
    assert template == hashlib.sha256(repr(sorted(kit.template().items())).encode()).hexdigest()
